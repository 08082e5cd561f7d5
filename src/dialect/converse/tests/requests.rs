//! Requests as Bedrock takes them, and what it does not take.

use std::borrow::Cow;

use serde_json::json;

use super::{
    CLAUDE, CLAUDE_NEW, CLAUDE_OLD, LLAMA, NOVA, NOVA_2, hi, message, text, with_tree, written,
};
use crate::dialect::turn::{
    Arguments, Effort, Form, Media, Part, Reasoning, Role, Schema, Source, Text, Thinking, Tool,
    ToolCall, ToolChoice, ToolResult, Turn,
};

fn call<'a>(id: &'a str, name: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall(ToolCall {
        id: Cow::Borrowed(id),
        name: Cow::Borrowed(name),
        arguments: Arguments::Text(Cow::Borrowed(arguments)),
        signature: None,
    })
}

fn result<'a>(id: &'a str, words: &'a str) -> ToolResult<'a> {
    ToolResult {
        id: Cow::Borrowed(id),
        name: Cow::Borrowed(""),
        parts: vec![text(words)],
        is_error: false,
        cache: false,
    }
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

fn media(source: Source<'_>) -> Media<'_> {
    Media {
        source,
        name: Some("../secret plan.pdf"),
        cache: false,
    }
}

fn data<'a>(media_type: &'a str, base64: &'a str) -> Source<'a> {
    Source::Data {
        media_type: Cow::Borrowed(media_type),
        base64: Cow::Borrowed(base64),
    }
}

/// A conversation that has got to the results of a tool.
fn after_a_call<'a>() -> Turn<'a> {
    Turn {
        messages: vec![
            message(Role::User, vec![text("q")]),
            message(Role::Assistant, vec![call("t1", "f", "{}")]),
            message(Role::User, vec![Part::ToolResult(result("t1", "r"))]),
        ],
        ..Turn::default()
    }
}

/// Checks the body that `turn` becomes behind its `messages`, and what is dropped.
fn check(turn: &Turn<'_>, model: &str, behind: &str, dropped: &[&str]) {
    let (body, lost) = written(turn, model).unwrap();
    let (_, rest) = body.split_once("}]}]").unwrap();
    assert_eq!(rest, behind, "{body}");
    assert_eq!(lost, dropped);
}

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

fn refusal(turn: &Turn<'_>, model: &str) -> String {
    written(turn, model).unwrap_err().to_string()
}

#[test]
fn sides_alternate_and_results_come_first() {
    check_messages(
        vec![
            (Role::User, vec![text("a"), text(" \n")]),
            (Role::User, vec![text("b")]),
            (
                Role::Assistant,
                vec![text(""), call("t1", "f", "{\"a\":1.50}")],
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
            r#"{"role":"assistant","content":[{"toolUse":{"toolUseId":"t1","name":"f","input":{"a":1.50}}},"#,
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
        &["messages.role"],
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
    assert_eq!(dropped, ["reasoning_content"]);
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
            "`tool_calls.function.arguments` is not a JSON object, as Bedrock needs it"
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

#[test]
fn litellm_24668_19384_names_and_descriptions_of_tools() {
    for name in ["", "a b", "a.b", "é", &"x".repeat(65)] {
        let mut turn = hi();
        turn.tools = vec![tool(name)];
        assert_eq!(
            refusal(&turn, CLAUDE),
            "`tools.function.name` has to be 1 to 64 letters, digits, `_` or `-` for Bedrock"
        );
    }
    let mut turn = hi();
    for description in [Some(" "), Some("")] {
        turn.tools = vec![Tool {
            description,
            ..tool("f")
        }];
        check(
            &turn,
            CLAUDE,
            r#","toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}"#,
            &[],
        );
    }
}

#[test]
fn schemas_of_tools_are_of_objects() {
    let schema = json!({"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": ["string", "null"]}}});
    with_tree(&schema, |tree| {
        let mut turn = hi();
        turn.tools = vec![Tool {
            schema: Some(tree.root()),
            description: Some("does"),
            strict: Some(true),
            ..tool("f")
        }];
        let json = r##"{"type":"object","$defs":{"a":{"type":["string","null"]}},"properties":{"a":{"$ref":"#/$defs/a"}}}"##;
        let expected = |strict| {
            format!(
                r#","toolConfig":{{"tools":[{{"toolSpec":{{"name":"f","description":"does","inputSchema":{{"json":{json}}}{strict}}}}}]}}}}"#
            )
        };
        check(&turn, CLAUDE, &expected(",\"strict\":true"), &[]);
        check(&turn, CLAUDE_OLD, &expected(""), &["strict"]);
    });
}

/// What is written of `choice`, with or without a history of calls.
fn chosen(
    choice: Option<ToolChoice<'_>>,
    parallel: Option<bool>,
    model: &str,
) -> (String, Vec<String>) {
    let mut turn = hi();
    turn.tools = vec![tool("f")];
    (turn.tool_choice, turn.parallel_tools) = (choice, parallel);
    let (body, dropped) = written(&turn, model).unwrap();
    let behind = body.split_once("}}}}]").map_or("", |(_, behind)| behind);
    (behind.to_owned(), dropped)
}

#[test]
fn choices_of_tools() {
    for (choice, expected) in [
        (None, "}}"),
        (Some(ToolChoice::Auto), r#","toolChoice":{"auto":{}}}}"#),
        (Some(ToolChoice::Required), r#","toolChoice":{"any":{}}}}"#),
        (
            Some(ToolChoice::Named("f")),
            r#","toolChoice":{"tool":{"name":"f"}}}}"#,
        ),
        (Some(ToolChoice::None), ""),
    ] {
        let (behind, dropped) = chosen(choice, None, CLAUDE);
        assert_eq!(behind, expected);
        assert!(dropped.is_empty());
    }
}

#[test]
fn boto3_4687_no_choice_forbids_calls() {
    let mut turn = after_a_call();
    turn.tools = vec![tool("f")];
    turn.tool_choice = Some(ToolChoice::None);
    let (body, dropped) = written(&turn, CLAUDE).unwrap();
    assert!(
        body.contains("toolConfig") && !body.contains("toolChoice"),
        "{body}"
    );
    assert_eq!(dropped, ["tool_choice"]);
}

#[test]
fn onyx_7842_a_conversation_with_calls_shows_tools() {
    let (body, dropped) = written(&after_a_call(), CLAUDE).unwrap();
    assert!(
        body.ends_with(r#","toolConfig":{"tools":[{"toolSpec":{"name":"f","inputSchema":{"json":{"type":"object","properties":{}}}}}]}}"#),
        "{body}"
    );
    assert!(dropped.is_empty());
}

#[test]
fn litellm_36536_one_call_at_a_time_is_said_in_one_place() {
    for (choice, expected) in [
        (None, r#""type":"auto""#),
        (Some(ToolChoice::Required), r#""type":"any""#),
        (Some(ToolChoice::Named("f")), r#""type":"tool","name":"f""#),
    ] {
        let (behind, dropped) = chosen(choice, Some(false), CLAUDE);
        assert_eq!(
            behind,
            format!(
                r#"}},"additionalModelRequestFields":{{"tool_choice":{{{expected},"disable_parallel_tool_use":true}}}}}}"#
            )
        );
        assert!(dropped.is_empty());
    }
    assert_eq!(
        chosen(None, Some(false), NOVA),
        ("}}".to_owned(), vec!["parallel_tool_calls".to_owned()])
    );
    assert_eq!(chosen(None, Some(true), NOVA).1, Vec::<String>::new());
}

#[test]
fn litellm_34276_34420_nothing_is_said_of_tools_where_there_are_none() {
    let mut turn = hi();
    turn.parallel_tools = Some(false);
    turn.tool_choice = Some(ToolChoice::Required);
    check(&turn, CLAUDE, "}", &[]);
}

#[test]
fn sampling_goes_where_the_family_takes_it() {
    let mut turn = hi();
    turn.max_tokens = Some(100);
    turn.temperature = Some(0.5);
    turn.top_p = Some(0.9);
    turn.top_k = Some(5);
    turn.stop = vec!["END", " "];
    turn.seed = Some(1);
    turn.presence_penalty = Some(0.5);
    turn.frequency_penalty = Some(0.5);
    let dropped = ["seed", "presence_penalty", "frequency_penalty"];
    let inference = r#","inferenceConfig":{"maxTokens":100,"temperature":0.5,"topP":0.9,"stopSequences":["END"]}"#;
    for (model, more, lost) in [
        (
            CLAUDE_OLD,
            r#","additionalModelRequestFields":{"top_k":5}}"#,
            &["stop"][..],
        ),
        (
            NOVA,
            r#","additionalModelRequestFields":{"inferenceConfig":{"topK":5}}}"#,
            &["stop"],
        ),
        (LLAMA, "}", &["top_k", "stop"]),
    ] {
        let lost = [&dropped[..], lost].concat();
        check(&turn, model, &format!("{inference}{more}"), &lost);
    }
    // Either, but not both.
    check(
        &turn,
        CLAUDE,
        r#","inferenceConfig":{"maxTokens":100,"temperature":0.5,"stopSequences":["END"]},"additionalModelRequestFields":{"top_k":5}}"#,
        &[&dropped[..], &["stop", "top_p"]].concat(),
    );
    // Neither.
    check(
        &turn,
        CLAUDE_NEW,
        r#","inferenceConfig":{"maxTokens":100,"stopSequences":["END"]}}"#,
        &[&dropped[..], &["stop", "temperature", "top_p", "top_k"]].concat(),
    );
}

#[test]
fn temperatures_end_at_one_for_claude() {
    let mut turn = hi();
    turn.temperature = Some(1.7);
    check(
        &turn,
        CLAUDE,
        r#","inferenceConfig":{"temperature":1.0}}"#,
        &["temperature"],
    );
    turn.temperature = Some(1.0);
    check(&turn, CLAUDE_NEW, "}", &[]);
}

const fn thinking(effort: Option<Effort>, budget: Option<u64>) -> Thinking {
    Thinking {
        effort,
        budget,
        shown: true,
    }
}

fn more(fields: &str) -> String {
    format!(r#","additionalModelRequestFields":{{{fields}}}}}"#)
}

#[test]
fn thinking_goes_in_the_words_of_the_family() {
    let enabled = |budget| {
        more(&format!(
            r#""thinking":{{"type":"enabled","budget_tokens":{budget}}}"#
        ))
    };
    for (model, effort, budget, expected, dropped) in [
        (CLAUDE, Some(Effort::Medium), None, enabled(4_096), &[][..]),
        (CLAUDE, Some(Effort::High), Some(2_000), enabled(2_000), &[]),
        (CLAUDE, None, Some(10), enabled(1_024), &[]),
        (CLAUDE, Some(Effort::None), None, "}".to_owned(), &[]),
        (CLAUDE, None, Some(0), "}".to_owned(), &[]),
        (
            CLAUDE_OLD,
            Some(Effort::Low),
            None,
            "}".to_owned(),
            &["reasoning_effort"],
        ),
        (
            CLAUDE_NEW,
            Some(Effort::Max),
            None,
            more(r#""thinking":{"type":"adaptive"},"output_config":{"effort":"max"}"#),
            &[],
        ),
        (
            CLAUDE_NEW,
            None,
            None,
            more(r#""thinking":{"type":"adaptive"}"#),
            &[],
        ),
        (
            NOVA_2,
            Some(Effort::High),
            None,
            more(r#""reasoningConfig":{"type":"enabled","maxReasoningEffort":"high"}"#),
            &[],
        ),
        (
            NOVA,
            Some(Effort::High),
            None,
            "}".to_owned(),
            &["reasoning_effort"],
        ),
        (
            "openai.gpt-oss-120b-1:0",
            Some(Effort::XHigh),
            None,
            more(r#""reasoning_effort":"high""#),
            &[],
        ),
        (
            LLAMA,
            Some(Effort::High),
            None,
            "}".to_owned(),
            &["reasoning_effort"],
        ),
    ] {
        let mut turn = hi();
        turn.thinking = Some(thinking(effort, budget));
        check(&turn, model, &expected, dropped);
    }
}

#[test]
fn nova_thinks_hard_only_without_limits() {
    let mut turn = hi();
    turn.thinking = Some(thinking(Some(Effort::High), None));
    turn.max_tokens = Some(500);
    let (body, dropped) = written(&turn, NOVA_2).unwrap();
    assert!(body.contains(r#""maxReasoningEffort":"medium""#), "{body}");
    assert_eq!(dropped, ["reasoning_effort"]);
}

#[test]
fn thoughts_leave_tokens_to_answer_with() {
    let mut turn = hi();
    turn.thinking = Some(thinking(Some(Effort::High), None));
    for (max_tokens, budget) in [(100_000, Some(12_288)), (4_000, Some(2_000)), (2_000, None)] {
        turn.max_tokens = Some(max_tokens);
        let (body, dropped) = written(&turn, CLAUDE).unwrap();
        let expected = budget.map(|budget| format!("\"budget_tokens\":{budget}"));
        assert_eq!(expected.is_some(), dropped.is_empty());
        assert!(expected.is_none_or(|it| body.contains(&it)), "{body}");
    }
    turn.thinking = Some(thinking(None, Some(2_000)));
    assert_eq!(
        refusal(&turn, CLAUDE),
        "`max_tokens` has to be larger than the tokens to think with"
    );
}

#[test]
fn litellm_35637_a_call_that_must_be_made_is_not_thought_about() {
    let mut turn = hi();
    turn.tools = vec![tool("f")];
    turn.tool_choice = Some(ToolChoice::Required);
    turn.thinking = Some(thinking(Some(Effort::Medium), None));
    let (body, dropped) = written(&turn, CLAUDE).unwrap();
    assert!(
        body.contains("\"any\"") && !body.contains("thinking"),
        "{body}"
    );
    assert_eq!(dropped, ["reasoning_effort"]);
}

#[test]
fn litellm_15601_thoughts_that_are_not_shown_again_end_thinking() {
    // "Expected `thinking` or `redacted_thinking`, but found `tool_use`"
    let mut turn = after_a_call();
    turn.thinking = Some(thinking(Some(Effort::Medium), None));
    let (body, dropped) = written(&turn, CLAUDE).unwrap();
    assert!(!body.contains("thinking"), "{body}");
    assert_eq!(dropped, ["reasoning_effort"]);
    let (body, dropped) = written(&turn, CLAUDE_NEW).unwrap();
    assert!(body.contains("adaptive"), "{body}");
    assert!(dropped.is_empty());
}

#[test]
fn thinking_fixes_the_sampling() {
    let mut turn = hi();
    turn.thinking = Some(thinking(Some(Effort::Low), None));
    (turn.temperature, turn.top_k) = (Some(0.2), Some(3));
    check(
        &turn,
        CLAUDE,
        &more(r#""thinking":{"type":"enabled","budget_tokens":1024}"#),
        &["temperature", "top_k"],
    );
}

#[test]
fn answers_take_the_form_of_a_schema() {
    with_tree(
        &json!({"type": "object", "properties": {"a": {"type": "string"}}}),
        |tree| {
            let mut turn = hi();
            turn.form = Form::Schema(Schema {
                name: Some("thing"),
                description: None,
                schema: tree.root(),
                strict: Some(true),
            });
            check(
                &turn,
                CLAUDE,
                r#","outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"properties\":{\"a\":{\"type\":\"string\"}},\"type\":\"object\"}","name":"thing"}}}}}"#,
                &[],
            );
            for model in [NOVA, CLAUDE_OLD] {
                assert_eq!(
                    refusal(&turn, model),
                    "`response_format` asks for the form of a schema, which this model does not take"
                );
            }
            turn.form = Form::Json;
            assert_eq!(
                refusal(&turn, CLAUDE),
                "`response_format` asks for any JSON, and Bedrock takes a schema only"
            );
        },
    );
}

#[test]
fn who_asks_is_noted_where_it_fits() {
    let mut turn = hi();
    turn.user = Some("user-1@example.com");
    check(
        &turn,
        NOVA,
        r#","requestMetadata":{"user":"user-1@example.com"}}"#,
        &[],
    );
    turn.user = Some("{\"device_id\":1}");
    check(&turn, NOVA, "}", &["user"]);
}
