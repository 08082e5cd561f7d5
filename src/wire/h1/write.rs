//! Writing heads and chunk frames into a buffer that the caller reuses. Allocates nothing beyond its growth.
//! The caller vouches for names and values: they are its own, or come from a head that was parsed here.

/// The chunk and the empty trailer that end a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// `METHOD SP target SP HTTP/1.1 CR LF`; the target goes out as `path`.
pub fn request_line(method: &str, path: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(path);
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// `HTTP/1.1 SP status SP reason CR LF`. `status` is within 100–999.
pub fn status_line(status: u16, out: &mut Vec<u8>) {
    debug_assert!((100..1000).contains(&status));
    out.extend_from_slice(b"HTTP/1.1 ");
    decimal(u64::from(status), out);
    out.push(b' ');
    out.extend_from_slice(reason_phrase(status).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// One field line.
pub fn field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    debug_assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// One field line whose value is a number.
pub fn field_decimal(name: &[u8], value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    decimal(value, out);
    out.extend_from_slice(b"\r\n");
}

/// The blank line that ends a head.
pub fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// The size line of a chunk of `len` bytes, which must not be 0: that would end the body. The payload follows, then
/// CR LF.
pub fn chunk_size(len: u64, out: &mut Vec<u8>) {
    debug_assert!(len > 0);
    hex(len, out);
    out.extend_from_slice(b"\r\n");
}

/// `value` in decimal digits.
pub fn decimal(value: u64, out: &mut Vec<u8>) {
    digits::<10>(value, out);
}

/// `value` in hexadecimal digits, lower case.
pub fn hex(value: u64, out: &mut Vec<u8>) {
    digits::<16>(value, out);
}

/// The reason phrase of a status; empty for one without a name of its own.
pub const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        529 => "Overloaded",
        _ => "",
    }
}

/// Digits are made from the last to the first, at the end of a buffer that holds the longest number.
fn digits<const BASE: u64>(value: u64, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut buffer = [0; 20]; // 2^64 - 1 has 20 decimal digits
    let mut left = value;
    let mut start = buffer.len();
    for (at, slot) in buffer.iter_mut().enumerate().rev() {
        *slot = DIGITS
            .get(usize::try_from(left % BASE).unwrap_or_default())
            .copied()
            .unwrap_or_default();
        start = at;
        left /= BASE;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(buffer.get(start..).unwrap_or_default());
}
