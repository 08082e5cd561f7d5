//! `switchover drill --live NAME`: a drill on a running gateway, through its admin address.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::base::Span;
use crate::cli::terminal::Terminal;
use crate::cli::{DrillArgs, Exit};
use crate::runtime::operator;
use crate::sim::rehearsal::{self, Conclusion, Report, clock};

use super::{Form, exit_of, put, written};

/// Starts the drill, tells what happens as it comes, and ends with what came of it.
pub(super) fn run(name: &str, args: &DrillArgs, terminal: &mut Terminal) -> Exit {
    let gateway = Gateway { admin: &args.admin };
    match gateway.drill(name, args, terminal) {
        Ok(report) => {
            let exit = exit_of(&report);
            let text = written(args.format, &[report]);
            exit.max(put(&text, args.out.as_deref(), terminal))
        }
        Err((exit, why)) => {
            terminal.tell(&format!("switchover: {why}\n"));
            exit
        }
    }
}

struct Gateway<'a> {
    admin: &'a str,
}

/// How the command ends, and why.
type Failure = (Exit, String);

impl Gateway<'_> {
    fn drill(
        &self,
        name: &str,
        args: &DrillArgs,
        terminal: &mut Terminal,
    ) -> Result<Report, Failure> {
        self.announce(name, terminal)?;
        let seed = args.seed.map(|seed| format!("?seed={seed}"));
        let path = format!("/drills/{name}/start{}", seed.unwrap_or_default());
        let (status, body) =
            operator::order(self.admin, &path).map_err(|error| self.gone(&error))?;
        if status != 202 {
            return Err((Exit::Findings, self.complaint(status, &body)));
        }
        let mut told = 0;
        loop {
            thread::park_timeout(LOOK);
            let report = self.report(name)?;
            let Some(drill) = report.drills.first() else {
                return Err((Exit::Internal, format!("{} reports no drill", self.admin)));
            };
            if args.format == Form::Text && args.out.is_none() {
                let timeline = drill.run.iter().flat_map(|run| &run.timeline);
                for moment in timeline.skip(told) {
                    told += 1;
                    let at = clock(Span::from_millis(moment.millis()));
                    terminal.tell(&format!("  {at:>8}  {:<9} {}\n", moment.event, moment.what));
                }
            }
            if drill.conclusion != Conclusion::Running {
                return Ok(report);
            }
        }
    }

    /// Says what will happen, before it does: requests cost money.
    fn announce(&self, name: &str, terminal: &mut Terminal) -> Result<(), Failure> {
        let (status, body) =
            operator::page(self.admin, "/drills").map_err(|error| self.gone(&error))?;
        if status != 200 {
            return Err((Exit::Internal, self.complaint(status, &body)));
        }
        let list: Value = serde_json::from_slice(&body).unwrap_or_default();
        let drills = list.get("drills").and_then(Value::as_array);
        let is_it = |drill: &&Value| drill.get("name").and_then(Value::as_str) == Some(name);
        let Some(drill) = drills.into_iter().flatten().find(is_it) else {
            // The gateway knows better what is wrong with the name.
            return Ok(());
        };
        let requests = drill
            .get("requests")
            .and_then(Value::as_u64)
            .unwrap_or_default();
        let seconds = drill
            .get("seconds")
            .and_then(Value::as_f64)
            .unwrap_or_default();
        let what = match drill.get("traffic").and_then(Value::as_str) {
            Some("live") => "faults for a part of the clients' requests".to_owned(),
            Some("shadow") => {
                "copies of a part of the clients' requests to real providers".to_owned()
            }
            _ => format!("about {requests} requests to real providers"),
        };
        terminal.tell(&format!(
            "switchover: drill `{name}` at {}: {what}, {seconds:.0} s; it ends early with POST /drills/{name}/end\n",
            self.admin
        ));
        Ok(())
    }

    fn report(&self, name: &str) -> Result<Report, Failure> {
        let path = format!("/drills/{name}");
        let (status, body) =
            operator::page(self.admin, &path).map_err(|error| self.gone(&error))?;
        if status != 200 {
            return Err((Exit::Internal, self.complaint(status, &body)));
        }
        let reports = rehearsal::read(&body);
        let report = reports.map(|reports| reports.into_iter().next());
        match report {
            Ok(Some(report)) => Ok(report),
            Ok(None) => Err((Exit::Internal, format!("{} reports nothing", self.admin))),
            Err(why) => Err((
                Exit::Internal,
                format!("what {} reports cannot be read: {why}", self.admin),
            )),
        }
    }

    fn gone(&self, error: &std::io::Error) -> Failure {
        let why = format!("no gateway at {}: {error}", self.admin);
        (Exit::Internal, why)
    }

    fn complaint(&self, status: u16, body: &[u8]) -> String {
        let told: Value = serde_json::from_slice(body).unwrap_or_default();
        match told.get("error").and_then(Value::as_str) {
            Some(error) => error.to_owned(),
            None => format!("{} answered with status {status}", self.admin),
        }
    }
}

/// How often the gateway is asked what has happened.
const LOOK: Duration = Duration::from_millis(200);
