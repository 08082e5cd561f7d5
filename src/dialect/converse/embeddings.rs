//! Embeddings of models at Bedrock. Converse has none: they are asked for by `InvokeModel`, in the words of each family.
//!
//! Sources, 2026-11: docs.aws.amazon.com, Bedrock user guide, *Amazon Titan Embeddings G1 - Text* (both versions of it),
//! *Cohere Embed v3* and *Cohere Embed v4*. Not recorded.
//!
//! ```text
//!   POST /model/{id}/invoke
//!   Titan    {"inputText":"text","dimensions"?}       {"embedding":[…],"inputTextTokenCount"}
//!   Cohere   {"texts":["text", …],"input_type",       {"embeddings":{"float":[[…], …]},"texts",…}
//!             "embedding_types":["float"],"output_dimension"?,"truncate"}
//! ```

use super::path::model_path;
use crate::dialect::codec::{BadAnswer, Destination};
use crate::dialect::cohere;
use crate::dialect::embeddings::{Asked, Embedded};
use crate::dialect::loss::{Losses, Unsupported};
use crate::wire::json::{Node, Writer};

/// Whose words a model is asked in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Family {
    /// Amazon Titan Text Embeddings: `sizes`, if the numbers may be fewer.
    Titan { sizes: bool },
    /// Cohere Embed: likewise.
    Cohere { sizes: bool },
}

impl Family {
    /// By the model's name at Bedrock, also inside an ARN.
    fn of(model: &str) -> Option<Self> {
        let has = |name| model.contains(name);
        if has("amazon.titan-embed-text-v2") {
            Some(Self::Titan { sizes: true })
        } else if has("amazon.titan-embed-text-v1") || has("amazon.titan-embed-g1-text") {
            Some(Self::Titan { sizes: false })
        } else if has("cohere.embed-v4") {
            Some(Self::Cohere { sizes: true })
        } else if has("cohere.embed-english-v3") || has("cohere.embed-multilingual-v3") {
            Some(Self::Cohere { sizes: false })
        } else {
            None
        }
    }

    const fn sizes(self) -> bool {
        let (Self::Titan { sizes } | Self::Cohere { sizes }) = self;
        sizes
    }
}

/// Appends the path of a request of `model` below `base`.
pub fn path(base: &str, model: &str, out: &mut Vec<u8>) {
    model_path(base, model, b"/invoke", out);
}

/// Writes the request.
pub fn write(
    asked: &Asked<'_>,
    to: &Destination<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let Some(family) = Family::of(to.model) else {
        let why = format!(
            "is `{}` at Bedrock, which is not known here as a model of embeddings: Amazon Titan Text Embeddings and Cohere Embed are",
            to.model
        );
        return Err(Unsupported::new("model", why));
    };
    if asked.dimensions.is_some() && !family.sizes() {
        let why = format!("cannot be chosen of `{}` at Bedrock", to.model);
        return Err(Unsupported::new("dimensions", why));
    }
    match family {
        Family::Titan { .. } => {
            losses.add_if(asked.input_type.is_some(), "input_type");
            write_titan(asked, out)
        }
        Family::Cohere { .. } => cohere::embeddings::write_texts(asked, None, out),
    }
}

fn write_titan(asked: &Asked<'_>, out: &mut Writer<'_>) -> Result<(), Unsupported> {
    let [text] = asked.texts[..] else {
        let why = format!(
            "has {} texts, and Amazon Titan at Bedrock takes one in each request",
            asked.texts.len()
        );
        return Err(Unsupported::new("input", why));
    };
    out.object(|out| {
        out.key("inputText").string(text);
        if let Some(dimensions) = asked.dimensions {
            out.key("dimensions").number(dimensions);
        }
    });
    Ok(())
}

/// Reads the answer to a request for so many `texts`.
pub fn read(body: Node<'_>, texts: usize) -> Result<Embedded<'_>, BadAnswer> {
    if let Some(vector) = body.get("embedding") {
        let tokens = body.get("inputTextTokenCount").and_then(Node::as_u64);
        let embedded = Embedded {
            vectors: vec![vector],
            tokens: tokens.unwrap_or_default(),
        };
        return embedded.checked(texts);
    }
    let list: Vec<_> = body.list("embeddings").collect();
    if list.is_empty() {
        return cohere::embeddings::read(body, texts);
    }
    // Not by type.
    let embedded = Embedded {
        vectors: list,
        tokens: 0,
    };
    embedded.checked(texts)
}
