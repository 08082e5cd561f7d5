//! The blocks and their fields. A data table: longer than other files on purpose, and without logic.

use crate::base::{Span, limits};
use crate::policy::model::Pick;
use crate::policy::schema::{Block, Form, Row, Space, Type, Value};

pub(super) const fn row(word: &'static str, form: Form, doc: &'static str) -> Row {
    Row {
        word,
        form,
        later: false,
        doc,
    }
}

pub(super) const fn later(word: &'static str, form: Form, doc: &'static str) -> Row {
    Row {
        word,
        form,
        later: true,
        doc,
    }
}

/// A field without a default: left out, it does nothing.
pub(super) const fn open(word: &'static str, of: Type, doc: &'static str) -> Row {
    row(word, Form::Field(of, None), doc)
}

/// A field with a default.
pub(super) const fn field(
    word: &'static str,
    of: Type,
    default: Value<'static>,
    doc: &'static str,
) -> Row {
    row(word, Form::Field(of, Some(default)), doc)
}

pub(super) const fn secs(secs: u64) -> Span {
    Span::from_secs(secs)
}

pub(super) const fn millis(millis: u64) -> Span {
    Span::from_millis(millis)
}

pub(super) const PERCENT: Type = Type::Percent(1_000_000);
/// A timer: below a millisecond nothing can answer, past an hour nobody waits.
pub(super) const TIMER: Type = Type::Span(millis(1), secs(3_600));
const CAP_WORDS: Type = Type::Word(&["tools", "images", "json_schema", "audio"]);

const CONNECT_TIMEOUT: Row = open(
    "connect_timeout",
    TIMER,
    "address, TCP and TLS together. Built in: 1s, ten round trips around the world",
);
const HEAD_TIMEOUT: Row = open(
    "head_timeout",
    TIMER,
    "from the beginning of an attempt to the head of a stream. Built in: as `ttft_timeout`",
);
const TTFT_TIMEOUT: Row = open(
    "ttft_timeout",
    TIMER,
    "from the beginning of an attempt to the first content. Built in: 30s, above what a long prompt takes at a healthy provider",
);
const IDLE_TIMEOUT: Row = open(
    "idle_timeout",
    TIMER,
    "between two content events. Built in: 15s, a pause that no healthy stream makes",
);
const BREAKER_ROW: Row = row(
    "breaker",
    Form::Either(Type::Name(Space::Breaker), &super::BREAKER),
    "when the target is given up for a while. Built in: `standard`",
);
const RETRIES_ROW: Row = row(
    "retries",
    Form::Either(Type::Name(Space::Retries), &super::RETRIES),
    "repeats at the same target. Built in: `standard`",
);
const HEALTH_ROW: Row = row(
    "health",
    Form::Either(Type::Name(Space::Health), &super::HEALTH),
    "how the provider's endpoints are asked whether they are there; nobody asks where it is left out",
);
const MAX_ATTEMPTS: Row = open(
    "max_attempts",
    Type::Int(1, 16),
    "attempts of one request; above 8 it is 8. Built in: 4: two SDK retries on top of four attempts are twelve calls already",
);
const DEADLINE: Row = open(
    "deadline",
    TIMER,
    "the whole request, all attempts together. Built in: 60s, below the 10 minutes after which SDKs give up",
);
const PICK: Row = row(
    "pick",
    Form::Field(Type::Pick, Some(Value::Pick(Pick::Weighted))),
    "how a member of a tier is chosen",
);
const MID_STREAM: Row = row(
    "mid_stream",
    Form::Field(
        Type::Word(&["error", "continue"]),
        Some(Value::Word("error")),
    ),
    "what happens when a stream breaks after its first content",
);
const PANIC: Row = row(
    "panic",
    Form::Field(Type::Word(&["fail", "probe"]), Some(Value::Word("fail"))),
    "what happens when the breakers of all targets are open: refuse at once, or let one request a second try each",
);

const STRICT: Row = field(
    "strict",
    Type::Bool,
    Value::Bool(false),
    "refuse a request rather than leave out what a provider's format cannot say; what is left out is named in \
     `x-switchover-dropped`",
);

