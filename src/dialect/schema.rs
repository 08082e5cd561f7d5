//! Schemas that an answer, or the arguments of a call, are held to. The decoders of Anthropic and Bedrock know a part of
//! JSON Schema and refuse the rest: bounds of numbers, lengths of lists, objects with members that are not named. A bound
//! that a decoder cannot hold is said in the description, where the model reads it; the SDKs of Anthropic do the same.
//!
//! Sources: platform.claude.com, *Structured outputs*, JSON Schema limitations, November 2026; AWS, *Get validated JSON
//! results from models*, 2026, which holds for all models of Bedrock, and recorded refusals of May 2026 (pydantic-ai): it
//! takes the bounds of strings, which Anthropic does not, and refuses exclusive ones of numbers, which it does not tell.

use std::borrow::Cow;

use crate::dialect::loss::Losses;
use crate::dialect::turn::Labels;
use crate::wire::json::{Node, Writer};

/// Where schemas of answers stand, in the words of Chat Completions.
pub(super) const OF_ANSWERS: &str = "response_format.json_schema.schema";
/// Where schemas of arguments stand, in the same.
pub(super) const OF_TOOLS: &str = "tools[].function.parameters";

/// Who holds answers to a schema.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Decoder {
    /// Anthropic's own.
    Anthropic,
    /// Bedrock's, for every model.
    Bedrock,
}

/// Writes `schema`, which stands at `place` in the client's request, with what `decoder` knows, and with `labels`.
pub(super) fn write(
    schema: Node<'_>,
    labels: Labels<'_>,
    decoder: Decoder,
    place: &str,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) {
    if !schema.is_object() {
        out.node(schema); // `true`, or no schema at all: the provider's to say
        return;
    }
    let is_object = schema.text("type") == Some("object") || schema.get("properties").is_some();
    let more = schema.get("additionalProperties");
    if more.is_some_and(|more| more.as_bool() != Some(false)) {
        // Members that are not named: a map becomes an object without members.
        losses.add(format!("{place}.additionalProperties"));
    }
    let mut written = Written {
        decoder,
        place,
        losses,
        bounds: Vec::new(),
    };
    out.object(|it| {
        if is_object && schema.get("type").is_none() {
            // Both want it of arguments.
            it.key("type").string("object");
        }
        for (key, value) in schema.members() {
            written.member(key, value, it);
        }
        if let Some(title) = labels.title {
            it.key("title").string(title);
        }
        let description = described(schema, labels, &written.bounds);
        if !description.is_empty() {
            it.key("description").string(&description);
        }
        if is_object {
            it.key("additionalProperties").bool(false);
        }
    });
}

/// The description, and the bounds that the decoder does not know.
fn described<'a>(schema: Node<'a>, labels: Labels<'a>, bounds: &[u8]) -> Cow<'a, str> {
    let description = schema.text("description").or(labels.description);
    let description = description.unwrap_or_default();
    if bounds.is_empty() {
        return Cow::Borrowed(description);
    }
    let gap = if description.is_empty() { "" } else { " " };
    let bounds = String::from_utf8_lossy(bounds);
    Cow::Owned(format!("{description}{gap}({bounds})"))
}

/// One schema as it is written.
struct Written<'l> {
    decoder: Decoder,
    place: &'l str,
    losses: &'l mut Losses,
    /// What goes into the description instead.
    bounds: Vec<u8>,
}

