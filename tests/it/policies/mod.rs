//! The policies of `policies/` load, and what a policy says is what the model holds.

mod conditions;

use std::path::{Path, PathBuf};

use switchover::base::{Outcome, OutcomeSet, RouteId, Span};
use switchover::policy::model::{
    Act, Action, Auth, AuthStyle, AutoInflight, Cond, HedgeDelay, IntFact, KeyPick, MaxInflight,
    Measure, ModelName, Otherwise, Pick, Policy, PromptSize, Roots, SecretSource, Serve, SlowRule,
    Spill, StrFact, Test, Then, Trigger,
};
use switchover::policy::{
    self, Candidate, Caps, Diagnostics, Facts, KeyFacts, Plan, Severity, Sources, WallTime,
};

/// Policy files on disk.
pub(crate) struct Disk;

impl Sources for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(path).map_err(|error| error.kind().to_string())
    }
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
}

fn load_file(name: &str) -> (Policy, Diagnostics) {
    let path = shipped().join(name);
    policy::load(&Disk, path.to_str().unwrap(), &[])
        .unwrap_or_else(|diagnostics| panic!("{name}:\n{}", diagnostics.render(false)))
}

fn load_with(text: &str, sets: &[(&str, &str)]) -> Policy {
    policy::load(&[("main.policy", text)], "main.policy", sets)
        .unwrap_or_else(|diagnostics| panic!("{}", diagnostics.render(false)))
        .0
}

pub(super) fn load(text: &str) -> Policy {
    load_with(text, &[])
}

fn serve(policy: &Policy, route: usize) -> &Serve {
    match &policy.routes[route].action {
        Action::Serve(serve) => serve,
        Action::Reject(reject) => panic!("{reject:?}"),
    }
}

#[test]
fn every_shipped_policy_loads_without_warnings() {
    let mut seen = 0;
    for entry in std::fs::read_dir(shipped()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".policy") {
            let (_, diagnostics) = load_file(&name);
            let warnings = diagnostics.count(Severity::Warning);
            assert_eq!(warnings, 0, "{name}:\n{}", diagnostics.render(false));
            seen += 1;
        }
    }
    assert!(seen >= 5, "only {seen} policies");
}

#[test]
fn five_lines_have_visible_defaults() {
    let (policy, diagnostics) = load_file("five_lines.policy");
    assert!(diagnostics.list.is_empty());
    assert_eq!(&*policy.server.listen, "127.0.0.1:8080");
    assert_eq!(policy.server.cores, None);

    let openai = &policy.providers[0];
    assert_eq!(&*openai.endpoints[0].host, "api.openai.com");
    assert_eq!(openai.endpoints[0].port, 443);
    assert_eq!(&*openai.endpoints[0].base_path, "/v1");
    let Auth::Key { style, secrets, .. } = &openai.auth else {
        panic!("{:?}", openai.auth);
    };
    assert_eq!(*style, AuthStyle::Bearer);
    assert_eq!(secrets.len(), 1);
    assert_eq!(
        secrets[0].source,
        SecretSource::Env("OPENAI_API_KEY".into())
    );

    let target = &policy.targets[0];
    assert_eq!(&*target.name, "openai.mini");
    assert_eq!(target.model, ModelName::Fixed("gpt-5-mini".into()));
    assert_eq!(target.timeouts.connect, Span::from_secs(1));
    assert_eq!(&*policy.breakers[target.breaker.index()].name, "standard");
    assert_eq!(policy.retries[target.retries.index()].max, 1);

    let serve = serve(&policy, 0);
    assert_eq!(serve.tiers.len(), 2);
    assert_eq!(serve.fallback.len(), 1);
    assert_eq!(serve.fallback[0].on, Trigger::Outcomes(OutcomeSet::ANY));
    assert_eq!(serve.fallback[0].then, Then::Next);
    assert!(matches!(&serve.otherwise, Otherwise::Reject(reject) if reject.status == 503));
    assert_eq!(serve.deadline, Span::from_secs(60));
    assert_eq!(serve.attempts_max, 4);
}

