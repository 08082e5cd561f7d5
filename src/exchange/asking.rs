//! What a plan is told of a request: the facts that it reads, from the head and the body as they came. An exchange reads them so, and whoever has a
//! whole request in a file.

use std::borrow::Cow;

use crate::dialect::format::Format;
use crate::dialect::openai::{ClientError, Refusal};
use crate::dialect::{ClientRoute, Operation, client_route};
use crate::exchange::context::Scratch;
use crate::exchange::intake::ASKED;
use crate::policy::{Caps, Facts, KeyFacts, Needs, Policy, Program, WallTime};
use crate::wire::Extent;
use crate::wire::h1::{Framing, chunked, request};
use crate::wire::json::{BadJson, DocumentFacts, Key, Progress, TopLevel, value};

/// A request that is all there.
pub(super) struct Asking<'a> {
    /// After aliases.
    pub(super) model: &'a str,
    pub(super) path: &'a str,
    pub(super) stream: bool,
    /// Of the body.
    pub(super) scan: &'a TopLevel,
    pub(super) body: &'a [u8],
    /// Begins with the head, which was parsed before.
    pub(super) head: &'a [u8],
    pub(super) now: WallTime,
}

impl Asking<'_> {
    /// Calls `ask` with the facts of which a plan has `needs`, and no others.
    pub(super) fn with<T>(
        &self,
        needs: &Needs,
        scratch: &mut Scratch,
        ask: impl FnOnce(&Facts<'_>) -> T,
    ) -> Result<T, BadJson> {
        let document = if needs_document(needs) {
            scratch.inspector.inspect(self.body, &needs.meta)?
        } else {
            DocumentFacts::default()
        };
        let meta: Vec<Option<&str>> = (0..needs.meta.len())
            .map(|index| scratch.inspector.metadata(index))
            .collect();
        let mut headers: Vec<Option<&str>> = Vec::new();
        if !needs.headers.is_empty() {
            // The table was other requests' meanwhile.
            let parsed = request::parse(self.head, &mut scratch.fields);
            debug_assert!(matches!(parsed, Ok(Some(_))), "the head was parsed before");
            headers.extend(needs.headers.iter().map(|name| {
                let value = scratch.fields.value(self.head, name)?;
                std::str::from_utf8(value).ok()
            }));
        }
        let number = |key| {
            self.scan
                .value(key)
                .and_then(|place| value::u64(self.body, place))
        };
        let max_out = number(Key::MaxCompletionTokens)
            .or_else(|| number(Key::MaxTokens))
            .or_else(|| number(Key::MaxOutputTokens));
        Ok(ask(&Facts {
            model: self.model,
            path: self.path,
            method: "POST",
            stream: self.stream,
            tokens_in: document.tokens_in,
            max_out: max_out.unwrap_or_default(),
            has: caps(document),
            headers: &headers,
            meta: &meta,
            key: &KeyFacts::default(),
            now: self.now,
        }))
    }
}

/// Where the model stands in a body, and what it is called there.
pub(super) fn model_in<'b>(scan: &TopLevel, body: &'b [u8]) -> (Extent, Option<Cow<'b, str>>) {
    let place = scan.value(Key::Model).unwrap_or_default();
    (place, value::string(body, place))
}

/// Whether a body asks for a stream.
pub(super) fn stream_in(scan: &TopLevel, body: &[u8]) -> bool {
    scan.value(Key::Stream)
        .and_then(|place| value::bool(body, place))
        .unwrap_or(false)
}

/// What the client calls the model, or what it stands for.
pub(super) fn resolve_alias<'a>(policy: &'a Policy, asked: Cow<'a, str>) -> Cow<'a, str> {
    policy.alias_of(&asked).map_or(asked, Cow::Borrowed)
}

