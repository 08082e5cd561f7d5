//! The head parsers against a slow reference: RFC 9112 and our stricter choices, written down as text processing over the
//! whole head, with no state machine and no `httparse`. Heads are put together from fragments that matter to framing, and
//! then damaged.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use proptest::{prop_assert_eq, proptest};
use switchover::wire::h1::{Fields, Framing, Version, request, response};

proptest! {
    #![proptest_config(super::cases(3000))]

    #[test]
    fn requests_agree(head in heads(&REQUEST_LINES)) {
        let mut fields = Fields::new();
        let parsed = request::parse(&head, &mut fields).map(|head| head.expect("a blank line is there"));
        let parsed = parsed.ok().map(|parsed| Message {
            start: (
                parsed.method.as_str(&head).to_owned(),
                parsed.path(&head).to_owned() + "?" + parsed.query(&head),
                parsed.host(&head).to_owned(),
            ),
            version: parsed.version,
            framing: parsed.framing,
            keep_alive: parsed.keep_alive,
            fields: fields.iter(&head).map(owned).collect(),
            len: parsed.len as usize,
        });
        prop_assert_eq!(parsed, reference_request(&head));
    }

    #[test]
    fn responses_agree(head in heads(&STATUS_LINES)) {
        let mut fields = Fields::new();
        let parsed = response::parse(&head, &mut fields).map(|head| head.expect("a blank line is there"));
        let parsed = parsed.ok().map(|parsed| Message {
            start: (parsed.status.to_string(), String::new(), String::new()),
            version: parsed.version,
            framing: parsed.framing,
            keep_alive: parsed.keep_alive,
            fields: fields.iter(&head).map(owned).collect(),
            len: parsed.len as usize,
        });
        prop_assert_eq!(parsed, reference_response(&head));
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..300)) {
        let mut fields = Fields::new();
        let _ = request::parse(&bytes, &mut fields);
        let _ = response::parse(&bytes, &mut fields);
    }
}

type Field = (Vec<u8>, Vec<u8>);

#[derive(Debug, PartialEq)]
struct Message {
    /// Method, target and host; or the status.
    start: (String, String, String),
    version: Version,
    framing: Framing,
    keep_alive: bool,
    fields: Vec<Field>,
    len: usize,
}

const REQUEST_LINES: [&str; 12] = [
    "POST /v1/chat/completions?x=1 HTTP/1.1",
    "GET / HTTP/1.1",
    "GET / HTTP/1.0",
    "GET http://b:1/x?y HTTP/1.1",
    "GET http://b HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "GET * HTTP/1.1",
    "CONNECT b:1 HTTP/1.1",
    "GET x HTTP/1.1",
    "GET / HTTP/1.2",
    "FOO /a#b HTTP/1.1",
    "\r\nGET / HTTP/1.1",
];
const STATUS_LINES: [&str; 12] = [
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200",
    "HTTP/1.1 204 ",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 304 x",
    "HTTP/1.1 100 Continue",
    "HTTP/1.1 101 x",
    "HTTP/1.1 099 x",
    "HTTP/1.1 999 \u{e4}",
    "HTTP/1.1 2000 x",
    "HTTP/2 200 x",
    "\r\nHTTP/1.1 200 OK",
];
const FIELDS: [&str; 32] = [
    "Host: a",
    "Host: a",
    "Host: a",
    "host:b:80",
    "Host: [::1]:9",
    "Host: a b",
    "Content-Length: 5",
    "Content-Length: 5",
    "content-length:\t07 ",
    "Content-Length: 5, 5",
    "Content-Length: +5",
    "Content-Length:",
    "Content-Length : 5",
    "Content-Length: 18446744073709551616",
    "Transfer-Encoding: chunked",
    "transfer-encoding: Chunked\t",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding:",
    "Connection: close",
    "Connection: keep-alive, x",
    "Connection: Close , y",
    "Connection:",
    "X: 1",
    "X:",
    "X: a:b\tc",
    "X: \u{e4}",
    " folded",
    "X\u{7f}: 1",
    "X: \u{0}",
    "no colon",
];

