//! Changes an input at random: its bytes, or the values of JSON in it.

use serde_json::{Map, Value, json};
use switchover::base::hash;

/// One of `seeds`, changed as `round` says: the same every time.
pub(super) fn changed(seeds: &[Vec<u8>], round: u64) -> Vec<u8> {
    let mut dice = Dice(hash::mix(0x0bad_5eed, round));
    let mut input = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(3) {
        let other = &seeds[dice.below(seeds.len())];
        let is_changed = dice.below(3) > 0 && change_value(&mut input, other, &mut dice);
        if !is_changed {
            change_bytes(&mut input, other, &mut dice);
        }
    }
    input
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    /// From 0; `end` is none of them.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(1);
        let bits = hash::mix(self.0, 0x9e37_79b9_7f4a_7c15);
        usize::try_from(hash::scale(bits, end.max(1) as u64)).unwrap()
    }

    fn range(&mut self, length: usize) -> core::ops::Range<usize> {
        let start = self.below(length + 1);
        let most = if self.below(4) == 0 { length } else { 16 };
        start..(start + self.below(most)).min(length)
    }
}

/// Pieces that parsers stumble over.
const TOKENS: [&[u8]; 24] = [
    b"null",
    b"\"",
    b"\\",
    b"\\ud83d",
    b"\\ude00",
    b"{}",
    b"[]",
    b"[[[[[[[[",
    b"{\"a\":",
    b",",
    b":",
    b"-0",
    b"1e999",
    b"18446744073709551616",
    b"\r",
    b"\n",
    b"\n\n",
    b"\r\n\r\n",
    b"data:",
    b"event: error\n",
    b"[DONE]",
    b"\xff\xfe",
    b"\xf0\x9f",
    b"\xef\xbb\xbf",
];

fn change_bytes(input: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let length = input.len();
    match dice.below(7) {
        0 => input.truncate(dice.below(length + 1)),
        1 => {
            input.drain(dice.range(length));
        }
        2 => {
            let piece = input[dice.range(length)].to_vec();
            let at = dice.below(length + 1);
            input.splice(at..at, piece);
        }
        3 => {
            let piece = other[dice.range(other.len())].to_vec();
            let at = dice.range(length);
            input.splice(at, piece);
        }
        4 => {
            let at = dice.range(length);
            input.splice(at, TOKENS[dice.below(TOKENS.len())].iter().copied());
        }
        _ => {
            for _ in 0..=dice.below(8) {
                if let Some(byte) = input.get_mut(dice.below(length)) {
                    *byte = u8::try_from(dice.below(256)).unwrap();
                }
            }
        }
    }
}

/// Changes a value in a piece of JSON: the whole input, or one line of data in a stream. False if there is none.
fn change_value(input: &mut Vec<u8>, other: &[u8], dice: &mut Dice) -> bool {
    let places = documents(input);
    if places.is_empty() {
        return false;
    }
    let place = places[dice.below(places.len())].clone();
    let Ok(mut document) = serde_json::from_slice::<Value>(&input[place.clone()]) else {
        return false;
    };
    let donors = documents(other);
    let donor = donors.get(dice.below(donors.len())).cloned();
    let donor = donor.and_then(|place| serde_json::from_slice(&other[place]).ok());
    let at = dice.below(count(&document));
    let mut left = at;
    visit(&mut document, &mut left, &mut |value| {
        change(value, donor.as_ref(), dice);
    });
    input.splice(place, serde_json::to_vec(&document).unwrap());
    true
}

/// Where documents lie: behind `data:`, or from the first brace on.
fn documents(input: &[u8]) -> Vec<core::ops::Range<usize>> {
    let mut places = Vec::new();
    let mut at = 0;
    for line in input.split_inclusive(|&byte| byte == b'\n') {
        let start = line.iter().position(|&byte| byte == b'{').unwrap_or(0);
        if line.starts_with(b"data:") {
            places.push(at + start..at + line.trim_ascii_end().len());
        }
        at += line.len();
    }
    if places.is_empty() && input.trim_ascii_start().first() == Some(&b'{') {
        places.push(0..input.len());
    }
    places
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(elements) => elements.iter().map(count).sum(),
        Value::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// Does something to the value at `left`, counted from the root on.
fn visit(value: &mut Value, left: &mut usize, act: &mut dyn FnMut(&mut Value)) -> bool {
    if *left == 0 {
        act(value);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(elements) => elements.iter_mut().any(|it| visit(it, left, act)),
        Value::Object(members) => members.values_mut().any(|it| visit(it, left, act)),
        _ => false,
    }
}

fn change(value: &mut Value, donor: Option<&Value>, dice: &mut Dice) {
    if let Value::Array(elements) = value
        && !elements.is_empty()
        && dice.below(2) == 0
    {
        let at = dice.below(elements.len());
        match dice.below(4) {
            0 => elements.clear(),
            1 => {
                elements.remove(at);
            }
            2 => elements.push(elements[at].clone()),
            _ => elements.reverse(),
        }
        return;
    }
    if let Value::Object(members) = value
        && dice.below(2) == 0
        && change_member(members, donor, dice)
    {
        return;
    }
    *value = match dice.below(14) {
        0 => Value::Null,
        1 => json!(dice.below(2) == 0),
        2 => json!([0, -1, 1, 40][dice.below(4)]),
        3 => json!([u64::MAX, 9_007_199_254_740_993][dice.below(2)]),
        4 => json!([0.5, -1e300, 1e-300][dice.below(3)]),
        5 => json!(["", " ", "a", "\u{0}", "é\u{1f600}"][dice.below(5)]),
        6 => json!("x".repeat(300)),
        7 => json!(
            [
                "user",
                "assistant",
                "text",
                "stop",
                "{\"a\":",
                "data:image/png;base64,AA=="
            ][dice.below(6)]
        ),
        8 => json!([]),
        9 => json!({}),
        10 => json!([value.clone()]),
        11 => json!({"type": value.clone()}),
        _ => picked(donor, dice).unwrap_or(Value::Null),
    };
}

fn change_member(members: &mut Map<String, Value>, donor: Option<&Value>, dice: &mut Dice) -> bool {
    let Some(key) = members.keys().nth(dice.below(members.len())).cloned() else {
        return false;
    };
    match dice.below(3) {
        0 => {
            members.remove(&key);
        }
        1 => {
            let value = members.remove(&key).unwrap_or_default();
            members.insert(format!("{key}x"), value);
        }
        _ => {
            if let Some(Value::Object(others)) = donor
                && let Some((key, value)) = others.iter().nth(dice.below(others.len()))
            {
                members.insert(key.clone(), value.clone());
            }
        }
    }
    true
}

/// Some value in another document.
fn picked(donor: Option<&Value>, dice: &mut Dice) -> Option<Value> {
    let mut donor = donor?.clone();
    let mut found = None;
    let mut left = dice.below(count(&donor));
    visit(&mut donor, &mut left, &mut |value| {
        found = Some(value.clone());
    });
    found
}
