//! Drills on a running gateway: faults at the edge of its own network path, for its own requests or a part of its clients'.

use std::process::Command;
use std::process::Output;

use serde_json::Value;

use crate::support::client::Client;
use crate::support::client::chat;
use crate::support::gateway::Gateway;
use crate::support::gateway::Io;
use crate::support::gateway::eventually;
use crate::support::upstream::FINISH;
use crate::support::upstream::ROLE;
use crate::support::upstream::STREAM_END;
use crate::support::upstream::STREAM_HEAD;
use crate::support::upstream::Upstream;
use crate::support::upstream::answer;
use crate::support::upstream::delta;
use crate::support::upstream::event;

use super::healthy;
use super::metric;
use super::policy_at;

fn stream(content: &str) -> String {
    let events = [ROLE, &delta(content), &delta("more"), FINISH, "[DONE]"].map(event);
    STREAM_HEAD.to_owned() + &events.concat() + STREAM_END
}

pub(super) const CALM: &str = "connect_timeout = 1s, ttft_timeout = 5s, idle_timeout = 5s";
const HASTY: &str = "connect_timeout = 150ms, ttft_timeout = 250ms, idle_timeout = 200ms";

/// Two providers that answer, and these drills.
pub(super) struct Rig {
    pub(super) first: Upstream,
    pub(super) second: Upstream,
    pub(super) gateway: Gateway,
}

impl Rig {
    pub(super) fn start(io: Io, streamed: bool, timers: &str, drills: &str) -> Self {
        let answers = ["first", "second"].map(if streamed { stream } else { healthy });
        Self::of(io, answers, (timers, "200ms..300ms"), drills)
    }

    pub(super) fn of(io: Io, answers: [String; 2], settings: (&str, &str), drills: &str) -> Self {
        Self::edited(io, answers, settings, |text| text + drills)
    }

    /// A calm one, whose policy `edit` makes.
    pub(super) fn with(io: Io, edit: impl FnOnce(String) -> String) -> Self {
        let answers = ["first", "second"].map(healthy);
        Self::edited(io, answers, (CALM, "200ms..300ms"), edit)
    }

    fn edited(
        io: Io,
        answers: [String; 2],
        (timers, cool_down): (&str, &str),
        edit: impl FnOnce(String) -> String,
    ) -> Self {
        let [first, second] = answers.map(Upstream::answering);
        let bases = [&first, &second].map(|it| format!("http://{}/v1", it.address));
        let text = policy_at(&bases, "tls = off", "");
        let breaker = format!(
            "breaker own {{\n  open when consecutive >= 3, cool_down = {cool_down}\n  \
             half_open {{ share = 100%, step = 20ms }}\n}}\n"
        );
        let text = text.replace(
            "connect_timeout = 1s, ttft_timeout = 5s, idle_timeout = 5s",
            timers,
        );
        let text = text.replace(
            "defaults {",
            &format!("{breaker}defaults {{ breaker = own,"),
        );
        let gateway = Gateway::start(io, "", &edit(text));
        Self {
            first,
            second,
            gateway,
        }
    }

    pub(super) fn report(&self, name: &str) -> Value {
        let (status, text) = self.gateway.page(&format!("/drills/{name}"));
        assert_eq!(status, 200, "{text}");
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["schema"], "switchover.drill/1");
        told["policies"][0]["drills"][0].clone()
    }

    /// Runs a drill to its end.
    pub(super) fn drill(&self, name: &str) -> Value {
        let (status, text) = self.gateway.order(&format!("/drills/{name}/start"));
        assert_eq!(status, 202, "{text}");
        self.ended(name)
    }

    pub(super) fn ended(&self, name: &str) -> Value {
        assert!(eventually(|| self.report(name)["verdict"] != "running"));
        self.report(name)
    }
}

