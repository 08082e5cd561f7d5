//! What an operator has ordered for a target, which goes before what its breaker says.

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

use crate::engine::breaker::word::Word;

/// An operator's word about a target.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Order {
    /// None: the breaker decides.
    #[default]
    Auto,
    /// No new request goes there; those under way are finished.
    Drain,
    /// As if its breaker were open, for as long as the order holds.
    Open,
    /// As if its breaker were closed, whatever fails.
    Close,
}

impl Order {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Drain, Self::Open, Self::Close];

    /// The word of commands, of the admin address, of logs and of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Drain => "drain",
            Self::Open => "open",
            Self::Close => "close",
        }
    }

    /// The order of that word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.as_str() == word)
    }

    /// The packed state that a pick goes by, in place of the breaker's own.
    pub(crate) fn over(self, packed: u64) -> u64 {
        match self {
            Self::Auto | Self::Drain => packed,
            Self::Open => Word::OPEN_FOR_EVER,
            Self::Close => Word::closed_in_epoch_of(packed),
        }
    }
}

/// The order that holds. One word that picks read, and that changes when somebody says so.
#[derive(Debug, Default)]
pub(crate) struct Standing(AtomicU8);

impl Standing {
    /// What holds now.
    pub(crate) fn order(&self) -> Order {
        match self.0.load(Relaxed) {
            0 => Order::Auto,
            1 => Order::Drain,
            2 => Order::Open,
            _ => Order::Close,
        }
    }

    /// From now on this holds; what held before.
    pub(crate) fn set(&self, order: Order) -> Order {
        let before = self.order();
        self.0.store(order as u8, Relaxed);
        before
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, Standing};
    use crate::base::Moment;
    use crate::engine::breaker::word::{State, Word};

    #[test]
    fn the_last_order_holds() {
        let standing = Standing::default();
        let mut before = Order::Auto;
        for order in Order::ALL.into_iter().rev() {
            assert_eq!(standing.set(order), before);
            assert_eq!(standing.order(), order);
            assert_eq!(Order::from_word(order.as_str()), Some(order));
            before = order;
        }
        assert_eq!(Order::from_word("shut"), None);
    }

    #[test]
    fn an_order_goes_before_the_state() {
        for state in State::ALL {
            let word = Word {
                state,
                rule: None,
                level: 3,
                epoch: 77,
                until: Moment::START,
            };
            let under = |order: Order| Word::unpack(order.over(word.pack()));
            assert_eq!(under(Order::Auto), word);
            assert_eq!(under(Order::Drain), word);
            let open = under(Order::Open);
            assert_eq!((open.state, open.until), (State::Open, Moment::NEVER));
            let closed = under(Order::Close);
            assert_eq!((closed.state, closed.epoch), (State::Closed, 77));
        }
    }
}
