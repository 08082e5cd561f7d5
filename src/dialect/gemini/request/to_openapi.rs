//! JSON Schema in Google's own words for schemas, for models that do not take the former: a subset of `OpenAPI` 3.0.
//!
//! References are written out, `const` becomes an `enum` of one, a list of types becomes `nullable` or `anyOf`, `oneOf`
//! becomes `anyOf`; `enum` is for strings only. What the subset cannot say is left out and told; `additionalProperties:
//! false` and what only describes (`$schema`, `examples`, …) is left out.

use crate::base::limits::JSON_DEPTH_MAX;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::Labels;
use crate::wire::json::{Node, Writer};

/// Schemas that one schema may amount to once its references are written out: a request of a megabyte has some ten
/// thousand. More is a bomb.
const SCHEMAS_MAX: usize = 10_000;

/// An object without properties: Gemini refuses it as the schema of arguments, and takes none in its place.
pub(super) fn is_empty_object(schema: Node<'_>) -> bool {
    let has_parts = ["$ref", "anyOf", "oneOf", "allOf"];
    let no_properties = schema
        .get("properties")
        .is_none_or(|properties| properties.members().next().is_none());
    no_properties && has_parts.iter().all(|key| schema.get(key).is_none())
}

/// Writes `schema`, which stands at `place` in the client's request, with `labels`.
pub(super) fn write<'a>(
    schema: Node<'a>,
    labels: Labels<'a>,
    place: &str,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let mut conversion = Conversion {
        root: schema,
        labels,
        place,
        losses,
        open: Vec::new(),
        schemas: 0,
        depth: 0,
    };
    conversion.schema(schema, out)
}

struct Conversion<'a, 's> {
    root: Node<'a>,
    /// What is said of the schema that is written next, before what it says itself: at the root, and beside a reference.
    labels: Labels<'a>,
    place: &'s str,
    losses: &'s mut Losses,
    /// References that are being written out.
    open: Vec<&'a str>,
    schemas: usize,
    /// Schemas around the one that is being written: a chain of references is deeper than the document.
    depth: u32,
}