/// Requests of its own meet the fault, the drill's own breaker opens and closes, and nothing of it is seen by clients'
/// breakers, counters and providers' bills.
#[test]
fn a_synthetic_drill_sees_the_failover_and_nobody_else_does() {
    for io in Io::BOTH {
        let rig = Rig::start(
            io,
            false,
            CALM,
            "drill refused {\n  traffic = synthetic(50/s, arrivals = even), for = 1500ms\n  \
             inject first { connect = refuse, after = 300ms, lasts = 400ms }\n  \
             expect { success >= 100%, opened(first) within 400ms, closed(first) within 800ms, never opened(second) }\n  \
             expect before { share(first) >= 100% }\n  expect during { share(second) >= 90% }\n  expect after { share(first) > 0% }\n}\n",
        );
        let drill = rig.drill("refused");
        assert_eq!(
            drill["verdict"],
            "passed",
            "{drill:#}\n{}",
            rig.gateway.log()
        );
        let run = &drill["run"];
        assert_eq!(
            (&run["clock"], &run["requests"]),
            (&"real".into(), &74.into())
        );
        let words: Vec<&str> = run["timeline"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["event"].as_str().unwrap())
            .collect();
        let begin = ["injected", "opened"];
        assert_eq!(words[..2], begin, "{words:?}");
        assert!(
            words.contains(&"lifted") && words.ends_with(&["closed"]),
            "{words:?}"
        );
        // Who refuses gets nothing: the others do.
        let asked = rig.first.received().len() + rig.second.received().len();
        assert_eq!(asked, 74);
        for series in [
            "switchover_requests_total{route=\"default\",ending=\"answered\"}",
            "switchover_breaker_opened_total{target=\"first.small\"}",
        ] {
            assert_eq!(metric(&rig.gateway, series), 0, "{series}");
        }
        assert!(metric(&rig.gateway, "switchover_drill_hits{drill=\"refused\"}") > 2);
        let runs = "switchover_drill_runs_total{drill=\"refused\",verdict=\"passed\"}";
        assert_eq!(metric(&rig.gateway, runs), 1);
        let (_, text) = rig.gateway.page("/requests?drill=true&limit=100");
        let told: Value = serde_json::from_str(&text).unwrap();
        let told = told["requests"].as_array().unwrap();
        assert_eq!(told.len(), 74);
        assert!(told.iter().all(|it| it["drill"] == true));
        let log = rig.gateway.log();
        assert!(
            log.contains("drill refused: injected first { connect = refuse }"),
            "{log}"
        );
        assert!(log.contains("drill refused: passed"), "{log}");
        assert!(!log.contains("target first.small: closed -> open"), "{log}");
    }
}

/// Each fault, as the engine sees it: the outcome of the first attempt.
#[test]
fn each_fault_is_met_as_what_it_is() {
    let whole = [
        ("status = 503, retry_after = 1s", "s5xx"),
        ("status = 429", "s429"),
        ("connect = tls", "tls"),
        ("answer = malformed", "bad_output"),
        ("answer = html", "bad_output"),
        ("answer = empty", "bad_output"),
        ("model = gone", "model_gone"),
        ("key = revoked", "auth_failed"),
        ("key = no_quota", "quota_exhausted"),
        ("stream = cut", "stream_abort"),
        ("stream = error", "s5xx"),
        ("connect = hang", "connect"),
    ];
    let streamed = [
        ("status = 503", "s5xx"),
        ("latency = 3s", "ttft"),
        ("ttft = 3s", "ttft"),
        ("stream = stall", "timeout"),
        ("gap = 3s", "timeout"),
        ("stream = cut", "stream_abort"),
        ("stream = error", "s5xx"),
    ];
    let cases: [(bool, &[(&str, &str)]); 2] = [(false, &whole), (true, &streamed)];
    for (is_stream, faults) in cases {
        let drills: Vec<String> = faults
            .iter()
            .enumerate()
            .map(|(index, (fault, _))| {
                format!(
                    "drill d{index} {{\n  traffic = synthetic(10/s, arrivals = even), for = 190ms\n  given {{ req.stream = {is_stream} }}\n  \
                     inject first {{ {fault}, after = 0s, lasts = 190ms }}\n  expect {{ success >= 0% }}\n}}\n"
                )
            })
            .collect();
        let rig = Rig::start(Io::Ring, is_stream, HASTY, &drills.concat());
        for (index, (fault, outcome)) in faults.iter().enumerate() {
            let drill = rig.drill(&format!("d{index}"));
            let (_, text) = rig.gateway.page("/requests?drill=true&limit=1");
            let told: Value = serde_json::from_str(&text).unwrap();
            let attempt = &told["requests"][0]["attempts"][0];
            assert_eq!(attempt["target"], "first.small", "{fault}: {drill:#}");
            assert_eq!(attempt["outcome"], *outcome, "{fault}: {told:#}");
        }
    }
}