#[test]
fn the_demo_policy_is_what_it_says() {
    let (policy, diagnostics) = load_file("first.policy");
    assert!(diagnostics.list.is_empty(), "{}", diagnostics.render(false));
    let names: Vec<_> = policy.targets.iter().map(|target| &*target.name).collect();
    assert_eq!(names, ["alpha.chat", "beta.chat", "gamma.chat"]);
    let alpha = policy.providers[0].simulation.as_ref().unwrap();
    assert_eq!(alpha.ttft, (Span::from_millis(20), Span::from_millis(45)));
    let breaker = &policy.breakers[policy.targets[0].breaker.index()];
    assert_eq!(&*breaker.name, "quick");
    assert_eq!(breaker.error_rate, Some(250_000));
    assert_eq!(breaker.consecutive, Some(5));
    assert_eq!(breaker.cool_down, (Span::from_secs(2), Span::from_secs(10)));
    let weights: Vec<_> = serve(&policy, 0).tiers[0]
        .members
        .iter()
        .map(|member| member.weight)
        .collect();
    assert_eq!(weights, [70, 30]);
    assert_eq!(policy.targets[2].timeouts.ttft, Span::from_secs(1));
}

#[test]
fn a_learned_bound_has_bounds_for_each_endpoint() {
    let bound = |capacity: &str| {
        let text = format!(
            "policy 1\nprovider own {{\n  kind = openai_compatible, auth = none, tls = off\n  \
             endpoints = [\"http://10.0.0.1:8000\", \"http://10.0.0.2:8000\"]\n  \
             capacity {{ max_inflight = {capacity} }}\n  model m = \"m\"\n}}\n\
             route default {{ tier 1 {{ own.m }} }}\n"
        );
        load(&text).targets[0].max_inflight
    };
    let auto = |least, most| Some(MaxInflight::Auto(AutoInflight { least, most }));
    assert_eq!(bound("auto"), auto(8, 2_000));
    assert_eq!(bound("auto(3..50)"), auto(6, 100));
    assert_eq!(bound("7"), Some(MaxInflight::Fixed(14)));
}

#[test]
fn a_route_spills_as_its_pool_says() {
    let (policy, _) = load_file("vllm_fleet.policy");
    let spills = [0, 1, 2].map(|route| serve(&policy, route).spill.clone());
    let said = Box::new(Spill {
        saturation: Some(850_000),
        slow: vec![SlowRule {
            measure: Measure::Ttft,
            prompts: None,
            percentile: 950_000,
            limit: Span::from_secs(2),
        }],
    });
    assert_eq!(spills, [Some(said.clone()), None, Some(said)]);
}

#[test]
fn imports_expand_where_they_stand() {
    let (policy, _) = load_file("enterprise.policy");
    assert_eq!(policy.files.len(), 2);
    assert!(policy.files[1].ends_with("policies/shared/providers.policy"));
    assert_eq!(policy.providers[0].at.file, 1);
    let routes: Vec<_> = policy.routes.iter().map(|route| &*route.name).collect();
    assert_eq!(routes, ["batch", "vision", "canary", "chat", "default"]);
    assert_eq!(policy.forbids.len(), 3);
    assert_eq!(&*policy.aliases[0].to, "gpt-5");
    // The declared `standard` takes the built-in one's place.
    let standard = &policy.breakers[0];
    assert_eq!((&*standard.name, standard.slow.len()), ("standard", 1));
    assert!(!standard.count.has(Outcome::Tls));
}

#[test]
fn private_networks_and_key_lists() {
    let (policy, diagnostics) = load_file("vllm_fleet.policy");
    let vllm = &policy.providers[0];
    assert_eq!(vllm.endpoints.len(), 3);
    assert!(
        vllm.endpoints
            .iter()
            .all(|endpoint| !endpoint.tls && &*endpoint.base_path == "/v1")
    );
    assert_eq!(
        policy.targets[0].max_inflight,
        Some(MaxInflight::Fixed(3 * 64))
    );
    assert_eq!(policy.targets[0].price_in, Some(0));
    assert_eq!(policy.targets[1].price_out, Some(800_000));
    assert_eq!(policy.providers[1].tls.roots, Roots::System);
    let auth = &policy.providers[1].auth;
    let sources: Vec<_> = auth.secrets().iter().map(|key| &key.source).collect();
    assert_eq!(
        sources,
        [
            &SecretSource::Env("TOGETHER_KEY_A".into()),
            &SecretSource::File("/run/secrets/together_b".into())
        ]
    );
    assert_eq!(auth.pick(), KeyPick::LeastThrottled);
    let messages = || diagnostics.list.iter().map(|found| &found.message);
    assert!(messages().all(|message| !message.contains("key")));
}

