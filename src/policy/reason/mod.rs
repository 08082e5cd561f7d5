//! Exact reasoning about conditions: whether one can hold, whether one leaves anything to another, and a request that shows
//! it. Knows the model and nothing of the text, of time or of health.
//!
//! ```text
//!   conditions ─→ Classes     what they tell apart of each fact: "gpt-5", "gpt-4o", what begins with "gpt-", any other
//!   condition  ─→ Region      the kinds of request for which it holds: a union of areas, one set of classes for each fact
//!   regions    ─→ Order       which one of them has a request first, and what the ones before leave of a region
//!   region     ─→ kinds       the same apart by route, and by what forbids say to a request
//!   Point      ─→ Example     a request of that kind, in the policy's words
//! ```
//! Every answer is exact or it is [`TooMany`]: nothing is sampled. What is asked about all requests is asked of finitely many
//! kinds; what is said to happen is shown by a request.

mod area;
mod classes;
mod example;
mod forms;
mod kinds;
mod lower;
mod masks;
mod order;
mod overlap;
mod set;
mod text;

pub use self::area::{Area, Budget, Point, Region, TooMany};
pub use self::classes::{Classes, Fact};
pub use self::example::{Example, word_of};
pub(in crate::policy) use self::example::{
    day_word, flag_of, flag_word, number_of, number_word, text_of,
};
pub use self::kinds::asked_behind;
pub use self::lower::{Switches, has_switch};
pub use self::masks::Masks;
pub use self::order::{Left, Order};
pub use self::overlap::Overlap;
pub use self::set::Set;
