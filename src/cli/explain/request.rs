//! A request that somebody asks about, from JSON: its facts, what targets are, and what they do, as a `test` has them.
//!
//! ```json
//! { "given":  { "req.model": "gpt-5", "req.stream": true, "req.header": { "x-team": "search" } },
//!   "state":  { "openai": "open" },
//!   "script": { "azure.gpt_5": ["s503", "ok"] },
//!   "seed": 7 }
//! ```

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::base::{Outcome, RequestId, TargetId};
use crate::policy::model::At;
use crate::policy::trial::{Given, Said, Scripted, Staged, Trial};
use crate::policy::{Policy, nearest};
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
    pub(super) fn read(text: &[u8], policy: &Policy) -> Result<Self, Vec<String>> {
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