#[test]
fn a_const_that_is_a_parameter_is_set_from_outside() {
    let text = "policy 1\nconst limit = param(24k)\nprovider openai { model mini = \"m\" }\n\
                route first when req.tokens_in > limit { tier 1 { openai.mini } }\nroute default { reject(404) }\n";
    let above = |low| Test::Within {
        fact: IntFact::TokensIn,
        low,
        high: u64::MAX,
        negated: false,
    };
    assert_eq!(load(text).routes[0].when, Cond::Test(above(24_001)));
    assert_eq!(
        load_with(text, &[("limit", "8k")]).routes[0].when,
        Cond::Test(above(8_001))
    );
}

#[test]
fn forbids_read_targets_and_attempts() {
    let policy = load(
        "policy 1\nprovider openai { region = us, model mini = \"m\" }\n\
         forbid a when target.region != us\nforbid b when attempt.last in [connect, s5xx]\n\
         forbid c when target.failure_domain == attempt.last_domain\nforbid d when target.price > $2/Mtok\n\
         route default { tier 1 { openai.mini } }\n",
    );
    let conds: Vec<_> = policy
        .forbids
        .iter()
        .map(|forbid| forbid.when.clone())
        .collect();
    let set = OutcomeSet::EMPTY.with(Outcome::Connect).with(Outcome::S5xx);
    assert_eq!(
        conds,
        [
            Cond::Test(Test::OneOf {
                fact: StrFact::TargetRegion,
                values: vec!["us".into()],
                negated: true
            }),
            Cond::Test(Test::LastOutcome(set)),
            Cond::Test(Test::SameDomain),
            Cond::Test(Test::Within {
                fact: IntFact::TargetPrice,
                low: 2_000_001,
                high: u64::MAX,
                negated: false
            }),
        ]
    );
}

#[test]
fn the_most_specific_timer_wins() {
    let policy = load(
        "policy 1\ndefaults { ttft_timeout = 9s, connect_timeout = 2s, deadline = 40s }\n\
         provider openai { ttft_timeout = 8s, model a = \"a\", model b { id = \"b\", ttft_timeout = 7s } }\n\
         provider mistral { model c = \"c\" }\n\
         route first when req.stream { tier 1 { openai.a }, ttft_timeout = 3s, deadline = 20s }\n\
         route default { tier 1 { openai.a, openai.b }, tier 2 { mistral.c } }\n",
    );
    let ttft: Vec<_> = policy
        .targets
        .iter()
        .map(|target| target.timeouts.ttft.as_secs())
        .collect();
    assert_eq!(ttft, [8, 7, 9]);
    assert_eq!(policy.targets[0].timeouts.connect, Span::from_secs(2));
    assert_eq!(serve(&policy, 0).timeouts.ttft, Some(Span::from_secs(3)));
    assert_eq!(serve(&policy, 0).deadline, Span::from_secs(20));
    assert_eq!(serve(&policy, 1).timeouts.ttft, None);
    assert_eq!(serve(&policy, 1).deadline, Span::from_secs(40));
}

