//! Values as a policy would write them.

use crate::base::{Outcome, Span};
use crate::policy::model::Pick;
use crate::policy::schema::{Type, Value};

impl Type {
    /// A value of this type; `None` for those that no default has.
    pub(in crate::policy) fn shown(&self, value: &Value<'_>) -> Option<String> {
        Some(match (self, value) {
            (_, Value::Bool(flag)) => flag.to_string(),
            (Self::Bytes, Value::Int(bytes)) => format!("{}MiB", bytes >> 20),
            (_, Value::Int(number)) => number.to_string(),
            (_, Value::All) => "all".to_owned(),
            (_, Value::Ppm(parts)) => percent(*parts),
            (_, Value::Span(time)) => span(*time),
            (_, Value::Spans(first, last)) => format!("{}..{}", span(*first), span(*last)),
            (_, Value::Ramp(ramp)) => {
                let steps = ramp.steps().iter().copied().chain([1_000_000]);
                let steps: Vec<_> = steps.map(percent).collect();
                format!("[{}]", steps.join(", "))
            }
            (_, Value::Rate(count, time)) => {
                format!("{count}/{}", span(*time).strip_prefix('1')?)
            }
            (_, Value::Text(text)) => format!("\"{text}\""),
            (_, Value::Word(word)) => (*word).to_owned(),
            (_, Value::List(list)) if list.is_empty() => "[]".to_owned(),
            (_, Value::Pick(Pick::Weighted)) => "weighted".to_owned(),
            (_, Value::Outcomes(set)) => {
                let words: Vec<_> = set.iter().map(Outcome::as_str).collect();
                format!("[{}]", words.join(", "))
            }
            _ => return None,
        })
    }
}

/// `25%`, from parts per million.
pub(super) fn percent(parts: u32) -> String {
    format!("{}%", f64::from(parts) / 10_000.0)
}

/// `30s`
pub(super) fn span(span: Span) -> String {
    match span.to_string().as_str() {
        "0us" => "0ms".to_owned(),
        text => text.to_owned(),
    }
}
