//! Google's own words for schemas, said again in JSON Schema.
//!
//! `parameters` and `responseSchema` are in a subset of `OpenAPI` 3.0: types in capitals, `nullable`, whole numbers that
//! may be strings. A [`Node`] cannot be changed, so that the whole body is written again, with these schemas changed;
//! the rest of it, and schemas that are JSON Schema already, stay as they are.

use std::collections::BTreeMap;

use crate::dialect::gemini::field;
use crate::wire::json::{Node, Writer};

/// The body with its schemas in JSON Schema, to be parsed and read in place of `body`; `None` if they are already.
pub fn in_json_schema(body: Node<'_>) -> Option<Vec<u8>> {
    let config = field::member(body, "generationConfig");
    let form = config.and_then(|config| field::member(config, "responseSchema"));
    let declarations = field::list(body, "tools")
        .flat_map(|tool| field::list(tool, "functionDeclarations"))
        .any(|declaration| field::member(declaration, "parameters").is_some());
    if form.is_none() && !declarations {
        return None;
    }
    let mut again = Vec::new();
    members(
        body,
        &mut Writer::new(&mut again),
        |key, value, out| match key {
            "tools" => write_tools(value, out),
            "generationConfig" => members(value, out, |key, value, out| match key {
                "responseSchema" => schema(value, out),
                _ => out.node(value),
            }),
            _ => out.node(value),
        },
    );
    Some(again)
}

fn write_tools(tools: Node<'_>, out: &mut Writer<'_>) {
    out.array(|out| {
        for tool in field::many(tools) {
            members(tool, out, |key, value, out| match key {
                "functionDeclarations" => out.array(|out| {
                    for declaration in field::many(value) {
                        members(declaration, out, |key, value, out| match key {
                            "parameters" => schema(value, out),
                            _ => out.node(value),
                        });
                    }
                }),
                _ => out.node(value),
            });
        }
    });
}

/// Writes an object, its keys in camel case; anything else as it is.
fn members(
    object: Node<'_>,
    out: &mut Writer<'_>,
    write: impl Fn(&str, Node<'_>, &mut Writer<'_>),
) {
    if !object.is_object() {
        return out.node(object);
    }
    out.object(|out| {
        for (key, value) in object.members() {
            let key = field::camel(key);
            write(&key, value, out.key(&key));
        }
    });
}

/// Writes a schema. Recursion is bounded by the depth of the document.
fn schema(schema: Node<'_>, out: &mut Writer<'_>) {
    if !schema.is_object() {
        return out.node(schema);
    }
    let is_nullable = field::member(schema, "nullable").and_then(Node::as_bool) == Some(true);
    out.object(|out| {
        for (key, value) in schema.members().filter(|(_, value)| !value.is_null()) {
            // Keys of JSON Schema are in camel case already, or begin with `$`.
            match &*field::camel(key) {
                "nullable" | "propertyOrdering" => {}
                "example" => out.key("examples").array(|out| out.node(value)),
                "type" => write_type(value, is_nullable, out),
                "format" if value.as_str() == Some("enum") => {}
                "enum" => out.key("enum").array(|out| {
                    value.elements().for_each(|it| out.node(it));
                    is_nullable.then(|| out.null());
                }),
                "anyOf" => out.key("anyOf").array(|out| {
                    value.elements().for_each(|it| self::schema(it, out));
                    is_nullable.then(|| out.object(|out| out.key("type").string("null")));
                }),
                "properties" => write_properties(schema, value, out.key("properties")),
                "defs" | "$defs" => write_named(value.members(), out.key("$defs")),
                name @ ("items" | "additionalProperties") => self::schema(value, out.key(name)),
                "prefixItems" => out
                    .key("prefixItems")
                    .array(|out| value.elements().for_each(|it| self::schema(it, out))),
                "ref" => out.key("$ref").node(value),
                name @ ("minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
                | "maxProperties") => match field::whole(value) {
                    Some(number) => out.key(name).number(number),
                    None => out.key(name).node(value),
                },
                name => out.key(name).node(value),
            }
        }
    });
}

/// In the order that Gemini is told, `propertyOrdering`: others keep to that in which they stand.
fn write_properties(schema: Node<'_>, properties: Node<'_>, out: &mut Writer<'_>) {
    let order = field::list(schema, "propertyOrdering").filter_map(Node::as_str);
    let order: BTreeMap<&str, usize> = order.zip(0..).collect();
    let mut properties: Vec<_> = properties.members().collect();
    // Stable: those that are not told of come last.
    properties.sort_by_key(|(name, _)| order.get(name).copied().unwrap_or(usize::MAX));
    write_named(properties.into_iter(), out);
}

fn write_named<'a>(schemas: impl Iterator<Item = (&'a str, Node<'a>)>, out: &mut Writer<'_>) {
    out.object(|out| {
        for (name, value) in schemas {
            schema(value, out.key(name));
        }
    });
}

fn write_type(value: Node<'_>, is_nullable: bool, out: &mut Writer<'_>) {
    let Some(word) = value.as_str() else {
        return out.key("type").node(value);
    };
    let word = word.to_ascii_lowercase();
    if word == "type_unspecified" {
        return;
    }
    out.key("type");
    if is_nullable {
        out.array(|out| {
            out.string(&word);
            out.string("null");
        });
    } else {
        out.string(&word);
    }
}
