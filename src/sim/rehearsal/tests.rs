//! What the rehearsal must be, whatever drill it runs.

use crate::base::{Outcome, Span, TargetId};
use crate::engine::State;
use crate::policy::{self, Plan};

use super::record::{Event, Failed, Sum};
use super::{Record, Setup, Unfit, judge, run, slices};

const PROVIDERS: &str = r#"policy 1
provider alpha { kind = simulated, simulate { ttft = 200ms..400ms, gap = 10ms, tokens = 20 }, model chat = "a" }
provider beta { kind = simulated, simulate { ttft = 300ms..500ms, gap = 10ms, tokens = 20 }, model chat = "b" }
"#;
const BOTH: &str = "route default { tier 1 { alpha.chat }, tier 2 { beta.chat } }\n";
const ALONE: &str = "route default { tier 1 { alpha.chat } }\n";

fn plan(rest: &str) -> Plan {
    let text = format!("{PROVIDERS}{rest}");
    match policy::load(&[("main.policy", &*text)], "main.policy", &[]) {
        Ok((policy, _)) => Plan::new(policy).unwrap(),
        Err(diagnostics) => panic!("{}", diagnostics.render(false)),
    }
}

/// A drill of 20 requests a second with this inside.
fn drill(inside: &str) -> String {
    format!("drill it {{\ntraffic = synthetic(20/s)\nexpect {{ success >= 0% }}\n{inside}\n}}\n")
}

fn recorded(rest: &str, cores: u16) -> (Plan, Record) {
    let plan = plan(rest);
    let setup = Setup { cores, seed: None };
    let record = run(&plan, &plan.policy.drills[0], setup).unwrap();
    (plan, record)
}

fn went(route: &str, inside: &str) -> Record {
    recorded(&format!("{route}{}", drill(inside)), 2).1
}

fn opened(record: &Record) -> Option<Span> {
    record.events.iter().find_map(|(at, event)| {
        matches!(
            event,
            Event::Breaker {
                to: State::Open,
                ..
            }
        )
        .then_some(*at)
    })
}

const OUTAGE: &str = "for = 3m\ninject alpha { status = 503, lasts = 1m }";

#[test]
fn the_same_seed_gives_the_same_record() {
    let text = format!("{BOTH}{}", drill(OUTAGE));
    let plan = plan(&text);
    let once = |seed| {
        let seed = Some(seed);
        let record = run(&plan, &plan.policy.drills[0], Setup { cores: 4, seed }).unwrap();
        format!("{record:?}")
    };
    assert_eq!(once(7), once(7));
    assert_ne!(once(7), once(8));
}

#[test]
fn an_outage_opens_the_breaker_and_its_end_closes_it() {
    let record = went(BOTH, OUTAGE);
    let sum = Sum::of(&record.requests);
    assert!((3_300..3_900).contains(&sum.requests), "{sum:?}");
    assert_eq!(sum.failed(), 0, "{:?}", record.failures);
    // Five failures, and two or three probes that failed.
    assert!((5..40).contains(&sum.wasted), "{sum:?}");
    let opened = opened(&record).unwrap();
    assert!(opened < Span::from_secs(12), "{opened}");
    let last = record.events.last().unwrap();
    assert!(
        matches!(
            last.1,
            Event::Breaker {
                to: State::Closed,
                ..
            }
        ),
        "{last:?}"
    );
    // While it is open nobody waits for it.
    let during = record.between((Span::from_secs(15), Span::from_secs(20)));
    assert!(
        during
            .iter()
            .all(|asked| asked.answered == Some(TargetId(1)))
    );
}

#[test]
fn without_another_target_clients_see_the_outage() {
    let record = went(ALONE, OUTAGE);
    let sum = Sum::of(&record.requests);
    assert!(sum.success() < 750_000, "{sum:?}");
    let refused = record.failures.get(&(Failed::Rejected, "breaker_open"));
    assert!(*refused.unwrap() > 500, "{:?}", record.failures);
}

/// Each fault of the catalogue ends attempts in its own way, and clients get an answer from elsewhere unless they had
/// the beginning of one.
#[test]
fn every_fault_is_what_it_is_called() {
    const FAULTS: [(&str, bool, bool); 14] = [
        ("status = 500", true, true),
        ("status = 429, retry_after = 5s", false, true),
        ("connect = refuse", true, true),
        ("connect = hang", true, true),
        ("connect = tls", true, true),
        ("latency = 40s", true, true),
        ("ttft = 40s", true, true),
        ("gap = 20s", true, false),
        ("stream = stall", true, false),
        ("stream = cut", true, false),
        ("stream = error", true, false),
        ("answer = malformed", true, true),
        ("model = gone", false, true),
        ("answer = empty", true, true),
    ];
    for (fault, opens, unseen) in FAULTS {
        let record = went(
            BOTH,
            &format!(
                "given {{ req.stream = true }}\nfor = 90s\ninject alpha {{ {fault}, lasts = 30s }}"
            ),
        );
        let sum = Sum::of(&record.requests);
        assert!(sum.wasted > 0, "{fault}: {sum:?}");
        assert_eq!(opened(&record).is_some(), opens, "{fault}");
        assert_eq!(sum.failed() == 0, unseen, "{fault}: {:?}", record.failures);
    }
}

