//! Conditions as jump code: each branch runs one probe and names where to go on either answer. Short-circuiting falls
//! out of the jumps, so there is no stack, and a jump only ever leads to a branch written earlier, so every run ends.
//!
//! ```text
//!   team == "a" and (stream or not has.tools)
//!     2: team == "a"   yes → 1        no → REFUSE
//!     1: stream        yes → ACCEPT   no → 0
//!     0: has.tools     yes → REFUSE   no → ACCEPT
//! ```

use crate::policy::facts::Facts;
use crate::policy::facts::Needs;
use crate::policy::model::Cond;
use crate::policy::program::probe::Probes;
use crate::policy::program::probe::index_of;

/// The entry of a condition that is always true.
pub(super) const ACCEPT: u32 = u32::MAX;
/// The entry of a condition that is never true.
pub(super) const REFUSE: u32 = u32::MAX - 1;

/// Jump code and the probes that it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Branches {
    code: Vec<Branch>,
    probes: Probes,
}

#[derive(Clone, Copy, Debug)]
struct Branch {
    probe: u32,
    yes: u32,
    no: u32,
}

impl Branches {
    /// Writes the code of a condition over the request and gives its entry.
    pub(super) fn compile(&mut self, cond: &Cond, needs: &Needs) -> u32 {
        self.write(cond, needs, ACCEPT, REFUSE)
    }

    /// Adds one probe without code.
    pub(super) const fn probes_mut(&mut self) -> &mut Probes {
        &mut self.probes
    }

    /// The probes.
    #[inline]
    pub(super) const fn probes(&self) -> &Probes {
        &self.probes
    }

    /// Runs the code from `entry`.
    #[inline]
    pub(super) fn run(&self, entry: u32, facts: &Facts<'_>) -> bool {
        let mut at = entry;
        while let Some(branch) = self.code.get(at as usize) {
            at = if self.probes.holds(branch.probe, facts) {
                branch.yes
            } else {
                branch.no
            };
        }
        at == ACCEPT
    }

    /// Bytes of the tables.
    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(self.code.as_slice()).saturating_add(self.probes.size_bytes())
    }

    fn write(&mut self, cond: &Cond, needs: &Needs, yes: u32, no: u32) -> u32 {
        match cond {
            Cond::Always => yes,
            Cond::Never => no,
            Cond::Test(test) => {
                let probe = self.probes.add(test, needs);
                self.code.push(Branch { probe, yes, no });
                index_of(self.code.len().saturating_sub(1))
            }
            Cond::Not(inner) => self.write(inner, needs, no, yes),
            // From the last part to the first: each part needs to know where the next one begins.
            Cond::All(parts) => parts
                .iter()
                .rev()
                .fold(yes, |next, part| self.write(part, needs, next, no)),
            Cond::Any(parts) => parts
                .iter()
                .rev()
                .fold(no, |next, part| self.write(part, needs, yes, next)),
        }
    }
}