impl Written<'_> {
    fn member(&mut self, key: &str, value: Node<'_>, out: &mut Writer<'_>) {
        match key {
            // Written last.
            "description" | "additionalProperties" => {}
            "type" | "enum" | "const" | "default" | "required" | "$ref" | "title" | "$schema"
            | "$id" => out.key(key).node(value),
            "properties" | "$defs" | "definitions" => out.key(key).object(|it| {
                for (name, schema) in value.members() {
                    self.inner(schema, it.key(name));
                }
            }),
            "items" => self.inner(value, out.key(key)),
            "anyOf" | "allOf" => self.list(key, value, out),
            // Of several that are apart, any is the one.
            "oneOf" => self.list("anyOf", value, out),
            "format" if value.as_str().is_some_and(is_known_format) => out.key(key).node(value),
            "minItems" if matches!(value.as_u64(), Some(0 | 1)) => out.key(key).node(value),
            "minLength" | "maxLength" | "pattern" if self.decoder == Decoder::Bedrock => {
                out.key(key).node(value);
            }
            _ => {
                if !self.bounds.is_empty() {
                    self.bounds.extend_from_slice(b", ");
                }
                self.bounds.extend_from_slice(key.as_bytes());
                self.bounds.extend_from_slice(b": ");
                value.write(&mut self.bounds);
            }
        }
    }

    fn list(&mut self, key: &str, schemas: Node<'_>, out: &mut Writer<'_>) {
        out.key(key).array(|it| {
            for schema in schemas.elements() {
                self.inner(schema, it);
            }
        });
    }

    /// Recursion is bounded by the depth of the document.
    fn inner(&mut self, schema: Node<'_>, out: &mut Writer<'_>) {
        let (decoder, place) = (self.decoder, self.place);
        write(schema, Labels::default(), decoder, place, self.losses, out);
    }
}

fn is_known_format(format: &str) -> bool {
    matches!(
        format,
        "date-time"
            | "time"
            | "date"
            | "duration"
            | "email"
            | "hostname"
            | "uri"
            | "ipv4"
            | "ipv6"
            | "uuid"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Decoder, write};
    use crate::dialect::loss::Losses;
    use crate::dialect::turn::Labels;
    use crate::wire::json::{Tree, Writer};

    fn written(schema: &Value, decoder: Decoder) -> (Value, Vec<String>) {
        let mut text = serde_json::to_vec(schema).unwrap();
        let tree = Tree::parse(&mut text).unwrap();
        let (mut out, mut losses) = (Vec::new(), Losses::default());
        let labels = Labels {
            title: Some("t"),
            description: None,
        };
        let to = &mut Writer::new(&mut out);
        write(tree.root(), labels, decoder, "x", &mut losses, to);
        let losses = losses.iter().map(str::to_owned).collect();
        (serde_json::from_slice(&out).unwrap(), losses)
    }

    #[test]
    fn bounds_that_a_decoder_does_not_know_are_said() {
        let schema = json!({"type": "object", "properties": {
            "a": {"type": "integer", "exclusiveMinimum": 1, "multipleOf": 2, "description": "even"},
            "b": {"type": "string", "minLength": 2, "pattern": "^x"},
            "c": {"type": "array", "items": {"type": "object"}, "minItems": 2, "maxItems": 3},
        }});
        let object = json!({"type": "object", "additionalProperties": false});
        let number =
            json!({"type": "integer", "description": "even (exclusiveMinimum: 1, multipleOf: 2)"});
        let list =
            json!({"type": "array", "items": object, "description": "(maxItems: 3, minItems: 2)"});
        for (decoder, text) in [
            (
                Decoder::Anthropic,
                json!({"type": "string", "description": "(minLength: 2, pattern: \"^x\")"}),
            ),
            (
                Decoder::Bedrock,
                json!({"type": "string", "minLength": 2, "pattern": "^x"}),
            ),
        ] {
            let expected = json!({"title": "t", "type": "object", "additionalProperties": false,
                "properties": {"a": number, "b": text, "c": list}});
            assert_eq!(written(&schema, decoder), (expected, vec![]));
        }
    }

    #[test]
    fn a_map_is_not_lost_without_a_word() {
        for (more, lost) in [
            (json!(false), 0),
            (json!(true), 1),
            (json!({"type": "string"}), 1),
        ] {
            let schema = json!({"type": "object", "additionalProperties": more});
            let (_, losses) = written(&schema, Decoder::Bedrock);
            assert_eq!(losses.len(), lost, "{losses:?}");
        }
    }
}
