//! What the clients of a world ask, byte by byte, so that a provider can tell whether their words arrived unchanged.

use crate::policy::model::Continuation;
use crate::wire::h1::write;

/// One request of a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Letter<'a> {
    /// What the client calls the model.
    pub(super) model: &'a str,
    /// It wants a stream.
    pub(super) streams: bool,
    /// No other request of the world has this number.
    pub(super) number: u64,
    /// What its client names in `x-session`, which no provider reads.
    pub(super) session: Option<u32>,
    /// The gateway asks to go on from this text, in this form.
    pub(super) goes_on: Option<(Continuation, &'a [u8])>,
}

impl<'a> Letter<'a> {
    /// Appends the whole request.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(192);
        self.write_body(&mut body);
        out.extend_from_slice(HEAD);
        if let Some(session) = self.session {
            write::field_decimal(b"x-session", u64::from(session), out);
        }
        out.extend_from_slice(LENGTH);
        write::decimal(body.len() as u64, out);
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&body);
    }

    fn write_body(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"user\":\"");
        write::decimal(self.number, out);
        out.extend_from_slice(b"\",\"model\":\"");
        out.extend_from_slice(self.model.as_bytes());
        out.extend_from_slice(if self.streams {
            b"\",\"stream\":true"
        } else {
            b"\",\"stream\":false"
        });
        out.extend_from_slice(PROMPT);
        out.extend_from_slice(END);
    }

    /// Reads a body back; `None` where it is not exactly what [`Letter::write`] would have written for its model, and at
    /// most a beginning of the answer.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let rest = body.strip_prefix(b"{")?;
        let (flags, rest) = match rest.strip_prefix(FLAGS) {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let rest = rest.strip_prefix(b"\"user\":\"")?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = rest.split_at_checked(digits)?;
        let rest = rest.strip_prefix(b"\",\"model\":\"")?;
        let length = rest.iter().position(|&byte| byte == b'"')?;
        let (model, rest) = rest.split_at_checked(length)?;
        let rest = rest.strip_prefix(b"\",\"stream\":")?;
        let (streams, rest) = match rest.strip_prefix(b"true") {
            Some(rest) => (true, rest),
            None => (false, rest.strip_prefix(b"false")?),
        };
        let goes_on = match rest.strip_prefix(PROMPT)? {
            END if !flags => None,
            rest => Some(begun(rest, flags)?),
        };
        Some(Self {
            goes_on,
            session: None,
            model: std::str::from_utf8(model).ok()?,
            streams,
            number: std::str::from_utf8(number).ok()?.parse().ok()?,
        })
    }
}

/// Reads the assistant's message at the end of a conversation.
fn begun(rest: &[u8], flags: bool) -> Option<(Continuation, &[u8])> {
    let rest = rest.strip_prefix(b",{\"role\":\"assistant\",\"content\":\"")?;
    let length = rest.iter().position(|&byte| byte == b'"')?;
    let (text, rest) = rest.split_at_checked(length)?;
    let rest = rest.strip_suffix(END)?;
    let form = match rest {
        b"\"}" if flags => Continuation::Flags,
        b"\"}" => Continuation::Message,
        b"\",\"prefix\":true}" if !flags => Continuation::Prefix,
        _ => return None,
    };
    Some((form, text))
}

/// The client's own key must end at the gateway.
const HEAD: &[u8] = b"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer sk-of-the-client\r\n\
    content-type: application/json\r\nuser-agent: sim\r\n";
const LENGTH: &[u8] = b"content-length: ";
/// With an escape and a byte above 127: a splice that counts wrongly meets one of them.
const PROMPT: &[u8] =
    b",\"messages\":[{\"role\":\"user\",\"content\":\"what \\\"happens\\\" next \xe2\x80\xa6\"}";
const END: &[u8] = b"]}";
const FLAGS: &[u8] = b"\"continue_final_message\":true,\"add_generation_prompt\":false,";

#[cfg(test)]
mod tests {
    use super::Letter;

    #[test]
    fn a_letter_is_read_as_it_was_written_or_not_at_all() {
        let letter = Letter {
            model: "small",
            streams: true,
            number: 42,
            session: None,
            goes_on: None,
        };
        let mut body = Vec::new();
        letter.write_body(&mut body);
        assert_eq!(Letter::read(&body), Some(letter));
        for at in 0..body.len() {
            assert_eq!(Letter::read(&body[..at]), None);
        }
    }
}
