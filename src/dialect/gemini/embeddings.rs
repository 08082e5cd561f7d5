//! Embeddings of Gemini (`batchEmbedContents`, for one text too) and of Vertex AI (`predict`).
//!
//! Sources: ai.google.dev, "Embeddings" (November 2025); cloud.google.com, "Text embeddings API" (November 2025). Not
//! recorded.

use crate::dialect::codec::{BadAnswer, Destination};
use crate::dialect::embeddings::{Asked, Embedded};
use crate::policy::model::ProviderKind;
use crate::wire::json::{Node, Writer};

use super::field;

/// Appends the path. `base` is as in [`path`](super::path).
pub fn path(base: &str, to: &Destination<'_>, out: &mut String) {
    super::model_path(base, to.model, out);
    out.push_str(if to.kind == ProviderKind::Vertex {
        ":predict"
    } else {
        ":batchEmbedContents"
    });
}

/// Writes the request.
pub fn write(asked: &Asked<'_>, to: &Destination<'_>, out: &mut Writer<'_>) {
    if to.kind == ProviderKind::Vertex {
        write_instances(asked, out);
    } else {
        write_requests(asked, to.model, out);
    }
}

fn write_requests(asked: &Asked<'_>, model: &str, out: &mut Writer<'_>) {
    // Each part of a batch names the model again, with its collection.
    let mut name = String::new();
    super::model_name(model, &mut name);
    out.object(|out| {
        out.key("requests").array(|out| {
            for text in &asked.texts {
                write_request(&name, text, asked.dimensions, out);
            }
        });
    });
}

fn write_request(model: &str, text: &str, dimensions: Option<u64>, out: &mut Writer<'_>) {
    out.object(|out| {
        out.key("model").string(model);
        out.key("content").object(|out| {
            out.key("parts")
                .array(|out| out.object(|out| out.key("text").string(text)));
        });
        if let Some(dimensions) = dimensions {
            out.key("outputDimensionality").number(dimensions);
        }
    });
}

fn write_instances(asked: &Asked<'_>, out: &mut Writer<'_>) {
    out.object(|out| {
        out.key("instances").array(|out| {
            for text in &asked.texts {
                out.object(|out| out.key("content").string(text));
            }
        });
        if let Some(dimensions) = asked.dimensions {
            out.key("parameters")
                .object(|out| out.key("outputDimensionality").number(dimensions));
        }
    });
}

/// Reads the answer to a request for as many texts as `count`.
pub fn read(body: Node<'_>, count: usize) -> Result<Embedded<'_>, BadAnswer> {
    let bad = |reason| BadAnswer { reason };
    let mut embedded = Embedded {
        vectors: Vec::with_capacity(count),
        tokens: 0,
    };
    // `embedding`: the answer of `embedContent`, which asks for one.
    for vector in field::list(body, "embeddings").chain(field::list(body, "embedding")) {
        embedded.vectors.extend(field::member(vector, "values"));
    }
    for prediction in field::list(body, "predictions") {
        let Some(vector) = field::member(prediction, "embeddings") else {
            continue;
        };
        embedded.vectors.extend(field::member(vector, "values"));
        if let Some(statistics) = field::member(vector, "statistics") {
            let tokens = field::count(statistics, "tokenCount");
            embedded.tokens = embedded.tokens.saturating_add(tokens);
        }
    }
    if let Some(counts) = field::member(body, "usageMetadata") {
        embedded.tokens = field::count(counts, "promptTokenCount");
    }
    if embedded.vectors.len() != count {
        return Err(bad("there are not as many embeddings as texts"));
    }
    let is_number = |node: Node<'_>| node.as_f64().is_some();
    let is_vector = |vector: &Node<'_>| {
        let mut numbers = vector.elements().peekable();
        numbers.peek().is_some() && numbers.all(is_number)
    };
    if !embedded.vectors.iter().all(is_vector) {
        return Err(bad("an embedding is not a list of numbers"));
    }
    Ok(embedded)
}