/// `server { … }`
pub(in crate::policy) const SERVER: Block = Block {
    word: "server",
    rows: &[
        field(
            "listen",
            Type::Address,
            Value::Text("127.0.0.1:8080"),
            "where clients connect",
        ),
        field(
            "admin",
            Type::Address,
            Value::Text("127.0.0.1:9090"),
            "where operators connect",
        ),
        field(
            "cores",
            Type::Cores,
            Value::All,
            "workers; `all`: one for each core that the process may use",
        ),
        field(
            "body_max",
            Type::Bytes,
            Value::Int(limits::BODY_BYTES_MAX),
            "the largest request body",
        ),
        open(
            "max_connections",
            Type::Int(1, 10_000_000),
            "connections of clients at once, all cores together. Left out: half of the descriptors that the process may have",
        ),
        open(
            "max_requests",
            Type::Int(1, 10_000_000),
            "requests under way at once, all cores together. Left out: as many as connections",
        ),
        open(
            "body_memory",
            Type::Bytes,
            "memory for requests' bodies and for answers that are held back. Left out: a quarter of the machine's or of the container's",
        ),
        field(
            "drain",
            TIMER,
            Value::Span(secs(30)),
            "how long requests under way may go on once the process has been told to end",
        ),
        row("tls", Form::Block(&SERVER_TLS), "TLS towards clients"),
    ],
};

/// `server { tls { … } }`
pub(in crate::policy) const SERVER_TLS: Block = Block {
    word: "tls",
    rows: &[
        open("cert", Type::Secret, "the certificate chain, PEM"),
        open("key", Type::Secret, "the private key, PEM"),
    ],
};

/// `clients { … }`
pub(in crate::policy) const CLIENTS: Block = Block {
    word: "clients",
    rows: &[
        open(
            "anonymous",
            Type::Word(&["allow"]),
            "anyone may call, on any address",
        ),
        open("keys", Type::Call(&["file"]), "who may call"),
    ],
};

/// `defaults { … }`
pub(in crate::policy) const DEFAULTS: Block = Block {
    word: "defaults",
    rows: &[
        BREAKER_ROW,
        RETRIES_ROW,
        HEALTH_ROW,
        DEADLINE,
        CONNECT_TIMEOUT,
        HEAD_TIMEOUT,
        TTFT_TIMEOUT,
        IDLE_TIMEOUT,
        MAX_ATTEMPTS,
        MID_STREAM,
        PANIC,
        STRICT,
    ],
};

/// `provider NAME { … }`
pub(in crate::policy) const PROVIDER: Block = Block {
    word: "provider",
    rows: &[
        open(
            "kind",
            Type::Word(&crate::policy::kinds::WORDS),
            "its format and defaults; its name, where that is a kind",
        ),
        open("base_url", Type::Url, "where it answers"),
        open(
            "endpoints",
            Type::List(&Type::Url),
            "several addresses of one provider",
        ),
        open(
            "auth",
            Type::Auth,
            "how it knows us; the kind's usual variable where left out. `keys(…)` takes up to 16, and `pick = …`: \
             `least_throttled` (the default), `round_robin` or `in_order`",
        ),
        row(
            "tls",
            Form::Either(Type::Word(&["off"]), &TLS),
            "how its certificate is checked; `off` for plain http",
        ),
        open(
            "region",
            Type::Region,
            "where its data stays, for conditions",
        ),
        open(
            "failure_domain",
            Type::Region,
            "what fails together; the provider's name where left out",
        ),
        field(
            "trains_on_data",
            Type::Bool,
            Value::Bool(false),
            "whether it trains on prompts, for conditions",
        ),
        field(
            "count_streams",
            Type::Bool,
            Value::Bool(false),
            "ask for what a stream of Chat Completions takes where the client does not (`stream_options.include_usage`), and keep \
             it from the client; elsewhere, streams tell by themselves",
        ),
        open("api_version", Type::Text, "Azure's query parameter"),
        row(
            "capacity",
            Form::Block(&CAPACITY),
            "what one endpoint can bear",
        ),
        row(
            "simulate",
            Form::Block(&SIMULATE),
            "what a provider of kind `simulated` does",
        ),
        row(
            "classify",
            Form::Block(&CLASSIFY),
            "what its errors mean, where it differs from what is built in",
        ),
        row(
            "model",
            Form::Free("model NAME = \"id\"` or `model NAME { … }"),
            "a model, and thus a target",
        ),
        BREAKER_ROW,
        RETRIES_ROW,
        HEALTH_ROW,
        CONNECT_TIMEOUT,
        HEAD_TIMEOUT,
        TTFT_TIMEOUT,
        IDLE_TIMEOUT,
        open(
            "discover",
            Type::Discover,
            "more endpoints, from a file with a JSON list of URLs that is watched; `every` is 1s to 1h, 10s where left out",
        ),
    ],
};

