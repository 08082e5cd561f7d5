//! What is asked of thinking, at which model.

#![expect(clippy::too_many_lines, reason = "tables")]

use serde_json::json;

use super::requests::{ADAPTIVE, EITHER, MANUAL, asked, call, result, text, tool, written};
use crate::dialect::turn::{Effort, Message, Role, Thinking, ToolChoice, Turn};

#[test]
fn thinking_by_generation() {
    let effort = |effort| Thinking {
        effort: Some(effort),
        ..Thinking::default()
    };
    let budget = |tokens| Thinking {
        budget: Some(tokens),
        ..Thinking::default()
    };
    let enabled = |tokens| json!({"type": "enabled", "budget_tokens": tokens});
    let adaptive = json!({"type": "adaptive"});
    let disabled = json!({"type": "disabled"});
    for (model, thinking, max_tokens, want, want_effort, want_max, lost) in [
        (
            "claude-3-5-haiku",
            effort(Effort::High),
            None,
            json!(null),
            json!(null),
            4_096,
            vec!["reasoning_effort"],
        ),
        (
            MANUAL,
            effort(Effort::None),
            None,
            json!(null),
            json!(null),
            4_096,
            vec![],
        ),
        (
            MANUAL,
            effort(Effort::High),
            None,
            enabled(12_288),
            json!(null),
            16_384,
            vec![],
        ),
        // fitted into what the client allows, or what it allows is raised
        (
            MANUAL,
            effort(Effort::High),
            Some(8_000),
            enabled(4_000),
            json!(null),
            8_000,
            vec![],
        ),
        (
            MANUAL,
            effort(Effort::Low),
            Some(500),
            enabled(1_024),
            json!(null),
            1_524,
            vec!["max_tokens"],
        ),
        (
            MANUAL,
            budget(3_000),
            Some(2_000),
            enabled(3_000),
            json!(null),
            5_000,
            vec!["max_tokens"],
        ),
        (
            MANUAL,
            budget(10),
            None,
            enabled(1_024),
            json!(null),
            4_096,
            vec![],
        ),
        (
            "claude-opus-4-5",
            effort(Effort::Max),
            None,
            enabled(32_768),
            json!("high"),
            36_864,
            vec![],
        ),
        (
            EITHER,
            effort(Effort::Minimal),
            None,
            adaptive.clone(),
            json!("low"),
            4_096,
            vec![],
        ),
        (
            EITHER,
            budget(2_000),
            None,
            enabled(2_000),
            json!(null),
            4_096,
            vec![],
        ),
        (
            ADAPTIVE,
            effort(Effort::XHigh),
            None,
            adaptive.clone(),
            json!("xhigh"),
            4_096,
            vec![],
        ),
        (
            ADAPTIVE,
            budget(9_000),
            None,
            adaptive.clone(),
            json!("high"),
            4_096,
            vec![],
        ),
        (
            ADAPTIVE,
            effort(Effort::None),
            None,
            json!(null),
            json!(null),
            4_096,
            vec![],
        ),
        (
            "claude-sonnet-5",
            effort(Effort::None),
            None,
            disabled,
            json!(null),
            4_096,
            vec![],
        ),
        (
            "claude-fable-5",
            effort(Effort::None),
            None,
            json!(null),
            json!("low"),
            4_096,
            vec!["reasoning_effort"],
        ),
    ] {
        let turn = Turn {
            thinking: Some(thinking),
            max_tokens,
            ..asked()
        };
        let (said, losses) = written(&turn, model).unwrap();
        assert_eq!(said["thinking"], want, "{model} {thinking:?}");
        assert_eq!(
            said["output_config"]["effort"], want_effort,
            "{model} {thinking:?}"
        );
        assert_eq!(said["max_tokens"], want_max, "{model} {thinking:?}");
        assert_eq!(losses, lost, "{model} {thinking:?}");
    }
}

// litellm_15601, llama_index_20072, openai-agents-python_1704: thoughts of another provider are gone, so that a model that
// insists on its own in front of calls must not think while it waits for their results.
#[test]
fn litellm_15601_no_budget_while_results_are_awaited() {
    let thinking = Some(Thinking {
        effort: Some(Effort::Low),
        ..Thinking::default()
    });
    let waiting = || {
        vec![
            text(Role::User, "q"),
            Message {
                role: Role::Assistant,
                parts: vec![call("a", "{}")],
            },
            Message {
                role: Role::User,
                parts: vec![result("a", "x")],
            },
        ]
    };
    let turn = Turn {
        thinking,
        messages: waiting(),
        tools: vec![tool()],
        ..Turn::default()
    };
    let (said, lost) = written(&turn, MANUAL).unwrap();
    assert_eq!(
        (&said["thinking"], lost),
        (&json!(null), vec!["reasoning_effort".to_owned()])
    );
    assert_eq!(
        written(&turn, ADAPTIVE).unwrap().0["thinking"]["type"],
        "adaptive"
    );
    let mut messages = waiting();
    messages.extend([text(Role::Assistant, "done"), text(Role::User, "more")]);
    let turn = Turn { messages, ..turn };
    assert_eq!(
        written(&turn, MANUAL).unwrap().0["thinking"]["type"],
        "enabled"
    );
}

// litellm_35637, llama_index_19641: a forced tool and thinking by a budget exclude each other.
#[test]
fn litellm_35637_a_forced_tool_and_thinking() {
    let turn = Turn {
        thinking: Some(Thinking {
            effort: Some(Effort::Low),
            ..Thinking::default()
        }),
        tools: vec![tool()],
        tool_choice: Some(ToolChoice::Named("f")),
        temperature: Some(0.5),
        ..asked()
    };
    for (model, choice, thinks, temperature, lost) in [
        (
            MANUAL,
            "tool",
            json!(null),
            json!(0.5),
            vec!["reasoning_effort"],
        ),
        (
            EITHER,
            "tool",
            json!("adaptive"),
            json!(null),
            vec!["temperature"],
        ),
        (
            ADAPTIVE,
            "tool",
            json!("adaptive"),
            json!(null),
            vec!["temperature"],
        ),
        (
            "claude-opus-5-5",
            "auto",
            json!("adaptive"),
            json!(null),
            vec!["tool_choice", "temperature"],
        ),
    ] {
        let (said, losses) = written(&turn, model).unwrap();
        assert_eq!(said["tool_choice"]["type"], choice, "{model}");
        assert_eq!(said["thinking"]["type"], thinks, "{model}");
        assert_eq!(said["temperature"], temperature, "{model}");
        assert_eq!(losses, lost, "{model}");
    }
}
