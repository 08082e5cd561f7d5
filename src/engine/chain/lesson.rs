//! What a request that is over says about its route, for the guards that watch it.

use crate::base::Outcome;
use crate::engine::chain::report::SILENCE;
use crate::engine::chain::{AttemptRecord, Chain, Form};
use crate::engine::core::Core;
use crate::engine::guard::Tally;
use crate::policy::Plan;

impl Chain {
    /// The request is over: once for each, after its last attempt. Costs nothing where no guard watches its route.
    pub fn concluded(&self, plan: &Plan, core: &Core) {
        if let Some(tally) = core.board.guards().tally(self.decision.route, core.index) {
            self.teach(plan, core, tally);
        }
    }

    /// A route is judged by how its first tier took the request at the first attempt: what a repeat, a hedge or a later
    /// tier cured would else hide how the first tier is.
    fn teach(&self, plan: &Plan, core: &Core, tally: &Tally) {
        tally.over();
        let Some(first) = self.first_tier_attempt(plan) else {
            return;
        };
        // Without an outcome its client left, or the hedge beside it answered.
        if let Some(outcome) = first.outcome {
            tally.asked(outcome == Outcome::Ok);
        }
        if self.form == Form::Stream {
            teach_ttft(&first, core, tally);
        }
    }

    /// The first attempt, if it was at the first tier; of one whose key was changed, the one with the last key.
    fn first_tier_attempt(&self, plan: &Plan) -> Option<AttemptRecord> {
        let mut attempts = self.attempts();
        let first = attempts.next()?;
        let candidates = plan.program.candidates(self.decision.route);
        let candidate = candidates
            .iter()
            .find(|candidate| candidate.target == first.target)?;
        let last = attempts.take_while(|attempt| attempt.key_change).last();
        (candidate.tier == 0).then(|| last.unwrap_or(first))
    }
}

fn teach_ttft(first: &AttemptRecord, core: &Core, tally: &Tally) {
    if let Some(ttft) = first.ttft {
        return tally.ttft(ttft);
    }
    let Some(ended) = first.ended else { return };
    let waited = ended.saturating_sub(first.started);
    let usual = core.usual_ttft(first.target);
    let silent = first.outcome.map_or_else(
        // Cut off by somebody: less than usual says nothing about how long it would have been.
        || usual.is_none_or(|usual| waited > usual),
        |outcome| SILENCE.has(outcome),
    );
    if silent {
        tally.ttft(waited);
    }
}
