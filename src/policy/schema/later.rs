//! Blocks that are checked now and take effect in a later release. A data table.

use crate::policy::schema::{Block, Form, Row, Type};

const fn row(word: &'static str, form: Form, doc: &'static str) -> Row {
    Row {
        word,
        form,
        later: false,
        doc,
    }
}

const fn open(word: &'static str, of: Type, doc: &'static str) -> Row {
    row(word, Form::Field(of, None), doc)
}

/// What limits and budgets are counted by.
const BY: Type = Type::Word(&[
    "key.id",
    "key.team",
    "key.tier",
    "key.contract",
    "key.residency",
    "req.model",
]);

/// `limit NAME { … }`
pub(in crate::policy) const LIMIT: Block = Block {
    word: "limit",
    rows: &[
        open("by", BY, "who shares the limit"),
        open("rate", Type::Rate, "requests in a time"),
        open("burst", Type::Int(1, 1_000_000), "requests at once"),
        row("over", Form::Free("over -> reject(429)"), "what follows"),
    ],
};

/// `budget NAME { … }`
pub(in crate::policy) const BUDGET: Block = Block {
    word: "budget",
    rows: &[
        open("by", BY, "who shares the budget"),
        open("max", Type::Money, "dollars in a time"),
        row("at", Form::Free("at 80% -> warn"), "what follows"),
    ],
};

/// `fleet { … }`
pub(in crate::policy) const FLEET: Block = Block {
    word: "fleet",
    rows: &[open(
        "redis",
        Type::Secret,
        "where nodes share limits and budgets",
    )],
};
