//! How much to think, in the words of each generation.

use serde_json::{Value, json};

use crate::dialect::turn::{Effort, Thinking, Turn};
use crate::policy::model::ProviderKind;

use super::{parse, written};

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn how_much_to_think() {
    let asked = |effort, budget| {
        Some(Thinking {
            effort,
            budget,
            shown: false,
        })
    };
    let (level, tokens) = (
        |word: &str| json!({"thinkingLevel": word}),
        |count: u32| json!({"thinkingBudget": count}),
    );
    for (model, thinking, told, lost) in [
        (
            "gemini-3-flash-preview",
            asked(Some(Effort::None), None),
            level("minimal"),
            true,
        ),
        (
            "gemini-3.7-flash",
            asked(Some(Effort::Minimal), None),
            level("low"),
            false,
        ),
        (
            "gemini-3.1-pro-preview",
            asked(Some(Effort::Minimal), None),
            level("low"),
            false,
        ),
        (
            "gemini-3-pro-preview",
            asked(Some(Effort::Medium), None),
            level("high"),
            false,
        ),
        (
            "gemini-3.1-pro-preview",
            asked(Some(Effort::Medium), None),
            level("medium"),
            false,
        ),
        (
            "gemini-flash-latest",
            asked(Some(Effort::Max), None),
            level("high"),
            false,
        ),
        (
            "gemini-3.5-flash",
            asked(None, Some(3_000)),
            level("medium"),
            false,
        ),
        (
            "gemini-2.5-flash",
            asked(Some(Effort::None), None),
            tokens(0),
            false,
        ),
        (
            "gemini-2.5-pro",
            asked(Some(Effort::None), None),
            tokens(128),
            true,
        ),
        (
            "gemini-2.5-flash",
            asked(Some(Effort::High), None),
            tokens(12_288),
            false,
        ),
        (
            "gemini-2.5-flash",
            asked(None, Some(90_000)),
            tokens(24_576),
            false,
        ),
        (
            "gemini-2.5-flash-lite",
            asked(None, Some(3)),
            tokens(512),
            false,
        ),
        (
            "gemini-2.5-pro",
            asked(None, Some(90_000)),
            tokens(32_768),
            false,
        ),
        (
            "gemini-2.0-flash",
            asked(Some(Effort::High), None),
            Value::Null,
            true,
        ),
        (
            "gemini-2.0-flash",
            asked(Some(Effort::None), None),
            Value::Null,
            false,
        ),
        (
            "gemma-3-27b-it",
            asked(Some(Effort::Low), None),
            Value::Null,
            true,
        ),
        ("gemini-2.5-flash", asked(None, None), Value::Null, false),
    ] {
        let turn = Turn {
            thinking,
            ..Turn::default()
        };
        let (body, losses) = written(&turn, ProviderKind::Gemini, model).unwrap();
        let config = parse(body.as_bytes())["generationConfig"]["thinkingConfig"].clone();
        assert_eq!(config, told, "{model} {thinking:?}");
        assert_eq!(
            losses.contains(&"reasoning_effort".to_owned()),
            lost,
            "{model} {thinking:?}"
        );
    }
}