#[test]
fn fallbacks_jumps_picks_and_rejects() {
    let policy = load(
        "policy 1\nprovider openai { model a = \"a\", model b = \"b\" }\nprovider ollama { }\n\
         route first when req.stream {\n  pick = hash(key.id, req.meta[\"s\"])\n  tier 1 { openai.a weight 3 }\n\
         tier 2 { pick = least_busy, openai.b }\n  fallback {\n    on ttft > 800ms -> next\n\
         on context_exceeded -> ollama.*\n    on content_filter -> stop\n\
         on [s429, auth_failed] -> reject(502, \"no \\\"luck\\\"\", retry_after = 30s)\n    else -> stop\n  }\n}\n\
         route default { reject(404, \"no route\") }\n",
    );
    let first = serve(&policy, 0);
    assert_eq!(
        first.tiers[0].pick,
        Pick::Hash(vec![StrFact::KeyId, StrFact::Meta("s".into())])
    );
    assert_eq!(first.tiers[1].pick, Pick::LeastBusy);
    assert_eq!(first.fallback[0].on, Trigger::Slow(Span::from_millis(800)));
    let Then::Jump(target) = first.fallback[1].then else {
        panic!("{:?}", first.fallback[1]);
    };
    assert_eq!(policy.targets[target.index()].model, ModelName::Asked);
    assert_eq!(&*policy.targets[target.index()].name, "ollama.*");
    assert_eq!(first.fallback[2].then, Then::Stop);
    let Then::Reject(reject) = &first.fallback[3].then else {
        panic!("{:?}", first.fallback[3]);
    };
    assert_eq!(reject.message.as_deref(), Some("no \"luck\""));
    assert_eq!(reject.retry_after, Some(Span::from_secs(30)));
    assert_eq!(reject.at.line, 12);
    assert_eq!(first.otherwise, Otherwise::Stop);
    assert!(matches!(&policy.routes[1].action, Action::Reject(reject) if reject.status == 404));
}

#[test]
fn hedges_have_targets_conditions_and_bounds() {
    let policy = load(
        "policy 1\nprovider eu { kind = vllm, base_url = \"http://127.0.0.1:1\", tls = off, auth = none, region = eu\n\
         model a = \"a\", model b = \"b\" }\n\
         provider us { kind = vllm, base_url = \"http://127.0.0.1:2\", tls = off, auth = none, region = us, model c = \"c\" }\n\
         forbid abroad when req.meta[\"where\"] == \"eu\" and target.region != eu { reason = \"law\" }\n\
         route first when req.stream {\n  tier 1 { eu.a }\n\
         hedge after 900ms -> us.c when req.max_out > 10 { max_extra = 2% }\n}\n\
         route default { tier 1 { eu.a, eu.b }, hedge after p95 -> eu.b }\n",
    );
    let hedge = serve(&policy, 0).hedge.as_ref().unwrap();
    assert_eq!(&*policy.targets[hedge.target.index()].name, "us.c");
    assert_eq!(hedge.after, HedgeDelay::Fixed(Span::from_millis(900)));
    assert_eq!((hedge.max_extra, hedge.at.line), (20_000, 8));
    let other = serve(&policy, 1).hedge.as_ref().unwrap();
    assert_eq!((other.after, other.max_extra), (HedgeDelay::P95, 50_000));

    let plan = Plan::new(policy).unwrap();
    let program = &plan.program;
    let decide = |stream, max_out, place| {
        let meta = [Some(place)];
        program.decide(&Facts {
            model: "m",
            path: "/v1/chat/completions",
            method: "POST",
            stream,
            tokens_in: 0,
            max_out,
            has: Caps::NONE,
            headers: &[],
            meta: &meta,
            key: &KeyFacts::default(),
            now: WallTime::default(),
        })
    };
    let candidates = program.candidates(RouteId(0));
    assert_eq!(candidates[1].tier, Candidate::JUMP);
    assert!(program.may_hedge(&decide(true, 11, "us")));
    assert!(!program.may_hedge(&decide(true, 10, "us")));
    assert_eq!(decide(true, 11, "us").forbidden, 0);
    assert_eq!(decide(true, 11, "eu").forbidden, 0b10, "a forbid masks it");
    // A member of the tiers is no further candidate.
    assert_eq!(program.candidates(RouteId(1)).len(), 2);
    assert!(program.may_hedge(&decide(false, 0, "us")));
}

#[test]
fn scripts_of_simulated_providers() {
    let policy = load(
        "policy 1\nprovider a { kind = simulated\n  simulate { script = [\"ok 100\", \"s503 20\", \"stall 3\", \"bad_key\"] }\n\
         model m = \"m\" }\nroute default { tier 1 { a.m } }\n",
    );
    let script = &policy.providers[0].simulation.as_ref().unwrap().script;
    let steps: Vec<_> = script.iter().map(|step| (step.act, step.times)).collect();
    assert_eq!(
        steps,
        [
            (Act::Ok, 100),
            (Act::Status(503), 20),
            (Act::Stall, 3),
            (Act::BadKey, 1)
        ]
    );
}