/// Calls `ask` with the facts of a whole request, of any client format, as bytes.
///
/// # Errors
/// The status and the sentence with which the gateway would refuse it, or that it would answer by itself.
pub fn read_request<T>(
    bytes: &[u8],
    policy: &Policy,
    program: &Program,
    ask: impl FnOnce(&Facts<'_>) -> T,
) -> Result<T, String> {
    let mut scratch = Scratch::default();
    let head = match request::parse(bytes, &mut scratch.fields) {
        Ok(Some(head)) => head,
        Ok(None) => {
            return Err("its head does not end: an empty line stands before the body".into());
        }
        Err(refusal) => return Err(refused(refusal.status, refusal.reason)),
    };
    let route = client_route(head.method.as_str(bytes), head.path(bytes));
    let (path, of_path, streams) = match route {
        ClientRoute::Ask(operation) => (operation.client_path(), None, false),
        ClientRoute::Gemini { model, stream } => {
            let operation = Operation::Generate(Format::Gemini);
            (operation.client_path(), Some(model), stream)
        }
        ClientRoute::MethodNotAllowed { .. } => {
            return Err(told(&Refusal::MethodNotAllowed.error()));
        }
        ClientRoute::Unknown { hint } => return Err(told(&Refusal::UnknownPath(hint).error())),
        ClientRoute::Models(_) | ClientRoute::Model(..) => {
            return Err("the gateway answers it by itself: no route is asked".into());
        }
    };
    let coding = scratch.fields.value(bytes, "content-encoding");
    if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Err(told(&Refusal::EncodedBody.error()));
    }
    let sent = bytes.get(head.len as usize..).unwrap_or_default();
    let body = body_of(sent, head.framing)?;
    if body.len() as u64 > policy.server.body_max {
        return Err(told(&Refusal::BodyTooLarge.error()));
    }
    let mut scan = TopLevel::new(ASKED);
    match scan.feed(&body) {
        Ok(Progress::Complete) => {}
        Ok(Progress::Partial) => return Err(bad_json(scan.cut())),
        Err(error) => return Err(bad_json(error)),
    }
    let asked = of_path.or_else(|| model_in(&scan, &body).1);
    let Some(asked) = asked.filter(|model| !model.is_empty()) else {
        return Err(told(&Refusal::ModelMissing.error()));
    };
    let asking = Asking {
        model: &resolve_alias(policy, asked),
        path,
        stream: streams || stream_in(&scan, &body),
        scan: &scan,
        body: &body,
        head: bytes,
        now: WallTime::default(),
    };
    let facts = asking.with(program.needs(), &mut scratch, ask);
    facts.map_err(bad_json)
}

/// The body without its framing.
fn body_of(sent: &[u8], framing: Framing) -> Result<Cow<'_, [u8]>, String> {
    match framing {
        Framing::None | Framing::UntilClose => Err(told(&Refusal::BadJson.error())),
        Framing::Length(length) => {
            let whole = usize::try_from(length).ok().and_then(|end| sent.get(..end));
            whole.map(Cow::Borrowed).ok_or_else(|| {
                let there = sent.len();
                format!("`content-length` says {length} bytes of body, and there are {there}")
            })
        }
        Framing::Chunked => {
            let mut raw = sent.to_vec();
            match chunked::Decoder::new().decode(&mut raw) {
                Ok(step) if step.done => {
                    raw.truncate(step.produced);
                    Ok(Cow::Owned(raw))
                }
                Ok(_) => Err("its last chunk is missing".into()),
                Err(_) => Err(told(&Refusal::BadRequest.error())),
            }
        }
    }
}

fn bad_json(error: BadJson) -> String {
    refused(Refusal::BadJson.error().status, &error.to_string())
}

fn told(error: &ClientError<'_>) -> String {
    refused(error.status, &error.message)
}

fn refused(status: u16, why: &str) -> String {
    format!("the gateway answers it with status {status}: {why}")
}

fn needs_document(needs: &Needs) -> bool {
    needs.tokens_in || !needs.has.is_empty() || !needs.meta.is_empty()
}

fn caps(document: DocumentFacts) -> Caps {
    let DocumentFacts {
        tokens_in: _,
        tools,
        images,
        audio,
        json_schema,
    } = document;
    [
        (tools, Caps::TOOLS),
        (images, Caps::IMAGES),
        (audio, Caps::AUDIO),
        (json_schema, Caps::JSON_SCHEMA),
    ]
    .into_iter()
    .filter(|&(has, _)| has)
    .fold(Caps::NONE, |all, (_, cap)| all.union(cap))
}
