//! Heads of requests and responses: the required outcomes, limits, and agreement between whole and cut input.

use std::fmt::Write;

use switchover::base::limits::{
    REQUEST_FIELDS_MAX, REQUEST_HEAD_BYTES_MAX, REQUEST_LINE_BYTES_MAX, RESPONSE_FIELDS_MAX,
    RESPONSE_HEAD_BYTES_MAX,
};
use switchover::wire::h1::request::RequestHead;
use switchover::wire::h1::response::ResponseHead;
use switchover::wire::h1::{Fields, Framing, HeadSearch, Version, request, response, write};

use super::corpus;

#[test]
fn requests() {
    corpus::check(include_str!("../../corpus/wire/requests.cases"), |bytes| {
        request_outcome(bytes)
    });
}

#[test]
fn responses() {
    corpus::check(include_str!("../../corpus/wire/responses.cases"), |bytes| {
        response_outcome(bytes)
    });
}

#[test]
fn request_limits() {
    let line = |len: usize| {
        let path = "x".repeat(len - "GET / HTTP/1.1\r\n".len());
        format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n")
    };
    assert_eq!(status(&line(REQUEST_LINE_BYTES_MAX)), 200);
    assert_eq!(status(&line(REQUEST_LINE_BYTES_MAX + 1)), 414);
    assert_eq!(status(&"G".repeat(REQUEST_LINE_BYTES_MAX)), 414);
    assert_eq!(status(&format!("GET /{}", "x".repeat(100_000))), 414);

    let head = |len: usize| {
        let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(len - start.len() - 4))
    };
    assert_eq!(status(&head(REQUEST_HEAD_BYTES_MAX)), 200);
    assert_eq!(status(&head(REQUEST_HEAD_BYTES_MAX + 1)), 431);
    let cut = |mut text: String, len| {
        text.truncate(len);
        text
    };
    // Refused without waiting for its end.
    assert_eq!(status(&cut(head(100_000), REQUEST_HEAD_BYTES_MAX)), 431);
    assert_eq!(status(&cut(head(100_000), REQUEST_HEAD_BYTES_MAX - 1)), 0);

    let fields = |count: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X: 1\r\n".repeat(count - 1)
        )
    };
    assert_eq!(status(&fields(REQUEST_FIELDS_MAX)), 200);
    assert_eq!(status(&fields(REQUEST_FIELDS_MAX + 1)), 431);
}

#[test]
fn response_limits() {
    let bad = |text: String| response::parse(text.as_bytes(), &mut Fields::new()).is_err();
    let head = |len: usize| {
        let start = "HTTP/1.1 200 OK\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(len - start.len() - 4))
    };
    assert!(!bad(head(RESPONSE_HEAD_BYTES_MAX)));
    assert!(bad(head(RESPONSE_HEAD_BYTES_MAX + 1)));
    assert!(bad(format!(
        "HTTP/1.1 200 {}",
        "x".repeat(RESPONSE_HEAD_BYTES_MAX)
    )));
    let fields = |count| format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: 1\r\n".repeat(count));
    assert!(!bad(fields(RESPONSE_FIELDS_MAX)));
    assert!(bad(fields(RESPONSE_FIELDS_MAX + 1)));
}

/// The search asks for a parse once per head, however many lines drip in, and looks at no byte twice.
#[test]
fn a_dripping_head_is_parsed_once() {
    let fields = "X: 1\r\n".repeat(50);
    // The empty line that may come first does not count as the end.
    let head = format!("\r\nGET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let mut search = HeadSearch::request();
    let asked = (1..=head.len()).filter(|&end| search.may_be_complete(&head.as_bytes()[..end]));
    assert_eq!(asked.collect::<Vec<_>>(), [head.len()]);
}

#[test]
fn fields_of_one_hop_stay() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Keep: 1 \r\nX-Drop: 2\r\nConnection: x-drop, host, Content-Length\r\n\
        Keep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nTrailer: t\r\nContent-Length: 3\r\n\r\n";
    let mut fields = Fields::new();
    let parsed = request::parse(head, &mut fields).unwrap().unwrap();
    assert_eq!(parsed.framing, Framing::Length(3));
    let kept: Vec<_> = fields.end_to_end(head).collect();
    assert_eq!(kept, [(&b"Host"[..], &b"a"[..]), (b"X-Keep", b"1")]);
    assert_eq!(fields.value(head, "x-drop"), Some(&b"2"[..]));
    assert_eq!(fields.value(head, "x-none"), None);
    assert!(fields.is_named_by_connection(head, b"X-DROP"));
    assert!(!fields.is_named_by_connection(head, b"host"));
    assert_eq!(fields.len(), 10);
    assert!(request::parse(b"\0", &mut fields).is_err());
    assert!(fields.is_empty(), "a refusal leaves no fields");
}

#[test]
fn what_is_written_is_read() {
    let mut head = Vec::new();
    write::request_line("POST", b"/v1/x", &mut head);
    write::field(b"host", b"a:80", &mut head);
    write::field_decimal(b"content-length", u64::MAX, &mut head);
    write::end(&mut head);
    let parsed = request::parse(&head, &mut Fields::new()).unwrap().unwrap();
    assert_eq!(
        describe_request(&parsed, &head),
        "POST /v1/x @a:80 18446744073709551615"
    );

    for status in [100, 200, 299, 429, 529, 999] {
        let mut head = Vec::new();
        write::status_line(status, &mut head);
        write::field_decimal(b"content-length", 0, &mut head);
        write::end(&mut head);
        let parsed = response::parse(&head, &mut Fields::new()).unwrap().unwrap();
        assert_eq!(
            (parsed.status, parsed.is_interim()),
            (status, status == 100)
        );
    }
}