#[test]
fn the_hash_changes_with_the_text() {
    let text = "policy 1\nroute default { reject(404) }\n";
    assert_ne!(load(text).hash, load(&format!("{text}\n")).hash);
    assert_eq!(load(text).hash, load(text).hash);
}

#[test]
fn breakers_have_rules_and_a_way_back() {
    let policy = load(
        r#"policy 1
provider openai { model mini = "m" }
breaker b {
  open when p70(ttft) > 2s
  open when slow(ttft > 2s) > 30%
  open when p95(gap) > 1500ms
  open when slow(gap > 1500ms) > 5%
  half_open { need = 5, ramp = [10%, 100%], step = 2s }
}
defaults { breaker = b }
route default { tier 1 { openai.mini } }
"#,
    );
    let standard = &policy.breakers[0];
    assert_eq!((standard.probes, standard.need), (1, 2));
    assert_eq!(standard.ramp.steps(), [10_000, 50_000, 250_000]);
    assert!(standard.count.has(Outcome::BadOutput) && !standard.count.has(Outcome::S429));
    let own = &policy.breakers[policy.targets[0].breaker.index()];
    assert_eq!(own.slow.len(), 4);
    assert_eq!(own.slow[0], own.slow[1], "two spellings of one rule");
    assert_eq!(own.slow[2], own.slow[3], "two spellings of one rule");
    assert_eq!(own.slow[0].measure, Measure::Ttft);
    let gap = own.slow[2];
    assert_eq!((gap.measure, gap.percentile), (Measure::Gap, 950_000));
    assert_eq!(gap.limit, Span::from_millis(1_500));
    assert_eq!((own.probes, own.need), (1, 5));
    assert_eq!(own.ramp.steps(), [100_000]);
    assert_eq!(own.step, Span::from_secs(2));
}

#[test]
fn latency_rules_may_be_for_prompts_of_one_size() {
    let text = |rule: &str| {
        format!(
            "policy 1\nprovider openai {{ model mini = \"m\" }}\nbreaker b {{ open when {rule} }}\n\
             defaults {{ breaker = b }}\nroute default {{ tier 1 {{ openai.mini }} }}\n"
        )
    };
    for (rule, prompts) in [
        ("p95(ttft) > 2s", None),
        ("p95(ttft, short) > 2s", Some(PromptSize::Short)),
        ("p95(ttft, medium) > 2s", Some(PromptSize::Medium)),
        ("slow(ttft > 2s, long) > 5%", Some(PromptSize::Long)),
    ] {
        let policy = load(&text(rule));
        let slow = policy.breakers[policy.targets[0].breaker.index()].slow[0];
        assert_eq!(slow.prompts, prompts, "{rule}");
        assert_eq!((slow.limit, slow.percentile), (Span::from_secs(2), 950_000));
    }
    for rule in [
        "p95(gap, long) > 2s",
        "p95(ttft, huge) > 2s",
        "p95(ttft, short, long) > 2s",
        "p95(short) > 2s",
        "slow(long, ttft > 2s) > 5%",
        "slow(gap > 2s, long) > 5%",
    ] {
        let text = text(rule);
        let loaded = policy::load(&[("main.policy", &*text)], "main.policy", &[]);
        let refused =
            loaded.is_err_and(|told| told.render(false).contains("p95(ttft, long) > 10s"));
        assert!(refused, "{rule}");
    }
}

#[test]
fn four_formats_are_one_chain() {
    let (policy, diagnostics) = load_file("four_formats.policy");
    assert_eq!(
        diagnostics.render(false),
        "",
        "a clean policy gives no warning"
    );
    let styles: Vec<_> = policy
        .providers
        .iter()
        .map(|provider| match &provider.auth {
            Auth::Key { style, .. } => (&*provider.name, *style),
            Auth::None => panic!("{} has no key", provider.name),
        })
        .collect();
    assert_eq!(
        styles,
        [
            ("openai", AuthStyle::Bearer),
            ("anthropic", AuthStyle::XApiKey),
            ("gemini", AuthStyle::XGoogApiKey),
            ("bedrock", AuthStyle::SigV4),
        ]
    );
    assert!(serve(&policy, 0).strict);
    let last = serve(&policy, 1);
    assert!(!last.strict);
    assert_eq!(last.tiers.len(), 4);
}
