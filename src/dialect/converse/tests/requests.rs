//! The conversation as Bedrock takes it, and what of it is not taken.

use std::borrow::Cow;

use super::{
    CLAUDE, LLAMA, NOVA, after_a_call, call, check, hi, message, refusal, result, text, tool,
    written,
};
use crate::dialect::turn::{Media, Part, Reasoning, Role, Source, Text, Tool, ToolResult, Turn};

fn check_messages(messages: Vec<(Role, Vec<Part<'_>>)>, expected: &str) {
    let turn = Turn {
        messages: messages
            .into_iter()
            .map(|(role, parts)| message(role, parts))
            .collect(),
        tools: vec![tool("f")],
        ..Turn::default()
    };
    let (body, _) = written(&turn, CLAUDE).unwrap();
    let (body, _) = body.split_once(",\"toolConfig\"").unwrap();
    assert_eq!(body, expected);
}

fn media(source: Source<'_>) -> Media<'_> {
    Media {
        source,
        name: Some("../secret plan.pdf"),
        detail: None,
        cache: false,
    }
}

fn data<'a>(media_type: &'a str, base64: &'a str) -> Source<'a> {
    Source::Data {
        media_type: Cow::Borrowed(media_type),
        base64: Cow::Borrowed(base64),
    }
}

#[test]
fn sides_alternate_and_results_come_first() {
    check_messages(
        vec![
            (Role::User, vec![text("a"), text(" \n")]),
            (Role::User, vec![text("b")]),
            (
                Role::Assistant,
                vec![text(""), call("t1", "f", "{\"a\":1.5}")],
            ),
            (Role::Assistant, vec![call("t2", "f", "")]),
            (
                Role::User,
                vec![text("see"), Part::ToolResult(result("t1", "r1"))],
            ),
            (
                Role::User,
                vec![Part::ToolResult(result("t2", "r2")), text("go on")],
            ),
        ],
        concat!(
            r#"{"messages":[{"role":"user","content":[{"text":"a"},{"text":"b"}]},"#,
            r#"{"role":"assistant","content":[{"toolUse":{"toolUseId":"t1","name":"f","input":{"a":1.5}}},"#,
            r#"{"toolUse":{"toolUseId":"t2","name":"f","input":{}}}]},"#,
            r#"{"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"text":"r1"}]}},"#,
            r#"{"toolResult":{"toolUseId":"t2","content":[{"text":"r2"}]}},{"text":"see"},{"text":"go on"}]}]"#,
        ),
    );
}

#[test]
fn a_side_of_nothing_but_blanks_is_left_out() {
    check_messages(
        vec![
            (Role::User, vec![text("a")]),
            (Role::Assistant, vec![text(" ")]),
            (Role::User, vec![text("b")]),
        ],
        r#"{"messages":[{"role":"user","content":[{"text":"a"},{"text":"b"}]}]"#,
    );
}

#[test]
fn the_user_begins() {
    for messages in [
        vec![],
        vec![message(Role::Assistant, vec![text("Hello!")])],
        vec![message(Role::User, vec![text("  ")])],
    ] {
        let turn = Turn {
            messages,
            ..Turn::default()
        };
        assert_eq!(
            refusal(&turn, CLAUDE),
            "`messages` has to begin with a message of the user for Bedrock"
        );
    }
}

#[test]
fn instructions_in_the_middle_join_those_before() {
    let mut turn = hi();
    turn.system = vec![text("be brief")];
    turn.messages
        .push(message(Role::Assistant, vec![text("hello")]));
    turn.messages
        .push(message(Role::System, vec![text("be kind")]));
    turn.messages.push(message(Role::User, vec![text("bye")]));
    check(
        &turn,
        CLAUDE,
        r#","system":[{"text":"be brief"},{"text":"be kind"}]}"#,
        &["messages[].role"],
    );
}

#[test]
fn thoughts_of_another_provider_are_not_shown() {
    let mut turn = hi();
    turn.messages.push(message(
        Role::Assistant,
        vec![
            Part::Reasoning(Reasoning {
                text: Cow::Borrowed("hm"),
                signature: Some(Cow::Borrowed("proof")),
                redacted: false,
            }),
            Part::Refusal(Cow::Borrowed("no")),
        ],
    ));
    let (body, dropped) = written(&turn, CLAUDE).unwrap();
    assert!(
        body.ends_with(r#"{"role":"assistant","content":[{"text":"no"}]}]}"#),
        "{body}"
    );
    assert_eq!(dropped, ["messages[].reasoning_content"]);
}

#[test]
fn names_of_calls_fit_the_model_and_their_results() {
    let mut turn = after_a_call();
    turn.messages[1].parts = vec![call("call.1", "f", "{}")];
    turn.messages[2].parts = vec![Part::ToolResult(result("call.1", "r"))];
    for (model, length) in [(CLAUDE, 30), ("mistral.mistral-large-2407-v1:0", 9)] {
        let (body, _) = written(&turn, model).unwrap();
        let ids: Vec<_> = body
            .split("\"toolUseId\":\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert_eq!(ids.len(), 2);
        assert_eq!(ids[0], ids[1]);
        assert_eq!(ids[0].len(), length, "{model}");
    }
}

#[test]
fn arguments_are_an_object() {
    for arguments in ["{\"a\":", "[1]", "7", "{\"a\":1}}", "\u{0}"] {
        let mut turn = after_a_call();
        turn.messages[1].parts = vec![call("t1", "f", arguments)];
        assert_eq!(
            refusal(&turn, CLAUDE),
            "`tool_calls` holds arguments that are no JSON object: the call was cut off, and the provider refuses it"
        );
    }
}

#[test]
fn tools_that_failed_say_so() {
    let mut turn = after_a_call();
    let Part::ToolResult(result) = &mut turn.messages[2].parts[0] else {
        panic!("a result")
    };
    (result.is_error, result.parts) = (true, vec![]);
    let (body, dropped) = written(&turn, CLAUDE).unwrap();
    assert!(body.contains(r#""content":[],"status":"error""#), "{body}");
    assert!(dropped.is_empty());
    let (body, dropped) = written(&turn, LLAMA).unwrap();
    assert!(!body.contains("status"));
    assert_eq!(dropped, ["is_error"]);
}

#[test]
fn pictures_and_files_come_as_data() {
    let mut turn = hi();
    turn.messages[0].parts = vec![
        text("look"),
        Part::Image(media(data("image/jpeg", "AAAA"))),
        Part::Document(media(data("application/pdf", "BBBB"))),
        Part::Document(media(Source::Text(Cow::Borrowed("foobar")))),
    ];
    let (body, _) = written(&turn, CLAUDE).unwrap();
    assert_eq!(
        body,
        concat!(
            r#"{"messages":[{"role":"user","content":[{"text":"look"},"#,
            r#"{"image":{"format":"jpeg","source":{"bytes":"AAAA"}}},"#,
            r#"{"document":{"format":"pdf","name":"Document 1","source":{"bytes":"BBBB"}}},"#,
            r#"{"document":{"format":"txt","name":"Document 2","source":{"bytes":"Zm9vYmFy"}}}]}]}"#,
        )
    );
}

#[test]
fn other_media_are_refused() {
    let url = || Source::Url(Cow::Borrowed("https://example.com/a"));
    for (part, words) in [
        (
            Part::Image(media(url())),
            "`image_url` is an address: Bedrock takes pictures as data only",
        ),
        (
            Part::Image(media(data("image/tiff", ""))),
            "`image_url` is a picture of a type that Bedrock does not read: PNG, JPEG, GIF and WebP are",
        ),
        (
            Part::Document(media(url())),
            "`file` is an address: Bedrock takes files as data only",
        ),
        (
            Part::Document(media(data("application/zip", ""))),
            "`file` is of a type that Bedrock does not read",
        ),
        (
            Part::Audio(media(data("audio/wav", ""))),
            "`input_audio` is not taken by Bedrock",
        ),
    ] {
        let mut turn = hi();
        turn.messages[0].parts.push(part);
        assert_eq!(refusal(&turn, CLAUDE), words);
    }
}

#[test]
fn marks_for_the_cache_stand_behind_what_is_kept() {
    let marked = |words| {
        Part::Text(Text {
            text: Cow::Borrowed(words),
            cache: true,
        })
    };
    let mut turn = hi();
    turn.system = vec![marked("long")];
    turn.messages[0].parts = vec![marked("q")];
    turn.tools = vec![Tool {
        cache: true,
        ..tool("f")
    }];
    let point = r#"{"cachePoint":{"type":"default"}}"#;
    let (body, dropped) = written(&turn, CLAUDE).unwrap();
    assert!(
        body.contains(&format!(r#"[{{"text":"q"}},{point}]"#)),
        "{body}"
    );
    assert!(body.contains(&format!(r#"[{{"text":"long"}},{point}]"#)));
    assert!(body.contains(&format!("}}}}}}}},{point}]")));
    assert!(dropped.is_empty());
    // Nova refuses them behind tools, most models everywhere.
    for (model, marks) in [(NOVA, 2), (LLAMA, 0)] {
        let (body, dropped) = written(&turn, model).unwrap();
        assert_eq!(body.matches(point).count(), marks, "{model}");
        assert_eq!(dropped, ["cache_control"]);
    }
}

/// Bedrock takes no mark inside the answer of a tool, where Anthropic's clients put them.
#[test]
fn marks_inside_an_answer_of_a_tool_stand_behind_it() {
    let marked = Part::Text(Text {
        text: "done".into(),
        cache: true,
    });
    let result = Part::ToolResult(ToolResult {
        id: "a".into(),
        name: "f".into(),
        parts: vec![marked],
        is_error: false,
        cache: false,
    });
    check_messages(
        vec![(Role::User, vec![result])],
        r#"{"messages":[{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"done"}]}},{"cachePoint":{"type":"default"}}]}]"#,
    );
}
