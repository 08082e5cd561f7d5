//! How the answer is made: sampling, limits, thinking, form. What all models take goes into `inferenceConfig`, the rest
//! into `additionalModelRequestFields` in the words of the model's family.

use super::tools::Choice;
use crate::dialect::claude::{Plan, Sampling, stops};
use crate::dialect::converse::family::Family;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::schema::{self, Decoder};
use crate::dialect::turn::{Effort, Form, Labels, Schema, Thinking, Turn};
use crate::wire::json::Writer;

/// The settings that the model takes.
pub(super) struct Settings<'t> {
    max_tokens: Option<u64>,
    temperature: Option<f64>,
    top_p: Option<f64>,
    top_k: Option<TopK>,
    stop: Vec<&'t str>,
    thinking: Option<Thought<'t>>,
}

/// How a family is told `top_k`.
enum TopK {
    Claude(u64),
    Nova(u64),
}

/// How a family is told to think.
#[derive(Clone, Copy)]
enum Thought<'t> {
    /// As at home.
    Claude(Plan<'t>),
    /// Nova 2.
    Nova(&'static str),
    /// gpt-oss.
    GptOss(&'static str),
}

impl<'t> Settings<'t> {
    /// `plan` is made for Claude, and for no other.
    pub(super) fn of(
        turn: &Turn<'t>,
        family: Family,
        plan: Option<Plan<'t>>,
        losses: &mut Losses,
    ) -> Self {
        match (family, plan) {
            (Family::Claude(claude), Some(plan)) => {
                let sampling = Sampling::of(turn, claude, &plan, losses);
                Self {
                    // Where the client does not say, it is as many as the model can.
                    max_tokens: turn.max_tokens.map(|_| plan.max_tokens),
                    temperature: sampling.temperature,
                    top_p: sampling.top_p,
                    top_k: sampling.top_k.map(TopK::Claude),
                    stop: stops(turn, losses),
                    thinking: plan.says_something().then_some(Thought::Claude(plan)),
                }
            }
            _ => Self::of_others(turn, family, losses),
        }
    }

    fn of_others(turn: &Turn<'t>, family: Family, losses: &mut Losses) -> Self {
        losses.add_if(turn.seed.is_some(), "seed");
        losses.add_unless_usual(turn.presence_penalty, 0.0, "presence_penalty");
        losses.add_unless_usual(turn.frequency_penalty, 0.0, "frequency_penalty");
        let is_nova = matches!(family, Family::Nova | Family::Nova2);
        losses.add_if(turn.top_k.is_some() && !is_nova, "top_k");
        let thinking = turn.thinking.and_then(|thinking| match family {
            Family::Nova2 => nova_thought(thinking, turn, losses),
            Family::GptOss => gpt_oss_thought(thinking),
            _ => {
                let wanted = effort(thinking).is_some_and(|effort| effort != Effort::None);
                losses.add_if(wanted, "reasoning_effort");
                None
            }
        });
        Self {
            max_tokens: turn.max_tokens,
            temperature: turn.temperature,
            top_p: turn.top_p,
            top_k: turn.top_k.filter(|_| is_nova).map(TopK::Nova),
            stop: stops(turn, losses),
            thinking,
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

impl Thought<'_> {
    fn write(self, out: &mut Writer<'_>) {
        match self {
            Self::Claude(plan) => {
                plan.write(out);
                // Beside a number of tokens Bedrock does not know it (pydantic-ai, 2026).
                if let Some(effort) = plan.effort.filter(|_| !plan.is_by_budget()) {
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

/// How much to think, in words; `None`: as the model likes.
fn effort(thinking: Thinking) -> Option<Effort> {
    thinking
        .effort
        .or_else(|| thinking.budget.map(Effort::of_budget))
}

/// AWS, "Extended thinking in Amazon Nova 2": `high` is refused beside limits of sampling and of length.
fn nova_thought<'t>(
    thinking: Thinking,
    turn: &Turn<'_>,
    losses: &mut Losses,
) -> Option<Thought<'t>> {
    let effort = effort(thinking)?;
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
fn gpt_oss_thought<'t>(thinking: Thinking) -> Option<Thought<'t>> {
    Some(Thought::GptOss(match effort(thinking)? {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::XHigh | Effort::Max => "high",
    }))
}

/// Writes `outputConfig`.
pub(super) fn write_form(
    turn: &Turn<'_>,
    family: Family,
    losses: &mut Losses,
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
                .object(|out| write_schema(schema, losses, out.key("jsonSchema")));
        });
    });
    Ok(())
}

/// The schema is a text here.
fn write_schema(form: &Schema<'_>, losses: &mut Losses, out: &mut Writer<'_>) {
    let held = |out: &mut Vec<u8>| {
        let (decoder, place) = (Decoder::Bedrock, schema::OF_ANSWERS);
        let out = &mut Writer::new(out);
        schema::write(form.schema, Labels::default(), decoder, place, losses, out);
    };
    out.object(|out| {
        out.key("schema").string_of(held);
        if let Some(name) = form.name.filter(|name| !name.is_empty()) {
            out.key("name").string(name);
        }
        if let Some(text) = form.description.filter(|text| !text.is_empty()) {
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
