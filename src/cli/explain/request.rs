//! A request that somebody asks about, from JSON: its facts, what targets are, and what they do, as a `test` has them.
//!
//! ```json
//! { "given":  { "req.model": "gpt-5", "req.stream": true, "req.header": { "x-team": "search" } },
//!   "state":  { "openai": "open" },
//!   "script": { "azure.gpt_5": ["s503", "ok"] },
//!   "seed": 7 }
//! ```
//!
//! Or from the request itself as it goes over the wire, in the format of any client: request line, header, body. It is read as the gateway reads it.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::base::{Outcome, RequestId, TargetId};
use crate::exchange::read_request;
use crate::policy::model::At;
use crate::policy::trial::{Given, Said, Scripted, Staged, Trial};
use crate::policy::{Caps, Facts, Needs, Plan, Policy, nearest};
use crate::sim::trial;

/// What is asked about.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) trial: Trial,
    pub(super) id: RequestId,
}

/// As it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    given: Map<String, Value>,
    #[serde(default)]
    state: Map<String, Value>,
    #[serde(default)]
    script: Map<String, Value>,
    #[serde(default)]
    seed: u32,
    id: Option<String>,
}

impl Asked {
    /// From the text of a request file; each mistake is a sentence.
    pub(super) fn read(text: &[u8], plan: &Plan) -> Result<Self, Vec<String>> {
        if text.trim_ascii_start().starts_with(b"{") {
            Self::described(text, &plan.policy)
        } else {
            Self::sent(text, plan).map_err(|why| vec![why])
        }
    }

    /// From a request as it is sent.
    fn sent(text: &[u8], plan: &Plan) -> Result<Self, String> {
        let needs = plan.program.needs();
        let read = read_request(&framed(text), &plan.policy, &plan.program, |facts| {
            given(facts, needs)
        });
        let trial = Trial {
            name: "request".into(),
            at: At::default(),
            given: read??,
            seed: 0,
            states: Vec::new(),
            scripts: Vec::new(),
            sample: None,
            expects: Vec::new(),
        };
        let id = trial::id(trial.seed, 0);
        Ok(Self { trial, id })
    }

    fn described(text: &[u8], policy: &Policy) -> Result<Self, Vec<String>> {
        let written: Written = serde_json::from_slice(text)
            .map_err(|error| vec![format!("it cannot be read: {error}")])?;
        let mut trial = Trial {
            name: "request".into(),
            at: At::default(),
            given: Vec::new(),
            seed: written.seed.into(),
            states: Vec::new(),
            scripts: Vec::new(),
            sample: None,
            expects: Vec::new(),
        };
        let mut wrong = Vec::new();
        for (word, value) in &written.given {
            give(word, value, &mut trial.given, &mut wrong);
        }
        for (name, state) in &written.state {
            match (targets(policy, name), staged(state)) {
                (Ok(targets), Ok(staged)) => {
                    let states = targets.into_iter().map(|target| (target, staged));
                    trial.states.extend(states);
                }
                (found, staged) => wrong.extend(found.err().into_iter().chain(staged.err())),
            }
        }
        for (name, steps) in &written.script {
            match (targets(policy, name), script(steps)) {
                (Ok(targets), Ok(steps)) => {
                    let scripts = targets.into_iter().map(|target| (target, steps.clone()));
                    trial.scripts.extend(scripts);
                }
                (found, steps) => wrong.extend(found.err().into_iter().chain(steps.err())),
            }
        }
        let id = match written.id.as_deref().map(RequestId::from_hex) {
            None => trial::id(trial.seed, 0),
            Some(Some(id)) => id,
            Some(None) => {
                wrong.push("`id` is 32 hexadecimal digits, as `x-request-id` has them".to_owned());
                RequestId::default()
            }
        };
        if wrong.is_empty() {
            Ok(Self { trial, id })
        } else {
            Err(wrong)
        }
    }
}

/// A request as it goes over the wire, from one that was written by hand: lines of its head may end in a newline alone, and the length of its body
/// may be left out.
fn framed(text: &[u8]) -> Vec<u8> {
    let text = text.trim_ascii_start();
    let by_hand = !text
        .split_inclusive(|&byte| byte == b'\n')
        .next()
        .is_some_and(|line| line.ends_with(b"\r\n"));
    let (end, line_end): (&[u8], usize) = if by_hand {
        (b"\n\n", 1)
    } else {
        (b"\r\n\r\n", 2)
    };
    let blank = text.windows(end.len()).position(|window| window == end);
    let (head, rest) = text.split_at(blank.map_or(text.len(), |at| at + line_end));
    let body = rest.get(line_end..).unwrap_or_default();
    let mut lengthy = false;
    let mut whole = Vec::with_capacity(text.len() + 128);
    for line in head
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
        lengthy |= name.eq_ignore_ascii_case(b"content-length")
            || name.eq_ignore_ascii_case(b"transfer-encoding");
        whole.extend_from_slice(line);
        whole.extend_from_slice(b"\r\n");
    }
    if !lengthy && !body.is_empty() {
        whole.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
    }
    if blank.is_some() {
        whole.extend_from_slice(b"\r\n");
    }
    whole.extend_from_slice(body);
    whole
}

