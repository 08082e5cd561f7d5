//! `switchover serve`: the gateway.

use std::path::Path;
use std::thread;

use crate::base::Span;
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, IoArg, ServeArgs, borrowed, nothing_started};
use crate::policy;
use crate::runtime::{self, Asked, Disk, Driver, Gateway, HangUp, Options, Source};

/// Runs until it is told to end.
pub(super) fn run(args: &ServeArgs, terminal: &mut Terminal) -> Exit {
    if !Path::new(&args.file).exists() {
        terminal.tell(&format!("switchover: `{}` does not exist\n", args.file));
        return Exit::Usage;
    }
    let policy = match policy::load(&Disk, &args.file, &borrowed(&args.sets)) {
        Ok((policy, diagnostics)) => {
            terminal.tell(&diagnostics.render(terminal.colours_told()));
            policy
        }
        Err(diagnostics) => {
            terminal.tell(&diagnostics.render(terminal.colours_told()));
            terminal.tell("switchover: the policy has errors; nothing was started\n");
            return Exit::Findings;
        }
    };
    let Ok(asked) = Asked::listen(thread::current(), HangUp::Reload) else {
        terminal.tell("switchover: signals cannot be listened for\n");
        return Exit::Internal;
    };
    let options = Options {
        listen: args.listen.clone(),
        admin: args.admin.clone(),
        cores: args.cores,
        io: args.io.into(),
        access_log: args.access_log.map(Into::into),
        transitions: None,
        source: Some(Source {
            file: args.file.clone(),
            sets: args.sets.clone(),
        }),
    };
    let gateway = match Gateway::start(policy, &options) {
        Ok(gateway) => gateway,
        Err(errors) => return nothing_started(&errors, terminal),
    };
    runtime::note(&started(args, &gateway));
    while asked.to_end() == 0 {
        if asked.to_reload() {
            // What came of it is in the log, where whoever sent the signal looks.
            let _ = gateway.reload();
        } else {
            thread::park();
        }
    }
    runtime::note("draining: requests in flight are finished; a second signal ends them");
    let patience = runtime::now() + GRACE;
    gateway.drain(|| asked.to_end() > 1 || runtime::now() >= patience);
    runtime::note("done");
    Exit::Fine
}

/// The one line that says what runs where.
fn started(args: &ServeArgs, gateway: &Gateway) -> String {
    let file = &args.file;
    let cores = gateway.cores();
    let fell_back = matches!(args.io, IoArg::Auto) && gateway.driver == Driver::Epoll;
    format!(
        "serving {file} ({:016x}) on {}, admin {}, {cores} core{}, {}{}",
        gateway.plan().policy.hash,
        gateway.listen,
        gateway.admin,
        if cores == 1 { "" } else { "s" },
        gateway.driver,
        if fell_back {
            " (io_uring is not available here)"
        } else {
            ""
        },
    )
}

/// How long requests in flight may take after the first signal: streams of long answers run for a minute.
const GRACE: Span = Span::from_secs(60);
