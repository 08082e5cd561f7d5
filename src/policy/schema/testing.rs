//! What may stand in tests and proofs. A data table.

use crate::policy::schema::{Block, Form, Row};

const fn row(word: &'static str, shape: &'static str, doc: &'static str) -> Row {
    Row {
        word,
        form: Form::Free(shape),
        later: false,
        doc,
    }
}

/// `prove "…" { … }`
pub(in crate::policy) const PROVE: Block = Block {
    word: "prove",
    rows: &[
        row(
            "given",
            "given { key.residency = \"eu\", req.tokens_in > 100k }",
            "which requests are meant: `fact = value`, or any condition of a route. All that is left open is open: facts, the \
             states of targets, how attempts end, which routes are withdrawn",
        ),
        row(
            "expect",
            "expect { never target.region != eu, never [openai], route in [chat, batch], reject = 403, attempts <= 3 }",
            "what must follow, whatever happens",
        ),
    ],
};

/// `test "…" { … }`
pub(in crate::policy) const TEST: Block = Block {
    word: "test",
    rows: &[
        row(
            "given",
            "given { req.model = \"gpt-5\", key.team = \"search\", seed = 7 }",
            "facts of the request; those that are left out are empty, zero or absent. Another `seed` is another request",
        ),
        row(
            "state",
            "state { openai = open, mistral.large = throttled }",
            "what targets, or all targets of a provider, are: `closed`, `open`, `half_open`, `down`, `throttled` or `drained`",
        ),
        row(
            "script",
            "script { openai.mini = [s503, timeout, ok] }",
            "how attempts end, in order: outcomes, or statuses such as `s503`. The last one stays; who has no script answers",
        ),
        row(
            "sample",
            "sample key.id 20000",
            "so many requests that differ in this fact",
        ),
        row(
            "expect",
            "expect { route = chat, target = openai.mini, chain = [openai.mini, mistral.large], status = 200, attempts <= 2, \
             reject = 503, never [openai], never target.region != eu, same target over 1000, share(openai) in 65%..75% }",
            "what must hold, for each request of a sample",
        ),
    ],
};
