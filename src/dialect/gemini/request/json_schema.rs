//! JSON Schema for models that take it as the form of an answer: they know a part of it and pass over the rest, so that a
//! bound would be lost in silence. `const` becomes an `enum` of one; a reference beside other members, which is refused,
//! becomes the only choice of `anyOf`; what is not known is left out and told. Schemas of arguments go as they are: the model
//! reads all of them.
//!
//! Source: ai.google.dev, `GenerationConfig.responseJsonSchema`, November 2026.

use crate::dialect::loss::Losses;
use crate::dialect::turn::Labels;
use crate::wire::json::{Node, Writer};

/// Writes `schema`, which stands at `place` in the client's request, with `labels`.
pub(super) fn write(
    schema: Node<'_>,
    labels: Labels<'_>,
    place: &str,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) {
    if !schema.is_object() {
        return out.node(schema);
    }
    let is_alone = schema.members().all(|(key, _)| key.starts_with('$'))
        && labels.title.is_none()
        && labels.description.is_none();
    out.object(|out| {
        labels.write(out);
        for (key, value) in schema.members().filter(|(_, value)| !value.is_null()) {
            let mut inner = |schema: Node<'_>, out: &mut Writer<'_>| {
                write(schema, Labels::default(), place, losses, out);
            };
            match key {
                "$ref" if !is_alone => out.key("anyOf").array(|out| {
                    out.object(|out| out.key("$ref").node(value));
                }),
                "$id" | "$ref" | "$anchor" | "type" | "format" | "title" | "description"
                | "enum" | "minItems" | "maxItems" | "minimum" | "maximum" | "required"
                | "propertyOrdering" => out.key(key).node(value),
                "const" => out.key("enum").array(|out| out.node(value)),
                "properties" | "$defs" | "definitions" => out.key(key).object(|out| {
                    for (name, schema) in value.members() {
                        inner(schema, out.key(name));
                    }
                }),
                "items" | "additionalProperties" => inner(value, out.key(key)),
                "prefixItems" | "anyOf" | "oneOf" => out.key(key).array(|out| {
                    for schema in value.elements() {
                        inner(schema, out);
                    }
                }),
                // Of one alone, any is all.
                "allOf" if value.elements().count() == 1 => out.key("anyOf").array(|out| {
                    for schema in value.elements() {
                        inner(schema, out);
                    }
                }),
                // They only describe.
                "$schema" | "$comment" | "examples" | "default" | "deprecated" | "readOnly"
                | "writeOnly" => {}
                _ => losses.add_unknown(&format!("{place}."), key),
            }
        }
    });
}
