//! Settings as each family of models takes them.

use serde_json::json;

use super::{
    CLAUDE, CLAUDE_NEW, CLAUDE_OLD, LLAMA, NOVA, NOVA_2, after_a_call, check, hi, refusal, tool,
    with_tree, written,
};
use crate::dialect::turn::{Effort, Form, Schema, Thinking, Tool, ToolChoice};

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
        &[&dropped[..], &["top_p", "stop"]].concat(),
    );
    // Neither.
    check(
        &turn,
        CLAUDE_NEW,
        r#","inferenceConfig":{"maxTokens":100,"stopSequences":["END"]}}"#,
        &[&dropped[..], &["temperature", "top_k", "top_p", "stop"]].concat(),
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
            more(
                r#""thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"max"}"#,
            ),
            &[],
        ),
        (
            CLAUDE_NEW,
            None,
            None,
            more(r#""thinking":{"type":"adaptive","display":"summarized"}"#),
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
    for (max_tokens, budget) in [
        (100_000, Some(12_288)),
        (4_000, Some(2_000)),
        (2_000, Some(1_024)),
    ] {
        turn.max_tokens = Some(max_tokens);
        let (body, dropped) = written(&turn, CLAUDE).unwrap();
        let expected = budget.map(|budget| format!("\"budget_tokens\":{budget}"));
        assert_eq!(expected.is_some(), dropped.is_empty());
        assert!(expected.is_none_or(|it| body.contains(&it)), "{body}");
    }
    // A budget is a number that the client gave: what is left of the tokens is put on top.
    turn.thinking = Some(thinking(None, Some(2_000)));
    let (body, dropped) = written(&turn, CLAUDE).unwrap();
    assert!(body.contains(r#""maxTokens":4000"#), "{body}");
    assert_eq!(dropped, ["max_tokens"]);
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
                r#","outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"properties\":{\"a\":{\"type\":\"string\"}},\"type\":\"object\",\"additionalProperties\":false}","name":"thing"}}}}}"#,
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

/// Newer models think unless they are told not to.
#[test]
fn silence_is_said_where_it_has_to_be() {
    for (model, fields, dropped) in [
        (
            "us.anthropic.claude-sonnet-5-v1:0",
            more(r#""thinking":{"type":"disabled"}"#),
            &[][..],
        ),
        (
            "us.anthropic.claude-opus-5-5-v1:0",
            more(r#""output_config":{"effort":"low"}"#),
            &["reasoning_effort"],
        ),
    ] {
        let mut turn = hi();
        turn.thinking = Some(thinking(Some(Effort::None), None));
        check(&turn, model, &fields, dropped);
    }
}

/// Bedrock refuses bounds of numbers in schemas that are held to.
#[test]
fn bounds_in_schemas_are_said_and_not_given() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}});
    with_tree(&schema, |tree| {
        let mut turn = hi();
        turn.tools = vec![Tool {
            schema: Some(tree.root()),
            strict: Some(true),
            ..tool("f")
        }];
        let (body, _) = written(&turn, CLAUDE).unwrap();
        assert!(
            body.contains(r#"{"a":{"type":"integer","description":"(minimum: 1)"}}"#),
            "{body}"
        );
        turn.tools[0].strict = None;
        let (body, _) = written(&turn, CLAUDE).unwrap();
        assert!(body.contains(r#""minimum":1"#), "{body}");
        turn.tools.clear();
        turn.form = Form::Schema(Schema {
            name: None,
            description: None,
            schema: tree.root(),
            strict: None,
        });
        for model in [CLAUDE, "qwen.qwen3-32b-v1:0"] {
            let (body, _) = written(&turn, model).unwrap();
            assert!(!body.contains(r#"\"minimum\":1"#), "{body}");
        }
    });
}
