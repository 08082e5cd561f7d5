//! Thoughts that were written here, and come back.

use super::recordings;
use crate::dialect::responses::without_own_thoughts;

#[test]
fn own_thoughts_are_taken_out() {
    let own = r#"{"type":"reasoning","id":"rs_sw_0k7q_0","summary":[{"type":"summary_text","text":"Hm, [{\"]"}]}"#;
    let theirs = r#"{ "type": "reasoning", "id": "rs_0429c1", "encrypted_content": "s" }"#;
    let said = r#"{"role":"user","content":"rs_sw_0k7q_0"}"#;
    for (items, kept) in [
        (vec![own], vec![]),
        (vec![own, said], vec![said]),
        (vec![said, own, theirs, own], vec![said, theirs]),
    ] {
        let body = |items: &[&str]| {
            let items = items.join(",");
            format!("{{\"model\" : \"m\", \"input\":[{items}] , \"tools\": [ ] }}").into_bytes()
        };
        assert_eq!(without_own_thoughts(&body(&items)), Some(body(&kept)));
    }
    for body in [
        format!("{{\"input\":[{said},{theirs}]}}"),
        "{\"input\":\"rs_sw_0k7q_0\"}".to_owned(),
        "rs_sw".to_owned(),
        format!("{{\"input\":[{own},"),
        format!("[{own}]"),
    ] {
        assert_eq!(without_own_thoughts(body.as_bytes()), None, "{body}");
    }
}

#[test]
fn recorded_requests_pass_as_they_are() {
    for recorded in recordings() {
        let body = serde_json::to_vec(&recorded.request).unwrap();
        assert_eq!(without_own_thoughts(&body), None, "{}", recorded.name);
    }
}
