//! How the answer is made: sampling, limits, thinking, form.

use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::{Effort, Form, Schema, Thinking, Turn};
use crate::wire::json::Writer;

/// Writes what is said of sampling, limits and thinking.
pub(super) fn write(turn: &Turn<'_>, model: &str, losses: &mut Losses, out: &mut Writer<'_>) {
    losses.add_if(turn.user.is_some(), "user");
    if let Some(max_tokens) = turn.max_tokens {
        out.key("max_tokens").number(max_tokens);
    }
    if let Some(temperature) = turn.temperature {
        losses.add_if(temperature > TEMPERATURE_MAX, "temperature");
        out.key("temperature")
            .float(temperature.min(TEMPERATURE_MAX));
    }
    // 1 is out of its range, and what the model does with all tokens is not: what is nearest is taken for it.
    if let Some(top_p) = turn.top_p {
        out.key("p").float(top_p.clamp(TOP_P_MIN, TOP_P_MAX));
    }
    if let Some(top_k) = turn.top_k {
        losses.add_if(top_k > TOP_K_MAX, "top_k");
        out.key("k").number(top_k.min(TOP_K_MAX));
    }
    if let Some(seed) = turn.seed {
        out.key("seed").number(seed);
    }
    for (key, penalty) in [
        ("presence_penalty", turn.presence_penalty),
        ("frequency_penalty", turn.frequency_penalty),
    ] {
        let Some(penalty) = penalty else { continue };
        losses.add_if(!(0.0..=1.0).contains(&penalty), key);
        if penalty > 0.0 {
            out.key(key).float(penalty.min(1.0));
        }
    }
    if !turn.stop.is_empty() {
        losses.add_if(turn.stop.len() > STOP_MAX, "stop");
        let stops = turn.stop.iter().take(STOP_MAX);
        out.key("stop_sequences")
            .array(|out| stops.for_each(|stop| out.string(stop)));
    }
    if let Some(thinking) = turn.thinking {
        write_thinking(thinking, turn.max_tokens, model, losses, out);
    }
}

fn write_thinking(
    thinking: Thinking,
    max_tokens: Option<u64>,
    model: &str,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) {
    let is_off = thinking.effort == Some(Effort::None);
    if !thinks(model) {
        losses.add_if(
            !is_off && thinking != Thinking::default(),
            "reasoning_effort",
        );
        return;
    }
    out.key("thinking").object(|out| {
        if is_off {
            return out.key("type").string("disabled");
        }
        out.key("type").string("enabled");
        if let Some(budget) = budget(thinking, max_tokens.unwrap_or(u64::MAX)) {
            out.key("token_budget").number(budget);
        }
    });
}

/// The tokens to think with, out of the same `max_tokens` as the answer. A budget is the client's own number, and stays as
/// far as it fits; an effort leaves half of them.
fn budget(thinking: Thinking, max_tokens: u64) -> Option<u64> {
    let (budget, most) = match thinking.budget {
        Some(budget) => (budget, max_tokens.saturating_sub(1)),
        None => (thinking.effort.and_then(Effort::budget)?, max_tokens / 2),
    };
    Some(budget.min(most).max(1))
}

/// Models that think: Command A Reasoning, and Command A+ after it.
fn thinks(model: &str) -> bool {
    model.contains("reasoning") || model.contains("command-a-plus")
}

/// Writes `response_format`.
pub(super) fn write_form(
    turn: &Turn<'_>,
    has_documents: bool,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let schema = match &turn.form {
        Form::Text => return Ok(()),
        Form::Json => None,
        Form::Schema(schema) => Some(schema),
    };
    if has_documents || !turn.tools.is_empty() {
        return Err(Unsupported::new(
            "response_format",
            "is not taken by Cohere beside tools or files",
        ));
    }
    out.key("response_format").object(|out| {
        out.key("type").string("json_object");
        if let Some(schema) = schema {
            write_schema(schema, losses, out.key("json_schema"));
        }
    });
    Ok(())
}

/// It stands alone, so that what it is called goes into it.
fn write_schema(schema: &Schema<'_>, losses: &mut Losses, out: &mut Writer<'_>) {
    let labels = schema.labels(losses);
    if !schema.schema.is_object() {
        return out.node(schema.schema);
    }
    out.object(|out| {
        for (key, value) in schema.schema.members() {
            out.key(key).node(value);
        }
        labels.write(out);
    });
}

const TEMPERATURE_MAX: f64 = 1.0;
const TOP_P_MIN: f64 = 0.01;
const TOP_P_MAX: f64 = 0.99;
const TOP_K_MAX: u64 = 500;
const STOP_MAX: usize = 5;