/// `provider … { tls { … } }`
pub(in crate::policy) const TLS: Block = Block {
    word: "tls",
    rows: &[
        open(
            "ca",
            Type::Roots,
            "the roots that its certificate must lead to; `bundled` where left out",
        ),
        field(
            "min",
            Type::Word(&["1.2", "1.3"]),
            Value::Word("1.2"),
            "the oldest version that is spoken",
        ),
    ],
};

/// `capacity { … }`
pub(in crate::policy) const CAPACITY: Block = Block {
    word: "capacity",
    rows: &[
        open(
            "max_inflight",
            Type::Inflight,
            "requests at once; `auto` learns from its answers how many, within bounds that are `4..1000` unless they are given",
        ),
        field(
            "max_queue",
            Type::Int(0, 1_000_000),
            Value::Int(0),
            "requests that wait for a place while the whole tier is full, before they go on to the next one",
        ),
        field(
            "max_wait",
            Type::Span(millis(1), secs(3_600)),
            Value::Span(secs(1)),
            "how long one of them waits; it counts into the deadline",
        ),
    ],
};

/// `simulate { … }`
pub(in crate::policy) const SIMULATE: Block = Block {
    word: "simulate",
    rows: &[
        field(
            "ttft",
            Type::Spans,
            Value::Spans(millis(20), millis(60)),
            "time to the first content, drawn evenly",
        ),
        field(
            "gap",
            Type::Span(Span::ZERO, secs(60)),
            Value::Span(millis(5)),
            "time between the events of a stream",
        ),
        field(
            "tokens",
            Type::Int(1, 100_000),
            Value::Int(24),
            "words in an answer",
        ),
        field(
            "script",
            Type::List(&Type::Text),
            Value::List(Vec::new()),
            "what it does, request by request",
        ),
    ],
};

/// `classify { … }`
pub(in crate::policy) const CLASSIFY: Block = Block {
    word: "classify",
    rows: &[row(
        "when",
        Form::Free("when status == 400 and body contains \"…\" -> quota_exhausted"),
        "an error for which this holds has that outcome; the first rule that holds counts",
    )],
};

/// `model NAME { … }`
pub(in crate::policy) const MODEL: Block = Block {
    word: "model",
    rows: &[
        open("id", Type::Text, "the provider's name for the model"),
        open(
            "context",
            Type::Int(1, 1_000_000_000),
            "tokens that it takes, or the catalogue's; compared with conditions and other targets by `check`, not yet with the prompt",
        ),
        open(
            "max_output",
            Type::Int(1, 1_000_000_000),
            "tokens of its longest answer, or the catalogue's",
        ),
        open(
            "caps",
            Type::List(&CAP_WORDS),
            "all that it can do, or the catalogue's",
        ),
        row("price", Form::Block(&PRICE), "what it costs"),
        BREAKER_ROW,
        RETRIES_ROW,
        CONNECT_TIMEOUT,
        HEAD_TIMEOUT,
        TTFT_TIMEOUT,
        IDLE_TIMEOUT,
    ],
};

/// `price { … }`
pub(in crate::policy) const PRICE: Block = Block {
    word: "price",
    rows: &[
        open("input", Type::Price, "of the prompt, or the catalogue's"),
        open("output", Type::Price, "of the answer, or the catalogue's"),
        open(
            "cache_read",
            Type::Price,
            "of what the provider reads from its cache, or the catalogue's, or that of the prompt",
        ),
        open(
            "cache_write",
            Type::Price,
            "of what the provider writes into its cache, or the catalogue's, or that of the prompt",
        ),
    ],
};