/// A part of the clients' requests meets the fault, by the real breakers.
#[test]
fn a_live_drill_hits_a_part_of_the_clients_requests() {
    let rig = Rig::start(
        Io::Ring,
        false,
        CALM,
        "drill part {\n  traffic = live(50%), for = 1200ms\n  inject first { status = 503, after = 0s, lasts = 800ms }\n  \
         expect { success >= 100%, share(second) > 0%, wasted >= 1 }\n  abort when live.error_rate > 50%\n}\n",
    );
    let (status, text) = rig.gateway.order("/drills/part/start");
    assert_eq!(status, 202, "{text}");
    let again = rig.gateway.order("/drills/part/start");
    assert_eq!(again.0, 409, "{}", again.1);
    assert!(again.1.contains("one at a time"), "{}", again.1);
    let mut client = Client::connect(rig.gateway.address);
    let mut moved = 0;
    let mut all = 0;
    while rig.report("part")["verdict"] == "running" {
        let answer = client.send(chat(false)).answer();
        assert_eq!(answer.status, 200, "{answer:?}");
        all += 1;
        moved += u64::from(answer.field("x-switchover-attempts") != Some("1"));
    }
    let drill = rig.report("part");
    assert_eq!(
        drill["verdict"],
        "passed",
        "{drill:#}\n{}",
        rig.gateway.log()
    );
    assert!(moved > 0 && moved < all, "{moved} of {all}");
    assert!(
        drill["run"]["requests"].as_u64().unwrap() < all,
        "{all}: {drill:#}"
    );
    // Clients' requests are counted as ever.
    let answered = "switchover_requests_total{route=\"default\",ending=\"answered\"}";
    assert_eq!(metric(&rig.gateway, answered), all);
}

/// What ends a drill before its time, and what does not begin.
#[test]
fn drills_end_early_with_a_reason_and_are_refused_with_one() {
    let drills = "drill long {\n  traffic = synthetic(20/s), for = 1m\n  inject first { status = 503, after = 0s, lasts = 1m }\n  \
         expect { success >= 0% }\n}\n\
         drill keyed {\n  traffic = synthetic(1/s), for = 1m\n  given { key.id = \"a\" }\n  \
         expect { success >= 0% }\n}\n";
    let rig = Rig::start(Io::Epoll, false, CALM, drills);
    let order = |path: &str| rig.gateway.order(path);
    for (path, status, why) in [
        ("/drills/lnog/start", 404, "did you mean `long`?"),
        ("/drills/keyed/start", 422, "`key.*`"),
        ("/drills/long/start?seed=x", 400, "seed=N"),
        ("/drills/long/end", 409, "no drill `long` is running"),
        ("/drills/long/begin", 404, "start and end"),
    ] {
        let (found, text) = order(path);
        assert_eq!(found, status, "{path}: {text}");
        assert!(text.contains(why), "{path}: {text}");
    }
    assert_eq!(rig.gateway.page("/drills/long").0, 404);
    // An operator.
    assert_eq!(order("/drills/long/start?seed=5").0, 202);
    assert!(eventually(|| metric(
        &rig.gateway,
        "switchover_drill_injected{drill=\"long\"}"
    ) == 1));
    assert_eq!(order("/drills/long/end").0, 200);
    let drill = rig.ended("long");
    assert_eq!(
        (&drill["verdict"], &drill["why"], &drill["run"]["seed"]),
        (&"ended".into(), &"an operator ended it".into(), &5.into())
    );
    assert_eq!(
        metric(&rig.gateway, "switchover_drill_injected{drill=\"long\"}"),
        0
    );
    // A reload.
    assert_eq!(order("/drills/long/start").0, 202);
    let text = rig.gateway.text();
    rig.gateway.rewrite_whole(&(text + "\n# another text\n"));
    assert_eq!(order("/reload").0, 200);
    let drill = rig.ended("long");
    assert_eq!(drill["verdict"], "ended", "{drill:#}");
    assert!(
        drill["why"].as_str().unwrap().contains("replaced"),
        "{drill:#}"
    );
    let (_, list) = rig.gateway.page("/drills");
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list["drills"][0]["name"], "long");
    assert_eq!(list["drills"][0]["requests"], 1_200);
    assert_eq!(list["drills"][0]["last"]["verdict"], "ended");
}

