//! The policy's own reading of a provider's errors: `classify { … }`. It is asked only about what has failed, so an
//! answer that is well costs nothing, and no rule can make a failure an answer.

use std::cell::OnceCell;

use crate::base::Outcome;
use crate::base::limits::ERROR_BYTES_MAX;
use crate::dialect::openai::complaint::Complaint;
use crate::policy::model::{AnswerCond, Classify};
use crate::wire;

/// The outcome of an error: the first rule that holds, else `built_in`, what the format says. `status` is the head's;
/// for an error inside a 200 rules read the status that the error itself names, if it names one. `body` is the whole
/// body or the data of one event; rules look at its first 64 KiB.
pub fn reclassify(rules: &[Classify], built_in: Outcome, status: u16, body: &[u8]) -> Outcome {
    if rules.is_empty() || built_in == Outcome::Ok {
        return built_in;
    }
    let failure = Failure {
        status,
        body: body.get(..ERROR_BYTES_MAX).unwrap_or(body),
        complaint: OnceCell::new(),
    };
    let holds = |rule: &&Classify| failure.fits(&rule.when);
    rules
        .iter()
        .find(holds)
        .map_or(built_in, |rule| rule.outcome)
}

struct Failure<'a> {
    status: u16,
    body: &'a [u8],
    /// Looked for once, and only if a rule asks.
    complaint: OnceCell<Complaint<'a>>,
}

impl<'a> Failure<'a> {
    fn fits(&self, cond: &AnswerCond) -> bool {
        match cond {
            AnswerCond::Status(ranges) => {
                let status = self.status();
                ranges
                    .iter()
                    .any(|&(low, high)| (low..=high).contains(&status))
            }
            AnswerCond::Code(codes) => {
                let Complaint { code, kind, .. } = self.complaint();
                let is = |text: &str| text.as_bytes() == *code || text.as_bytes() == *kind;
                codes.iter().any(|text| is(text))
            }
            AnswerCond::Body(part) => wire::contains(self.body, part.as_bytes()),
            AnswerCond::Not(inner) => !self.fits(inner),
            AnswerCond::All(members) => members.iter().all(|one| self.fits(one)),
            AnswerCond::Any(members) => members.iter().any(|one| self.fits(one)),
        }
    }

    fn status(&self) -> u16 {
        match self.status {
            200..300 => self.complaint().status.unwrap_or(self.status),
            own => own,
        }
    }

    fn complaint(&self) -> &Complaint<'a> {
        self.complaint
            .get_or_init(|| Complaint::find(self.body).unwrap_or_default())
    }
}
