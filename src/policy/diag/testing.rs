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

pub(in crate::policy) fn unprovable(place: Place, word: &str) -> Diagnostic {
    let why = match word {
        "share" | "same" => "that is about many requests together",
        _ => "every target may fail, and then nobody answers",
    };
    Diagnostic::new(
        Code::P5007,
        place,
        format!("`{word}` cannot be proved"),
        why,
    )
    .help("say what must never happen: `never [openai]`, `never target.region != eu`; or write a `test`")
}
