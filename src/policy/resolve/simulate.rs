//! `simulate { … }`: what a simulated provider does with its requests.

use crate::policy::diag::naming as say;
use crate::policy::model::{Act, ScriptStep, Simulation};
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::{self, Value};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::Stmt;

impl<'t> Resolver<'t> {
    /// The block, or how such a provider behaves without one.
    pub(super) fn simulation(&mut self, stmt: Option<&'t Stmt<'t>>) -> Simulation {
        let fields = self.fields(stmt.map_or(&[], Stmt::stmts), &schema::SIMULATE);
        let mut script = Vec::new();
        let place = fields.place("script").unwrap_or_default();
        for value in fields.list("script") {
            if let Value::Text(text) = value {
                script.extend(self.script_step(text, place));
            }
        }
        Simulation {
            ttft: fields.spans("ttft").unwrap_or_default(),
            gap: fields.span("gap").unwrap_or_default(),
            tokens: fields.count("tokens").unwrap_or(1),
            script,
        }
    }

    fn script_step(&mut self, text: &str, place: Place) -> Option<ScriptStep> {
        let mut words = text.split_whitespace();
        let act = words.next().and_then(act);
        let times = words.next().map_or(Some(1), |times| {
            times.parse().ok().filter(|times| *times > 0)
        });
        if let (Some(act), Some(times), None) = (act, times, words.next()) {
            Some(ScriptStep { act, times })
        } else {
            self.report(say::bad_script_step(place, text));
            None
        }
    }
}

/// The words of a script, for messages.
pub(in crate::policy) const ACTS: &str = "`ok`, `s400` to `s599`, `refuse`, `hang`, \
    `stall`, `cut`, `error_event`, `model_gone` and `bad_key`";

fn act(word: &str) -> Option<Act> {
    Some(match word {
        "ok" => Act::Ok,
        "refuse" => Act::Refuse,
        "hang" => Act::Hang,
        "stall" => Act::Stall,
        "cut" => Act::Cut,
        "error_event" => Act::ErrorEvent,
        "model_gone" => Act::ModelGone,
        "bad_key" => Act::BadKey,
        _ => {
            let status: u16 = word.strip_prefix('s')?.parse().ok()?;
            (400..=599)
                .contains(&status)
                .then_some(Act::Status(status))?
        }
    })
}
