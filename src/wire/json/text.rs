//! JSON strings: where they end, what they spell.

/// Where the string that `from` lies in ends: the offset of its closing quote. `Err` where it does not end within
/// `bytes`: the offset to go on from once there are more.
#[inline]
pub(super) fn close_quote(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let mut at = from;
    loop {
        match find_special(bytes, at) {
            Some((found, b'"')) => return Ok(found),
            // The escaped byte, be it a quote, is skipped with its backslash.
            Some((found, _)) if found + 1 < bytes.len() => at = found + 2,
            Some((found, _)) => return Err(found),
            None => return Err(bytes.len().max(from)),
        }
    }
}

/// The next quote or backslash.
///
/// PERF: names, types and ids are shorter than the start-up of a vectorised search, and prompts with line breaks have
/// an escape every other line: the first words are looked at here.
#[inline]
fn find_special(bytes: &[u8], from: usize) -> Option<(usize, u8)> {
    let mut rest = bytes.get(from..)?;
    let mut at = from;
    for _ in 0..WORDS {
        let Some((word, behind)) = rest.split_first_chunk::<8>() else {
            break;
        };
        let word = u64::from_le_bytes(*word);
        let hits = specials(word);
        if hits != 0 {
            let byte = hits.trailing_zeros() / 8;
            return Some((at + byte as usize, (word >> (byte * 8)).to_le_bytes()[0]));
        }
        rest = behind;
        at += 8;
    }
    let found = at + memchr::memchr2(b'"', b'\\', rest)?;
    Some((found, *bytes.get(found)?))
}

/// Marks (with the high bit) each byte of `word` that is a quote or a backslash. Only the lowest mark is to be relied on:
/// the subtraction borrows from the bytes above it.
pub(super) const fn specials(word: u64) -> u64 {
    zero_bytes(word ^ QUOTES) | zero_bytes(word ^ BACKSLASHES)
}

/// The high bit of each byte that is zero, and perhaps of some above the lowest such byte.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// Whether a control character is in `text`, which a JSON string must escape.
pub(super) fn has_control(text: &[u8]) -> bool {
    // No early exit: so the loop runs on vectors.
    text.iter()
        .fold(0, |found, &byte| found | u8::from(byte < b' '))
        != 0
}

/// Appends what `text`, the inside of a string, spells. `None` if it is not valid; `out` then holds a part of it.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, behind) = rest.split_at_checked(at)?;
        out.extend_from_slice(plain);
        rest = behind.get(1..)?;
        let spelt = escaped(&mut rest)?;
        out.extend_from_slice(spelt.encode_utf8(&mut [0; 4]).as_bytes());
    }
    out.extend_from_slice(rest);
    Some(())
}

/// Takes what stands behind a backslash off the front, and returns the character that it spells. `None` if it is no
/// escape, or half a surrogate pair.
pub(super) fn escaped(rest: &mut &[u8]) -> Option<char> {
    let (kind, behind) = rest.split_first()?;
    *rest = behind;
    Some(match kind {
        b'"' | b'\\' | b'/' => char::from(*kind),
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return code_point(rest),
        _ => return None,
    })
}

/// Takes the digits behind `\u`, and the other half of a surrogate pair, off the front. Half a pair is none.
fn code_point(rest: &mut &[u8]) -> Option<char> {
    let unit = code_unit(rest)?;
    if !(0xd800..0xdc00).contains(&unit) {
        return char::from_u32(unit);
    }
    let mut behind = rest.strip_prefix(b"\\u")?;
    let low = code_unit(&mut behind)?;
    if !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    *rest = behind;
    char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00))
}

/// Takes the four digits behind `\u` off the front.
pub(super) fn code_unit(rest: &mut &[u8]) -> Option<u32> {
    let (digits, behind) = rest.split_first_chunk::<4>()?;
    let unit = digits.iter().try_fold(0, |unit, &digit| {
        Some(unit << 4 | char::from(digit).to_digit(16)?)
    })?;
    *rest = behind;
    Some(unit)
}

const WORDS: usize = 3;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES << 7;
const QUOTES: u64 = ONES * b'"' as u64;
const BACKSLASHES: u64 = ONES * b'\\' as u64;
