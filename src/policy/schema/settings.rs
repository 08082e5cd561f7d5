//! The settings that have names of their own, breakers, health checks and retries; shadows, and telemetry. A data table.

use crate::base::{Outcome, OutcomeSet};
use crate::policy::model::Ramp;
use crate::policy::schema::blocks::{PERCENT, TIMER, field, later, millis, open, row, secs};
use crate::policy::schema::{Block, Form, Type, Value};

/// `telemetry { … }`
pub(in crate::policy) const TELEMETRY: Block = Block {
    word: "telemetry",
    rows: &[
        field(
            "access_log",
            Type::Word(&["json", "text", "off"]),
            Value::Word("off"),
            "one line for each request on standard output",
        ),
        field(
            "sample",
            PERCENT,
            Value::Ppm(1_000_000),
            "the part of requests that is logged, by their ids; those that failed are always",
        ),
        row(
            "records",
            Form::Block(&RECORDS),
            "decisions with all that they were made by, for `explain` and `replay`",
        ),
        later("otlp", Form::Field(Type::Url, None), "where spans go"),
    ],
};

/// `telemetry { records { … } }`
pub(in crate::policy) const RECORDS: Block = Block {
    word: "records",
    rows: &[
        open(
            "file",
            Type::Text,
            "where they are written, one JSON object a line; without it the newest thousand are kept in memory",
        ),
        field(
            "share",
            PERCENT,
            Value::Ppm(10_000),
            "the part of requests that is recorded, by their ids",
        ),
        field(
            "failed",
            Type::Word(&["all", "sampled"]),
            Value::Word("all"),
            "whether requests that fail are all recorded, or as others are",
        ),
        field(
            "max_size",
            Type::Bytes,
            Value::Int(64 << 20),
            "after so many bytes the file becomes `FILE.1`, in place of the one before, and another one is begun",
        ),
    ],
};

/// `breaker NAME { … }`
pub(in crate::policy) const BREAKER: Block = Block {
    word: "breaker",
    rows: &[
        field(
            "window",
            Type::Span(secs(1), secs(3_600)),
            Value::Span(secs(30)),
            "what is looked back on",
        ),
        field(
            "min_requests",
            Type::Int(1, 1_000_000),
            Value::Int(20),
            "below it no rate is judged: at 20, a background of 5 % errors opens a 25 % rule once in 3,000 windows",
        ),
        field(
            "scope",
            Type::Word(&["shared", "core"]),
            Value::Word("shared"),
            "who counts together",
        ),
        field(
            "count",
            Type::Outcomes,
            Value::Outcomes(ILL_HEALTH),
            "the outcomes that are ill health",
        ),
        row(
            "open",
            Form::Free("open when error_rate > 25%"),
            "what opens it: `error_rate`, `consecutive` failures, slow streams by `ttft` (of `short`, `medium` or `long` prompts) or by their longest `gap`",
        ),
        field(
            "cool_down",
            Type::Spans,
            Value::Spans(secs(15), secs(120)),
            "how long it stays open: first and longest",
        ),
        row("half_open", Form::Block(&HALF_OPEN), "how it tries again"),
        row("throttle", Form::Block(&THROTTLE), "what a 429 does"),
    ],
};

/// What counts for the built-in breaker. Not 429, which is the caller's fault, and nothing that the request caused. A
/// success that is none is ill health: a maintenance page with status 200 would cost every request an attempt for ever.
const ILL_HEALTH: OutcomeSet = OutcomeSet::EMPTY
    .with(Outcome::S5xx)
    .with(Outcome::Timeout)
    .with(Outcome::Connect)
    .with(Outcome::Tls)
    .with(Outcome::Ttft)
    .with(Outcome::StreamAbort)
    .with(Outcome::Overloaded)
    .with(Outcome::BadOutput);

/// `half_open { … }`
pub(in crate::policy) const HALF_OPEN: Block = Block {
    word: "half_open",
    rows: &[
        field(
            "probes",
            Type::Int(1, 1_000),
            Value::Int(1),
            "requests let through at once, over all cores",
        ),
        field(
            "need",
            Type::Int(1, 1_000),
            Value::Int(2),
            "probes that must succeed, one after the other, until others pass again",
        ),
        field(
            "share",
            PERCENT,
            Value::Ppm(50_000),
            "the part of its weight that probes it meanwhile",
        ),
        field(
            "ramp",
            Type::Ramp,
            Value::Ramp(Ramp::BUILT_IN),
            "the parts of its weight that it gets back after the probes; a broken rule opens it again, for longer",
        ),
        field(
            "step",
            Type::Span(millis(10), secs(3_600)),
            Value::Span(secs(1)),
            "how long it stays at each part",
        ),
    ],
};

/// `throttle { … }`
pub(in crate::policy) const THROTTLE: Block = Block {
    word: "throttle",
    rows: &[
        field(
            "obey_retry_after",
            Type::Bool,
            Value::Bool(true),
            "pause for as long as the provider says",
        ),
        field(
            "max",
            Type::Span(secs(1), secs(86_400)),
            Value::Span(secs(60)),
            "the longest pause after a 429",
        ),
    ],
};

/// `retries NAME { … }`
pub(in crate::policy) const RETRIES: Block = Block {
    word: "retries",
    rows: &[
        field(
            "max",
            Type::Int(0, 8),
            Value::Int(1),
            "repeats for one request at one target",
        ),
        field(
            "budget",
            PERCENT,
            Value::Ppm(100_000),
            "repeats as a part of the provider's requests",
        ),
        field(
            "floor",
            Type::Rate,
            Value::Rate(3, secs(1)),
            "repeats that are always allowed",
        ),
        field(
            "backoff",
            Type::Spans,
            Value::Spans(millis(50), millis(500)),
            "the pause: first and longest",
        ),
    ],
};

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

/// `shadow provider.model { … }`
pub(in crate::policy) const SHADOW: Block = Block {
    word: "shadow",
    rows: &[
        field(
            "share",
            PERCENT,
            Value::Ppm(10_000),
            "the part of the route's requests that is copied",
        ),
        field(
            "max_inflight",
            Type::Int(1, 1_000_000),
            Value::Int(8),
            "copies at once, over all cores; beyond it none is made, and none waits",
        ),
        field(
            "discard",
            Type::Bool,
            Value::Bool(true),
            "answers are thrown away; nothing else is built",
        ),
        later(
            "budget",
            Form::Field(Type::Money, None),
            "dollars in a time",
        ),
    ],
};
