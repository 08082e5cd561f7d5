//! `switchover demo`: three simulated providers, the gateway and its clients in one process. Midway the first provider
//! breaks, in several ways, and is mended again; the clients must not notice.
//!
//! ```text
//!   outage (what is broken when) ─┐
//!   load ─ samples ─→ ledger ─────┼─→ scene ─→ view (pure) ─→ screen ─→ standard error
//!   board ─ transitions ──────────┘      └───→ summary ─→ standard output
//! ```
//! What it reports is what its clients saw; the gateway's own counters are asked afterwards, and must say the same.

mod ledger;
mod outage;
mod play;
mod screen;
mod summary;
mod view;

use std::sync::mpsc;
use std::thread;

use crate::base::Span;
use crate::cli::terminal::Terminal;
use crate::cli::{DemoArgs, Exit, nothing_started};
use crate::policy::{self, Policy};
use crate::runtime::{Asked, Gateway, HangUp, Options};

use self::play::Demo;
use self::screen::Screen;

/// The value of `--for`.
///
/// # Errors
/// It is no time, or out of bounds.
pub(super) fn length(text: &str) -> Result<Span, String> {
    let span = policy::duration(text)
        .ok_or_else(|| "it must be a time with a unit, such as `20s` or `2m`".to_owned())?;
    if (LENGTH_MIN..=LENGTH_MAX).contains(&span) {
        Ok(span)
    } else {
        Err(format!("it must be {LENGTH_MIN} to {LENGTH_MAX}"))
    }
}

/// Runs the demonstration to its end, or to the first signal.
pub(super) fn run(args: &DemoArgs, terminal: &mut Terminal) -> Exit {
    let Ok(asked) = Asked::listen(thread::current(), HangUp::End) else {
        terminal.tell("switchover: signals cannot be listened for\n");
        return Exit::Internal;
    };
    let (sink, transitions) = mpsc::channel();
    let options = Options {
        listen: Some(ANY_PORT.to_owned()),
        admin: Some(ANY_PORT.to_owned()),
        cores: args.cores,
        io: args.io.into(),
        access_log: None,
        transitions: Some(sink),
        source: None,
    };
    let gateway = match first_policy().and_then(|policy| Gateway::start(policy, &options)) {
        Ok(gateway) => gateway,
        Err(errors) => return nothing_started(&errors, terminal),
    };
    let mut demo = Demo::new(args, &gateway, transitions);
    demo.play(&asked, &mut Screen::new(terminal));
    let summary = demo.summary();
    if args.json {
        terminal.print(&format!("{}\n", summary.json()));
    } else {
        terminal.print(&summary.text());
    }
    if summary.is_good() {
        Exit::Fine
    } else {
        Exit::Findings
    }
}

/// The policy of the first steps, as it stands in the repository.
fn first_policy() -> Result<Policy, Vec<String>> {
    let sources = [(POLICY, include_str!("../../../policies/first.policy"))];
    match policy::load(&sources, POLICY, &[]) {
        Ok((policy, _)) => Ok(policy),
        Err(diagnostics) => Err(vec![diagnostics.render(false)]),
    }
}

const POLICY: &str = "policies/first.policy";
const ANY_PORT: &str = "127.0.0.1:0";
/// Below that the breaker, which refuses for two seconds, could not be seen to close again.
const LENGTH_MIN: Span = Span::from_secs(3);
/// Beyond that nothing new happens.
const LENGTH_MAX: Span = Span::from_secs(600);

#[cfg(test)]
mod tests {
    use super::{first_policy, length};
    use crate::base::Span;

    #[test]
    fn lengths_are_times_within_bounds() {
        assert_eq!(length("3s"), Ok(Span::from_secs(3)));
        assert_eq!(length("10m"), Ok(Span::from_secs(600)));
        for text in ["", "20", "2.9s", "601s", "1h", "20%", "soon"] {
            let error = length(text).unwrap_err();
            assert!(error.starts_with("it must be "), "{text:?}: {error}");
        }
        assert_eq!(length("1s").unwrap_err(), "it must be 3s to 10m");
    }

    #[test]
    fn the_embedded_policy_has_what_is_broken() {
        let policy = first_policy().unwrap();
        let broken = policy
            .providers
            .iter()
            .find(|provider| &*provider.name == super::play::BROKEN)
            .unwrap();
        assert!(broken.simulation.is_some());
    }
}