/// `pool NAME { … }`
pub(in crate::policy) const POOL: Block = Block {
    word: "pool",
    rows: &[
        PICK,
        row(
            "tier",
            Form::Free("tier 1 { provider.model weight 70, … }"),
            "targets of one priority",
        ),
        row(
            "spill",
            Form::Free("spill when saturation > 85% or p95(ttft) > 2s"),
            "from this part of its places taken, part of a tier's load goes to the next one; of a slow target's, to others",
        ),
    ],
};

/// `tier N { … }`, besides its targets.
pub(in crate::policy) const TIER: Block = Block {
    word: "tier",
    rows: &[
        PICK,
        row(
            "weight",
            Form::Free("provider.model weight 70"),
            "a target's part of the traffic",
        ),
    ],
};

/// `forbid NAME when … { … }`
pub(in crate::policy) const FORBID: Block = Block {
    word: "forbid",
    rows: &[open("reason", Type::Text, "why, for people")],
};

/// `route NAME when … { … }`
pub(in crate::policy) const ROUTE: Block = Block {
    word: "route",
    rows: &[
        row("use", Form::Free("use pool.NAME"), "the targets of a pool"),
        row(
            "tier",
            Form::Free("tier 1 { provider.model weight 70, … }"),
            "targets of one priority",
        ),
        PICK,
        row("fallback", Form::Block(&FALLBACK), "what follows a failure"),
        row(
            "hedge",
            Form::Free("hedge after 900ms -> provider.model"),
            "a second attempt beside one that has brought nothing after a time, or after `p95`: \
             what 95 of 100 streams of its target took",
        ),
        row(
            "reject",
            Form::Free("reject(404, \"message\")"),
            "no target at all: an answer",
        ),
        open(
            "require",
            Type::List(&CAP_WORDS),
            "targets must be able to do this",
        ),
        DEADLINE,
        CONNECT_TIMEOUT,
        HEAD_TIMEOUT,
        TTFT_TIMEOUT,
        IDLE_TIMEOUT,
        MAX_ATTEMPTS,
        MID_STREAM,
        PANIC,
        STRICT,
        later(
            "limits",
            Form::Field(Type::List(&Type::Name(Space::Limit)), None),
            "rate limits",
        ),
        later(
            "budgets",
            Form::Field(Type::List(&Type::Name(Space::Budget)), None),
            "spend limits",
        ),
        open(
            "sticky",
            Type::Sticky,
            "the same target for the same caller, session or header, as long as it is well",
        ),
        row(
            "shadow",
            Form::Free("shadow provider.model { … }"),
            "copies of some requests, whose answers are thrown away",
        ),
        row(
            "guard",
            Form::Block(&GUARD),
            "withdraws the route when it does worse than another one",
        ),
    ],
};

/// `hedge after … -> provider.model { … }`
pub(in crate::policy) const HEDGE: Block = Block {
    word: "hedge",
    rows: &[field(
        "max_extra",
        PERCENT,
        Value::Ppm(50_000),
        "second attempts as a part of the route's requests",
    )],
};

/// `guard { … }`
pub(in crate::policy) const GUARD: Block = Block {
    word: "guard",
    rows: &[
        open(
            "compare",
            Type::Name(Space::Route),
            "the route that it is measured against, over the same time; compulsory",
        ),
        field(
            "window",
            Type::Span(Span::from_secs(10), Span::from_secs(86_400)),
            Value::Span(Span::from_secs(600)),
            "what is looked back on",
        ),
        field(
            "min_requests",
            Type::Int(10, 1_000_000_000),
            Value::Int(200),
            "below it, on either side, nothing is judged",
        ),
        row(
            "stop",
            Form::Free("stop when delta(error_rate) > 1%"),
            "what withdraws the route: `delta` or `ratio` of `error_rate`, `p50(ttft)`, `p95(ttft)` and \
             their like",
        ),
    ],
};

/// `fallback { … }`
pub(in crate::policy) const FALLBACK: Block = Block {
    word: "fallback",
    rows: &[
        row(
            "on",
            Form::Free("on <outcomes> -> next"),
            "what to do after these outcomes",
        ),
        row(
            "else",
            Form::Free("else -> reject(503)"),
            "when no line fits or no target is left",
        ),
    ],
};
