//! JSON laid out for a person: members in the order in which they were written, short values on one line.

#![expect(
    clippy::string_slice,
    reason = "every offset comes from a search in the same text"
)]

/// A value that fits on a line stays on it.
const LINE: usize = 110;

/// `json` over several lines. It has to be valid.
pub(super) fn laid_out(json: &[u8]) -> String {
    let text = std::str::from_utf8(json).expect("JSON is UTF-8");
    let _: serde_json::Value = serde_json::from_str(text).expect("what was written is JSON");
    let mut out = String::new();
    value(text.trim(), 0, &mut out);
    out.push('\n');
    out
}

fn value(text: &str, depth: usize, out: &mut String) {
    let flat = spaced(text);
    if depth * 2 + flat.len() <= LINE || !text.starts_with(['{', '[']) {
        out.push_str(&flat);
        return;
    }
    let inner = text[1..text.len() - 1].trim();
    out.push_str(&text[..1]);
    for (index, item) in pieces(inner, ',').into_iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        match (text.starts_with('{'), pieces(item, ':').as_slice()) {
            (true, &[key, of_key]) => {
                out.push_str(key.trim());
                out.push_str(": ");
                value(of_key.trim(), depth + 1, out);
            }
            _ => value(item.trim(), depth + 1, out),
        }
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push_str(&text[text.len() - 1..]);
}

/// On one line, with a space behind `:` and `,`.
fn spaced(text: &str) -> String {
    let mut out = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if !quoted && c.is_whitespace() {
            continue;
        }
        out.push(c);
        if !quoted && [':', ','].contains(&c) {
            out.push(' ');
        }
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
    }
    out
}

/// The pieces between separators that stand in no string and no bracket.
fn pieces(text: &str, separator: char) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut quoted, mut escaped, mut depth, mut from) = (false, false, 0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth -= 1,
            _ if c == separator && !quoted && depth == 0 => {
                pieces.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
    }
    pieces.push(&text[from..]);
    pieces
}

#[test]
fn strings_are_left_alone_and_order_is_kept() {
    let json = br#"{"z":"a, b: {\"c\"}\\","a":[1,{"k":[]}]}"#;
    assert_eq!(
        laid_out(json),
        "{\"z\": \"a, b: {\\\"c\\\"}\\\\\", \"a\": [1, {\"k\": []}]}\n"
    );
    let long = format!(r#"{{"z":"{}","a":[1,2]}}"#, "x".repeat(LINE));
    let wanted = format!(
        "{{\n  \"z\": \"{}\",\n  \"a\": [1, 2]\n}}\n",
        "x".repeat(LINE)
    );
    assert_eq!(laid_out(long.as_bytes()), wanted);
}
