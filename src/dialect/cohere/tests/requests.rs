//! Requests as Cohere takes them, and what it does not take.

use std::borrow::Cow;

use serde_json::json;

use super::written;
use crate::dialect::turn::{
    Arguments, Effort, Form, Media, Message, Part, Reasoning, Role, Schema, Source, Text, Thinking,
    Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use crate::wire::json::Tree;

const MODEL: &str = "command-a-03-2025";
const THINKER: &str = "command-a-reasoning-08-2025";

fn hi<'a>() -> Turn<'a> {
    Turn {
        messages: vec![Message {
            role: Role::User,
            parts: vec![text("hi")],
        }],
        ..Turn::default()
    }
}

fn text(words: &str) -> Part<'_> {
    Part::Text(Text::new(words))
}

fn tool(name: &str) -> Tool<'_> {
    Tool {
        name,
        description: None,
        schema: None,
        strict: None,
        cache: false,
    }
}

fn file(source: Source<'_>) -> Part<'_> {
    Part::Document(Media {
        source,
        name: Some("facts.txt"),
        detail: None,
        cache: false,
    })
}

fn data<'a>(media_type: &'a str, base64: &'a str) -> Source<'a> {
    Source::Data {
        media_type: Cow::Borrowed(media_type),
        base64: Cow::Borrowed(base64),
    }
}

/// Checks the body that `turn` becomes behind the model, and what is dropped.
fn check(turn: &Turn<'_>, model: &str, behind: &str, dropped: &[&str]) {
    let (body, lost) = written(turn, model).unwrap();
    let (_, rest) = body.split_once("\",").unwrap();
    assert_eq!(rest, behind);
    assert_eq!(lost, dropped);
}

const HI: &str = r#""messages":[{"role":"user","content":"hi"}]"#;

#[test]
fn what_is_said_beside_calls_is_the_plan() {
    let mut turn = hi();
    turn.system = vec![text("be brief")];
    turn.messages.push(Message {
        role: Role::Assistant,
        parts: vec![
            Part::Reasoning(Reasoning {
                text: Cow::Borrowed("hm"),
                signature: None,
                redacted: false,
            }),
            text("I will look"),
            Part::ToolCall(ToolCall {
                id: Cow::Borrowed("t1"),
                name: Cow::Borrowed("f"),
                arguments: Arguments::Text(Cow::Borrowed("")),
                signature: None,
            }),
        ],
    });
    let result = |id, parts, is_error| {
        Part::ToolResult(ToolResult {
            id: Cow::Borrowed(id),
            name: Cow::Borrowed("f"),
            parts,
            is_error,
            cache: false,
        })
    };
    let picture = Part::Image(Media {
        detail: Some("low"),
        ..Media::of(data("image/png", "AAAA"))
    });
    turn.messages.push(Message {
        role: Role::User,
        parts: vec![
            text("and?"),
            result("t1", vec![text("a"), picture, text("b")], false),
            result("t2", vec![text("no")], true),
        ],
    });
    check(
        &turn,
        MODEL,
        concat!(
            r#""messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hi"},"#,
            r#"{"role":"assistant","tool_plan":"I will look","tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{}"}}]},"#,
            r#"{"role":"tool","tool_call_id":"t1","content":"ab"},{"role":"tool","tool_call_id":"t2","content":"Error: no"},"#,
            r#"{"role":"user","content":[{"type":"text","text":"and?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}}]}]}"#,
        ),
        &["messages[].reasoning_content"],
    );
}

#[test]
fn files_stand_beside_the_messages() {
    let mut turn = hi();
    turn.messages[0]
        .parts
        .push(file(Source::Text(Cow::Borrowed("one"))));
    turn.messages[0].parts.push(file(data("text/csv", "Zm9v")));
    check(
        &turn,
        MODEL,
        &format!(
            r#"{HI},"documents":[{{"id":"doc:0","data":{{"title":"facts.txt","text":"one"}}}},{{"id":"doc:1","data":{{"title":"facts.txt","text":"foo"}}}}]}}"#
        ),
        &[],
    );
    for source in [
        data("application/pdf", ""),
        Source::Url(Cow::Borrowed("https://example.com/a")),
        data("text/plain", "_w=="),
        data("text/plain", "/w=="),
    ] {
        let mut turn = hi();
        turn.messages[0].parts.push(file(source));
        assert_eq!(
            written(&turn, MODEL).unwrap_err().to_string(),
            "`file` holds no text: Cohere reads no other files"
        );
    }
}

#[test]
fn recordings_of_speech_are_refused() {
    let mut turn = hi();
    turn.messages[0]
        .parts
        .push(Part::Audio(Media::of(data("audio/wav", ""))));
    assert_eq!(
        written(&turn, MODEL).unwrap_err().to_string(),
        "`input_audio` is not taken by Cohere"
    );
}

#[test]
fn choices_of_tools() {
    let shown = |name| {
        format!(
            r#"{{"type":"function","function":{{"name":"{name}","parameters":{{"type":"object","properties":{{}}}}}}}}"#
        )
    };
    let both = format!("{},{}", shown("f"), shown("g"));
    for (choice, tools, behind) in [
        (None, &both, ""),
        (Some(ToolChoice::Auto), &both, ""),
        (
            Some(ToolChoice::Required),
            &both,
            r#","tool_choice":"REQUIRED""#,
        ),
        (Some(ToolChoice::None), &both, r#","tool_choice":"NONE""#),
        (
            Some(ToolChoice::Named("g")),
            &shown("g"),
            r#","tool_choice":"REQUIRED""#,
        ),
    ] {
        let mut turn = hi();
        turn.tools = vec![tool("f"), tool("g")];
        turn.tool_choice = choice;
        turn.parallel_tools = Some(false);
        check(
            &turn,
            MODEL,
            &format!(r#"{HI},"tools":[{tools}]{behind}}}"#),
            &["parallel_tool_calls"],
        );
    }
    let mut turn = hi();
    turn.tool_choice = Some(ToolChoice::Required);
    check(&turn, MODEL, &format!("{HI}}}"), &[]);
}

#[test]
fn tools_are_strict_together() {
    let mut schema = br#"{"type":"object","properties":{"a":{}},"required":["a"]}"#.to_vec();
    let tree = Tree::parse(&mut schema).unwrap();
    let strict = || Tool {
        schema: Some(tree.root()),
        strict: Some(true),
        ..tool("f")
    };
    let mut turn = hi();
    turn.tools = vec![strict()];
    let (body, dropped) = written(&turn, MODEL).unwrap();
    assert!(
        body.ends_with(r#","strict_tools":true}"#) && dropped.is_empty(),
        "{body}"
    );
    turn.tools = vec![strict(), tool("g")];
    let (body, dropped) = written(&turn, MODEL).unwrap();
    assert!(!body.contains("strict_tools"), "{body}");
    assert_eq!(dropped, ["tools[].function.strict"]);
}

#[test]
fn sampling_has_its_own_names_and_ranges() {
    let mut turn = hi();
    turn.max_tokens = Some(9);
    turn.temperature = Some(0.5);
    turn.top_p = Some(1.0);
    turn.top_k = Some(1_000);
    turn.seed = Some(3);
    turn.presence_penalty = Some(-1.0);
    turn.frequency_penalty = Some(0.5);
    turn.stop = vec!["a", "b", "c", "d", "e", "f"];
    turn.user = Some("u");
    turn.stream = true;
    check(
        &turn,
        MODEL,
        &format!(
            r#"{HI},"max_tokens":9,"temperature":0.5,"p":0.99,"k":500,"seed":3,"frequency_penalty":0.5,"stop_sequences":["a","b","c","d","e"],"stream":true}}"#
        ),
        &["user", "top_k", "presence_penalty", "stop"],
    );
}

#[test]
fn no_temperature_is_higher_than_one() {
    let mut turn = hi();
    turn.temperature = Some(1.4);
    let behind = format!(r#"{HI},"temperature":1.0}}"#);
    check(&turn, MODEL, &behind, &["temperature"]);
}

#[test]
fn thinking_is_for_models_that_do() {
    for (model, effort, max_tokens, expected, dropped) in [
        (
            THINKER,
            Effort::Medium,
            None,
            r#","thinking":{"type":"enabled","token_budget":4096}}"#,
            &[][..],
        ),
        (
            THINKER,
            Effort::Medium,
            Some(1_000),
            r#","max_tokens":1000,"thinking":{"type":"enabled","token_budget":500}}"#,
            &[],
        ),
        (
            THINKER,
            Effort::None,
            None,
            r#","thinking":{"type":"disabled"}}"#,
            &[],
        ),
        (MODEL, Effort::None, None, "}", &[]),
        (MODEL, Effort::High, None, "}", &["reasoning_effort"]),
    ] {
        let mut turn = hi();
        turn.max_tokens = max_tokens;
        turn.thinking = Some(Thinking {
            effort: Some(effort),
            budget: None,
            shown: false,
        });
        check(&turn, model, &format!("{HI}{expected}"), dropped);
    }
}

#[test]
fn a_budget_is_the_clients_own_number() {
    for (budget, max_tokens, expected) in [
        (900, Some(1_000), 900),
        (2_000, Some(1_000), 999),
        (0, Some(1), 1),
        (5_000, None, 5_000),
    ] {
        let mut turn = hi();
        turn.max_tokens = max_tokens;
        turn.thinking = Some(Thinking {
            effort: None,
            budget: Some(budget),
            shown: false,
        });
        let (body, _) = written(&turn, THINKER).unwrap();
        let expected = format!(r#""token_budget":{expected}}}}}"#);
        assert!(body.ends_with(&expected), "{body}");
    }
}

#[test]
fn forms_of_answers() {
    let mut text = serde_json::to_vec(&json!({"type": "object"})).unwrap();
    let tree = Tree::parse(&mut text).unwrap();
    let mut turn = hi();
    turn.form = Form::Json;
    check(
        &turn,
        MODEL,
        &format!(r#"{HI},"response_format":{{"type":"json_object"}}}}"#),
        &[],
    );
    turn.form = Form::Schema(Schema {
        name: Some("thing"),
        description: None,
        schema: tree.root(),
        strict: Some(true),
    });
    check(
        &turn,
        MODEL,
        &format!(
            r#"{HI},"response_format":{{"type":"json_object","json_schema":{{"type":"object","title":"thing"}}}}}}"#
        ),
        &[],
    );
    turn.tools = vec![tool("f")];
    assert_eq!(
        written(&turn, MODEL).unwrap_err().to_string(),
        "`response_format` is not taken by Cohere beside tools or files"
    );
}
