//! What the gateway may hold at once, as its policy says, and what it turns away for it.

use crate::engine::{Bound, BoundStatus, Bounds, Load};
use crate::policy::Plan;
use crate::sim::world::rule::{Broken, Rule};

/// All bounds as they stand.
pub(super) type Held = [BoundStatus; Bound::ALL.len()];

/// The bounds of a plan; what it leaves out is not bounded. Connections are their owner's to count.
pub(super) fn of(plan: &Plan) -> Bounds {
    let bounds = plan.policy.server.bounds;
    Bounds {
        requests: bounds.requests.map_or(u64::MAX, u64::from),
        body_memory: bounds.body_memory.unwrap_or(u64::MAX),
        ..Bounds::NONE
    }
}

/// A step of one connection: nothing beyond `law` is taken, and nobody is turned away while there is room.
pub(super) fn kept(was: &Held, is: &Held, law: Bounds) -> Result<(), Broken> {
    for (was, is) in was.iter().zip(is) {
        let (max, room) = match is.bound {
            Bound::Requests => (law.requests, 1),
            Bound::BodyMemory => (law.body_memory, BODY_MAX),
            Bound::Connections => continue,
        };
        let over = is.held > max && is.held > was.held;
        let for_nothing = is.shed > was.shed && was.held.saturating_add(room) <= max;
        if over || for_nothing {
            let seen = format!("of {max}: {was:?}, and then {is:?}");
            return Err(Broken::new(Rule::Bounds, seen));
        }
    }
    Ok(())
}

/// In the end nothing is held.
pub(super) fn nothing(load: &Load) -> Result<(), Broken> {
    let held = load.status().into_iter().find(|status| status.held != 0);
    held.map_or(Ok(()), |held| {
        Err(Broken::new(Rule::Bounds, format!("left over: {held:?}")))
    })
}

/// No request or answer of a world needs more at once.
const BODY_MAX: u64 = 64 * 1024;
