//! Request targets and hosts (RFC 9112 section 3.2, RFC 3986 section 3.2). Finds their parts and refuses what is none.
//! Decodes nothing and routes nothing.

use crate::wire::Extent;

/// The parts of a target, as offsets into it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Target {
    /// Of an absolute-form target: `host[:port]`.
    pub(super) authority: Option<Extent>,
    /// Empty for an absolute-form target without a path, which means `/`.
    pub(super) path: Extent,
    /// Behind the `?`, if there is one.
    pub(super) query: Extent,
}

/// Splits an origin-form or absolute-form target, or the `*` of `OPTIONS`.
pub(super) fn split(target: &[u8], options: bool) -> Result<Target, &'static str> {
    if !target.is_ascii() {
        return Err("the request target holds bytes that are not ASCII");
    }
    if target.contains(&b'#') {
        return Err("the request target holds a fragment");
    }
    match target {
        [b'/', ..] => Ok(split_path(target, 0, None)),
        b"*" if options => Ok(Target {
            authority: None,
            path: Extent::new(0, 1),
            query: Extent::EMPTY,
        }),
        _ => split_absolute(target),
    }
}

fn split_absolute(target: &[u8]) -> Result<Target, &'static str> {
    let scheme_len = ["http://", "https://"]
        .into_iter()
        .find(|scheme| {
            target
                .get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
        })
        .map(str::len)
        .ok_or("the request target is neither a path nor an http URL")?;
    let authority_end = target
        .iter()
        .skip(scheme_len)
        .position(|byte| matches!(byte, b'/' | b'?'))
        .map_or(target.len(), |at| scheme_len + at);
    let authority = Extent::new(scheme_len, authority_end);
    if !is_host(authority.of(target)) {
        return Err("the request target names no valid host");
    }
    Ok(split_path(target, authority_end, Some(authority)))
}

fn split_path(target: &[u8], start: usize, authority: Option<Extent>) -> Target {
    let rest = target.get(start..).unwrap_or_default();
    let mark = memchr::memchr(b'?', rest).map_or(target.len(), |at| start + at);
    Target {
        authority,
        path: Extent::new(start, mark),
        query: Extent::new((mark + 1).min(target.len()), target.len()),
    }
}

/// Whether `value` is `uri-host [":" port]` with a host that is not empty and a port that is a number up to 65535.
pub(super) fn is_host(value: &[u8]) -> bool {
    if let [b'[', rest @ ..] = value {
        return memchr::memchr(b']', rest)
            .and_then(|end| rest.split_at_checked(end))
            .is_some_and(|(address, port)| {
                is_ipv6(address) && is_port(port.get(1..).unwrap_or_default())
            });
    }
    let end = memchr::memchr(b':', value).unwrap_or(value.len());
    value
        .split_at_checked(end)
        .is_some_and(|(name, port)| !name.is_empty() && is_name(name) && is_port(port))
}

/// Nothing, or a colon and a number.
fn is_port(port: &[u8]) -> bool {
    match port {
        [] => true,
        [b':', digits @ ..] => {
            (1..=5).contains(&digits.len())
                && digits.iter().all(u8::is_ascii_digit)
                && digits
                    .iter()
                    .fold(0_u32, |port, digit| port * 10 + u32::from(digit - b'0'))
                    <= 65_535
        }
        _ => false,
    }
}

/// `reg-name`: unreserved, sub-delims and whole percent escapes. Every IPv4 address is one as well.
///
/// PERF: the bytes that need no second look are most often all of them.
fn is_name(name: &[u8]) -> bool {
    let mut rest = name;
    while let Some(special) = rest.iter().position(|&byte| !is_name_byte(byte)) {
        match rest.get(special..) {
            Some([b'%', a, b, behind @ ..]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                rest = behind;
            }
            _ => return false,
        }
    }
    true
}

/// Unreserved characters and sub-delims.
const fn is_name_byte(byte: u8) -> bool {
    matches!(byte,
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~'
        | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

fn is_ipv6(address: &[u8]) -> bool {
    str::from_utf8(address).is_ok_and(|text| text.parse::<core::net::Ipv6Addr>().is_ok())
}
