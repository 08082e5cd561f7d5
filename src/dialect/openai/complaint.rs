//! The members of an error body, whatever shape the provider gives it. Knows shapes, not meanings: those are
//! [`outcome`](super::outcome)'s.
//!
//! ```text
//!   {"error":{"message","type","param","code"}}      OpenAI, Azure, Groq, DeepSeek, OpenRouter (number code), Ollama
//!   {"error":"text","code":"…"}                      xAI, Ollama's own paths
//!   {"detail":"text"}  {"detail":[{"msg":"text"}]}   Mistral, FastAPI servers
//!   {"object":"error","message","type","code"}       Mistral, vLLM
//!   {"message":"text"}                               proxies in front of providers
//!   [{"error":{…,"details":[{…}]}}]                  Google's OpenAI-compatible address
//!   {"type":"error","error":{…,"error_code"}}        Anthropic's, where the code may also stand in `details`
//!   {"choices":[{"error":{…}}]}                      OpenRouter, inside a 200
//! ```

use crate::wire::json::walk::{Cursor, Shape, unquoted};

/// What a provider says is wrong. Text is as in the body: without quotes, with JSON's escapes; empty where missing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Complaint<'a> {
    /// For people.
    pub(crate) message: &'a [u8],
    /// The class, such as `invalid_request_error`.
    pub(crate) kind: &'a [u8],
    /// The case, such as `model_not_found`; a number at some providers.
    pub(crate) code: &'a [u8],
    /// The member of the request that is at fault.
    pub(crate) param: &'a [u8],
    /// A status inside the body, where it says one.
    pub(crate) status: Option<u16>,
    /// What the provider behind a broker said, as a JSON value (OpenRouter's `metadata`).
    pub(crate) behind: &'a [u8],
    /// Particulars, as a JSON value (Google's `details`).
    pub(crate) details: &'a [u8],
}

impl<'a> Complaint<'a> {
    /// The complaint in `body`, if it is JSON and contains one.
    pub(crate) fn find(body: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(body);
        if cursor.shape()? == Shape::Array {
            cursor.enter(b'[')?;
        }
        cursor.enter(b'{')?;
        let mut outer = Self::default();
        let mut inner = None;
        let mut is_error = false;
        // A body that breaks off still says what it said until there.
        while let Some(key) = cursor.member() {
            let Some(value) = cursor.value() else { break };
            match key {
                b"error" if !matches!(value, b"null" | b"{}" | b"\"\"") => inner = Some(value),
                b"detail" => outer.message = first_detail(value),
                b"choices" => inner = inner.or_else(|| first_choice_error(value)),
                _ => {}
            }
            is_error |= matches!(key, b"object" | b"type") && value == b"\"error\"";
            outer.take(key, value);
        }
        match inner {
            Some(object) if object.starts_with(b"{") => Some(Self::of_members(object).or(outer)),
            Some(text) => Some(Self {
                message: unquoted(text),
                ..outer
            }),
            None if is_error || !outer.message.is_empty() => Some(outer),
            None => None,
        }
    }

    fn of_members(object: &'a [u8]) -> Self {
        let mut complaint = Self::default();
        let mut cursor = Cursor::new(object);
        if cursor.enter(b'{').is_some() {
            while let Some(key) = cursor.member() {
                let Some(value) = cursor.value() else { break };
                complaint.take(key, value);
            }
        }
        complaint
    }

    fn take(&mut self, key: &[u8], value: &'a [u8]) {
        if value == b"null" {
            return;
        }
        let text = unquoted(value);
        match key {
            b"message" | b"Message" if value.starts_with(b"\"") => self.message = text,
            b"type" => self.kind = text,
            b"code" => self.code = text,
            b"error_code" if self.code.is_empty() => self.code = text,
            b"param" => self.param = text,
            b"metadata" => self.behind = value,
            b"details" => {
                self.details = value;
                if self.code.is_empty() {
                    self.code = code_in(value);
                }
            }
            _ => {}
        }
        if matches!(
            key,
            b"code" | b"status" | b"status_code" | b"raw_status_code"
        ) && let Some(status) = status_number(text)
        {
            self.status = Some(status);
        }
    }

    fn or(self, outer: Self) -> Self {
        let pick = |inner: &'a [u8], outer: &'a [u8]| if inner.is_empty() { outer } else { inner };
        Self {
            message: pick(self.message, outer.message),
            kind: self.kind,
            code: pick(self.code, outer.code),
            param: pick(self.param, outer.param),
            status: self.status.or(outer.status),
            behind: pick(self.behind, outer.behind),
            details: pick(self.details, outer.details),
        }
    }
}

/// `error_code` in an object of particulars.
fn code_in(details: &[u8]) -> &[u8] {
    let mut cursor = Cursor::new(details);
    let entered = cursor.enter(b'{');
    while entered.is_some()
        && let Some(key) = cursor.member()
        && let Some(value) = cursor.value()
    {
        if key == b"error_code" {
            return unquoted(value);
        }
    }
    &[]
}

/// `"text"`, or the first `msg` of a list of them.
fn first_detail(value: &[u8]) -> &[u8] {
    if !value.starts_with(b"[") {
        return if value.starts_with(b"\"") {
            unquoted(value)
        } else {
            &[]
        };
    }
    let mut cursor = Cursor::new(value);
    let entered = cursor.enter(b'[').and_then(|()| cursor.enter(b'{'));
    while entered.is_some()
        && let Some(key) = cursor.member()
        && let Some(member) = cursor.value()
    {
        if key == b"msg" {
            return unquoted(member);
        }
    }
    &[]
}

fn first_choice_error(value: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(value);
    cursor.enter(b'[')?;
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        let member = cursor.value()?;
        if key == b"error" && member.starts_with(b"{") {
            return Some(member);
        }
    }
    None
}

/// `text` as an HTTP status that means failure.
fn status_number(text: &[u8]) -> Option<u16> {
    let status = std::str::from_utf8(text).ok()?.parse().ok()?;
    (400..600).contains(&status).then_some(status)
}