/// A first line and fields, some bytes of them damaged, and a blank line.
fn heads(lines: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let damage = prop_oneof![select(&b"\r\n\t :,;\0\x7f\xff0a/?#%"[..]), any::<u8>()];
    let fields = vec(select(&FIELDS[..]), 0..6);
    let damaged = prop_oneof![
        3 => vec((any::<Index>(), damage.clone()), 0..1),
        2 => vec((any::<Index>(), damage), 1..3),
    ];
    (select(lines), fields, damaged).prop_map(|(line, fields, damaged)| {
        let mut head = line.as_bytes().to_vec();
        for field in fields {
            head.extend_from_slice(b"\r\n");
            head.extend_from_slice(field.as_bytes());
        }
        for (place, byte) in damaged {
            let place = place.index(head.len());
            head[place] = byte;
        }
        head.extend_from_slice(b"\r\n\r\nrest");
        head
    })
}

fn reference_request(bytes: &[u8]) -> Option<Message> {
    let skipped = if bytes.starts_with(b"\r\n") { 2 } else { 0 };
    let (line, fields, len) = lines(&bytes[skipped..])?;
    let line = String::from_utf8(line).ok()?;
    let [method, target, version] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
    if method.is_empty() || !method.bytes().all(is_token) || method == "CONNECT" {
        return None;
    }
    if !target
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    {
        return None;
    }
    let version = reference_version(version)?;
    let hosts = named(&fields, "host");
    let mut host = match hosts[..] {
        [] if version == Version::Http10 => String::new(),
        [host] if is_host(host) => String::from_utf8(host.to_vec()).unwrap(),
        _ => return None,
    };
    let lower = target.to_lowercase();
    let path_and_query = if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
        target.to_owned()
    } else if lower.starts_with("http://") || lower.starts_with("https://") {
        let rest = target.split_once("//").unwrap().1;
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if !is_host(authority.as_bytes()) {
            return None;
        }
        authority.clone_into(&mut host);
        if rest.starts_with('/') {
            rest.to_owned()
        } else {
            format!("/{rest}")
        }
    } else {
        return None;
    };
    let (path, query) = path_and_query
        .split_once('?')
        .unwrap_or((&path_and_query, ""));

    let framing = match (
        &named(&fields, "content-length")[..],
        &named(&fields, "transfer-encoding")[..],
    ) {
        ([], []) => Framing::None,
        ([length], []) => Framing::Length(number(length)?),
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") && version == Version::Http11 => {
            Framing::Chunked
        }
        _ => return None,
    };
    Some(Message {
        start: (method.to_owned(), format!("{path}?{query}"), host),
        version,
        framing,
        keep_alive: keeps_alive(&fields, version),
        fields,
        len: skipped + len,
    })
}

fn reference_response(bytes: &[u8]) -> Option<Message> {
    let (line, fields, len) = lines(bytes)?;
    if line
        .iter()
        .any(|&byte| byte == 0x7f || (byte < b' ' && byte != b'\t'))
    {
        return None;
    }
    let version = reference_version(str::from_utf8(line.get(..8)?).ok()?)?;
    let [b' ', a, b, c, ref reason @ ..] = line[8..] else {
        return None;
    };
    if !(reason.is_empty() || reason[0] == b' ') {
        return None;
    }
    let status: u16 = String::from_utf8(vec![a, b, c]).ok()?.parse().ok()?;
    if status < 100 || status == 101 || !a.is_ascii_digit() {
        return None;
    }
    let coded = match (&named(&fields, "transfer-encoding")[..], version) {
        ([], _) => false,
        ([coding], Version::Http11) if coding.eq_ignore_ascii_case(b"chunked") => true,
        _ => return None,
    };
    let lengths = named(&fields, "content-length");
    let numbers: Vec<u64> = lengths.iter().map(|it| number(it)).collect::<Option<_>>()?;
    if numbers.windows(2).any(|pair| pair[0] != pair[1]) {
        return None;
    }
    let doubtful = numbers.len() > 1 || (coded && !numbers.is_empty());
    let (framing, reusable) = match (status, coded, numbers.first()) {
        (100..=199 | 204, _, length) => (Framing::None, !coded && length.is_none_or(|&it| it == 0)),
        (304, ..) => (Framing::None, true),
        (_, true, _) => (Framing::Chunked, true),
        (_, false, Some(&length)) => (Framing::Length(length), true),
        (_, false, None) => (Framing::UntilClose, false),
    };
    Some(Message {
        start: (status.to_string(), String::new(), String::new()),
        version,
        framing,
        keep_alive: reusable && !doubtful && keeps_alive(&fields, version),
        fields,
        len,
    })
}

