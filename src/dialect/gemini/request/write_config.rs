//! Writes `generationConfig`.

use crate::dialect::gemini::generation::{Generation, Model};
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::{Effort, Form, Labels, Thinking, Turn};
use crate::wire::json::{Node, Writer};

use super::to_openapi;

/// Texts at which an answer may end.
const STOP_MAX: usize = 5;
/// The seed is an int32 in Google's form.
const SEED_MAX: u64 = 0x7fff_ffff;

pub(super) fn write(
    turn: &Turn<'_>,
    model: Model,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    if turn.stop.len() > STOP_MAX {
        let why = "holds more than the 5 texts that Gemini takes";
        return Err(Unsupported::new("stop", why));
    }
    let seed = turn.seed.filter(|&seed| seed <= SEED_MAX);
    losses.add_if(seed != turn.seed, "seed");
    let thinking = turn
        .thinking
        .and_then(|thinking| thought(thinking, model, losses));
    let counts = [
        ("topK", turn.top_k),
        ("maxOutputTokens", turn.max_tokens),
        ("seed", seed),
    ];
    let numbers = [
        ("temperature", turn.temperature),
        ("topP", turn.top_p),
        ("presencePenalty", turn.presence_penalty),
        ("frequencyPenalty", turn.frequency_penalty),
    ];
    let says_nothing = counts.iter().all(|(_, it)| it.is_none())
        && numbers.iter().all(|(_, it)| it.is_none())
        && turn.stop.is_empty()
        && thinking.is_none()
        && matches!(turn.form, Form::Text);
    if says_nothing {
        return Ok(());
    }
    out.key("generationConfig").try_object(|out| {
        for (key, number) in numbers {
            if let Some(number) = number {
                out.key(key).float(number);
            }
        }
        for (key, count) in counts {
            if let Some(count) = count {
                out.key(key).number(count);
            }
        }
        if !turn.stop.is_empty() {
            out.key("stopSequences").array(|out| {
                for text in &turn.stop {
                    out.string(text);
                }
            });
        }
        if let Some(thinking) = thinking {
            write_thinking(thinking, out);
        }
        write_form(&turn.form, model, losses, out)
    })
}

fn write_form(
    form: &Form<'_>,
    model: Model,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    const PLACE: &str = "response_format.json_schema.schema";
    if matches!(form, Form::Text) {
        return Ok(());
    }
    out.key("responseMimeType").string("application/json");
    let Form::Schema(schema) = form else {
        return Ok(());
    };
    let labels = schema.labels(losses);
    if model.takes_json_schema() {
        write_json_schema(schema.schema, labels, out.key("responseJsonSchema"));
        return Ok(());
    }
    out.key("responseSchema");
    to_openapi::write(schema.schema, labels, PLACE, losses, out)
}

fn write_json_schema(schema: Node<'_>, labels: Labels<'_>, out: &mut Writer<'_>) {
    if !schema.is_object() {
        return out.node(schema);
    }
    out.object(|out| {
        labels.write(out);
        for (key, value) in schema.members() {
            out.key(key).node(value);
        }
    });
}

/// How much to think, in a generation's words.
#[derive(Clone, Copy)]
struct Thought {
    budget: Option<u64>,
    level: Option<&'static str>,
    shown: bool,
}

fn write_thinking(thinking: Thought, out: &mut Writer<'_>) {
    out.key("thinkingConfig").object(|out| {
        if thinking.shown {
            out.key("includeThoughts").bool(true);
        }
        if let Some(budget) = thinking.budget {
            out.key("thinkingBudget").number(budget);
        }
        if let Some(level) = thinking.level {
            out.key("thinkingLevel").string(level);
        }
    });
}

fn thought(thinking: Thinking, model: Model, losses: &mut Losses) -> Option<Thought> {
    let asked = thinking.effort.is_some() || thinking.budget.is_some();
    let mut thought = Thought {
        budget: None,
        level: None,
        shown: thinking.shown,
    };
    match model.generation {
        Generation::Unnamed | Generation::V2 => {
            losses.add_if(
                asked && thinking.effort != Some(Effort::None),
                "reasoning_effort",
            );
            return None;
        }
        Generation::V2_5 if asked => thought.budget = Some(budget(thinking, model, losses)),
        Generation::V3 if asked => thought.level = Some(level(thinking, model, losses)),
        Generation::V2_5 | Generation::V3 => {}
    }
    (thought.shown || asked).then_some(thought)
}

/// The tokens for Gemini 2.5, within the range of the model (ai.google.dev, "Thinking", November 2025).
fn budget(thinking: Thinking, model: Model, losses: &mut Losses) -> u64 {
    let (min, max) = match (model.is_pro, model.is_lite) {
        (true, _) => (128, 32_768),
        (_, true) => (512, 24_576),
        _ => (1, 24_576),
    };
    let is_off = thinking.effort == Some(Effort::None) || thinking.budget == Some(0);
    if is_off && !model.is_pro {
        return 0;
    }
    // The large model always thinks.
    losses.add_if(is_off, "reasoning_effort");
    let by_effort = thinking.effort.and_then(Effort::budget);
    let tokens = thinking.budget.or(by_effort).unwrap_or_default();
    tokens.clamp(min, max)
}

/// The word for Gemini 3, which cannot be told not to think: the least that the model knows stands for it.
fn level(thinking: Thinking, model: Model, losses: &mut Losses) -> &'static str {
    let by_budget = || thinking.budget.map(Effort::of_budget);
    let effort = thinking.effort.or_else(by_budget).unwrap_or(Effort::High);
    losses.add_if(effort == Effort::None, "reasoning_effort");
    match effort {
        Effort::None | Effort::Minimal if model.is_minimal => "minimal",
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium if !model.is_first_pro => "medium",
        Effort::Medium | Effort::High | Effort::XHigh | Effort::Max => "high",
    }
}
