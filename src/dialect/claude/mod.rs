//! What a Claude model takes, whoever serves it, by its name. Names are read, not listed, so that tomorrow's model of a generation is
//! asked like today's:
//!
//! ```text
//!   claude-3-5-sonnet-20241022   claude-opus-4-1   claude-sonnet-4-5@20250929   us.anthropic.claude-opus-4-6-v1:0
//!                                        before 3.7   3.7 – 4.5   4.6        4.7 – 5.0    5.1 fable, 5.5 opus and sonnet
//!   thinking                             none         budget      both       adaptive     adaptive
//!   switched off by                      omission     omission    omission   disabled ¹   never (sonnet: between_tools)
//!   temperature, top_p, top_k            yes          yes ²       yes ²      no           no
//!   forced tools                         yes          not with a budget      yes          no
//!
//!   ¹ from 5.0 on models think unless told not to; fable and mythos always do
//!   ² from 4.1 on temperature or top_p, not both
//! ```
//! A name that says no version (an alias of a proxy) is taken for a model of 4.5, whose rules are the least strict.
//!
//! Sources: the models list in `tests/fixtures/anthropic/models-list-models-smoke.json`; platform.claude.com, *Troubleshooting
//! thinking* and the migration guides of Opus 4.7, Opus 5, Opus 5.5, Sonnet 5.5 and Fable 5.1, November 2026.

mod sampling;
mod thinking;

pub(super) use self::sampling::{Sampling, stops};
pub(super) use self::thinking::Plan;
use crate::dialect::turn::Effort;

/// A model.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Claude {
    family: Family,
    /// 405 is 4.5
    version: u16,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Family {
    Opus,
    Sonnet,
    Haiku,
    /// Fable and Mythos: one model under two names.
    Fable,
}

/// How a model is told to think.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Thinks {
    /// It cannot.
    Never,
    /// By a number of tokens.
    Budget,
    /// By a number of tokens, or as it likes.
    Either,
    /// As it likes.
    Adaptive,
}

/// How a model is told not to think.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Silence {
    /// By saying nothing.
    Unsaid,
    /// By a `thinking.type`.
    Said(&'static str),
    /// It cannot be told.
    Impossible,
}

impl Claude {
    /// Whether a name is of one, in any provider's spelling.
    pub fn is_one(model: &str) -> bool {
        model.contains("claude")
    }

    /// By its name, in any provider's spelling.
    pub fn of(model: &str) -> Self {
        let mut words = model.split(|c: char| !c.is_ascii_alphanumeric());
        let is = |word: &str, name: &str| word.eq_ignore_ascii_case(name);
        let mut family = Family::Sonnet;
        let mut version = None;
        if words.by_ref().any(|word| is(word, "claude")) {
            while let Some(word) = words.next() {
                match word {
                    _ if is(word, "opus") => family = Family::Opus,
                    _ if is(word, "haiku") => family = Family::Haiku,
                    _ if is(word, "fable") || is(word, "mythos") => family = Family::Fable,
                    _ => {}
                }
                if version.is_none()
                    && let Some(major) = number(word)
                {
                    let minor = words.clone().next().and_then(number);
                    version = Some(major * 100 + minor.unwrap_or(0));
                }
            }
        }
        let unsaid = if family == Family::Fable { 500 } else { 405 };
        Self {
            family,
            version: version.unwrap_or(unsaid),
        }
    }

    /// Whether `temperature`, `top_p` and `top_k` may be given.
    pub fn takes_sampling(self) -> bool {
        self.version < 407 && self.family != Family::Fable
    }

    /// Whether `temperature` and `top_p` may be given at once.
    pub fn takes_both_samplings(self) -> bool {
        self.version < 401 && self.family != Family::Fable
    }

    /// Whether an answer, or the arguments of a call, can be held to a schema.
    pub fn takes_schemas(self) -> bool {
        self.version >= 401
    }

    /// Whether a tool may be forced while the model thinks as it likes.
    pub fn takes_forced_tools(self) -> bool {
        match self.family {
            Family::Fable => self.version < 501,
            Family::Opus | Family::Sonnet => self.version < 505,
            Family::Haiku => true,
        }
    }

    /// How it is told to think.
    pub fn thinks(self) -> Thinks {
        match (self.family, self.version) {
            (Family::Fable, _) | (_, 407..) => Thinks::Adaptive,
            (_, ..307) => Thinks::Never,
            (_, 307..406) => Thinks::Budget,
            (_, 406) => Thinks::Either,
        }
    }

    /// How it is told not to.
    pub fn silence(self) -> Silence {
        match (self.family, self.version) {
            (Family::Fable, _) | (Family::Opus, 505..) => Silence::Impossible,
            (_, ..500) => Silence::Unsaid,
            (Family::Sonnet, 505..) => Silence::Said("between_tools"),
            _ => Silence::Said("disabled"),
        }
    }

    /// `output_config.effort` that comes nearest, never above what is asked unless that is less than all it knows; `None`
    /// where there is none.
    pub fn effort(self, asked: Effort) -> Option<&'static str> {
        let highest = match (self.family, self.version) {
            (Family::Opus, 405) => Effort::High,
            (_, ..406) => return None,
            _ => Effort::Max,
        };
        Some(match asked.min(highest) {
            Effort::None | Effort::Minimal | Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::XHigh if self.version >= 407 => "xhigh",
            Effort::High | Effort::XHigh => "high",
            Effort::Max => "max",
        })
    }
}

/// A part of a version, as the oldest names have it with a `v`; dates are longer.
fn number(word: &str) -> Option<u16> {
    let digits = word.strip_prefix('v').unwrap_or(word);
    (digits.len() <= 2).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::{Claude, Thinks};

    #[test]
    fn names_tell_generations() {
        // name, thinks, measures itself, one of temperature and top_p
        for (name, thinks, measures, one) in [
            ("claude-3-haiku-20240307", false, false, false),
            (
                "anthropic.claude-3-5-sonnet-20240620-v1:0",
                false,
                false,
                false,
            ),
            ("anthropic.claude-v2:1", false, false, false),
            ("anthropic.claude-instant-v1", false, false, false),
            (
                "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
                true,
                false,
                false,
            ),
            ("claude-3.7-sonnet", true, false, false),
            ("claude-sonnet-4-20250514", true, false, false),
            (
                "anthropic.claude-sonnet-4-20250514-v1:0",
                true,
                false,
                false,
            ),
            ("claude-sonnet-4@20250514", true, false, false),
            ("claude-opus-4-1-20250805", true, false, true),
            (
                "anthropic.claude-haiku-4-5-20251001-v1:0",
                true,
                false,
                true,
            ),
            ("claude-opus-4-6", true, false, true),
            ("global.anthropic.claude-opus-4-7-v1", true, true, true),
            ("claude-opus-4-10", true, true, true),
            ("claude-sonnet-5", true, true, true),
            ("claude-haiku-5-20270101", true, true, true),
            ("claude-fable-1", true, true, true),
        ] {
            assert!(Claude::is_one(name), "{name}");
            let model = Claude::of(name);
            assert_eq!(
                (
                    model.thinks() != Thinks::Never,
                    !model.takes_sampling(),
                    !model.takes_both_samplings()
                ),
                (thinks, measures, one),
                "{name}"
            );
        }
        assert!(!Claude::is_one("amazon.nova-lite-v1:0"));
    }
}
