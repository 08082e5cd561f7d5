//! Writes requests.

mod messages;
mod settings;
mod tools;

use self::messages::Conversation;
use self::settings::Settings;
use self::tools::Choice;
use super::family::Family;
use crate::dialect::claude::Plan;
use crate::dialect::codec::Destination;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::Turn;
use crate::wire::json::Writer;

/// Writes the body that asks `to` for what `turn` says. Whether the answer is a stream is said by the path.
pub fn write(
    turn: &Turn<'_>,
    to: &Destination<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let family = Family::of(to.model);
    let talk = Conversation::of(turn, losses)?;
    // Claude is told what it is told at home, so that the same plan is made.
    let plan = match family {
        Family::Claude(claude) => Some(Plan::new(turn, claude, to.max_output, losses)),
        _ => None,
    };
    let asked = plan.map_or(turn.tool_choice, |plan| plan.tool_choice);
    let choice = Choice::of(turn, asked, family, talk.has_tools, losses);
    let settings = Settings::of(turn, family, plan, losses);
    out.try_object(|out| {
        messages::write(&talk, family, losses, out)?;
        settings.write_inference(out);
        tools::write(turn, &talk, &choice, family, losses, out)?;
        settings.write_additional(&choice, out);
        settings::write_form(turn, family, losses, out)?;
        settings::write_user(turn, losses, out);
        Ok(())
    })
}
