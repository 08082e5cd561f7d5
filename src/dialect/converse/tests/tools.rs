//! Tools as Bedrock takes them.

use serde_json::json;

use super::{CLAUDE, CLAUDE_OLD, NOVA, after_a_call, check, hi, refusal, tool, with_tree, written};
use crate::dialect::turn::{Tool, ToolChoice};

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
        let json = r##"{"type":"object","$defs":{"a":{"type":["string","null"]}},"properties":{"a":{"$ref":"#/$defs/a"}}"##;
        let expected = |closed, strict| {
            let json = format!("{json}{closed}}}");
            format!(
                r#","toolConfig":{{"tools":[{{"toolSpec":{{"name":"f","description":"does","inputSchema":{{"json":{json}}}{strict}}}}}]}}}}"#
            )
        };
        check(
            &turn,
            CLAUDE,
            &expected(",\"additionalProperties\":false", ",\"strict\":true"),
            &[],
        );
        check(
            &turn,
            CLAUDE_OLD,
            &expected("", ""),
            &["tools[].function.strict"],
        );
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