/// The facts that the plan reads.
fn given(facts: &Facts<'_>, needs: &Needs) -> Result<Vec<Given>, String> {
    let mut all = vec![
        Given::said("req.model", Said::Text(facts.model))?,
        Given::said("req.path", Said::Text(facts.path))?,
        Given::said("req.stream", Said::Flag(facts.stream))?,
        Given::said("req.max_out", Said::Number(facts.max_out))?,
    ];
    if needs.tokens_in {
        all.push(Given::said("req.tokens_in", Said::Number(facts.tokens_in))?);
    }
    for (word, cap) in Caps::WORDS {
        if needs.has.covers(cap) {
            let has = Said::Flag(facts.has.covers(cap));
            all.push(Given::said(&format!("req.has.{word}"), has)?);
        }
    }
    let headers = needs.headers.iter().zip(facts.headers);
    let headers = headers.map(|(name, value)| (format!("req.header[{name:?}]"), value));
    let meta = needs.meta.iter().zip(facts.meta);
    let meta = meta.map(|(name, value)| (format!("req.meta[{name:?}]"), value));
    for (word, value) in headers.chain(meta) {
        if let Some(value) = value {
            all.push(Given::said(&word, Said::Text(value))?);
        }
    }
    Ok(all)
}

/// `"req.model": "…"`, or `"req.header": { "name": "…" }`.
fn give(word: &str, value: &Value, given: &mut Vec<Given>, wrong: &mut Vec<String>) {
    let said = match value {
        Value::String(text) => Said::Text(text),
        Value::Bool(flag) => Said::Flag(*flag),
        Value::Number(number) => match number.as_u64() {
            Some(number) => Said::Number(number),
            None => return wrong.push(format!("`{word}`: {number} is no whole number")),
        },
        Value::Object(inner) if matches!(word, "req.header" | "req.meta") => {
            for (name, value) in inner {
                give(&format!("{word}[{name:?}]"), value, given, wrong);
            }
            return;
        }
        _ => {
            return wrong.push(format!(
                "`{word}` is a string, a whole number, true or false"
            ));
        }
    };
    match Given::said(word, said) {
        Ok(fact) => given.push(fact),
        Err(why) => wrong.push(why),
    }
}

/// A target, or all those of a provider.
fn targets(policy: &Policy, name: &str) -> Result<Vec<TargetId>, String> {
    let all = (0..).map(TargetId).zip(&policy.targets);
    let named = all.filter(|(_, target)| {
        let provider = policy.providers.get(target.provider.index());
        *target.name == *name || provider.is_some_and(|provider| *provider.name == *name)
    });
    let named: Vec<_> = named.map(|(id, _)| id).collect();
    if named.is_empty() {
        let words = policy.targets.iter().map(|target| &*target.name);
        let words = words.chain(policy.providers.iter().map(|provider| &*provider.name));
        let near = nearest(name, words).map(|near| format!(": did you mean `{near}`?"));
        let near = near.unwrap_or_default();
        return Err(format!("there is no target or provider `{name}`{near}"));
    }
    Ok(named)
}

fn staged(state: &Value) -> Result<Staged, String> {
    let word = state.as_str().unwrap_or_default();
    Staged::from_word(word).ok_or_else(|| {
        let words = Staged::ALL.map(Staged::as_str).join(", ");
        format!("{state} is no state; there are {words}")
    })
}

/// An outcome or a status such as `s503`, or a list of them.
fn script(steps: &Value) -> Result<Vec<Scripted>, String> {
    match steps {
        Value::Array(steps) if !steps.is_empty() => steps.iter().map(scripted).collect(),
        one => Ok(vec![scripted(one)?]),
    }
}

fn scripted(step: &Value) -> Result<Scripted, String> {
    let word = step.as_str().unwrap_or_default();
    let status = word
        .strip_prefix('s')
        .and_then(|status| status.parse().ok());
    if let Some(status) = status.filter(|status| (400..=599).contains(status)) {
        return Ok(Scripted::Status(status));
    }
    let outcome = Outcome::from_word(word).map(Scripted::Outcome);
    outcome.ok_or_else(|| {
        let words = Outcome::ALL.map(Outcome::as_str).join(", ");
        format!("{step} is no outcome; there are {words}, and statuses such as s503")
    })
}
