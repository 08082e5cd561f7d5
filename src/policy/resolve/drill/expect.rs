//! `expect { … }` and `abort when …` of a drill.

use crate::base::{Span, TargetId};
use crate::policy::diag::naming as say;
use crate::policy::drill::{Abort, Expect, Expected, Measure, Phase};
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::settings::percentile;
use crate::policy::schema::Type;
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Op, Stmt, Tail, Word};
use crate::policy::syntax::literal::{MoneyPer, Number};
use crate::policy::trial::Within;

const EXPECTS: [&str; 10] = [
    "success", "errors", "share", "p50", "p95", "p99", "wasted", "cost", "opened", "closed",
];
const MEASURES: [&str; 3] = ["error_rate", "live.error_rate", "p95(ttft)"];
const ABORT: &str =
    "abort when error_rate > 20%`, `abort when live.error_rate > 2%` or `abort when p95(ttft) > 3s";
/// Microseconds of a day: times beyond it are none that a drill sees.
const MICROS_MAX: u64 = 86_400_000_000;

impl<'t> Resolver<'t> {
    /// The lines of one `expect { … }`, and where they stand.
    pub(super) fn drill_expects(
        &mut self,
        stmt: &'t Stmt<'t>,
        expects: &mut Vec<Expected>,
        places: &mut Vec<Place>,
    ) {
        let Some(phase) = self.phase(stmt) else {
            return;
        };
        for line in stmt.stmts() {
            if let Some(expect) = self.drill_expect(line) {
                let text = self.files.slice(line.place).trim_end();
                let text = match phase {
                    Phase::Whole => text.to_owned(),
                    _ => format!("{}: {text}", phase.as_str()),
                };
                expects.push(Expected {
                    text: text.into(),
                    at: self.at(line.place),
                    phase,
                    expect,
                });
                places.push(line.place);
            }
        }
    }

    fn phase(&mut self, stmt: &'t Stmt<'t>) -> Option<Phase> {
        let phase = match (stmt.words.as_slice(), &stmt.tail, &stmt.body) {
            ([_], Tail::Bare, Some(_)) => return Some(Phase::Whole),
            ([_, Word::Expr(word)], Tail::Bare, Some(_)) => word,
            _ => {
                self.report(say::not_written_so(stmt.head(), "expect", "expect { … }"));
                return None;
            }
        };
        let known = Phase::NAMED.map(Phase::as_str);
        let found = phase
            .name()
            .and_then(|name| Phase::NAMED.into_iter().find(|it| it.as_str() == name));
        if found.is_none() {
            let text = self.files.slice(phase.place);
            self.report(say::unknown_name(phase.place, "phase", text, &known));
        }
        found
    }

    fn drill_expect(&mut self, line: &'t Stmt<'t>) -> Option<Expect> {
        match (line.words.as_slice(), &line.tail) {
            ([Word::Expr(never), Word::Expr(what)], Tail::Bare)
                if never.name() == Some("never") =>
            {
                match &what.kind {
                    Kind::Call("opened", _) => self.of_whom(what).map(Expect::NeverOpened),
                    _ => self.no_expectation(line.place, "opened"),
                }
            }
            ([Word::Expr(what), Word::Expr(within), Word::Expr(span)], Tail::Bare)
                if within.name() == Some("within") =>
            {
                let targets = self.of_whom(what);
                let span = self.time(span)?;
                match what.kind {
                    Kind::Call("opened", _) => Some(Expect::Opened(targets?, span)),
                    Kind::Call("closed", _) => Some(Expect::Closed(targets?, span)),
                    _ => self.no_expectation(line.place, "opened"),
                }
            }
            (
                [
                    Word::Expr(Expr {
                        kind: Kind::Compare(op, key, value),
                        ..
                    }),
                ],
                Tail::Bare,
            ) => {
                let value = self.deref(value, &[]);
                self.measured(line.place, key, *op, value)
            }
            _ => {
                let word = line.key();
                if EXPECTS.contains(&word) {
                    self.no_expectation(line.place, word)
                } else {
                    self.unknown_expectation(line.key_place())
                }
            }
        }
    }

