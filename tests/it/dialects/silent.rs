//! Nothing is lost without a word: each member of a request that says everything its format can say (`documented`) is taken
//! out, one after the other, and the provider's body has to differ, or the list of what was dropped, or it was needed. One
//! that makes no difference was lost, unless it is in
//! [`MEANINGLESS`].

use std::collections::BTreeSet;

use serde_json::Value;
use switchover::dialect::format::Format;

use super::documented::requests;
use super::{CLIENTS, MORE, Said, TARGETS, Target};

/// Places that make no difference, by how they end, and why that is no loss. `*` stands for any number.
const MEANINGLESS: [(&str, &str); 25] = [
    ("/model", "the policy names it"),
    ("/type", "what stands there can be nothing else"),
    (
        "/input/*/id",
        "the name of an item, of which nobody else knows",
    ),
    ("/input/*/status", "how an item was made"),
    ("/tool_calls/*/id", "Vertex AI knows calls by their order"),
    ("/tool_call_id", "the same"),
    ("/messages/*/name", "of a tool, which its call tells"),
    ("/functionResponse/id", "the call of that name is meant"),
    (
        "/functionResponse/name",
        "the call of that id, or the first one, is meant",
    ),
    ("/contents/*/role", "the user's, if it is not told"),
    ("/systemInstruction/role", "there is one"),
    ("/source/media_type", "of plain text there is one"),
    ("/prompt_cache_breakpoint/mode", "there is one"),
    ("/propertyOrdering/*", "the last one comes last"),
    ("/n", "one answer is what everybody gives"),
    ("/generationConfig/candidateCount", "the same"),
    (
        "/generationConfig/responseModalities",
        "text is what everybody answers",
    ),
    (
        "/generationConfig/responseMimeType",
        "JSON, where there is a schema",
    ),
    ("/thinking", "as the model likes, which it does anyway"),
    (
        "/includeThoughts",
        "thoughts are told wherever the provider tells them",
    ),
    ("/strict", "an answer is always held to its schema by some"),
    (
        "/additionalProperties",
        "`false`, which some take for granted",
    ),
    ("/tools/1", "a tool that the choice forbids"),
    ("/functionDeclarations/1", "the same"),
    ("/tools/1/input_schema", "of anything"),
];

/// `request` without what is at `place`.
fn without(request: &Value, place: &str) -> Value {
    let mut request = request.clone();
    let (holder, key) = place.rsplit_once('/').unwrap();
    match request.pointer_mut(holder).unwrap() {
        Value::Object(members) => drop(members.remove(key)),
        Value::Array(list) => drop(list.remove(key.parse().unwrap())),
        _ => panic!("only these hold something"),
    }
    request
}

fn meaningless(place: &str) -> Option<&'static str> {
    let pattern = pattern(place);
    let mut ends = MEANINGLESS.iter().map(|(end, _)| *end);
    ends.find(|end| place.ends_with(end) || pattern.ends_with(end))
}

/// A place with `*` for each number.
fn pattern(place: &str) -> String {
    let steps = place.split('/').map(|step| {
        if step.parse::<usize>().is_ok() {
            "*"
        } else {
            step
        }
    });
    steps.collect::<Vec<_>>().join("/")
}

/// A search for what makes no difference to a provider.
struct Search<'a> {
    client: Format,
    target: &'a Target,
    request: &'a Value,
    /// What the whole request becomes.
    body: Vec<u8>,
    dropped: Vec<String>,
    found: Vec<String>,
}

impl<'a> Search<'a> {
    /// `None` where the whole request is refused.
    fn new(client: Format, request: &'a Value, target: &'a Target) -> Option<Self> {
        match target.said(client, request.to_string().as_bytes()) {
            Said::Refused { .. } => None,
            Said::Whole { body, dropped } => Some(Self {
                client,
                target,
                request,
                body,
                dropped,
                found: Vec::new(),
            }),
        }
    }

    /// Everything in `value`, which stands at `at`.
    fn search(&mut self, value: &Value, at: &str) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    self.take_out(value, format!("{at}/{key}"));
                }
            }
            Value::Array(list) => {
                for (key, value) in list.iter().enumerate() {
                    self.take_out(value, format!("{at}/{key}"));
                }
            }
            _ => {}
        }
    }

    fn take_out(&mut self, value: &Value, place: String) {
        let less = without(self.request, &place).to_string();
        if let Said::Whole { body, dropped } = self.target.said(self.client, less.as_bytes())
            && body == self.body
        {
            // With all that is in it.
            if dropped == self.dropped {
                self.found.push(place);
            }
            return;
        }
        self.search(value, &place);
    }
}

/// What makes no difference to those that take the request, by how its place ends where that is known, or else as it is to
/// be told.
fn search(client: Format, at: usize, request: &Value) -> Vec<Result<&'static str, String>> {
    let mut found = Vec::new();
    let mut taken = 0;
    for target in TARGETS.iter().chain(&MORE).filter(|it| !it.passes(client)) {
        let Some(mut search) = Search::new(client, request, target) else {
            continue;
        };
        taken += 1;
        search.search(request, "");
        found.extend(search.found.iter().map(|place| {
            meaningless(place)
                .ok_or_else(|| format!("{} {at} {place} for {}", client.word(), target.name))
        }));
    }
    assert!(taken > 0, "{} {at}: all refuse it", client.word());
    found
}

#[test]
fn nothing_is_lost_without_a_word() {
    let mut lost = Vec::new();
    let mut needed = BTreeSet::new();
    for client in CLIENTS {
        for (at, request) in requests(client).iter().enumerate() {
            for found in search(client, at, request) {
                match found {
                    Ok(known) => drop(needed.insert(known)),
                    Err(place) => lost.push(place),
                }
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
    let idle: Vec<_> = MEANINGLESS
        .iter()
        .filter(|(end, _)| !needed.contains(end))
        .collect();
    assert!(idle.is_empty(), "these make a difference: {idle:?}");
}
