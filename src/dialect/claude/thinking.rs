//! What is asked of thinking, and what it forbids: a model that thinks by a budget takes no forced tool, no temperature but
//! 1, no `top_k`, and needs its own thoughts back in front of calls whose results are given. Thoughts of a translated
//! request are gone, as their proofs are good at one provider only.
//!
//! Where both cannot be had, the tool that must be called wins over thinking, and thinking over a temperature: a client that
//! forces a tool reads nothing else, and one that asks for thinking cares less for chance.

use super::{Claude, Silence, Thinks};
use crate::dialect::loss::Losses;
use crate::dialect::turn::{Effort, Part, Role, Thinking, ToolChoice, Turn};
use crate::wire::json::Writer;

/// Tokens that an answer may have where nobody says how many.
const TOKENS: u64 = 4_096;
/// The least that a model may be told to think.
const BUDGET_MIN: u64 = 1_024;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(in crate::dialect) struct Plan<'a> {
    mode: Mode,
    /// `output_config.effort`
    pub(in crate::dialect) effort: Option<&'static str>,
    pub(in crate::dialect) max_tokens: u64,
    pub(in crate::dialect) tool_choice: Option<ToolChoice<'a>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    /// As the model does by itself.
    Unsaid,
    /// Not, by this word.
    Off(&'static str),
    /// So many tokens.
    Budget(u64),
    /// As it likes.
    Adaptive { is_shown: bool },
}

impl<'a> Plan<'a> {
    /// For `turn`, at a model that answers with `max_output` tokens at most.
    pub(in crate::dialect) fn new(
        turn: &Turn<'a>,
        claude: Claude,
        max_output: Option<u64>,
        losses: &mut Losses,
    ) -> Self {
        let limit = max_output.unwrap_or(u64::MAX);
        let mut plan = Plan {
            mode: Mode::Unsaid,
            effort: None,
            max_tokens: turn.max_tokens.or(max_output).unwrap_or(TOKENS).min(limit),
            tool_choice: turn.tool_choice,
        };
        if plan.forces_tool() && !claude.takes_forced_tools() {
            losses.add("tool_choice");
            plan.tool_choice = Some(ToolChoice::Auto);
        }
        match turn.thinking {
            None => {}
            Some(asked) if asked.effort == Some(Effort::None) || asked.budget == Some(0) => {
                plan.silence(claude, losses);
            }
            Some(asked) => plan.think(asked, turn, claude, limit, losses),
        }
        plan
    }

    /// Whether chance may be set: `temperature`, `top_k`.
    pub(in crate::dialect) fn takes_chance(&self) -> bool {
        !matches!(self.mode, Mode::Budget(_) | Mode::Adaptive { .. })
    }

    /// Whether it thinks up to a number of tokens.
    pub(in crate::dialect) fn is_by_budget(&self) -> bool {
        matches!(self.mode, Mode::Budget(_))
    }

    /// Whether anything is said of thinking.
    pub(in crate::dialect) fn says_something(&self) -> bool {
        self.mode != Mode::Unsaid || self.effort.is_some()
    }

    /// Writes `thinking`.
    pub(in crate::dialect) fn write(&self, out: &mut Writer<'_>) {
        match self.mode {
            Mode::Unsaid => {}
            Mode::Off(word) => out.key("thinking").object(|it| it.key("type").string(word)),
            Mode::Budget(tokens) => out.key("thinking").object(|it| {
                it.key("type").string("enabled");
                it.key("budget_tokens").number(tokens);
            }),
            Mode::Adaptive { is_shown } => out.key("thinking").object(|it| {
                it.key("type").string("adaptive");
                if is_shown {
                    it.key("display").string("summarized");
                }
            }),
        }
    }

    fn forces_tool(&self) -> bool {
        matches!(
            self.tool_choice,
            Some(ToolChoice::Required | ToolChoice::Named(_))
        )
    }

    fn silence(&mut self, claude: Claude, losses: &mut Losses) {
        match claude.silence() {
            Silence::Unsaid => {}
            Silence::Said(word) => self.mode = Mode::Off(word),
            Silence::Impossible => {
                losses.add("reasoning_effort");
                self.effort = claude.effort(Effort::Low);
            }
        }
    }

    fn think(
        &mut self,
        asked: Thinking,
        turn: &Turn<'_>,
        claude: Claude,
        limit: u64,
        losses: &mut Losses,
    ) {
        let adaptive = Mode::Adaptive {
            is_shown: asked.shown,
        };
        let by_budget = match claude.thinks() {
            Thinks::Never => {
                losses.add("reasoning_effort");
                return;
            }
            Thinks::Budget => true,
            Thinks::Either => asked.budget.is_some() && asked.effort.is_none(),
            Thinks::Adaptive => false,
        };
        let effort = asked.effort.or_else(|| {
            let tokens = asked.budget.filter(|_| !by_budget)?;
            Some(Effort::of_budget(tokens))
        });
        self.effort = effort.and_then(|effort| claude.effort(effort));
        if !by_budget {
            self.mode = adaptive;
            return;
        }
        let is_possible = !self.forces_tool() && !waits_for_results(turn);
        let budget = self.budget(asked, turn.max_tokens.is_some(), limit);
        self.mode = match budget.filter(|_| is_possible) {
            Some((tokens, max_tokens)) => {
                // Raised above what the client allows.
                losses.add_if(
                    turn.max_tokens.is_some() && max_tokens > self.max_tokens,
                    "max_tokens",
                );
                self.max_tokens = max_tokens;
                Mode::Budget(tokens)
            }
            None if claude.thinks() == Thinks::Either => adaptive,
            None => {
                losses.add("reasoning_effort");
                Mode::Unsaid
            }
        };
    }

    /// The tokens to think with, and `max_tokens`, which must leave room behind them; `None` where the model's `limit`
    /// leaves none. An effort is fitted into what the client allows; a budget is the client's own number, and makes
    /// `max_tokens` grow.
    fn budget(&self, asked: Thinking, is_bounded: bool, limit: u64) -> Option<(u64, u64)> {
        let tokens = if let Some(tokens) = asked.budget {
            tokens
        } else {
            let tokens = asked.effort.unwrap_or(Effort::Medium).budget()?;
            let half = self.max_tokens / 2;
            tokens.min(if is_bounded { half } else { tokens })
        };
        let tokens = tokens.max(BUDGET_MIN);
        let max_tokens = if self.max_tokens > tokens {
            self.max_tokens
        } else {
            tokens.saturating_add(self.max_tokens.max(1)).min(limit)
        };
        let tokens = tokens.min(max_tokens.saturating_sub(1));
        (tokens >= BUDGET_MIN).then_some((tokens, max_tokens))
    }
}

/// Whether the model called tools in what it said last: it goes on where it was, and would have to be given its thoughts.
fn waits_for_results(turn: &Turn<'_>) -> bool {
    let mut said = turn.messages.iter().rev();
    said.find(|message| message.role == Role::Assistant)
        .is_some_and(|message| {
            let mut parts = message.parts.iter();
            parts.any(|part| matches!(part, Part::ToolCall(_)))
        })
}
