//! Embeddings of Gemini (`batchEmbedContents`, for one text too) and of Vertex AI (`predict`).
//!
//! Sources: ai.google.dev, "Embeddings" (November 2025); cloud.google.com, "Text embeddings API" (November 2025). Not
//! recorded.

use crate::dialect::codec::{BadAnswer, Destination};
use crate::dialect::embeddings::{Asked, Embedded};
use crate::dialect::loss::Losses;
use crate::policy::model::ProviderKind;
use crate::wire::json::{Node, Writer};

use super::field;

/// Appends the path. `base` is as in [`path`](super::path).
pub fn path(base: &str, to: &Destination<'_>, out: &mut Vec<u8>) {
    super::model_path(base, to.model, out);
    out.extend_from_slice(if to.kind == ProviderKind::Vertex {
        b":predict".as_slice()
    } else {
        b":batchEmbedContents"
    });
}

/// Writes the request.
pub fn write(asked: &Asked<'_>, to: &Destination<'_>, losses: &mut Losses, out: &mut Writer<'_>) {
    losses.add_if(asked.input_type.is_some(), "input_type");
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
    embedded.checked(count)
}
