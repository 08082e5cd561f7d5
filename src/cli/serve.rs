//! `switchover serve`: the gateway.

use std::path::Path;
use std::thread;

use crate::cli::terminal::Terminal;
use crate::cli::{Exit, IoArg, ServeArgs, borrowed, nothing_started};
use crate::engine::Bound;
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
    runtime::note(&bounds(&gateway));
    while asked.to_end() == 0 {
        if asked.to_reload() {
            // What came of it is in the log, where whoever sent the signal looks.
            let _ = gateway.reload();
        } else {
            thread::park();
        }
    }
    let drain = gateway.plan().policy.server.drain.as_secs_ceil();
    runtime::note(&format!(
        "draining: requests under way may take {drain} s; a second signal ends them"
    ));
    gateway.drain(|| asked.to_end() > 1);
    runtime::note("done");
    Exit::Fine
}

/// What it takes on at once, said in the words that change it.
fn bounds(gateway: &Gateway) -> String {
    let bounds = gateway.load().map(|status| match status.bound {
        Bound::BodyMemory => format!("{} {} KiB", status.bound.as_str(), status.max >> 10),
        Bound::Connections | Bound::Requests => format!("{} {}", status.bound.as_str(), status.max),
    });
    format!("bounds: {}", bounds.collect::<Vec<_>>().join(", "))
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
