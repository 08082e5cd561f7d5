//! The block of health checks. A data table.

use crate::policy::schema::blocks::{TIMER, field, millis, open, secs};
use crate::policy::schema::{Block, Type, Value};

/// `health NAME { … }`
pub(in crate::policy) const HEALTH: Block = Block {
    word: "health",
    rows: &[
        field(
            "method",
            Type::Word(&["GET", "HEAD"]),
            Value::Word("GET"),
            "the method of a check by `path`",
        ),
        open(
            "path",
            Type::Text,
            "what is asked for, such as `/v1/models`; a success is a status of 200 to 399",
        ),
        open(
            "ask",
            Type::Text,
            "a model that is asked for one token instead of a `path`: proves that it generates, and costs money",
        ),
        field(
            "at_most",
            Type::Rate,
            Value::Rate(60, secs(3_600)),
            "one-token questions to the whole provider; what is above it is left out",
        ),
        field(
            "every",
            Type::Span(millis(100), secs(86_400)),
            Value::Span(secs(5)),
            "time between two checks of an endpoint, give or take a tenth",
        ),
        field(
            "timeout",
            TIMER,
            Value::Span(secs(1)),
            "how long a check may take, connection included",
        ),
        field(
            "fall",
            Type::Int(1, 100),
            Value::Int(3),
            "failed checks in a row until an endpoint is down",
        ),
        field(
            "rise",
            Type::Int(1, 100),
            Value::Int(2),
            "good checks in a row until it is up again",
        ),
        field(
            "spread",
            Type::Bool,
            Value::Bool(true),
            "endpoints are checked at different moments",
        ),
    ],
};
