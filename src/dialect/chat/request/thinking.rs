//! How much to think, in the words of each provider and of its models.

use crate::dialect::chat::kinds::{Takes, ThinkingForm};
use crate::dialect::codec::Destination;
use crate::dialect::loss::Losses;
use crate::dialect::openai::thinks;
use crate::dialect::turn::{Effort, Thinking};
use crate::wire::json::Writer;

/// Writes it, in the nearest word that the model knows; one that knows none is told nothing, and that is named.
pub(super) fn write(
    thinking: Thinking,
    to: &Destination<'_>,
    takes: Takes,
    losses: &mut Losses,
    it: &mut Writer<'_>,
) {
    let effort = thinking
        .effort
        .or_else(|| thinking.budget.map(Effort::of_budget));
    let Some(effort) = effort else { return };
    let word = match takes.thinking {
        ThinkingForm::OpenAi if !thinks(to.model) => None,
        ThinkingForm::OpenAi => Some(openai(to.model, effort).word()),
        ThinkingForm::Effort => Some(usual(to.model, effort).word()),
        ThinkingForm::Groq => groq(to.model, effort),
        ThinkingForm::Xai => xai(to.model, effort).map(Effort::word),
        ThinkingForm::OnOff if effort == Effort::None => Some("none"),
        ThinkingForm::OnOff => Some("high"),
        ThinkingForm::OpenRouter => {
            return it.key("reasoning").object(|it| match thinking.budget {
                Some(budget) if thinking.effort.is_none() => {
                    it.key("max_tokens").number(budget);
                }
                _ if effort == Effort::None => it.key("enabled").bool(false),
                _ => it.key("effort").string(effort.min(Effort::XHigh).word()),
            });
        }
        ThinkingForm::DeepSeek => {
            let word = if effort == Effort::None {
                "disabled"
            } else {
                "enabled"
            };
            return it.key("thinking").object(|it| it.key("type").string(word));
        }
        ThinkingForm::Never => None,
    };
    match word {
        Some(word) => it.key("reasoning_effort").string(word),
        None => losses.add("reasoning_effort"),
    }
}

/// `none` came with GPT-5.1 in place of `minimal`, `xhigh` with GPT-5.2; o1 to o4 know the three in the middle.
fn openai(model: &str, effort: Effort) -> Effort {
    let name = name_of(model);
    if name.starts_with("gpt-5.") {
        match effort {
            Effort::Minimal => Effort::Low,
            Effort::XHigh | Effort::Max if name.starts_with("gpt-5.1") => Effort::High,
            Effort::Max => Effort::XHigh,
            other => other,
        }
    } else if name.starts_with("gpt-5") {
        effort.clamp(Effort::Minimal, Effort::High)
    } else {
        effort.clamp(Effort::Low, Effort::High)
    }
}

/// `none`, `low`, `medium` and `high`, which vLLM and Ollama know; gpt-oss always thinks, whoever serves it.
fn usual(model: &str, effort: Effort) -> Effort {
    match effort {
        Effort::None if is_gpt_oss(model) => Effort::Low,
        Effort::None => Effort::None,
        other => other.clamp(Effort::Low, Effort::High),
    }
}

/// Groq, "Reasoning", 2026: gpt-oss and Qwen have words, and others refuse the member.
fn groq(model: &str, effort: Effort) -> Option<&'static str> {
    if is_gpt_oss(model) {
        return Some(usual(model, effort).word());
    }
    let word = if effort == Effort::None {
        "none"
    } else {
        "default"
    };
    name_of(model).contains("qwen").then_some(word)
}

/// xAI, "Reasoning", 2026: the words of Grok 4.3 and later; Grok 3 mini knows two, and those between refuse the member.
fn xai(model: &str, effort: Effort) -> Option<Effort> {
    match (xai_version(model), effort) {
        (Some(3), Effort::None) => None,
        (Some(3), Effort::Minimal | Effort::Low) => Some(Effort::Low),
        (Some(3), _) => Some(Effort::High),
        (None | Some(430..), effort) => Some(usual(model, effort)),
        _ => None,
    }
}

/// Whether a model of xAI's thinks, as all of them do now but those that say no, and the larger ones up to Grok 3.
pub(super) fn xai_thinks(model: &str) -> bool {
    let name = name_of(model);
    let is_old = name.starts_with("grok-2") || name.starts_with("grok-3");
    !name.contains("non-reasoning") && (!is_old || name.starts_with("grok-3-mini"))
}

/// 430 is 4.3, and 420 is 4.20, which came before it; 3 stands for Grok 3 mini. `None` for a name without a number.
fn xai_version(model: &str) -> Option<u32> {
    let name = name_of(model);
    if name.starts_with("grok-3-mini") {
        return Some(3);
    }
    let version = name.strip_prefix("grok-")?.split('-').next()?;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    let minor: u32 = match minor.len() {
        1 => minor.parse::<u32>().ok()? * 10,
        _ => minor.parse().ok()?,
    };
    Some(major.parse::<u32>().ok()?.saturating_mul(100) + minor)
}

fn is_gpt_oss(model: &str) -> bool {
    model.contains("gpt-oss")
}

/// Brokers put the vendor before it.
fn name_of(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

#[cfg(test)]
mod tests {
    use super::{groq, usual, xai, xai_thinks};
    use crate::dialect::turn::Effort;

    #[test]
    fn each_model_has_its_words() {
        for (model, effort, word) in [
            ("grok-3-mini", Effort::Medium, Some("high")),
            ("grok-3-mini", Effort::Minimal, Some("low")),
            ("grok-3-mini", Effort::None, None),
            ("grok-4", Effort::High, None),
            ("grok-4-1-fast-reasoning", Effort::High, None),
            ("grok-4.20-reasoning", Effort::High, None),
            ("grok-4.3", Effort::Medium, Some("medium")),
            ("grok-4.3", Effort::None, Some("none")),
            ("grok-5", Effort::Max, Some("high")),
            ("grok-latest", Effort::Minimal, Some("low")),
        ] {
            assert_eq!(xai(model, effort).map(Effort::word), word, "{model}");
        }
        for (model, effort, word) in [
            ("openai/gpt-oss-120b", Effort::None, Some("low")),
            ("openai/gpt-oss-120b", Effort::XHigh, Some("high")),
            ("qwen/qwen3-32b", Effort::Low, Some("default")),
            ("qwen/qwen3-32b", Effort::None, Some("none")),
            ("llama-3.3-70b-versatile", Effort::High, None),
        ] {
            assert_eq!(groq(model, effort), word, "{model}");
        }
        assert_eq!(usual("m", Effort::Minimal), Effort::Low);
        assert_eq!(usual("m", Effort::None), Effort::None);
    }

    #[test]
    fn models_of_xai_that_think() {
        for (model, thinks) in [
            ("grok-3", false),
            ("grok-3-mini", true),
            ("grok-4", true),
            ("grok-4-1-fast-non-reasoning", false),
            ("grok-4.3", true),
        ] {
            assert_eq!(xai_thinks(model), thinks, "{model}");
        }
    }
}