#[test]
fn numbers() {
    for value in [0, 1, 9, 10, 15, 16, 255, 256, 1_000_000, u64::MAX] {
        let mut out = Vec::new();
        write::decimal(value, &mut out);
        out.push(b' ');
        write::hex(value, &mut out);
        assert_eq!(out, format!("{value} {value:x}").as_bytes());
    }
}

#[test]
fn a_head_request_is_answered_without_body() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    let parsed = response::parse(head, &mut Fields::new()).unwrap().unwrap();
    assert_eq!(parsed.framing, Framing::Length(5));
    assert_eq!(parsed.answering_head().framing, Framing::None);
}

/// The status of the refusal, 200 for a head, 0 for an incomplete one.
fn status(text: &str) -> u16 {
    match request::parse(text.as_bytes(), &mut Fields::new()) {
        Ok(Some(_)) => 200,
        Ok(None) => 0,
        Err(refusal) => refusal.status,
    }
}

/// Parses whole, at every cut and as a slow peer would send it; describes the one outcome.
fn request_outcome(bytes: &[u8]) -> String {
    let mut fields = Fields::new();
    let whole = request::parse(bytes, &mut fields);
    for cut in 0..bytes.len() {
        agree(
            &whole,
            &request::parse(&bytes[..cut], &mut fields),
            |head| head.len,
            cut,
        );
    }
    let dripped = drip(bytes, HeadSearch::request(), |bytes, fields| {
        request::parse(bytes, fields)
    });
    assert_eq!(
        dripped.map_err(|it| it.status),
        whole.map_err(|it| it.status),
        "dripped"
    );
    match whole {
        Err(refusal) => format!("{}", refusal.status),
        Ok(None) => "incomplete".to_owned(),
        Ok(Some(head)) => describe_request(&head, bytes),
    }
}

fn describe_request(head: &RequestHead, bytes: &[u8]) -> String {
    let mut text = format!("{} {}", head.method.as_str(bytes), head.path(bytes));
    if !head.query(bytes).is_empty() {
        write!(text, "?{}", head.query(bytes)).unwrap();
    }
    write!(text, " @{}", head.host(bytes)).unwrap();
    text += &describe(head.framing, head.version, head.keep_alive);
    if head.expect_continue {
        text += " expects";
    }
    text + &describe_rest(head.len, bytes)
}

fn response_outcome(bytes: &[u8]) -> String {
    let mut fields = Fields::new();
    let whole = response::parse(bytes, &mut fields);
    for cut in 0..bytes.len() {
        agree(
            &whole,
            &response::parse(&bytes[..cut], &mut fields),
            |head| head.len,
            cut,
        );
    }
    let dripped = drip(bytes, HeadSearch::response(), |bytes, fields| {
        response::parse(bytes, fields)
    });
    assert_eq!(dripped.is_err(), whole.is_err(), "dripped");
    match whole {
        Err(_) => "bad".to_owned(),
        Ok(None) => "incomplete".to_owned(),
        Ok(Some(head)) => describe_response(&head, bytes),
    }
}

fn describe_response(head: &ResponseHead, bytes: &[u8]) -> String {
    let mut text = format!("{}", head.status);
    text += &describe(head.framing, head.version, head.keep_alive);
    let content_type = format!("{:?}", head.content_type).to_lowercase();
    write!(text, " {content_type}").unwrap();
    if head.encoded {
        text += " encoded";
    }
    if !head.retry_after.is_empty() {
        write!(text, " retry={}", head.retry_after.of(bytes).escape_ascii()).unwrap();
    }
    text + &describe_rest(head.len, bytes)
}

fn describe(framing: Framing, version: Version, keep_alive: bool) -> String {
    let framing = match framing {
        Framing::None => "none".to_owned(),
        Framing::Length(length) => format!("{length}"),
        Framing::Chunked => "chunked".to_owned(),
        Framing::UntilClose => "until-close".to_owned(),
    };
    let version = if version == Version::Http10 {
        " 1.0"
    } else {
        ""
    };
    let close = if keep_alive { "" } else { " close" };
    format!(" {framing}{version}{close}")
}

fn describe_rest(len: u32, bytes: &[u8]) -> String {
    let rest = &bytes[len as usize..];
    if rest.is_empty() {
        String::new()
    } else {
        format!(" rest={}", rest.escape_ascii())
    }
}

/// A prefix gives nothing yet, or what the whole gives.
fn agree<T, E>(
    whole: &Result<Option<T>, E>,
    part: &Result<Option<T>, E>,
    len: impl Fn(&T) -> u32,
    cut: usize,
) where
    T: PartialEq + std::fmt::Debug,
    E: PartialEq + std::fmt::Debug,
{
    match part {
        Ok(None) => {
            if let Ok(Some(head)) = whole {
                assert!(cut < len(head) as usize, "missed the end at {cut}");
            }
        }
        Ok(Some(_)) => assert_eq!(part, whole, "at {cut}"),
        Err(_) => assert!(
            whole.is_err(),
            "refused at {cut}: {part:?}, whole: {whole:?}"
        ),
    }
}

/// Feeds one byte at a time, and parses only when told to.
fn drip<T, E>(
    bytes: &[u8],
    mut search: HeadSearch,
    parse: impl Fn(&[u8], &mut Fields) -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    let mut fields = Fields::new();
    for end in 1..=bytes.len() {
        let bytes = &bytes[..end];
        if end == 1 || search.may_be_complete(bytes) || end == bytes.len() {
            match parse(bytes, &mut fields) {
                Ok(None) => {}
                outcome => return outcome,
            }
        }
    }
    Ok(None)
}
