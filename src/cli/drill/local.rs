//! `switchover drill --local`: drills over sockets, in real time. A gateway in this process runs the plan; its providers are
//! simulated ones on loopback, which answer each in its own format and take the time that the drill assumes. No credential is
//! read, nothing leaves the machine.
//!
//! ```text
//!   plan ─ standing in ─▶ the same plan, its providers simulated ─▶ Gateway ─ start_drill ─▶ the controller of live drills
//! ```

use std::sync::mpsc;
use std::thread;

use crate::base::{ProviderId, Span};
use crate::cli::DrillArgs;
use crate::cli::terminal::Terminal;
use crate::policy::drill::{Drill, Manner};
use crate::policy::model::{
    Auth, ClientTls, HealthCheck, LogForm, Provider, Question, SecretRef, SecretSource, Simulation,
};
use crate::policy::{Plan, Policy};
use crate::runtime::{Gateway, Options};
use crate::sim::rehearsal::{Conclusion, Drilled};

/// Runs one drill, to its end.
pub(super) fn run(
    plan: &Plan,
    drill: &Drill,
    args: &DrillArgs,
    terminal: &mut Terminal,
) -> Drilled {
    let not_run = |why: String| Drilled::not_run(plan, drill, Conclusion::Failed, why);
    if let Some(why) = drill.beyond_rehearsal() {
        return Drilled::not_run(plan, drill, Conclusion::Skipped, why.to_owned());
    }
    let options = Options {
        listen: Some(ANY_PORT.to_owned()),
        admin: Some(ANY_PORT.to_owned()),
        cores: Some(args.cores),
        access_log: Some(LogForm::Off),
        // The report has them.
        transitions: Some(mpsc::channel().0),
        ..Options::default()
    };
    let gateway = match Gateway::start(standing_in(&plan.policy, drill), &options) {
        Ok(gateway) => gateway,
        Err(errors) => return not_run(errors.join("; ")),
    };
    let started = match gateway.start_drill(&drill.name, args.seed) {
        Ok(started) => started,
        Err(refused) => {
            return Drilled::not_run(plan, drill, Conclusion::Skipped, refused.to_string());
        }
    };
    terminal.tell(&format!("switchover: drill {}: {started}\n", drill.name));
    loop {
        thread::park_timeout(LOOK.as_std());
        // A report of what was seen so far costs more than the requests themselves.
        let drills = gateway.drills();
        let mut own = drills.iter().filter(|it| it.name == drill.name);
        if own.any(|it| it.running) {
            continue;
        }
        let Some(drilled) = gateway.drill_report(&drill.name) else {
            return not_run("the gateway knows nothing of it".to_owned());
        };
        gateway.drain(|| false);
        return drilled;
    }
}

/// The same policy, whose providers are on this machine and answer as the drill assumes. All that hangs on places stays: ids,
/// endpoints, keys.
fn standing_in(policy: &Policy, drill: &Drill) -> Policy {
    let mut policy = policy.clone();
    for (id, provider) in (0..).map(ProviderId).zip(&mut policy.providers) {
        let assumed = drill.manners.iter().find(|(of, _)| *of == id);
        stand_in(
            provider,
            assumed.map_or(Manner::USUAL, |(_, manner)| *manner),
        );
    }
    policy.server.tls = None;
    policy.records = None;
    policy
}

fn stand_in(provider: &mut Provider, manner: Manner) {
    if let Auth::Key { secrets, .. } = &mut provider.auth {
        for SecretRef { source, .. } in secrets {
            *source = SecretSource::Placeholder;
        }
    }
    if provider.simulation.is_some() {
        return;
    }
    provider.simulation = Some(Simulation {
        ttft: manner.ttft,
        gap: manner.gap,
        tokens: manner.tokens,
        script: Vec::new(),
    });
    if let Some(HealthCheck {
        question: Question::Path { head, path },
        ..
    }) = &mut provider.health
    {
        // Whatever a provider answers at that path while it is well, a simulated one answers here.
        (*head, *path) = (false, "/v1/models".into());
    }
    provider.discover = None;
    provider.tls = ClientTls::default();
    for endpoint in &mut provider.endpoints {
        endpoint.tls = false;
    }
}

const ANY_PORT: &str = "127.0.0.1:0";
/// How often it is looked whether a drill is over.
const LOOK: Span = Span::from_millis(50);

#[cfg(test)]
mod tests {
    use super::standing_in;
    use crate::base::Span;
    use crate::policy;
    use crate::policy::model::SecretSource;

    const PLAN: &str = "policy 1\n\
        provider openai { auth = keys(env(\"A\"), env(\"B\")), model mini = \"gpt-5-mini\" }\n\
        provider anthropic { model sonnet = \"claude-sonnet-4-5\" }\n\
        provider vllm { base_url = \"https://10.0.0.1:8000/x\", model q = \"q\" }\n\
        provider sim { kind = simulated, simulate { ttft = 1ms..2ms, tokens = 2 }, model m = \"m\" }\n\
        route default { max_attempts = 5, tier 1 { openai.mini }, tier 2 { anthropic.sonnet, vllm.q, sim.m } }\n\
        drill d {\n  traffic = synthetic(1/s)\n  for = 5s\n  assume openai { ttft = 3ms..4ms, gap = 5ms, tokens = 6 }\n\
          inject openai { status = 503, after = 1s, lasts = 1s }\n  expect { success >= 1% }\n}\n";

    #[test]
    fn providers_are_simulated_as_the_drill_assumes_and_no_secret_is_named() {
        let (policy, _) = policy::load(&[("p.policy", PLAN)], "p.policy", &[]).unwrap();
        let drill = &policy.drills[0];
        let other = standing_in(&policy, drill);
        assert_eq!(other.hash, policy.hash);
        for (old, new) in policy.providers.iter().zip(&other.providers) {
            assert!(new.simulation.is_some(), "{}", new.name);
            assert_eq!(new.kind, old.kind);
            assert_eq!(new.auth.secrets().len(), old.auth.secrets().len());
            assert_eq!(new.endpoints.len(), old.endpoints.len());
            assert!(new.endpoints.iter().all(|endpoint| !endpoint.tls));
            let mut secrets = new.auth.secrets().iter();
            assert!(secrets.all(|secret| secret.source == SecretSource::Placeholder));
        }
        let [openai, _, _, sim] = &*other.providers else {
            panic!()
        };
        let openai = openai.simulation.as_ref().unwrap();
        assert_eq!(openai.ttft.0, Span::from_millis(3));
        assert_eq!(openai.tokens, 6);
        assert_eq!(sim.simulation, policy.providers[3].simulation);
    }
}
