//! How the answer is made: sampling, limits, thinking, form. What all models take goes into `inferenceConfig`, the rest
//! into `additionalModelRequestFields` in the words of the model's family.

use super::messages::Conversation;
use super::tools::Choice;
use crate::dialect::claude::{Claude, Thinks};
use crate::dialect::converse::family::Family;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::{Effort, Form, Schema, Thinking, Turn};
use crate::wire::json::Writer;

/// The settings that the model takes.
pub(super) struct Settings<'t> {
    max_tokens: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<TopK>,
    stop: Vec<&'t str>,
    thinking: Option<Thought>,
}

/// How a family is told `top_k`.
enum TopK {
    Claude(u64),
    Nova(u64),
}

/// How a family is told to think.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Thought {
    /// Claude, up to so many tokens.
    Budget(u64),
    /// Newer Claude models, by their own measure.
    Adaptive(Option<&'static str>),
    /// Nova 2.
    Nova(&'static str),
    /// gpt-oss.
    GptOss(&'static str),
}

impl<'t> Settings<'t> {
    pub(super) fn of(
        turn: &Turn<'t>,
        family: Family,
        choice: &Choice<'_>,
        talk: &Conversation<'_, '_>,
        losses: &mut Losses,
    ) -> Result<Self, Unsupported> {
        losses.add_if(turn.seed.is_some(), "seed");
        losses.add_unless_usual(turn.presence_penalty, 0.0, "presence_penalty");
        losses.add_unless_usual(turn.frequency_penalty, 0.0, "frequency_penalty");
        let mut settings = Self {
            max_tokens: turn.max_tokens,
            temperature: turn.temperature,
            top_p: turn.top_p,
            top_k: match (family, turn.top_k) {
                (Family::Claude(_), Some(top_k)) => Some(TopK::Claude(top_k)),
                (Family::Nova | Family::Nova2, Some(top_k)) => Some(TopK::Nova(top_k)),
                _ => None,
            },
            stop: turn
                .stop
                .iter()
                .copied()
                .filter(|stop| !stop.trim().is_empty())
                .collect(),
            thinking: None,
        };
        losses.add_if(settings.top_k.is_none() && turn.top_k.is_some(), "top_k");
        losses.add_if(settings.stop.len() < turn.stop.len(), "stop");
        if let Some(thinking) = turn.thinking {
            settings.thinking = match family {
                Family::Claude(claude) => claude_thought(claude, thinking, turn.max_tokens)?,
                Family::Nova2 => nova_thought(thinking, turn, losses),
                Family::GptOss => gpt_oss_thought(thinking),
                Family::Nova | Family::Mistral | Family::Other => None,
            };
            if let Some(Thought::Budget(_)) = settings.thinking {
                // Both are refused beside thinking: a call that must be made, and calls whose thoughts are not shown again —
                // those of another provider cannot be.
                let refused = choice.is_forced() || talk.ends_in_results;
                settings.thinking = settings.thinking.filter(|_| !refused);
            }
            let wanted = thinking.effort != Some(Effort::None) && thinking.budget != Some(0);
            losses.add_if(
                settings.thinking.is_none() && wanted && thinking != Thinking::default(),
                "reasoning_effort",
            );
        }
        if let Family::Claude(claude) = family {
            settings.fit_sampling(claude, losses);
        }
        Ok(settings)
    }

    /// Leaves out what a Claude model refuses.
    fn fit_sampling(&mut self, claude: Claude, losses: &mut Losses) {
        if !claude.takes_sampling() || self.thinking.is_some() {
            // 1 is what the model does by itself.
            let is_default = |value: Option<f64>| value.is_none_or(|value| value >= 1.0);
            losses.add_if(!is_default(self.temperature), "temperature");
            losses.add_if(!is_default(self.top_p), "top_p");
            losses.add_if(self.top_k.is_some(), "top_k");
            (self.temperature, self.top_p, self.top_k) = (None, None, None);
            return;
        }
        if self.temperature.is_some_and(|value| value > 1.0) {
            losses.add("temperature");
            self.temperature = Some(1.0);
        }
        if !claude.takes_both_samplings() && self.temperature.is_some() && self.top_p.is_some() {
            losses.add_if(self.top_p.is_some_and(|value| value < 1.0), "top_p");
            self.top_p = None;
        }
    }

    /// Writes `inferenceConfig`.
    pub(super) fn write_inference(&self, out: &mut Writer<'_>) {
        let is_empty = self.max_tokens.is_none()
            && self.temperature.is_none()
            && self.top_p.is_none()
            && self.stop.is_empty();
        if is_empty {
            return;
        }
        out.key("inferenceConfig").object(|out| {
            if let Some(max_tokens) = self.max_tokens {
                out.key("maxTokens").number(max_tokens);
            }
            if let Some(temperature) = self.temperature {
                out.key("temperature").float(temperature);
            }
            if let Some(top_p) = self.top_p {
                out.key("topP").float(top_p);
            }
            if !self.stop.is_empty() {
                out.key("stopSequences")
                    .array(|out| self.stop.iter().for_each(|stop| out.string(stop)));
            }
        });
    }

    /// Writes `additionalModelRequestFields`.
    pub(super) fn write_additional(&self, choice: &Choice<'_>, out: &mut Writer<'_>) {
        if self.top_k.is_none() && self.thinking.is_none() && !choice.is_for_claude() {
            return;
        }
        out.key("additionalModelRequestFields").object(|out| {
            match self.top_k {
                Some(TopK::Claude(top_k)) => out.key("top_k").number(top_k),
                Some(TopK::Nova(top_k)) => out
                    .key("inferenceConfig")
                    .object(|out| out.key("topK").number(top_k)),
                None => {}
            }
            if let Some(thinking) = self.thinking {
                thinking.write(out);
            }
            choice.write_for_claude(out);
        });
    }
}

impl Thought {
    fn write(self, out: &mut Writer<'_>) {
        match self {
            Self::Budget(budget) => out.key("thinking").object(|out| {
                out.key("type").string("enabled");
                out.key("budget_tokens").number(budget);
            }),
            Self::Adaptive(effort) => {
                out.key("thinking")
                    .object(|out| out.key("type").string("adaptive"));
                if let Some(effort) = effort {
                    out.key("output_config")
                        .object(|out| out.key("effort").string(effort));
                }
            }
            Self::Nova(effort) => out.key("reasoningConfig").object(|out| {
                out.key("type").string("enabled");
                out.key("maxReasoningEffort").string(effort);
            }),
            Self::GptOss(effort) => out.key("reasoning_effort").string(effort),
        }
    }
}

fn claude_thought(
    claude: Claude,
    thinking: Thinking,
    max_tokens: Option<u64>,
) -> Result<Option<Thought>, Unsupported> {
    let effort = thinking
        .effort
        .or_else(|| thinking.budget.map(Effort::of_budget));
    if claude.thinks() == Thinks::Never || effort == Some(Effort::None) {
        return Ok(None);
    }
    if claude.thinks() == Thinks::Adaptive {
        return Ok(Some(Thought::Adaptive(effort.map(|effort| match effort {
            Effort::None | Effort::Minimal | Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High | Effort::XHigh => "high",
            Effort::Max => "max",
        }))));
    }
    if let Some(budget) = thinking.budget {
        if max_tokens.is_some_and(|max| max <= budget) {
            return Err(Unsupported::new(
                "max_tokens",
                "has to be larger than the tokens to think with",
            ));
        }
        return Ok(Some(Thought::Budget(budget.max(BUDGET_MIN))));
    }
    // An effort is not a number that the client gave: it may be less, so that half of the tokens are left to answer with.
    let half = max_tokens.map_or(u64::MAX, |max| max / 2);
    Ok(effort
        .and_then(Effort::budget)
        .map(|budget| budget.min(half))
        .filter(|budget| *budget >= BUDGET_MIN)
        .map(Thought::Budget))
}

/// AWS, "Extended thinking in Amazon Nova 2": `high` is refused beside limits of sampling and of length.
fn nova_thought(thinking: Thinking, turn: &Turn<'_>, losses: &mut Losses) -> Option<Thought> {
    let effort = thinking
        .effort
        .or_else(|| thinking.budget.map(Effort::of_budget))?;
    let is_limited =
        turn.max_tokens.is_some() || turn.temperature.is_some() || turn.top_p.is_some();
    Some(Thought::Nova(match effort {
        Effort::None => return None,
        Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::XHigh | Effort::Max if is_limited => {
            losses.add("reasoning_effort");
            "medium"
        }
        Effort::High | Effort::XHigh | Effort::Max => "high",
    }))
}

/// It always thinks: the least is `low`.
fn gpt_oss_thought(thinking: Thinking) -> Option<Thought> {
    let effort = thinking
        .effort
        .or_else(|| thinking.budget.map(Effort::of_budget))?;
    Some(Thought::GptOss(match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::XHigh | Effort::Max => "high",
    }))
}

/// Writes `outputConfig`.
pub(super) fn write_form(
    turn: &Turn<'_>,
    family: Family,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let schema = match &turn.form {
        Form::Text => return Ok(()),
        Form::Json => {
            return Err(Unsupported::new(
                "response_format",
                "asks for any JSON, and Bedrock takes a schema only",
            ));
        }
        Form::Schema(_) if !family.takes_schemas() => {
            return Err(Unsupported::new(
                "response_format",
                "asks for the form of a schema, which this model does not take",
            ));
        }
        Form::Schema(schema) => schema,
    };
    out.key("outputConfig").object(|out| {
        out.key("textFormat").object(|out| {
            out.key("type").string("json_schema");
            out.key("structure")
                .object(|out| write_schema(schema, out.key("jsonSchema")));
        });
    });
    Ok(())
}

/// The schema is a text here.
fn write_schema(schema: &Schema<'_>, out: &mut Writer<'_>) {
    out.object(|out| {
        out.key("schema").string_of(|out| schema.schema.write(out));
        if let Some(name) = schema.name.filter(|name| !name.is_empty()) {
            out.key("name").string(name);
        }
        if let Some(text) = schema.description.filter(|text| !text.is_empty()) {
            out.key("description").string(text);
        }
    });
}

/// Writes `requestMetadata`, which AWS keeps with the log of calls.
pub(super) fn write_user(turn: &Turn<'_>, losses: &mut Losses, out: &mut Writer<'_>) {
    let Some(user) = turn.user.filter(|user| !user.is_empty()) else {
        return;
    };
    let plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b' ' | b':' | b'_' | b'@' | b'$' | b'#' | b'=' | b'/' | b'+' | b',' | b'-' | b'.'
            )
    };
    if user.len() > 256 || !user.bytes().all(plain) {
        losses.add("user");
        return;
    }
    out.key("requestMetadata")
        .object(|out| out.key("user").string(user));
}

/// Anthropic: the fewest tokens to think with.
const BUDGET_MIN: u64 = 1_024;
