//! Reads `generationConfig`: sampling, limits, the form of the answer, thinking.

use crate::dialect::gemini::field;
use crate::dialect::loss::Unsupported;
use crate::dialect::turn::{Effort, Form, Schema, Thinking, Turn};
use crate::wire::json::Node;

pub(super) fn read<'a>(config: Node<'a>, turn: &mut Turn<'a>) -> Result<(), Unsupported> {
    let mut form = Asked::default();
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        match &*field::camel(key).into_owned() {
            "temperature" => turn.temperature = Some(number(value, key)?),
            "topP" => turn.top_p = Some(number(value, key)?),
            "topK" => turn.top_k = Some(whole(value, key)?),
            "maxOutputTokens" => turn.max_tokens = Some(whole(value, key)?),
            "presencePenalty" => turn.presence_penalty = Some(number(value, key)?),
            "frequencyPenalty" => turn.frequency_penalty = Some(number(value, key)?),
            "seed" => match field::whole(value) {
                Some(seed) => turn.seed = Some(seed),
                None => turn.dropped.add(path(key)),
            },
            "stopSequences" => {
                for text in field::many(value) {
                    let text = text.as_str().ok_or_else(|| wrong(key, "holds no text"))?;
                    turn.stop.push(text);
                }
            }
            "candidateCount" if field::whole(value) == Some(1) => {}
            "candidateCount" => return Err(wrong(key, "asks for more than one answer")),
            "responseLogprobs" if value.as_bool() == Some(false) => {}
            "responseLogprobs" | "logprobs" => {
                return Err(wrong(key, "asks for probabilities that only Gemini tells"));
            }
            "responseModalities" => read_modalities(value)?,
            "responseMimeType" => form.media_type = value.as_str(),
            "responseSchema" | "responseJsonSchema" | "_responseJsonSchema"
                if value.is_object() =>
            {
                form.schema = Some(value);
            }
            "thinkingConfig" => turn.thinking = Some(read_thinking(value, turn)?),
            name => turn.dropped.add_unknown("generationConfig.", name),
        }
    }
    turn.form = form.read()?;
    Ok(())
}

#[derive(Default)]
struct Asked<'a> {
    media_type: Option<&'a str>,
    schema: Option<Node<'a>>,
}

impl<'a> Asked<'a> {
    fn read(self) -> Result<Form<'a>, Unsupported> {
        match (self.media_type.unwrap_or("text/plain"), self.schema) {
            ("application/json", None) => Ok(Form::Json),
            // COMPAT: a schema without its media type is Gemini's to refuse; SDKs set both.
            ("application/json" | "text/plain", Some(schema)) => Ok(Form::Schema(Schema {
                name: None,
                description: field::text(schema, "description"),
                schema,
                strict: None,
            })),
            ("text/plain", None) => Ok(Form::Text),
            _ => Err(wrong(
                "responseMimeType",
                "is a form that only Gemini gives",
            )),
        }
    }
}

fn read_modalities(value: Node<'_>) -> Result<(), Unsupported> {
    let is_text = |it: Node<'_>| {
        it.as_str()
            .is_some_and(|word| word.eq_ignore_ascii_case("text"))
    };
    if field::many(value).all(is_text) {
        return Ok(());
    }
    Err(wrong("responseModalities", "asks for more than text"))
}

fn read_thinking<'a>(config: Node<'a>, turn: &mut Turn<'a>) -> Result<Thinking, Unsupported> {
    let mut thinking = Thinking::default();
    for (key, value) in config.members().filter(|(_, value)| !value.is_null()) {
        match &*field::camel(key) {
            "includeThoughts" => thinking.shown = value.as_bool().unwrap_or_default(),
            "thinkingBudget" => match field::number(value) {
                // −1: as the model likes.
                Some(budget) if budget < 0.0 => {}
                Some(0.0) => thinking.effort = Some(Effort::None),
                _ => thinking.budget = Some(whole(value, "thinkingConfig.thinkingBudget")?),
            },
            "thinkingLevel" => {
                let word = value.as_str().unwrap_or_default().to_ascii_lowercase();
                if word != "thinking_level_unspecified" {
                    let effort = Effort::of(&word);
                    let unknown = || wrong("thinkingConfig.thinkingLevel", "is not a known level");
                    thinking.effort = Some(effort.ok_or_else(unknown)?);
                }
            }
            name => turn
                .dropped
                .add_unknown("generationConfig.thinkingConfig.", name),
        }
    }
    Ok(thinking)
}

fn number(value: Node<'_>, key: &str) -> Result<f64, Unsupported> {
    field::number(value).ok_or_else(|| wrong(key, "is not a number"))
}

fn whole(value: Node<'_>, key: &str) -> Result<u64, Unsupported> {
    field::whole(value).ok_or_else(|| wrong(key, "is not a whole number from 0 on"))
}

fn wrong(key: &str, why: &'static str) -> Unsupported {
    Unsupported::new(path(key), why)
}

fn path(key: &str) -> String {
    format!("generationConfig.{key}")
}
