//! Schemas that an answer is held to. Anthropic's decoder knows a part of JSON Schema and refuses the rest: bounds of
//! numbers, lengths and patterns, objects with members that are not named. A bound that it cannot hold is said in the
//! description, where the model reads it; the SDKs of Anthropic do the same.
//!
//! Source: platform.claude.com, *Structured outputs*, JSON Schema limitations, November 2026.

use std::borrow::Cow;

use crate::dialect::turn::Labels;
use crate::wire::json::{Node, Writer};

/// Writes `schema` with what the decoder knows, and with `labels`.
pub(super) fn write(schema: Node<'_>, labels: Labels<'_>, out: &mut Writer<'_>) {
    if !schema.is_object() {
        out.node(schema); // `true`, or no schema at all: the provider's to say
        return;
    }
    let mut bounds = Vec::new();
    out.object(|it| {
        for (key, value) in schema.members() {
            write_member(key, value, &mut bounds, it);
        }
        if let Some(title) = labels.title {
            it.key("title").string(title);
        }
        let description = described(schema, labels, &bounds);
        if !description.is_empty() {
            it.key("description").string(&description);
        }
        let is_object = schema.text("type") == Some("object") || schema.get("properties").is_some();
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

fn write_member(key: &str, value: Node<'_>, bounds: &mut Vec<u8>, out: &mut Writer<'_>) {
    match key {
        // Written last.
        "description" | "additionalProperties" => {}
        "type" | "enum" | "const" | "default" | "required" | "$ref" | "title" | "$schema"
        | "$id" => out.key(key).node(value),
        "properties" | "$defs" | "definitions" => out.key(key).object(|it| {
            for (name, schema) in value.members() {
                write(schema, Labels::default(), it.key(name));
            }
        }),
        "items" => write(value, Labels::default(), out.key(key)),
        "anyOf" | "allOf" => write_list(key, value, out),
        // Of several that are apart, any is the one.
        "oneOf" => write_list("anyOf", value, out),
        "format" if value.as_str().is_some_and(is_known_format) => out.key(key).node(value),
        "minItems" if matches!(value.as_u64(), Some(0 | 1)) => out.key(key).node(value),
        _ => {
            if !bounds.is_empty() {
                bounds.extend_from_slice(b", ");
            }
            bounds.extend_from_slice(key.as_bytes());
            bounds.extend_from_slice(b": ");
            value.write(bounds);
        }
    }
}

fn write_list(key: &str, schemas: Node<'_>, out: &mut Writer<'_>) {
    out.key(key).array(|it| {
        for schema in schemas.elements() {
            write(schema, Labels::default(), it);
        }
    });
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
