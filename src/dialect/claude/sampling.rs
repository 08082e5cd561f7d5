//! Chance and ends of an answer, as far as a model takes them.

use super::{Claude, Plan};
use crate::dialect::loss::Losses;
use crate::dialect::turn::Turn;

/// What a model is told of chance.
#[derive(Clone, Copy, Debug)]
pub(in crate::dialect) struct Sampling {
    pub(in crate::dialect) temperature: Option<f64>,
    pub(in crate::dialect) top_p: Option<f64>,
    pub(in crate::dialect) top_k: Option<u64>,
}

impl Sampling {
    /// Of what `turn` asks for, what the model takes beside the thinking that is planned.
    pub(in crate::dialect) fn of(
        turn: &Turn<'_>,
        claude: Claude,
        plan: &Plan<'_>,
        losses: &mut Losses,
    ) -> Self {
        losses.add_if(turn.seed.is_some(), "seed");
        losses.add_unless_usual(turn.presence_penalty, 0.0, "presence_penalty");
        losses.add_unless_usual(turn.frequency_penalty, 0.0, "frequency_penalty");
        // One is what all models do by themselves, and the only value that all of them take.
        let mut temperature = turn.temperature.filter(|it| !is_one(*it));
        let mut top_p = turn.top_p.filter(|it| !is_one(*it));
        let mut top_k = turn.top_k;
        let takes_chance = claude.takes_sampling() && plan.takes_chance();
        if !takes_chance {
            losses.add_if(temperature.take().is_some(), "temperature");
            losses.add_if(top_k.take().is_some(), "top_k");
        }
        // A model that thinks takes `top_p` from 0.95 on.
        let takes_top_p = claude.takes_sampling()
            && (plan.takes_chance() || top_p.is_some_and(|top_p| top_p >= 0.95))
            && (temperature.is_none() || claude.takes_both_samplings());
        if !takes_top_p {
            losses.add_if(top_p.take().is_some(), "top_p");
        }
        if let Some(temperature) = &mut temperature {
            losses.add_if(!(0.0..=1.0).contains(temperature), "temperature");
            *temperature = temperature.clamp(0.0, 1.0);
        }
        Self {
            temperature,
            top_p,
            top_k,
        }
    }
}

/// The texts that end an answer. One of white space alone is refused.
pub(in crate::dialect) fn stops<'a>(turn: &Turn<'a>, losses: &mut Losses) -> Vec<&'a str> {
    let (stops, blank): (Vec<_>, Vec<_>) =
        turn.stop.iter().partition(|stop| !stop.trim().is_empty());
    losses.add_if(!blank.is_empty(), "stop");
    stops
}

fn is_one(number: f64) -> bool {
    (number - 1.0).abs() < f64::EPSILON
}
