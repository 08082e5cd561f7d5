//! Going on from an answer that broke off: what of a stream can be gone on from, and the request that asks for it.
//!
//! The text that the client has becomes an assistant message at the end of the conversation, and the provider is told
//! not to close it. Only plain text is gone on from: half a tool call, half a JSON document or one of several choices
//! would be completed by guesswork.

use crate::policy::model::Continuation;
use crate::wire::Extent;
use crate::wire::json::walk::{Cursor, Shape, unquoted};

/// What the client has of an answer.
#[derive(Debug, Default)]
pub struct SentText {
    /// As it stands between JSON's quotes.
    text: Vec<u8>,
    /// Something was sent that is no text, the text is too long, or it is complete.
    closed: bool,
}

impl SentText {
    /// Adds the data of an event that the client gets.
    pub fn add(&mut self, data: &[u8]) {
        if self.closed {
            return;
        }
        let mut part = Part::default();
        // What cannot be read is not known to be text.
        let read = walk(&mut Cursor::new(data), &mut part).is_some();
        let fits = self.text.len() + part.text.len() <= SENT_BYTES_MAX;
        if part.other || !read || !fits {
            self.closed = true;
            self.text = Vec::new();
        } else {
            self.text.extend_from_slice(part.text);
        }
    }

    /// The text, where there is some and nothing else.
    pub fn get(&self) -> Option<&[u8]> {
        (!self.closed && !self.text.is_empty()).then_some(&self.text)
    }
}

#[derive(Default)]
struct Part<'a> {
    text: &'a [u8],
    other: bool,
}

fn walk<'a>(cursor: &mut Cursor<'a>, part: &mut Part<'a>) -> Option<()> {
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        if key != b"choices" || cursor.shape()? != Shape::Array {
            cursor.value()?;
            continue;
        }
        cursor.enter(b'[')?;
        let mut first = true;
        while cursor.element() {
            part.other |= !std::mem::take(&mut first);
            walk_choice(cursor, part)?;
        }
    }
    cursor.is_whole().then_some(())
}

fn walk_choice<'a>(cursor: &mut Cursor<'a>, part: &mut Part<'a>) -> Option<()> {
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        match key {
            b"delta" if cursor.shape()? == Shape::Object => walk_delta(cursor, part)?,
            b"index" => part.other |= cursor.value()? != b"0",
            // All is said: nothing can be added.
            b"finish_reason" => part.other |= cursor.has_substance()?,
            _ => {
                cursor.value()?;
            }
        }
    }
    Some(())
}

fn walk_delta<'a>(cursor: &mut Cursor<'a>, part: &mut Part<'a>) -> Option<()> {
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        match (key, cursor.shape()?) {
            (b"content", Shape::String) => part.text = unquoted(cursor.value()?),
            (b"role", _) => {
                cursor.value()?;
            }
            _ => part.other |= cursor.has_substance()?,
        }
    }
    Some(())
}

