//! Members as proto JSON spells them: in camel case or snake case, a list of one without its brackets, numbers as
//! strings, bytes in either base64.

use std::borrow::Cow;

use crate::dialect::loss::Losses;
use crate::wire::json::Node;

/// `key` in camel case.
pub(super) fn camel(key: &str) -> Cow<'_, str> {
    if !key.contains('_') {
        return Cow::Borrowed(key);
    }
    let mut spelt = String::with_capacity(key.len());
    let mut raise = false;
    for character in key.chars() {
        if character == '_' {
            raise = !spelt.is_empty();
        } else if raise {
            spelt.push(character.to_ascii_uppercase());
            raise = false;
        } else {
            spelt.push(character);
        }
    }
    Cow::Owned(spelt)
}

/// The member `name`, given in camel case, unless it is `null`.
pub(super) fn member<'a>(object: Node<'a>, name: &str) -> Option<Node<'a>> {
    object
        .members()
        .find_map(|(key, value)| is_named(key, name).then_some(value))
        .filter(|value| !value.is_null())
}

/// The string at `name`, given in camel case.
pub(super) fn text<'a>(object: Node<'a>, name: &str) -> Option<&'a str> {
    member(object, name)?.as_str()
}

/// The elements of a list, or what stands in its place.
pub(super) fn many(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let alone = (!node.is_array() && !node.is_null()).then_some(node);
    node.elements().chain(alone)
}

/// The elements of the list at `name`.
pub(super) fn list<'a>(object: Node<'a>, name: &str) -> impl Iterator<Item = Node<'a>> {
    member(object, name).into_iter().flat_map(many)
}

/// A number.
pub(super) fn number(node: Node<'_>) -> Option<f64> {
    node.as_f64().or_else(|| {
        let number: f64 = node.as_str()?.parse().ok()?;
        number.is_finite().then_some(number)
    })
}

/// A whole number that is not negative: `50`, `50.0` or `"50"`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "it is a whole number in the range"
)]
pub(super) fn whole(node: Node<'_>) -> Option<u64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0; // 2⁵³
    if let Some(number) = node.as_u64() {
        return Some(number);
    }
    if let Some(text) = node.as_str() {
        return text.parse().ok();
    }
    let number = node.as_f64()?;
    ((0.0..=EXACT_MAX).contains(&number) && number == number.trunc()).then_some(number as u64)
}

/// The count at `name`; 0 where there is none.
pub(super) fn count(object: Node<'_>, name: &str) -> u64 {
    member(object, name).and_then(whole).unwrap_or_default()
}

/// Base64url as standard base64.
pub(super) fn standard_base64(text: &str) -> Cow<'_, str> {
    let padding = match text.len() % 4 {
        2 => "==",
        3 => "=",
        _ => "",
    };
    if padding.is_empty() && !text.contains(['-', '_']) {
        return Cow::Borrowed(text);
    }
    let mut standard = text.replace('-', "+").replace('_', "/");
    standard.push_str(padding);
    Cow::Owned(standard)
}

/// Names what `object` says beside `known`, given in camel case: see [`Losses::add_rest`].
pub(super) fn name_rest(object: Node<'_>, known: &[&str], path: &str, dropped: &mut Losses) {
    for (key, value) in object.members() {
        let key = camel(key);
        if !known.contains(&&*key) {
            dropped.add_said(path, &key, value);
        }
    }
}

fn is_named(key: &str, name: &str) -> bool {
    let mut key = key.bytes();
    for byte in name.bytes() {
        match key.next() {
            Some(same) if same == byte => {}
            Some(b'_')
                if byte.is_ascii_uppercase() && key.next() == Some(byte.to_ascii_lowercase()) => {}
            _ => return false,
        }
    }
    key.next().is_none()
}
