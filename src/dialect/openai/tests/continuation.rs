//! Going on from a broken answer: what is text, what the request becomes, and the role that is not said twice.

use crate::dialect::openai::{SENT_BYTES_MAX, SentText, blank_role, continued};
use crate::policy::model::Continuation;

fn delta(delta: &str) -> String {
    format!(r#"{{"id":"1","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
}

fn sent(events: &[&str]) -> Option<String> {
    let mut sent = SentText::default();
    for event in events {
        sent.add(event.as_bytes());
    }
    sent.get()
        .map(|text| String::from_utf8(text.to_vec()).unwrap())
}

#[test]
fn text_is_kept_as_it_was_written() {
    let events = [
        delta(r#"{"role":"assistant","content":"","refusal":null}"#),
        delta(r#"{"content":"a \"quoted\" \u00e9"}"#),
        r#"{"choices":[],"usage":{"total_tokens":3}}"#.to_owned(),
        delta(r#"{"content":" é\n","tool_calls":[]}"#),
        delta("{}"),
    ];
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    assert_eq!(sent(&events).as_deref(), Some(r#"a \"quoted\" \u00e9 é\n"#));
}

#[test]
fn only_plain_text_is_gone_on_from() {
    let text = delta(r#"{"content":"a"}"#);
    for other in [
        delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}"#),
        delta(r#"{"function_call":{"name":"f"}}"#),
        delta(r#"{"refusal":"no"}"#),
        delta(r#"{"reasoning_content":"hm"}"#),
        delta(r#"{"content":[{"type":"text","text":"a"}]}"#),
        r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#.to_owned(),
        r#"{"choices":[{"delta":{"content":"b"}},{"delta":{"content":"c"}}]}"#.to_owned(),
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.to_owned(),
        r#"{"choices":[{"index":0,"delta":{"content":"b"#.to_owned(),
    ] {
        assert_eq!(sent(&[&text, &other, &text]), None, "{other}");
    }
    assert_eq!(sent(&[]), None);
    assert_eq!(sent(&[&delta(r#"{"role":"assistant"}"#)]), None);
}

#[test]
fn the_text_is_bounded() {
    let most = delta(&format!(
        r#"{{"content":"{}"}}"#,
        "a".repeat(SENT_BYTES_MAX)
    ));
    assert_eq!(sent(&[&most]).map(|text| text.len()), Some(SENT_BYTES_MAX));
    assert_eq!(sent(&[&most, &delta(r#"{"content":"a"}"#)]), None);
}

fn request(body: &str, how: Continuation) -> Option<String> {
    let mut out = Vec::new();
    continued(body.as_bytes(), br"so \n far", how, &mut out)?;
    Some(String::from_utf8(out).unwrap())
}

#[test]
fn the_text_becomes_the_last_message() {
    let body = r#" {"model":"m","messages":[{"role":"user","content":"hi ]"} ],"stream":true,"n":1,
        "response_format":{"type":"text"},"tools":[{"type":"function"}]}"#;
    for (how, flags, mark) in [
        (Continuation::Message, "", ""),
        (Continuation::Prefix, "", r#","prefix":true"#),
        (
            Continuation::Flags,
            r#""continue_final_message":true,"add_generation_prompt":false,"#,
            "",
        ),
    ] {
        let wanted = format!(
            r#"{{{flags}"model":"m","messages":[{{"role":"user","content":"hi ]"}} ,{{"role":"assistant","content":"so \n far"{mark}}}],"stream":true,"n":1,
        "response_format":{{"type":"text"}},"tools":[{{"type":"function"}}]}}"#
        );
        let got = request(body, how).unwrap();
        assert_eq!(got, wanted);
        serde_json::from_str::<serde_json::Value>(&got).unwrap();
    }
}

#[test]
fn what_is_bound_to_a_form_is_not_gone_on_from() {
    let with = |members: &str| {
        format!(r#"{{"model":"m","messages":[{{"content":"x","role":"user"}}]{members}}}"#)
    };
    assert!(request(&with(""), Continuation::Message).is_some());
    assert!(
        request(
            &with(r#","n":null,"response_format":null"#),
            Continuation::Message
        )
        .is_some()
    );
    for members in [
        r#","n":2"#,
        r#","response_format":{"type":"json_object"}"#,
        r#","response_format":{"type":"json_schema","json_schema":{}}"#,
        r#","guided_json":{}"#,
        r#","structured_outputs":{"regex":"a"}"#,
        r#","add_generation_prompt":true"#,
        r#","audio":{"voice":"x"}"#,
    ] {
        assert_eq!(
            request(&with(members), Continuation::Flags),
            None,
            "{members}"
        );
    }
    for body in [
        r#"{"model":"m"}"#,
        r#"{"model":"m","messages":[]}"#,
        r#"{"model":"m","messages":"x"}"#,
        r#"{"model":"m","messages":[{"content":"x"}]}"#,
        r#"{"model":"m","messages":[{"role":"user"},{"role":"assistant","content":"{"}]}"#,
        "[]",
    ] {
        assert_eq!(request(body, Continuation::Message), None, "{body}");
    }
}

#[test]
fn the_role_is_blanked() {
    for (before, after) in [
        (
            r#"{"role":"assistant","content":"a"}"#,
            r#"{"content":"a"}"#,
        ),
        (
            r#"{ "role" : "assistant" , "content":"a"}"#,
            r#"{"content":"a"}"#,
        ),
        (
            r#"{"content":"a","role":"assistant"}"#,
            r#"{"content":"a"}"#,
        ),
        (
            r#"{"content":"\"role\":1","x":1, "role":"assistant","y":2}"#,
            r#"{"content":"\"role\":1","x":1,"y":2}"#,
        ),
        (r#"{"role":"assistant"}"#, "{}"),
        (r#"{"content":"role"}"#, r#"{"content":"role"}"#),
        ("{}", "{}"),
    ] {
        let mut data = delta(before).into_bytes();
        let length = data.len();
        blank_role(&mut data);
        assert_eq!(data.len(), length);
        let parse = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap();
        assert_eq!(parse(&data), parse(delta(after).as_bytes()), "{before}");
    }
}