    fn measured(
        &mut self,
        place: Place,
        key: &'t Expr<'t>,
        op: Op,
        value: &'t Expr<'t>,
    ) -> Option<Expect> {
        match &key.kind {
            Kind::Path("success") => self.part(op, value).map(Expect::Success),
            Kind::Path("errors") => self.within(op, value, u64::MAX).map(Expect::Errors),
            Kind::Path("wasted") => self.within(op, value, u64::MAX).map(Expect::Wasted),
            Kind::Path("cost") => self.money(op, value).map(Expect::Cost),
            Kind::Call("share", args) => {
                let [of] = args.as_slice() else {
                    return self.no_expectation(place, "share");
                };
                let of = self.share_of(&of.expr);
                let within = self.part(op, value);
                Some(Expect::Share(of?, within?))
            }
            Kind::Call(name, args) if percentile(name).is_some() => {
                if !matches!(args.as_slice(), [of] if of.expr.name() == Some("ttft")) {
                    return self.no_expectation(place, "p95");
                }
                let percentile = percentile(name)?;
                let within = self.micros(op, value)?;
                Some(Expect::Ttft(percentile, within))
            }
            Kind::Path(word) | Kind::Call(word, _) if EXPECTS.contains(word) => {
                self.no_expectation(place, word)
            }
            _ => self.unknown_expectation(key.place),
        }
    }

    /// The targets in `opened(…)` and its like.
    fn of_whom(&mut self, call: &'t Expr<'t>) -> Option<Vec<TargetId>> {
        let Kind::Call(word, args) = &call.kind else {
            return self.unknown_expectation(call.place);
        };
        match args.as_slice() {
            [of] if of.value.is_none() => self.targets_listed(&of.expr),
            _ => self.no_expectation(call.place, word),
        }
    }

    fn time(&mut self, value: &'t Expr<'t>) -> Option<Span> {
        const TIME: Type = Type::Span(Span::from_millis(1), Span::from_secs(86_400));
        let value = self.deref(value, &[]);
        match value.kind {
            Kind::Number(number) if number.span().is_some() => self.bounded(
                value,
                number.span(),
                Span::from_millis(1),
                Span::from_secs(86_400),
            ),
            _ => {
                self.mismatch(value, &TIME, None);
                None
            }
        }
    }

    /// A time or a range of times, compared.
    fn micros(&mut self, op: Op, value: &'t Expr<'t>) -> Option<Within> {
        let micros = |number: Number| number.span().map(Span::as_micros);
        match value.kind {
            Kind::Range(low, high) if micros(low).is_some() && micros(high).is_some() => {
                self.ranged(op, value, micros(low)?, micros(high)?)
            }
            _ => {
                let span = self.time(value)?;
                self.compared(op, value, span.as_micros().min(MICROS_MAX))
            }
        }
    }

    fn money(&mut self, op: Op, value: &'t Expr<'t>) -> Option<Within> {
        match value.kind {
            Kind::Money(money) if money.per == MoneyPer::Once => {
                self.compared(op, value, money.micros)
            }
            _ => {
                self.mismatch(value, &Type::Money, None);
                None
            }
        }
    }

    /// `abort when …`
    pub(super) fn abort(&mut self, stmt: &'t Stmt<'t>) -> Option<Abort> {
        let (
            [
                _,
                Word::When(
                    _,
                    when @ Expr {
                        kind: Kind::Compare(op, key, value),
                        ..
                    },
                ),
            ],
            Tail::Bare,
        ) = (stmt.words.as_slice(), &stmt.tail)
        else {
            self.report(say::not_written_so(stmt.place, "abort", ABORT));
            return None;
        };
        let value = self.deref(value, &[]);
        let (measure, within) = match &key.kind {
            Kind::Path("error_rate") => (Measure::ErrorRate, self.part(*op, value)?),
            Kind::Path("live.error_rate") => (Measure::LiveErrorRate, self.part(*op, value)?),
            Kind::Call(name, args)
                if percentile(name).is_some()
                    && matches!(args.as_slice(), [of] if of.expr.name() == Some("ttft")) =>
            {
                let percentile = percentile(name)?;
                (Measure::Ttft(percentile), self.micros(*op, value)?)
            }
            _ => {
                let text = self.files.slice(key.place);
                self.report(say::unknown_name(key.place, "measurement", text, &MEASURES));
                return None;
            }
        };
        Some(Abort {
            text: self.files.slice(when.place).trim_end().into(),
            at: self.at(stmt.place),
            measure,
            within,
        })
    }

    fn no_expectation<T>(&mut self, place: Place, word: &str) -> Option<T> {
        self.report(say::not_written_so(place, word, shape_of(word)));
        None
    }

    fn unknown_expectation<T>(&mut self, place: Place) -> Option<T> {
        let text = self.files.slice(place);
        self.report(say::unknown_field(place, text, "expect", EXPECTS));
        None
    }
}

/// How an expectation is written.
fn shape_of(word: &str) -> &'static str {
    match word {
        "success" => "success >= 99.5%",
        "errors" => "errors <= 3",
        "share" => "share(provider) > 0%` or `share(route.NAME) in 4%..6%",
        "wasted" => "wasted <= 8",
        "cost" => "cost <= $5",
        "opened" => "opened(provider) within 10s` or `never opened(provider)",
        "closed" => "closed(provider) within 90s",
        _ => "p95(ttft) < 1500ms",
    }
}
