//! What an answer cost: the tokens that its provider counted, at the prices that the policy or the catalogue has for them.

use crate::base::TargetId;
use crate::dialect::turn::Usage;
use crate::policy::model::Target;

/// What tokens were for. Each is counted once: their sum is what the prompt and the answer had.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tokens {
    /// Of the prompt, without what the cache had or took.
    Input,
    /// Of the prompt, read from the provider's cache.
    CacheRead,
    /// Of the prompt, written into the provider's cache.
    CacheWrite,
    /// Of the answer, thinking included.
    Output,
}

impl Tokens {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Input, Self::CacheRead, Self::CacheWrite, Self::Output];

    /// The word of metrics and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::Output => "output",
        }
    }

    /// How many an answer took.
    pub fn of(self, usage: Usage) -> u64 {
        let usage = usage.saturated();
        match self {
            Self::Input => usage.input - usage.cache_read - usage.cache_write,
            Self::CacheRead => usage.cache_read,
            Self::CacheWrite => usage.cache_write,
            Self::Output => usage.output,
        }
    }

    /// The price of one at a target, in micro-dollars per million, where it is known. What the cache has or takes costs what
    /// the rest of the prompt does unless a price says otherwise.
    const fn price(self, target: &Target) -> Option<u64> {
        let own = match self {
            Self::Input => target.price_in,
            Self::CacheRead => target.price_cache_read,
            Self::CacheWrite => target.price_cache_write,
            Self::Output => return target.price_out,
        };
        match own {
            Some(price) => Some(price),
            None => target.price_in,
        }
    }
}

/// What one answer took.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Spent {
    /// Who answered.
    pub target: TargetId,
    /// Tokens, as the provider counted them.
    pub usage: Usage,
    /// In nano-dollars; `None` where a price is not known.
    pub nano_dollars: Option<u64>,
}

impl Spent {
    /// What `usage` cost at a target.
    pub fn at(id: TargetId, target: &Target, usage: Usage) -> Self {
        Self {
            target: id,
            usage,
            nano_dollars: nano_dollars(target, usage),
        }
    }

    /// This and what came after it, of one answer.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        let (a, b) = (self.usage, later.usage);
        Self {
            target: later.target,
            usage: Usage {
                input: a.input.saturating_add(b.input),
                cache_read: a.cache_read.saturating_add(b.cache_read),
                cache_write: a.cache_write.saturating_add(b.cache_write),
                output: a.output.saturating_add(b.output),
                reasoning: a.reasoning.saturating_add(b.reasoning),
            },
            nano_dollars: self
                .nano_dollars
                .zip(later.nano_dollars)
                .map(|(a, b)| a.saturating_add(b)),
        }
    }

    /// The same in dollars.
    pub fn dollars(&self) -> Option<f64> {
        self.nano_dollars.map(dollars)
    }
}

/// Nano-dollars in dollars.
#[expect(
    clippy::cast_precision_loss,
    reason = "a sum of money with more than 15 digits"
)]
pub(super) fn dollars(nano_dollars: u64) -> f64 {
    nano_dollars as f64 / 1e9
}

/// `None` where there are tokens of a kind whose price is not known.
fn nano_dollars(target: &Target, usage: Usage) -> Option<u64> {
    let mut pico: u128 = 0;
    for kind in Tokens::ALL {
        let tokens = kind.of(usage);
        if tokens > 0 {
            // Micro-dollars for a million tokens are pico-dollars for one.
            pico += u128::from(tokens) * u128::from(kind.price(target)?);
        }
    }
    Some(u64::try_from(pico / 1000).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::nano_dollars;
    use crate::dialect::turn::Usage;
    use crate::policy::load;
    use crate::policy::model::Target;

    fn target(price: &str) -> Target {
        let text = format!(
            "policy 1\nprovider openai {{ model a {{ id = \"nobody-knows-it\"{price} }} }}\n\
             route default {{ tier 1 {{ openai.a }} }}\n"
        );
        let (policy, _) = load(&[("p.policy", &*text)], "p.policy", &[]).unwrap();
        policy.targets.into_iter().next().unwrap()
    }

    #[test]
    fn each_token_has_its_price() {
        let usage = Usage {
            input: 1_000_000,
            cache_read: 300_000,
            cache_write: 100_000,
            output: 10_000,
            reasoning: 5_000,
        };
        let cost = |price| nano_dollars(&target(price), usage);
        assert_eq!(
            cost(", price { input = $1/Mtok, output = $10/Mtok }"),
            Some(1_100_000_000)
        );
        let cached = ", price { input = $1/Mtok, output = $10/Mtok, cache_read = $0.1/Mtok, cache_write = $1.25/Mtok }";
        assert_eq!(
            cost(cached),
            Some(600_000_000 + 30_000_000 + 125_000_000 + 100_000_000)
        );
        assert_eq!(
            cost(", price { input = $0.000001/Mtok, output = $0/Mtok }"),
            Some(1000)
        );
        assert_eq!(cost(", price { input = $1/Mtok }"), None);
        assert_eq!(cost(""), None);
    }

    #[test]
    fn what_was_not_used_needs_no_price() {
        let prompt = Usage {
            input: 1_000,
            ..Usage::default()
        };
        assert_eq!(
            nano_dollars(&target(", price { input = $1/Mtok }"), prompt),
            Some(1_000_000)
        );
        assert_eq!(nano_dollars(&target(""), Usage::default()), Some(0));
    }
}
