//! `fallback { … }` and `reject(…)`: what follows a failure.

use crate::base::{Outcome, OutcomeSet, Span};
use crate::policy::diag::{naming as say, routing};
use crate::policy::model::{FallbackLine, Otherwise, Reject, Then, Trigger};
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::{Type, Value};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Arg, Expr, Kind, Op, Stmt, Tail, Word};

/// A fallback with the place of each jump.
#[derive(Debug)]
pub(super) struct Fallback {
    pub(super) lines: Vec<FallbackLine>,
    pub(super) otherwise: Otherwise,
    pub(super) jumps: Vec<Place>,
}

const ON: &str = "on [s429, s5xx] -> next`, `-> stop`, `-> provider.model` or `-> reject(503)";
const ELSE: &str = "else -> reject(503)` or `else -> stop";
const REJECT: &str = "reject(503, \"message\", retry_after = 30s)";

impl<'t> Resolver<'t> {
    /// The fallback of a route that writes none: `on any -> next, else -> reject(503)`.
    pub(super) fn standard_fallback(&self, route: Place) -> Fallback {
        let at = self.at(route);
        let reject = Reject {
            status: 503,
            message: None,
            retry_after: None,
            at,
        };
        Fallback {
            lines: vec![FallbackLine {
                at,
                on: Trigger::Outcomes(OutcomeSet::ANY),
                then: Then::Next,
            }],
            otherwise: Otherwise::Reject(reject),
            jumps: Vec::new(),
        }
    }

    pub(super) fn fallback(&mut self, stmt: &'t Stmt<'t>) -> Fallback {
        let mut fallback = self.standard_fallback(stmt.place);
        fallback.lines.clear();
        let mut last = None;
        for line in stmt.stmts() {
            if let Some(place) = last {
                self.report(routing::after_else(line.key_place(), place));
            }
            match (line.words.as_slice(), &line.tail, &line.body) {
                ([Word::On(_, on)], Tail::Arrow(then), None) => {
                    if let Some(line) = self.line(line, on, then, &mut fallback.jumps) {
                        fallback.lines.push(line);
                    }
                }
                ([Word::Else(place)], Tail::Arrow(then), None) => {
                    last = Some(*place);
                    if let Some(otherwise) = self.otherwise(line, then) {
                        fallback.otherwise = otherwise;
                    }
                }
                ([Word::On(..), ..], ..) => self.report(say::not_written_so(line.place, "on", ON)),
                ([Word::Else(place), ..], ..) => {
                    last = Some(*place);
                    self.report(say::not_written_so(line.place, "else", ELSE));
                }
                _ => {
                    let (place, words) =
                        (line.key_place(), crate::policy::schema::FALLBACK.words());
                    self.report(say::unknown_field(
                        place,
                        self.files.slice(place),
                        "fallback",
                        words,
                    ));
                }
            }
        }
        if last.is_none() {
            let close = stmt.body.as_ref().map_or(stmt.place, |body| body.place);
            let before = stmt.stmts().last().map(|line| line.place);
            self.report(routing::no_else(stmt.key_place(), close, before));
        }
        fallback
    }

    fn line(
        &mut self,
        line: &'t Stmt<'t>,
        on: &'t Expr<'t>,
        then: &'t [Word<'t>],
        jumps: &mut Vec<Place>,
    ) -> Option<FallbackLine> {
        let trigger = match &on.kind {
            Kind::Compare(Op::Gt, left, right) if left.name() == Some("ttft") => {
                const LIMIT: Type = Type::Span(Span::from_millis(1), Span::from_secs(3_600));
                match self.value(right, &LIMIT, Some(("ttft", left.place))) {
                    Some(Value::Span(span)) => Some(Trigger::Slow(span)),
                    _ => None,
                }
            }
            Kind::Compare(..) => {
                self.report(say::not_written_so(
                    on.place,
                    "on",
                    "on ttft > 800ms -> next",
                ));
                None
            }
            _ => self.outcomes(on).map(Trigger::Outcomes),
        };
        if let Some(Trigger::Outcomes(set)) = trigger
            && set.has(Outcome::Ok)
        {
            self.report(routing::on_ok(on.place));
        }
        let [Word::Expr(target)] = then else {
            self.report(say::not_written_so(line.place, "on", ON));
            return None;
        };
        let then = match &target.kind {
            Kind::Path("next") => Then::Next,
            Kind::Path("stop") => Then::Stop,
            Kind::Call("reject", args) => Then::Reject(self.reject(target, args)?),
            _ => {
                let id = self.target(target)?;
                jumps.push(target.place);
                Then::Jump(id)
            }
        };
        Some(FallbackLine {
            at: self.at(line.place),
            on: trigger?,
            then,
        })
    }

    fn otherwise(&mut self, line: &'t Stmt<'t>, then: &'t [Word<'t>]) -> Option<Otherwise> {
        match then {
            [
                Word::Expr(Expr {
                    kind: Kind::Path("stop"),
                    ..
                }),
            ] => Some(Otherwise::Stop),
            [
                Word::Expr(
                    expr @ Expr {
                        kind: Kind::Call("reject", args),
                        ..
                    },
                ),
            ] => self.reject(expr, args).map(Otherwise::Reject),
            _ => {
                self.report(say::not_written_so(line.place, "else", ELSE));
                None
            }
        }
    }

    /// `reject(status, "message", retry_after = …)`
    pub(super) fn reject(&mut self, call: &'t Expr<'t>, args: &'t [Arg<'t>]) -> Option<Reject> {
        const STATUS: Type = Type::Int(400, 599);
        const WAIT: Type = Type::Span(Span::ZERO, Span::from_secs(86_400));
        let mut reject = Reject {
            status: 0,
            message: None,
            retry_after: None,
            at: self.at(call.place),
        };
        let mut sound = true;
        for (index, arg) in args.iter().enumerate() {
            match (&arg.value, index) {
                (None, 0) => match self.value(&arg.expr, &STATUS, Some(("status", arg.expr.place)))
                {
                    Some(Value::Int(status)) => {
                        reject.status = u16::try_from(status).unwrap_or(503);
                    }
                    _ => sound = false,
                },
                (None, 1) => {
                    match self.value(&arg.expr, &Type::Text, Some(("message", arg.expr.place))) {
                        Some(Value::Text(text)) => reject.message = Some(text.into()),
                        _ => sound = false,
                    }
                }
                (Some(value), _) if arg.expr.name() == Some("retry_after") => {
                    match self.value(value, &WAIT, Some(("retry_after", arg.expr.place))) {
                        Some(Value::Span(span)) => reject.retry_after = Some(span),
                        _ => sound = false,
                    }
                }
                _ => {
                    self.report(say::not_written_so(call.place, "reject", REJECT));
                    return None;
                }
            }
        }
        if args.is_empty() {
            self.report(say::not_written_so(call.place, "reject", REJECT));
            return None;
        }
        sound.then_some(reject)
    }
}