/// No drill begins while something is wrong already.
#[test]
fn an_open_breaker_refuses_a_drill() {
    let drill = "drill d {\n  traffic = synthetic(20/s), for = 1s\n  expect { success >= 0% }\n}\n";
    let answers = [answer("500 No", "", "{}"), healthy("second")];
    let rig = Rig::of(Io::Ring, answers, (CALM, "60s..61s"), drill);
    let mut client = Client::connect(rig.gateway.address);
    let opened = "switchover_breaker_opened_total{target=\"first.small\"}";
    assert!(eventually(|| {
        client.send(chat(false)).answer();
        metric(&rig.gateway, opened) == 1
    }));
    let (status, text) = rig.gateway.order("/drills/d/start");
    assert_eq!(status, 409, "{text}");
    assert!(text.contains("the breaker of `first.small`"), "{text}");
}

/// With all of the clients' requests, the real breaker opens, and the drill is told of it.
#[test]
fn a_live_drill_opens_the_real_breaker() {
    let rig = Rig::start(
        Io::Epoll,
        false,
        CALM,
        "drill all {\n  traffic = live(100%), for = 900ms\n  inject first { status = 503, after = 0s, lasts = 500ms }\n  \
         expect { success >= 100%, opened(first) within 400ms, never opened(second) }\n  abort when error_rate > 50%\n}\n",
    );
    assert_eq!(rig.gateway.order("/drills/all/start").0, 202);
    let mut client = Client::connect(rig.gateway.address);
    while rig.report("all")["verdict"] == "running" {
        assert_eq!(client.send(chat(false)).answer().status, 200);
    }
    let drill = rig.report("all");
    assert_eq!(
        drill["verdict"],
        "passed",
        "{drill:#}\n{}",
        rig.gateway.log()
    );
    let opened = "switchover_breaker_opened_total{target=\"first.small\"}";
    assert!(metric(&rig.gateway, opened) >= 1);
}

fn command(arguments: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_switchover");
    Command::new(binary).args(arguments).output().unwrap()
}

/// The command starts a drill, tells what happens, and ends as what came of it.
#[test]
fn the_command_follows_a_drill_and_ends_as_it_does() {
    let rig = Rig::start(
        Io::Ring,
        false,
        CALM,
        "drill well {\n  traffic = synthetic(40/s, arrivals = even), for = 400ms\n  \
         inject first { status = 503, after = 100ms, lasts = 200ms }\n  expect { success >= 100% }\n}\n\
         drill ill {\n  traffic = synthetic(40/s, arrivals = even), for = 300ms\n  \
         inject first { status = 503, after = 100ms, lasts = 100ms }\n  expect { share(second) > 90% }\n}\n\
         drill stops {\n  traffic = synthetic(40/s, arrivals = even), for = 20s\n  \
         inject [first, second] { status = 503, after = 0s, lasts = 20s }\n  expect { success >= 0% }\n  \
         abort when error_rate > 50%\n}\n",
    );
    let admin = rig.gateway.admin.to_string();
    let run = |more: &[&str]| {
        let all = [&["drill", "--admin", &admin][..], more].concat();
        command(&all)
    };
    let well = run(&["--live", "well"]);
    let (out, told) = (
        String::from_utf8(well.stdout).unwrap(),
        String::from_utf8(well.stderr).unwrap(),
    );
    assert_eq!(well.status.code(), Some(0), "{out}{told}");
    assert!(
        told.contains("about 16 requests to real providers"),
        "{told}"
    );
    assert!(told.contains("injected  first { status = 503 }"), "{told}");
    assert!(out.starts_with("PASS well"), "{out}");
    let ill = run(&["--live", "ill", "--format", "json"]);
    assert_eq!(ill.status.code(), Some(1), "{ill:?}");
    let told: Value = serde_json::from_slice(&ill.stdout).unwrap();
    assert_eq!(told["policies"][0]["drills"][0]["verdict"], "failed");
    let stops = run(&["--live", "stops", "--format", "junit"]);
    assert_eq!(stops.status.code(), Some(5), "{stops:?}");
    let told = String::from_utf8(stops.stdout).unwrap();
    assert!(
        told.contains("ended by `abort when error_rate &gt; 50%`"),
        "{told}"
    );
    let none = run(&["--live", "wel"]);
    assert_eq!(none.status.code(), Some(1));
    let told = String::from_utf8(none.stderr).unwrap();
    assert!(told.contains("did you mean `well`?"), "{told}");
}
