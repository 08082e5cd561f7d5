//! Facts of well-known models: what a policy leaves to the catalogue, and what is decided by it.

use switchover::policy::{self, Caps, Facts, KeyFacts, Plan, WallTime};

use crate::policies::load;

#[test]
fn the_catalogue_fills_in_what_the_policy_does_not_say() {
    let policy = load(
        "policy 1\nprovider anthropic {\n  model all = \"claude-haiku-4-5-20251001\"\n\
         model some { id = \"claude-haiku-4-5\", context = 9k, caps = [audio], price { input = $7/Mtok } }\n\
         model one { id = \"claude-haiku-4-5\", max_output = 1k }\n  model none = \"m\"\n}\n\
         route default { tier 1 { anthropic.all } }\n",
    );
    let facts = |at: usize| {
        let target = &policy.targets[at];
        let price = (target.price_in, target.price_out);
        (
            target.context,
            target.max_output,
            target.caps,
            target.lacks,
            price,
        )
    };
    let known = Caps::AUDIO.complement();
    let price = (Some(1_000_000), Some(5_000_000));
    let all = (Some(200_000), Some(64_000), known, Caps::AUDIO, price);
    assert_eq!(facts(0), all);
    let price = (Some(7_000_000), Some(5_000_000));
    let some = (Some(9_000), Some(64_000), Caps::AUDIO, known, price);
    assert_eq!(facts(1), some);
    assert_eq!(facts(2), (all.0, Some(1_000), all.2, all.3, all.4));
    let none = (None, None, Caps::NONE, Caps::NONE, (None, None));
    assert_eq!(facts(3), none);
}

#[test]
fn what_the_catalogue_knows_decides() {
    let text = |model: &str, rest: &str| {
        format!(
            "policy 1\nprovider openai {{ model a {{ {model} }}, model b = \"m\" }}\n\
             forbid dear when target.price > $2/Mtok\n\
             route default {{ {rest} tier 1 {{ openai.a, openai.b }} }}\n"
        )
    };
    let forbidden = |model: &str| {
        let plan = Plan::new(load(&text(model, ""))).unwrap();
        let decision = plan.program.decide(&Facts {
            model: "m",
            path: "/v1/chat/completions",
            method: "POST",
            stream: false,
            tokens_in: 0,
            max_out: 0,
            has: Caps::NONE,
            headers: &[],
            meta: &[],
            key: &KeyFacts::default(),
            now: WallTime::default(),
        });
        decision.forbidden
    };
    assert_eq!(forbidden("id = \"gpt-4o\""), 0b01, "$2.50");
    assert_eq!(forbidden("id = \"gpt-5-mini\""), 0, "$0.25");
    let overruled = "id = \"gpt-4o\", price { input = $1/Mtok }";
    assert_eq!(forbidden(overruled), 0);

    let refused = |model: &str, require: &str| {
        let text = text(model, &format!("require = [{require}],"));
        let loaded = policy::load(&[("main.policy", &*text)], "main.policy", &[]);
        loaded.is_err_and(|diagnostics| diagnostics.render(false).contains("P3005"))
    };
    assert!(refused("id = \"gpt-5-mini\"", "audio"));
    assert!(!refused("id = \"gpt-5-mini\"", "tools, images"));
    assert!(!refused("id = \"gpt-5-mini\", caps = [audio]", "audio"));
    assert!(
        !refused("id = \"unheard-of\"", "audio"),
        "not known is not missing"
    );
}
