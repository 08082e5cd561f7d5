//! What is wrong with tests, proofs and drills.

use crate::policy::diag::{Code, Diagnostic};
use crate::policy::syntax::Place;

pub(in crate::policy) fn never_down(place: Place, provider: &str) -> Diagnostic {
    Diagnostic::new(
        Code::P5001,
        place,
        format!("provider `{provider}` is never `down`"),
        "nothing checks its health",
    )
    .help("use `open`, which its breaker can be, or give the provider a `health`")
}
