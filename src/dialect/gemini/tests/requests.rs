//! Requests: goldens of what is written, and what is refused.

use serde_json::{Value, json};

use super::with_turn;

/// A call and its response meet by name and order, and get a name of their own, the same every time.
#[test]
fn calls_without_names_meet_their_responses() {
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "compare"}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": "look", "args": {"city": "Bern"}}},
            {"functionCall": {"name": "look", "args": {"city": "Rome"}}},
            {"functionCall": {"name": "list"}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "list", "response": {"n": 1}}},
            {"functionResponse": {"name": "look", "response": {"result": "cold"}}},
            {"functionResponse": {"name": "look", "response": {"error": "no such city"}}},
        ]},
    ]});
    let ids = |body: &Value| {
        with_turn(body, |turn| {
            use crate::dialect::turn::Part;
            let turn = turn.unwrap();
            let calls: Vec<_> = turn.messages[1]
                .parts
                .iter()
                .map(|part| match part {
                    Part::ToolCall(call) => call.id.to_string(),
                    _ => panic!(),
                })
                .collect();
            let results: Vec<_> = turn.messages[2]
                .parts
                .iter()
                .map(|part| match part {
                    Part::ToolResult(it) => (it.id.to_string(), it.name.to_string(), it.is_error),
                    _ => panic!(),
                })
                .collect();
            (calls, results)
        })
    };
    let (calls, results) = ids(&body);
    let of = |at: usize, name: &str, failed| (calls[at].clone(), name.to_owned(), failed);
    assert_eq!(
        results,
        [
            of(2, "list", false),
            of(0, "look", false),
            of(1, "look", true)
        ]
    );
    assert_ne!(calls[0], calls[1]);
    assert_eq!(ids(&body).0, calls, "the same every time");
}
