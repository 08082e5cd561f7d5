//! What may stand in drills. A data table.

use crate::base::Span;
use crate::policy::drill::{BadAnswer, BadKey, Break, NoConnection};
use crate::policy::schema::blocks::{PERCENT, field, millis, open, secs};
use crate::policy::schema::{Block, Form, Row, Type, Value};

/// Times of a drill: a day is the longest.
const TIME: Type = Type::Span(millis(1), secs(86_400));
const MOMENT: Type = Type::Span(Span::ZERO, secs(86_400));

const fn free(word: &'static str, shape: &'static str, doc: &'static str) -> Row {
    Row {
        word,
        form: Form::Free(shape),
        later: false,
        doc,
    }
}

/// `drill NAME { … }`
pub(in crate::policy) const DRILL: Block = Block {
    word: "drill",
    rows: &[
        free(
            "schedule",
            "schedule = cron(\"0 10 * * tue\", tz = \"Europe/Berlin\")",
            "when a gateway runs it by itself: minute, hour, day, month, day of the week; the zone is UTC where it is left out",
        ),
        free(
            "traffic",
            "traffic = synthetic(20/s)",
            "what it is measured with; compulsory. `synthetic(20/s, arrivals = even)` spreads requests evenly instead of by chance; \
             `shadow(10%)` and `live(5%)` are parts of what clients send, and for a gateway to run",
        ),
        open(
            "for",
            TIME,
            "how long requests come; left out: until the last fault is lifted, and what breakers then need to close, at the longest, or may take by an `expect`",
        ),
        free(
            "given",
            "given { req.model = \"gpt-5\", req.stream = true, seed = 7 }",
            "facts of the requests, as in a test. Another `seed` is another run",
        ),
        free(
            "sample",
            "sample key.id 500",
            "requests differ in this fact, which has so many values",
        ),
        free(
            "assume",
            "assume openai { ttft = 250ms..750ms, gap = 15ms, tokens = 100 }",
            "how a provider behaves while nothing is injected; one of kind `simulated` as its `simulate` says",
        ),
        free(
            "inject",
            "inject openai { status = 503, lasts = 2m }",
            "a fault, and whom it hits: a provider, a target, endpoints `vllm[0..1]`, a key `openai.keys[0]`, a `region[\"eu\"]`, or a list of these",
        ),
        free(
            "expect",
            "expect { success >= 99.5%, errors <= 3, share(mistral) > 0%, p95(ttft) < 1500ms, wasted <= 8, cost <= $5, \
             opened(openai) within 10s, closed(openai) within 90s, never opened(mistral) }",
            "what must hold of all requests; `expect before { … }`, `during` and `after` of those that come while nothing has been injected, \
             while something is, and when all is lifted",
        ),
        free(
            "abort",
            "abort when error_rate > 20%",
            "what ends it early: `error_rate`, `live.error_rate` or `p95(ttft)` of the last 10 seconds; compulsory for live traffic",
        ),
    ],
};

/// `assume NAME { … }`
pub(in crate::policy) const ASSUME: Block = Block {
    word: "assume",
    rows: &[
        field(
            "ttft",
            Type::Spans,
            Value::Spans(millis(250), millis(750)),
            "time to the first content, drawn evenly",
        ),
        field(
            "gap",
            Type::Span(Span::ZERO, secs(60)),
            Value::Span(millis(15)),
            "time between two contents of a stream",
        ),
        field(
            "tokens",
            Type::Int(1, 100_000),
            Value::Int(100),
            "tokens of an answer",
        ),
    ],
};

/// `inject NAME { … }`
pub(in crate::policy) const INJECT: Block = Block {
    word: "inject",
    rows: &[
        open("status", Type::Int(400, 599), "answers have this status"),
        open(
            "retry_after",
            MOMENT,
            "beside `status`: what their `Retry-After` says",
        ),
        open(
            "connect",
            Type::Word(NoConnection::WORDS),
            "no connection: it is refused, nobody answers, the handshake fails, or the name has no address (`dns`), for which a gateway waits until `connect_timeout`",
        ),
        open("latency", TIME, "everything comes so much later"),
        open(
            "ttft",
            TIME,
            "the head comes in time, the first content so much later",
        ),
        open("gap", TIME, "the time between two contents of a stream"),
        open(
            "stream",
            Type::Word(Break::WORDS),
            "answers break after their first content: nothing more comes, the connection is reset, or an error event comes",
        ),
        open(
            "answer",
            Type::Word(BadAnswer::WORDS),
            "answers of status 200 that are none",
        ),
        open(
            "model",
            Type::Word(&["gone"]),
            "the model was withdrawn: status 404 that says so",
        ),
        open(
            "key",
            Type::Word(BadKey::WORDS),
            "the key is refused: status 401, or 429 for want of quota",
        ),
        field(
            "share",
            PERCENT,
            Value::Ppm(1_000_000),
            "the part of the requests that meets it",
        ),
        field(
            "after",
            MOMENT,
            Value::Span(secs(10)),
            "when it begins, from the drill's beginning",
        ),
        open(
            "lasts",
            TIME,
            "for how long; left out: to the drill's end, which `for` then says",
        ),
    ],
};
