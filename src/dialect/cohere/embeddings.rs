//! Embeddings of Cohere. Source: docs.cohere.com, *Embed API* (API v2), 2026-10. Not recorded.
//!
//! ```text
//!   POST /v2/embed   {"model","texts":["text", …],"input_type","embedding_types":["float"],"output_dimension"?,"truncate"}
//!   answer           {"id","embeddings":{"float":[[…], …]},"texts":[…],"meta":{"billed_units":{"input_tokens"}}}
//! ```

use super::answer::count;
use crate::dialect::codec::{BadAnswer, Destination};
use crate::dialect::embeddings::{Asked, Embedded};
use crate::dialect::loss::Unsupported;
use crate::wire::json::{Node, Writer};

/// Appends the path below `base`, which ends in the version.
pub fn path(base: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(base.trim_end_matches('/').as_bytes());
    out.extend_from_slice(b"/embed");
}

/// Writes the request.
pub fn write(
    asked: &Asked<'_>,
    to: &Destination<'_>,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    write_texts(asked, Some(to.model), out)
}

/// The same for whoever has the model in the path, as Bedrock.
pub fn write_texts(
    asked: &Asked<'_>,
    model: Option<&str>,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    if asked.texts.len() > TEXTS_MAX {
        let why = "has more than the 96 texts that Cohere takes at once";
        return Err(Unsupported::new("input", why));
    }
    out.object(|out| {
        if let Some(model) = model {
            out.key("model").string(model);
        }
        out.key("texts")
            .array(|out| asked.texts.iter().for_each(|text| out.string(text)));
        // It has to be said. Most of what is embedded is what is searched.
        out.key("input_type")
            .string(asked.input_type.unwrap_or("search_document"));
        out.key("embedding_types").array(|out| out.string("float"));
        if let Some(dimensions) = asked.dimensions {
            out.key("output_dimension").number(dimensions);
        }
        // What is too long is refused, as OpenAI does, and not cut short without a word.
        out.key("truncate").string("NONE");
    });
    Ok(())
}

/// Reads the answer to a request for so many `texts`.
pub fn read(body: Node<'_>, texts: usize) -> Result<Embedded<'_>, BadAnswer> {
    let vectors = body.get("embeddings").map(|it| it.list("float"));
    let meta = body.get("meta");
    let tokens = |key| count(meta?.get(key), "input_tokens");
    let embedded = Embedded {
        vectors: vectors.into_iter().flatten().collect(),
        tokens: tokens("tokens")
            .or_else(|| tokens("billed_units"))
            .unwrap_or_default(),
    };
    embedded.checked(texts)
}

const TEXTS_MAX: usize = 96;
