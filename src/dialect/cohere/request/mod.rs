//! Writes requests.

mod messages;
mod settings;
mod tools;

use crate::dialect::codec::Destination;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::Turn;
use crate::wire::json::Writer;

/// Writes the body that asks `to` for what `turn` says.
pub fn write(
    turn: &Turn<'_>,
    to: &Destination<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    out.try_object(|out| {
        out.key("model").string(to.model);
        let documents = messages::write(turn, losses, out)?;
        documents.write(out)?;
        tools::write(turn, losses, out);
        settings::write_form(turn, !documents.is_empty(), losses, out)?;
        settings::write(turn, to.model, losses, out);
        if turn.stream {
            out.key("stream").bool(true);
        }
        Ok(())
    })
}
