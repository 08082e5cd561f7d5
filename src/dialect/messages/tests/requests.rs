//! Requests: how they are read, and what they become at which model.

use serde_json::json;

use super::through;

#[test]
fn max_tokens_are_required() {
    let body = json!({"messages": [{"role": "user", "content": "hi"}]});
    for (max_output, max_tokens) in [(None, 4_096), (Some(64_000), 64_000)] {
        let written = through(&body, "claude-sonnet-4-5", max_output).unwrap();
        assert_eq!(written.body["max_tokens"], max_tokens);
        assert!(written.text.starts_with('{') && written.dropped.is_empty());
    }
}