/// Appends the request `body`, in the form that asks to go on from `text`. `None`, with nothing of use in `out`, where
/// the request wants more than one plain text, or already ends in the assistant's words.
pub fn continued(body: &[u8], text: &[u8], how: Continuation, out: &mut Vec<u8>) -> Option<()> {
    let mut messages = None;
    let mut cursor = Cursor::new(body);
    cursor.enter(b'{')?;
    while let Some(key) = cursor.member() {
        let value = cursor.value()?;
        match key {
            b"messages" => messages = Some(value),
            b"n" if !matches!(value, b"1" | b"null") => return None,
            b"response_format" if !is_plain_format(value) => return None,
            _ if SHAPED.contains(&key) && value != b"null" => return None,
            _ => {}
        }
    }
    let messages = messages?;
    if !ends_with_another(messages)? {
        return None;
    }
    // The closing bracket of the messages.
    let at = Extent::of_part(body, messages).range().end.checked_sub(1)?;
    let (before, behind) = body.split_at_checked(at)?;
    let mut before = before.trim_ascii_start();
    out.push(b'{');
    before = before.get(1..)?;
    if how == Continuation::Flags {
        out.extend_from_slice(br#""continue_final_message":true,"add_generation_prompt":false,"#);
    }
    out.extend_from_slice(before);
    out.extend_from_slice(br#",{"role":"assistant","content":""#);
    out.extend_from_slice(text);
    out.push(b'"');
    if how == Continuation::Prefix {
        out.extend_from_slice(br#","prefix":true"#);
    }
    out.push(b'}');
    out.extend_from_slice(behind);
    Some(())
}

/// Whether there are messages and the last one is not the assistant's.
fn ends_with_another(messages: &[u8]) -> Option<bool> {
    let mut cursor = Cursor::new(messages);
    cursor.enter(b'[')?;
    let mut last = None;
    while cursor.element() {
        last = Some(cursor.value()?);
    }
    let mut message = Cursor::new(last?);
    message.enter(b'{')?;
    while let Some(key) = message.member() {
        let value = message.value()?;
        if key == b"role" {
            return Some(value != b"\"assistant\"");
        }
    }
    Some(false)
}

fn is_plain_format(format: &[u8]) -> bool {
    if format == b"null" {
        return true;
    }
    let mut cursor = Cursor::new(format);
    if cursor.enter(b'{').is_none() {
        return false;
    }
    while let Some(key) = cursor.member()
        && let Some(value) = cursor.value()
    {
        if key == b"type" {
            return value == b"\"text\"";
        }
    }
    false
}

/// Overwrites the role in the data of a chunk with blanks: a client that adds up deltas would read
/// `assistantassistant`.
pub fn blank_role(data: &mut [u8]) {
    let found = role_member(data);
    if let Some(member) = found.and_then(|place| data.get_mut(place)) {
        member.fill(b' ');
    }
}

/// Where the first choice's `"role":…` lies, with the comma that goes with it.
fn role_member(data: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut cursor = Cursor::new(data);
    cursor.enter(b'{')?;
    while cursor.member()? != b"choices" {
        cursor.value()?;
    }
    cursor.enter(b'[')?;
    cursor.enter(b'{')?;
    while cursor.member()? != b"delta" {
        cursor.value()?;
    }
    let mut delta = Cursor::new(cursor.value()?);
    delta.enter(b'{')?;
    let mut first = true;
    loop {
        let key = delta.member()?;
        let value = delta.value()?;
        if key == b"role" {
            // One before the key is its quote.
            let start = Extent::of_part(data, key).range().start.checked_sub(1)?;
            let end = Extent::of_part(data, value).range().end;
            return Some(with_comma(data, start..end, first));
        }
        first = false;
    }
}

/// The member with the comma behind it if it is the first one, else with the one before it.
fn with_comma(data: &[u8], member: std::ops::Range<usize>, first: bool) -> std::ops::Range<usize> {
    let is_comma = |byte: &u8| *byte == b',';
    if first {
        let behind = data.get(member.end..).unwrap_or_default();
        let blanks = behind.len() - behind.trim_ascii_start().len();
        let comma = behind.get(blanks).is_some_and(is_comma);
        member.start..member.end + if comma { blanks + 1 } else { 0 }
    } else {
        let before = data.get(..member.start).unwrap_or_default();
        let comma = before.iter().rposition(is_comma);
        comma.unwrap_or(member.start)..member.end
    }
}

/// The text that is kept so that it can be gone on from: some 250,000 tokens, more than any answer. A stream that is
/// longer ends with an error event when it breaks.
pub const SENT_BYTES_MAX: usize = 1024 * 1024;
/// Members that bind the answer to a form, or that the continuation itself would set.
const SHAPED: [&[u8]; 9] = [
    b"guided_json",
    b"guided_regex",
    b"guided_choice",
    b"guided_grammar",
    b"structured_outputs",
    b"functions",
    b"continue_final_message",
    b"add_generation_prompt",
    b"audio",
];
