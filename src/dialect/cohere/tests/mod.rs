//! The format against what Cohere was recorded to say, and against what it is known to refuse.

mod answers;
mod embeddings;
mod outcomes;
mod recordings;
mod requests;

use crate::dialect::codec::Destination;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::Turn;
use crate::policy::model::ProviderKind;
use crate::wire::json::Writer;

/// The body that asks `model`, and what was dropped.
fn written(turn: &Turn<'_>, model: &str) -> Result<(String, Vec<String>), Unsupported> {
    let to = Destination {
        kind: ProviderKind::Cohere,
        model,
        max_output: None,
    };
    let (mut out, mut losses) = (Vec::new(), Losses::default());
    super::write_request(turn, &to, &mut losses, &mut Writer::new(&mut out))?;
    let dropped = losses.iter().map(str::to_owned).collect();
    Ok((String::from_utf8(out).unwrap(), dropped))
}