/// The first line, the fields, and the bytes of the head; nothing if a line end or a field is not as it must be.
fn lines(bytes: &[u8]) -> Option<(Vec<u8>, Vec<Field>, usize)> {
    let end = bytes.windows(4).position(|it| it == b"\r\n\r\n")?;
    // A blank line right at the front leaves no first line.
    let text: String = bytes[..end].iter().map(|&byte| char::from(byte)).collect();
    let mut lines = text
        .split("\r\n")
        .map(|line| line.chars().map(|c| c as u8).collect::<Vec<_>>());
    let first = lines.next()?;
    let mut fields = Vec::new();
    for line in lines.clone() {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
            return None;
        }
        if value
            .iter()
            .any(|&byte| byte == 0x7f || (byte < b' ' && byte != b'\t'))
        {
            return None;
        }
        fields.push((name.to_vec(), trim(value)));
    }
    let broken = |line: &Vec<u8>| line.contains(&b'\r') || line.contains(&b'\n');
    (!broken(&first) && !lines.any(|line| broken(&line))).then_some((first, fields, end + 4))
}

fn trim(value: &[u8]) -> Vec<u8> {
    let text: String = value.iter().map(|&byte| char::from(byte)).collect();
    text.trim_matches([' ', '\t'])
        .chars()
        .map(|c| c as u8)
        .collect()
}

fn reference_version(text: &str) -> Option<Version> {
    match text {
        "HTTP/1.0" => Some(Version::Http10),
        "HTTP/1.1" => Some(Version::Http11),
        _ => None,
    }
}

fn keeps_alive(fields: &[Field], version: Version) -> bool {
    let options: Vec<_> = named(fields, "connection")
        .iter()
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(|option| trim(option).to_ascii_lowercase())
        .collect();
    let has = |option: &str| options.iter().any(|it| it == option.as_bytes());
    !has("close") && (version == Version::Http11 || has("keep-alive"))
}

fn number(digits: &[u8]) -> Option<u64> {
    let text = str::from_utf8(digits).ok()?;
    text.chars()
        .all(|digit| digit.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn is_host(value: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(value) else {
        return false;
    };
    let port_start = match text.rfind(']') {
        Some(bracket) => bracket + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(port_start);
    let port_is_good = port.is_empty()
        || port.strip_prefix(':').is_some_and(|digits| {
            digits.len() <= 5
                && digits.bytes().all(|it| it.is_ascii_digit())
                && digits.parse::<u16>().is_ok()
        });
    let host_is_good = if let Some(address) = host.strip_prefix('[') {
        address
            .strip_suffix(']')
            .is_some_and(|it| it.parse::<std::net::Ipv6Addr>().is_ok())
    } else {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&byte);
        let escape =
            |text: &str| text.len() >= 2 && text.bytes().take(2).all(|it| it.is_ascii_hexdigit());
        !host.is_empty() && host.bytes().all(known) && host.split('%').skip(1).all(escape)
    };
    host_is_good && port_is_good
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn named<'a>(fields: &'a [Field], name: &str) -> Vec<&'a [u8]> {
    let same = |field: &&Field| field.0.eq_ignore_ascii_case(name.as_bytes());
    fields
        .iter()
        .filter(same)
        .map(|field| &field.1[..])
        .collect()
}

fn owned((name, value): (&[u8], &[u8])) -> Field {
    (name.to_vec(), value.to_vec())
}