impl<'a> Conversion<'a, '_> {
    fn schema(&mut self, schema: Node<'a>, out: &mut Writer<'_>) -> Result<(), Unsupported> {
        self.schemas += 1;
        self.depth += 1;
        if self.schemas > SCHEMAS_MAX || self.depth > JSON_DEPTH_MAX {
            let why = "is too large once its references are written out, as this model needs it";
            return Err(Unsupported::new(self.place.to_owned(), why));
        }
        let written = self.bounded(schema, out);
        self.depth -= 1;
        written
    }

    fn bounded(&mut self, schema: Node<'a>, out: &mut Writer<'_>) -> Result<(), Unsupported> {
        if let Some(name) = schema.text("$ref") {
            return self.reference(name, schema, out);
        }
        // One schema of which everything holds is that schema.
        let mut all = schema.list("allOf");
        if let (Some(only), None) = (all.next(), all.next())
            && !["properties", "type", "anyOf"]
                .iter()
                .any(|key| schema.get(key).is_some())
        {
            return self.schema(only, out);
        }
        out.try_object(|out| self.members(schema, out))
    }

    fn reference(
        &mut self,
        name: &'a str,
        schema: Node<'a>,
        out: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        let Some(target) = self.resolve(name) else {
            let why = "refers to a definition that is not in it";
            return Err(Unsupported::new(self.place.to_owned(), why));
        };
        if self.open.contains(&name) {
            // It contains itself, which the subset cannot say: an object of any kind.
            self.lose("$ref");
            out.object(|out| {
                out.key("type").string("OBJECT");
                if let Some(text) = schema.text("description") {
                    out.key("description").string(text);
                }
            });
            return Ok(());
        }
        self.labels = Labels {
            title: schema.text("title").or(self.labels.title),
            description: schema.text("description").or(self.labels.description),
        };
        self.open.push(name);
        let written = self.schema(target, out);
        self.open.pop();
        written
    }

    /// `#/$defs/Name`, or any other pointer into the schema (RFC 6901).
    fn resolve(&self, name: &str) -> Option<Node<'a>> {
        let pointer = name.strip_prefix('#')?;
        let mut at = self.root;
        for step in pointer.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            at = match step.parse::<usize>() {
                Ok(index) if at.is_array() => at.elements().nth(index)?,
                _ => at.get(&step)?,
            };
        }
        Some(at)
    }

    fn members(&mut self, schema: Node<'a>, out: &mut Writer<'_>) -> Result<(), Unsupported> {
        let labels = std::mem::take(&mut self.labels);
        labels.write(out);
        let kinds = Kinds::of(schema);
        if kinds.is_nullable {
            out.key("nullable").bool(true);
        }
        match kinds.types.as_slice() {
            [] => {}
            [one] => out.key("type").string(&one.to_ascii_uppercase()),
            several => out.key("anyOf").array(|out| {
                for kind in several {
                    let kind = kind.to_ascii_uppercase();
                    out.object(|out| out.key("type").string(&kind));
                }
            }),
        }
        for (key, value) in schema.members().filter(|(_, value)| !value.is_null()) {
            let is_said = match key {
                "title" => labels.title.is_some(),
                "description" => labels.description.is_some(),
                _ => false,
            };
            if !is_said {
                self.member(key, value, schema, &kinds, out)?;
            }
        }
        Ok(())
    }

    fn member(
        &mut self,
        key: &'a str,
        value: Node<'a>,
        schema: Node<'a>,
        kinds: &Kinds<'a>,
        out: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        match key {
            "title" | "description" | "default" | "minItems" | "maxItems" | "minimum"
            | "maximum" | "minLength" | "maxLength" | "minProperties" | "maxProperties"
            | "pattern" => out.key(key).node(value),
            "format" if is_known_format(value.as_str().unwrap_or_default()) => {
                out.key(key).node(value);
            }
            "enum" | "const" => self.values(key, value, out),
            "properties" => out.key(key).try_object(|out| {
                for (name, property) in value.members() {
                    self.schema(property, out.key(name))?;
                }
                Ok(())
            })?,
            "required" => {
                let properties = schema.get("properties");
                let is_there = |name: &Node<'_>| {
                    let name = name.as_str().unwrap_or_default();
                    properties.is_some_and(|it| it.get(name).is_some())
                };
                out.key(key).array(|out| {
                    for name in value.elements().filter(is_there) {
                        out.node(name);
                    }
                });
            }
            "items" if value.is_object() => self.schema(value, out.key(key))?,
            "anyOf" | "oneOf" if kinds.types.len() <= 1 => self.choice(value, out)?,
            "type" | "nullable" | "$defs" | "definitions" | "$schema" | "$id" | "$comment"
            | "$anchor" | "examples" | "readOnly" | "writeOnly" | "deprecated" => {}
            "additionalProperties" if value.as_bool() == Some(false) => {}
            _ => self.lose(key),
        }
        Ok(())
    }

    /// The values that are allowed, if they are strings.
    fn values(&mut self, key: &str, value: Node<'a>, out: &mut Writer<'_>) {
        let alone = (key == "const").then_some(value);
        let values = || value.elements().chain(alone).filter(|it| !it.is_null());
        if values().next().is_none() || values().any(|it| it.as_str().is_none()) {
            return self.lose(key);
        }
        out.key("enum")
            .array(|out| values().for_each(|it| out.node(it)));
    }

    fn choice(&mut self, value: Node<'a>, out: &mut Writer<'_>) -> Result<(), Unsupported> {
        let is_null = |it: &Node<'_>| it.text("type") == Some("null");
        out.key("anyOf").try_array(|out| {
            value
                .elements()
                .filter(|it| !is_null(it))
                .try_for_each(|it| self.schema(it, out))
        })
    }

    fn lose(&mut self, key: &str) {
        self.losses.add(format!("{}.{key}", self.place));
    }
}

/// The types that a schema allows.
struct Kinds<'a> {
    types: Vec<&'a str>,
    is_nullable: bool,
}

impl<'a> Kinds<'a> {
    fn of(schema: Node<'a>) -> Self {
        let alone = schema.text("type");
        let mut types: Vec<&'a str> = schema
            .list("type")
            .filter_map(Node::as_str)
            .chain(alone)
            .collect();
        let mut is_nullable = schema.get("nullable").and_then(Node::as_bool) == Some(true);
        if types.len() > 1 {
            is_nullable |= types.contains(&"null");
            types.retain(|kind| *kind != "null");
        }
        let choices = ["anyOf", "oneOf"];
        is_nullable |= choices.iter().any(|key| {
            let mut choices = schema.list(key);
            choices.any(|it| it.text("type") == Some("null"))
        });
        is_nullable |= schema.list("enum").any(Node::is_null);
        // Only strings can be enumerated, and only where the type says so.
        let is_enumerated = schema.get("const").is_some_and(|it| it.as_str().is_some())
            || schema.list("enum").any(|it| it.as_str().is_some());
        if types.is_empty() && is_enumerated {
            types.push("string");
        }
        if types.is_empty() && schema.get("properties").is_some() {
            types.push("object");
        }
        Self { types, is_nullable }
    }
}

/// Others are answered with 400.
fn is_known_format(format: &str) -> bool {
    matches!(
        format,
        "enum" | "date-time" | "float" | "double" | "int32" | "int64"
    )
}