/// A stream that broke is gone on with where the route says so.
#[test]
fn broken_streams_are_gone_on_with() {
    let route =
        "route default { tier 1 { alpha.chat }, tier 2 { beta.chat }, mid_stream = continue }\n";
    let inside =
        "given { req.stream = true }\nfor = 1m\ninject alpha { stream = cut, lasts = 30s }";
    let record = went(route, inside);
    assert_eq!(
        Sum::of(&record.requests).failed(),
        0,
        "{:?}",
        record.failures
    );
}

#[test]
fn a_brownout_hits_its_share() {
    let text = "breaker deaf { open when error_rate > 90% }\ndefaults { breaker = deaf }\n";
    let inside = "for = 5m\ninject alpha { status = 500, share = 10%, after = 0ms, lasts = 5m }";
    let record = recorded(&format!("{text}{BOTH}{}", drill(inside)), 1).1;
    let attempts = record.targets[0].attempts;
    let answered = record.targets[0].answered;
    let failed = (attempts - answered) * 1_000 / attempts;
    assert!((80..120).contains(&failed), "{failed} of 1000");
}

/// A hedge answers where the first attempt is silent, and the loser is counted as waste.
#[test]
fn hedges_run_beside() {
    let route = "route default { tier 1 { alpha.chat }, hedge after 600ms -> beta.chat { max_extra = 100% } }\n";
    let inside = "given { req.stream = true }\nfor = 1m\ninject alpha { ttft = 3s, after = 0ms, lasts = 1m }";
    let record = went(route, inside);
    let sum = Sum::of(&record.requests);
    assert_eq!(sum.failed(), 0, "{:?}", record.failures);
    assert!(sum.attempts > sum.requests + sum.requests / 2, "{sum:?}");
    assert!(record.targets[1].answered > record.targets[0].answered);
}

/// One key of two is refused: the other one answers, and the target stays.
#[test]
fn a_revoked_key_is_one_key() {
    let text = r#"policy 1
provider openai { auth = keys(env("A"), env("B")), model mini = "gpt-5-mini" }
route default { tier 1 { openai.mini } }
drill it {
  traffic = synthetic(20/s), for = 1m
  inject openai.keys[0] { key = revoked }
  expect { success >= 100%, wasted <= 8, never opened(openai) }
}
"#;
    let (policy, _) = policy::load(&[("main.policy", text)], "main.policy", &[]).unwrap();
    let plan = Plan::new(policy).unwrap();
    let drill = &plan.policy.drills[0];
    let record = run(
        &plan,
        drill,
        Setup {
            cores: 2,
            seed: None,
        },
    )
    .unwrap();
    let verdicts = judge(&plan, drill, &record);
    assert!(verdicts.iter().all(|it| it.passed), "{verdicts:?}");
    let out = |event: &Event| {
        matches!(
            event,
            Event::Key {
                key: 0,
                out: Some(Outcome::AuthFailed),
                ..
            }
        )
    };
    assert!(record.events.iter().any(|(_, event)| out(event)));
}

/// What is worse than the drill allows ends it, and lifts what was injected.
#[test]
fn a_drill_is_aborted() {
    let record = went(
        ALONE,
        "for = 10m\ninject alpha { status = 503 }\nabort when error_rate > 50%",
    );
    assert_eq!(record.aborted, Some(0));
    assert!(record.length < Span::from_secs(30), "{}", record.length);
    assert!(matches!(record.events.last().unwrap().1, Event::Lifted(0)));
}

#[test]
fn slices_have_all_requests() {
    let record = went(BOTH, OUTAGE);
    let slices = slices(&record, 60);
    assert_eq!(slices.len(), 36);
    let requests: u64 = slices.iter().map(|slice| slice.sum.requests).sum();
    assert_eq!(requests, record.requests.len() as u64);
}

#[test]
fn a_name_without_an_address_costs_the_time_to_connect() {
    let inject = |why: &str| format!("for = 40s\ninject alpha {{ connect = {why}, lasts = 20s }}");
    let [dns, refused] = ["dns", "refuse"].map(|why| went(BOTH, &inject(why)));
    for record in [&dns, &refused] {
        assert_eq!(Sum::of(&record.requests).failed(), 0);
        assert!(opened(record).is_some());
    }
    let slowest = |record: &Record| record.requests.iter().map(|it| it.ttft_us).max().unwrap();
    assert!(slowest(&refused) < 1_000_000, "{}", slowest(&refused));
    // The connect timeout is 1 s.
    assert!(slowest(&dns) > 1_000_000, "{}", slowest(&dns));
}

#[test]
fn what_a_virtual_clock_lacks_is_said() {
    let plan = plan(&format!(
        "{BOTH}drill live {{ traffic = live(5%), inject alpha {{ status = 500, lasts = 1m }}, abort when live.error_rate > 5%, expect {{ success > 99% }} }}\n\
         drill clients {{ traffic = shadow(5%), inject alpha {{ status = 500, lasts = 1m }}, expect {{ success > 99% }} }}\n\
         drill crowd {{ traffic = synthetic(90000/s), for = 5m, inject alpha {{ status = 500 }}, expect {{ success > 99% }} }}\n"
    ));
    let setup = Setup {
        cores: 1,
        seed: None,
    };
    let why = |index: usize| run(&plan, &plan.policy.drills[index], setup).unwrap_err();
    assert!(matches!(why(0), Unfit::Beyond(_)) && matches!(why(1), Unfit::Beyond(_)));
    assert_eq!(why(2), Unfit::TooMany(27_000_000));
}
