//! Plans made at random, small enough that their ways meet often.

use std::fmt::Write as _;

use switchover::base::hash;
use switchover::policy::{self, Plan};

/// Chance from a seed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, count: usize) -> usize {
        self.0 = hash::mix(self.0, 0x7761_7973);
        usize::try_from(hash::scale(self.0, count as u64)).unwrap()
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn of<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

const PROVIDERS: &str = r#"policy 1
provider a { kind = openai, region = us, health { path = "/health" }, model x = "gpt-5", model y = "gpt-5-mini" }
provider b { kind = mistral, region = eu, auth = keys(env("B1"), env("B2"), env("B3")), model x = "mistral-large-latest" }
provider c { kind = vllm, base_url = "http://10.0.0.1:8000", tls = off, region = eu, failure_domain = "dc", capacity { max_inflight = 4 }, model x = "qwen" }
provider d { kind = vllm, base_url = "http://10.0.0.2:8000", tls = off, region = us, failure_domain = "dc", ttft_timeout = 300ms, model x = "qwen" }
"#;
pub(crate) const TARGETS: [&str; 5] = ["a.x", "a.y", "b.x", "c.x", "d.x"];
const FORBIDS: [&str; 8] = [
    "key.residency == \"eu\" and target.region != eu",
    "attempt.index > 0 and attempt.last in [connect, timeout, s5xx] and target.failure_domain == attempt.last_domain",
    "attempt.index > 1 and target.region == us",
    "key.tier == \"gold\" and attempt.last == s429 and target.region == eu",
    "attempt.last_domain == \"dc\" and target.region == us and attempt.index < 3",
    "req.stream and target.failure_domain == \"dc\"",
    "key.tier != \"gold\" and attempt.index in 1..2 and attempt.last != timeout and target.region == us",
    "attempt.index == 0 and target.failure_domain == \"dc\"",
];
const LINES: [&str; 12] = [
    "on any -> next",
    "on [s5xx, timeout, connect, s429] -> next",
    "on context_exceeded -> TARGET",
    "on breaker_open -> TARGET",
    "on [s429, model_gone] -> TARGET",
    "on ttft > 200ms -> TARGET",
    "on ttft > 2s -> stop",
    "on [connect, auth_failed] -> reject(502)",
    "on content_filter -> stop",
    "on overloaded -> TARGET",
    "on ttft -> next",
    "on [quota_exhausted, bad_output] -> next",
];
const WHENS: [&str; 5] = [
    "req.model == \"gpt-5\"",
    "req.stream",
    "key.tier in [\"gold\", \"silver\"] and req.tokens_in > 10k",
    "key.residency != \"eu\" and req.model starts_with \"gpt\"",
    "hash_pct(key.id, salt = \"s\") < 20%",
];
const EXPECTS: [&str; 14] = [
    "never a",
    "never [b.x, c.x]",
    "never a.y",
    "never target.region != eu",
    "never attempt.index > 1",
    "never attempt.last == s429",
    "never attempt.index > 0 and target.failure_domain == attempt.last_domain",
    "never key.tier == \"gold\" and target.region == us",
    "never attempt.last_domain == \"dc\" and target.region == eu and attempt.index == 2",
    "attempts <= 2",
    "attempts <= 4",
    "route != default",
    "reject = 503",
    "never d",
];
const GIVENS: [&str; 5] = [
    "",
    "key.residency = \"eu\"",
    "key.tier = \"gold\"",
    "req.stream = false",
    "req.model = \"gpt-5\", key.tier != \"gold\"",
];

/// Some targets, each once.
fn some(chance: &mut Chance, most: usize) -> Vec<&'static str> {
    let count = 1 + chance.below(most);
    let mut left = TARGETS.to_vec();
    (0..count)
        .map(|_| left.remove(chance.below(left.len())))
        .collect()
}

fn route(chance: &mut Chance, head: &str, guard: bool) -> String {
    let members = some(chance, 4);
    let first = 1 + chance.below(members.len());
    let (one, two) = members.split_at(first);
    let mut text = format!("route {head} {{\n  tier 1 {{ {} }}\n", one.join(", "));
    if !two.is_empty() {
        writeln!(text, "  tier 2 {{ {} }}", two.join(", ")).unwrap();
    }
    writeln!(text, "  max_attempts = {}", 1 + chance.below(4)).unwrap();
    if chance.one_in(3) {
        let delay = chance.of(&["100ms", "250ms", "1s", "40s", "p95"]);
        let target = chance.of(&TARGETS);
        let when = chance.of(&["", " when key.tier == \"gold\""]);
        writeln!(text, "  hedge after {delay} -> {target}{when}").unwrap();
    }
    if chance.one_in(4) {
        let target = chance.of(&TARGETS);
        writeln!(text, "  shadow {target} {{ share = 5%, max_inflight = 4 }}").unwrap();
    }
    if chance.one_in(4) {
        text.push_str("  panic = probe\n");
    }
    if guard {
        text.push_str("  guard { compare = route.default, stop when delta(error_rate) > 1% }\n");
    }
    text.push_str("  fallback {\n");
    for _ in 0..chance.below(4) {
        let line = chance.of(&LINES).replace("TARGET", chance.of(&TARGETS));
        writeln!(text, "    {line}").unwrap();
    }
    text.push_str(chance.of(&[
        "    else -> reject(503)\n  }\n}\n",
        "    else -> stop\n  }\n}\n",
    ]));
    text
}

/// A plan with one proof, if the language takes what chance wrote.
pub(crate) fn plan(chance: &mut Chance) -> Option<(Plan, String)> {
    let mut text = PROVIDERS.to_owned();
    if chance.one_in(2) {
        let max = chance.below(3);
        writeln!(
            text,
            "retries few {{ max = {max} }}\ndefaults {{ retries = few }}"
        )
        .unwrap();
    }
    for number in 0..chance.below(3) {
        let forbid = chance.of(&FORBIDS);
        writeln!(text, "forbid f{number} when {forbid}").unwrap();
    }
    for number in 0..chance.below(3) {
        let when = chance.of(&WHENS);
        let guard = chance.one_in(4);
        text.push_str(&route(chance, &format!("r{number} when {when}"), guard));
    }
    text.push_str(&route(chance, "default", false));
    let given = chance.of(&GIVENS);
    let expects: Vec<&str> = EXPECTS.into_iter().filter(|_| chance.one_in(3)).collect();
    writeln!(
        text,
        "prove \"it\" {{\n  given {{ {given} }}\n  expect {{ {}, never c }}\n}}",
        expects.join("\n")
    )
    .unwrap();
    let text = text.replace("{ , never c }", "{ never c }");
    let (policy, _) = policy::load(&[("main.policy", &*text)], "main.policy", &[]).ok()?;
    Some((Plan::new(policy).unwrap(), text))
}
