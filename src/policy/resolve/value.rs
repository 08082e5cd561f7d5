//! One value by its type: units become base units, names are looked up, ranges are held.

use std::fmt::Display;

use crate::base::{Outcome, OutcomeSet, Span};
use crate::policy::diag::{naming as say, safety};
use crate::policy::model::{
    AutoInflight, MaxInflight, Pick, Ramp, Roots, SecretRef, SecretSource, StrFact,
};
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::{self, INFLIGHT_MAX, Read, Scope, Space, Type, Value};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Arg, Expr, Kind};
use crate::policy::syntax::literal::{MoneyPer, Number, Unit};

/// The field that a value is for, for messages.
pub(super) type Key = Option<(&'static str, Place)>;

impl<'t> Resolver<'t> {
    /// Follows a const. Where `words` are expected and one has the same name as a const, that is refused.
    pub(super) fn deref(&mut self, expr: &'t Expr<'t>, words: &[&str]) -> &'t Expr<'t> {
        let Some(name) = expr.name() else {
            return expr;
        };
        if words.contains(&name) {
            if self.names.has(Space::Const, name) {
                self.report(say::two_meanings(expr.place, name));
            }
            return expr;
        }
        self.names.constant(name).unwrap_or(expr)
    }

    /// The value of `expr` as `of`, or a report.
    pub(super) fn value(
        &mut self,
        expr: &'t Expr<'t>,
        of: &'static Type,
        key: Key,
    ) -> Option<Value<'t>> {
        let expr = self.deref(expr, words_of(of));
        if let Kind::Call("env" | "file", _) = &expr.kind
            && !matches!(
                of,
                Type::Secret | Type::Auth | Type::Roots | Type::Discover | Type::Call(_)
            )
        {
            self.report(safety::secret_misplaced(expr.place));
            return None;
        }
        match of {
            Type::Secret => self.secret(expr).map(Value::Secret),
            Type::Auth => self.auth(expr),
            Type::Roots => self.roots(expr).map(Value::Roots),
            Type::Discover => self.discover(expr),
            Type::Inflight => self.inflight(expr, of, key).map(Value::Inflight),
            Type::Pick => self.pick(expr).map(Value::Pick),
            Type::Sticky => self.sticky(expr).map(Value::Facts),
            Type::Outcomes => self.outcomes(expr).map(Value::Outcomes),
            Type::Ramp => self.ramp(expr, of, key).map(Value::Ramp),
            Type::Name(space) => self.named(expr, *space),
            Type::List(of) => self.list(expr, of, key),
            Type::Call(names) => self.call(expr, names, of),
            _ => self.scalar(expr, of, key),
        }
    }

    fn scalar(&mut self, expr: &'t Expr<'t>, of: &'static Type, key: Key) -> Option<Value<'t>> {
        let value = match (of, &expr.kind) {
            (Type::Bool, Kind::Path("true")) => Value::Bool(true),
            (Type::Bool, Kind::Path("false")) => Value::Bool(false),
            (Type::Cores, Kind::Path("all")) => Value::All,
            (Type::Spans, Kind::Range(low, high)) if is_time(*low) && is_time(*high) => {
                let low = self.bounded(expr, low.span(), Span::ZERO, SPANS_MAX)?;
                let high = self.bounded(expr, high.span(), Span::ZERO, SPANS_MAX)?;
                if low > high {
                    self.report(say::range_reversed(expr.place));
                    return None;
                }
                Value::Spans(low, high)
            }
            (Type::Money, Kind::Money(money)) if money.per != MoneyPer::Mtok => {
                Value::Int(money.micros)
            }
            (Type::Price, Kind::Money(money)) if money.per == MoneyPer::Mtok => {
                Value::Int(money.micros)
            }
            (Type::Text | Type::Url | Type::Address | Type::Region, Kind::Str(text)) => {
                Value::Text(text)
            }
            (Type::Region, Kind::Path(name)) if !name.contains('.') => Value::Text(name),
            // A word that begins with a digit cannot be a name, so it stands in quotes.
            (Type::Word(words), Kind::Str(text))
                if text.starts_with(|first: char| first.is_ascii_digit()) =>
            {
                return self.word(expr, text, words, key);
            }
            (Type::Word(words), Kind::Path(name)) => return self.word(expr, name, words, key),
            (_, Kind::Number(number)) => return self.number(expr, *number, of, key),
            _ => {
                self.mismatch(expr, of, key);
                return None;
            }
        };
        Some(value)
    }

    fn number(
        &mut self,
        expr: &'t Expr<'t>,
        number: Number,
        of: &'static Type,
        key: Key,
    ) -> Option<Value<'t>> {
        match (of, number.unit) {
            (Type::Cores, Unit::Plain) => {
                let cores = self.bounded(expr, number.count(), 1, 1_024);
                cores.map(Value::Int)
            }
            (Type::Int(low, high), Unit::Plain | Unit::Count(_)) => {
                let count = self.bounded(expr, number.count(), *low, *high);
                count.map(Value::Int)
            }
            (Type::Percent(high), Unit::Percent) => {
                self.percent(expr, number, *high).map(Value::Ppm)
            }
            (Type::Span(low, high), Unit::Time(_)) => self
                .bounded(expr, number.span(), *low, *high)
                .map(Value::Span),
            (Type::Spans, Unit::Time(_)) => {
                let span = self.bounded(expr, number.span(), Span::ZERO, SPANS_MAX)?;
                Some(Value::Spans(span, span))
            }
            (Type::Bytes, Unit::Bytes(factor)) => {
                let bytes = self.bounded(expr, number.times(factor), 1, 1 << 40);
                bytes.map(Value::Int)
            }
            (Type::Rate, Unit::Rate(nanos)) => {
                let count = self.bounded(expr, number.times(1), 0, u64::from(u32::MAX))?;
                Some(Value::Rate(count, Span::from_nanos(nanos)))
            }
            _ => {
                self.mismatch(expr, of, key);
                None
            }
        }
    }

    pub(super) fn mismatch(&mut self, expr: &Expr<'t>, of: &'static Type, key: Key) {
        if expr
            .name()
            .is_some_and(|name| self.is_lost(Space::Const, name))
        {
            return;
        }
        let found = describe(expr, self.files.slice(expr.place));
        self.report(say::wrong_type(
            expr.place,
            &of.describe(),
            &found,
            key,
            of.example(),
        ));
    }

    fn word(
        &mut self,
        expr: &Expr<'t>,
        word: &str,
        words: &'static [&'static str],
        key: Key,
    ) -> Option<Value<'t>> {
        let found = words.iter().find(|candidate| **candidate == word);
        if found.is_none() {
            let what = key.map_or("word", |(key, _)| key);
            self.report(say::unknown_name(expr.place, what, word, words));
        }
        found.map(|word| Value::Word(word))
    }

    /// A number or time within its bounds; `None` stands for one that cannot be written down.
    pub(super) fn bounded<T: Copy + Display + PartialOrd>(
        &mut self,
        expr: &Expr<'t>,
        value: Option<T>,
        low: T,
        high: T,
    ) -> Option<T> {
        let fits = value.filter(|value| (low..=high).contains(value));
        if fits.is_none() {
            let text = self.files.slice(expr.place);
            self.report(say::out_of_range(
                expr.place,
                text,
                &low.to_string(),
                &high.to_string(),
            ));
        }
        fits
    }

    /// Parts per million within their bound.
    pub(super) fn percent(&mut self, expr: &Expr<'t>, number: Number, high: u32) -> Option<u32> {
        let fits = number
            .ppm()
            .and_then(|ppm| u32::try_from(ppm).ok())
            .filter(|ppm| *ppm <= high);
        if fits.is_none() {
            let text = self.files.slice(expr.place);
            self.report(say::out_of_range(
                expr.place,
                text,
                "0%",
                &format!("{}%", high / 10_000),
            ));
        }
        fits
    }

    fn list(&mut self, expr: &'t Expr<'t>, of: &'static Type, key: Key) -> Option<Value<'t>> {
        let Kind::List(items) = &expr.kind else {
            return self
                .value(expr, of, key)
                .map(|value| Value::List(vec![value]));
        };
        // Every wrong item is reported, not only the first.
        let values: Vec<_> = items.iter().map(|item| self.value(item, of, key)).collect();
        values
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .map(Value::List)
    }

    fn ramp(&mut self, expr: &'t Expr<'t>, of: &'static Type, key: Key) -> Option<Ramp> {
        let Kind::List(items) = &expr.kind else {
            self.mismatch(expr, of, key);
            return None;
        };
        let parts: Vec<_> = items
            .iter()
            .map(|item| self.value(item, &Type::Percent(1_000_000), key))
            .collect();
        let parts: Option<Vec<_>> = parts
            .into_iter()
            .map(|part| match part {
                Some(Value::Ppm(part)) => Some(part),
                _ => None,
            })
            .collect();
        let ramp = Ramp::new(&parts?);
        if ramp.is_none() {
            self.report(say::no_ramp(expr.place, Ramp::STEPS_MAX));
        }
        ramp
    }

    fn named(&mut self, expr: &'t Expr<'t>, space: Space) -> Option<Value<'t>> {
        let Kind::Path(path) = &expr.kind else {
            let text = self.files.slice(expr.place);
            let found = describe(expr, text);
            self.report(say::wrong_type(
                expr.place,
                &format!("name of a {}", space.as_str()),
                &found,
                None,
                "",
            ));
            return None;
        };
        let name = path
            .strip_prefix(space.as_str())
            .and_then(|rest| rest.strip_prefix('.'))
            .unwrap_or(path);
        let built_in = matches!(space, Space::Breaker | Space::Retries) && name == "standard";
        if built_in && !self.names.has(space, name) {
            return Some(Value::Text("standard"));
        }
        self.lookup(space, name, expr.place)
            .map(|decl| Value::Text(decl.name))
    }

    /// Outcomes: one, a list of them, or `any`.
    pub(super) fn outcomes(&mut self, expr: &'t Expr<'t>) -> Option<OutcomeSet> {
        let expr = self.deref(expr, &outcome_words());
        match &expr.kind {
            Kind::Paren(inner) => self.outcomes(inner),
            Kind::Path("any") => Some(OutcomeSet::ANY),
            Kind::Path(word) => {
                let outcome = Outcome::from_word(word);
                if outcome.is_none() {
                    self.report(say::unknown_name(
                        expr.place,
                        "outcome",
                        word,
                        &outcome_words(),
                    ));
                }
                outcome.map(|outcome| OutcomeSet::EMPTY.with(outcome))
            }
            Kind::List(items) => {
                let sets: Vec<_> = items.iter().map(|item| self.outcomes(item)).collect();
                sets.into_iter()
                    .try_fold(OutcomeSet::EMPTY, |all, set| Some(all.union(set?)))
            }
            _ => {
                self.mismatch(expr, &Type::Outcomes, None);
                None
            }
        }
    }

    /// A number, `auto`, or `auto(4..1000)`.
    fn inflight(&mut self, expr: &'t Expr<'t>, of: &'static Type, key: Key) -> Option<MaxInflight> {
        let most = u64::from(INFLIGHT_MAX);
        let mut count = |number: Number| {
            let count = self.bounded(expr, number.count(), 1, most)?;
            u32::try_from(count).ok()
        };
        match &expr.kind {
            Kind::Number(number) if is_count(*number) => count(*number).map(MaxInflight::Fixed),
            Kind::Path("auto") => Some(MaxInflight::Auto(AutoInflight::BUILT_IN)),
            Kind::Call("auto", args) => match args.as_slice() {
                [
                    Arg {
                        expr:
                            Expr {
                                kind: Kind::Range(least, most),
                                ..
                            },
                        value: None,
                    },
                ] if is_count(*least) && is_count(*most) => {
                    let (least, most) = (count(*least)?, count(*most)?);
                    if least > most {
                        self.report(say::range_reversed(expr.place));
                        return None;
                    }
                    Some(MaxInflight::Auto(AutoInflight { least, most }))
                }
                _ => {
                    self.mismatch(expr, of, key);
                    None
                }
            },
            _ => {
                self.mismatch(expr, of, key);
                None
            }
        }
    }

    fn pick(&mut self, expr: &'t Expr<'t>) -> Option<Pick> {
        const WORDS: [&str; 5] = [
            "weighted",
            "round_robin",
            "least_busy",
            "least_latency",
            "hash",
        ];
        match &expr.kind {
            Kind::Path("weighted") => Some(Pick::Weighted),
            Kind::Path("round_robin") => Some(Pick::RoundRobin),
            Kind::Path("least_busy") => Some(Pick::LeastBusy),
            Kind::Path("least_latency") => Some(Pick::LeastLatency),
            Kind::Call("hash", args) if !args.is_empty() => {
                let facts: Vec<_> = args.iter().map(|arg| self.hash_fact(&arg.expr)).collect();
                facts
                    .into_iter()
                    .collect::<Option<Vec<_>>>()
                    .map(Pick::Hash)
            }
            Kind::Path(word) if *word != "hash" => {
                self.report(say::unknown_name(expr.place, "pick", word, &WORDS));
                None
            }
            _ => {
                self.mismatch(expr, &Type::Pick, None);
                None
            }
        }
    }

    /// `hash(fact, …, ttl = 10m)`
    fn sticky(&mut self, expr: &'t Expr<'t>) -> Option<Vec<StrFact>> {
        const SHAPE: &str = "sticky = hash(req.header[\"x-session\"])";
        const TTL: Type = Type::Span(Span::from_secs(1), SPANS_MAX);
        const PREFER: Type = Type::Word(&["kv_cache"]);
        let Kind::Call("hash", args) = &expr.kind else {
            self.mismatch(expr, &Type::Sticky, None);
            return None;
        };
        let mut facts = Vec::new();
        let mut sound = true;
        for arg in args {
            match (&arg.value, arg.expr.name()) {
                (None, _) => match self.hash_fact(&arg.expr) {
                    Some(fact) => facts.push(fact),
                    None => sound = false,
                },
                // Nothing is remembered, so there is nothing to forget.
                (Some(value), Some("ttl")) => {
                    sound &= self
                        .value(value, &TTL, Some(("ttl", arg.expr.place)))
                        .is_some();
                    self.note_later(arg.expr.place, "ttl");
                }
                (Some(value), Some("prefer")) => {
                    let prefer = self.value(value, &PREFER, Some(("prefer", arg.expr.place)));
                    sound &= prefer.is_some();
                    self.note_later(arg.expr.place, "prefer");
                }
                (Some(_), _) => {
                    self.report(say::not_written_so(arg.expr.place, "sticky", SHAPE));
                    sound = false;
                }
            }
        }
        if sound && facts.is_empty() {
            self.report(say::not_written_so(expr.place, "sticky", SHAPE));
            sound = false;
        }
        sound.then_some(facts)
    }

    fn hash_fact(&mut self, expr: &'t Expr<'t>) -> Option<StrFact> {
        match self.fact_in(expr, Scope::Request)? {
            Read::Str(fact) => Some(fact),
            other => {
                let found = other.describe();
                self.report(say::wrong_type(
                    expr.place,
                    "fact that is a string",
                    found,
                    None,
                    "",
                ));
                None
            }
        }
    }

    /// `env("NAME")` or `file("path")`.
    pub(super) fn secret(&mut self, expr: &'t Expr<'t>) -> Option<SecretRef> {
        let expr = self.deref(expr, &[]);
        let at = self.at(expr.place);
        let source = match &expr.kind {
            Kind::Call("env", args) => self
                .only_text(expr, args)
                .map(|name| SecretSource::Env(name.into())),
            Kind::Call("file", args) => self
                .only_text(expr, args)
                .map(|path| SecretSource::File(path.into())),
            Kind::Str(_) => {
                self.inline_secret(expr.place);
                None
            }
            _ => {
                self.mismatch(expr, &Type::Secret, None);
                None
            }
        }?;
        Some(SecretRef { source, at })
    }

    /// A secret that stands in the text: said once, and never shown.
    pub(super) fn inline_secret(&mut self, place: Place) {
        if !self.secrets.contains(&place) && !self.files.is_masked(place) {
            self.secrets.push(place);
            self.report(safety::secret_inline(place));
        }
    }

    fn roots(&mut self, expr: &'t Expr<'t>) -> Option<Roots> {
        match &expr.kind {
            Kind::Path("bundled") => Some(Roots::Bundled),
            Kind::Path("system") => Some(Roots::System),
            Kind::Call("file", args) => self
                .only_text(expr, args)
                .map(|path| Roots::File(path.into())),
            _ => {
                self.mismatch(expr, &Type::Roots, None);
                None
            }
        }
    }

    /// The one string argument of a call.
    pub(super) fn only_text(&mut self, call: &'t Expr<'t>, args: &'t [Arg<'t>]) -> Option<&'t str> {
        if let [Arg { expr, value: None }] = args
            && let Kind::Str(text) = &self.deref(expr, &[]).kind
            && !text.is_empty()
        {
            return Some(text);
        }
        self.report(say::not_written_so(
            call.place,
            call_name(call),
            &format!("{}(\"…\")", call_name(call)),
        ));
        None
    }

    /// A call whose effect comes later: its name is checked here, its arguments by their types where they are facts.
    fn call(&mut self, expr: &'t Expr<'t>, names: &[&str], of: &'static Type) -> Option<Value<'t>> {
        match &expr.kind {
            Kind::Call(name, args) if names.contains(name) => {
                for arg in args {
                    if let Kind::Path(path) | Kind::Index(path, _) = &arg.expr.kind
                        && path.contains('.')
                    {
                        self.fact(&arg.expr, Scope::Request);
                    }
                }
                Some(Value::Checked)
            }
            _ => {
                self.mismatch(expr, of, None);
                None
            }
        }
    }
}

fn words_of(of: &Type) -> &'static [&'static str] {
    match of {
        Type::Word(words) => words,
        Type::Bool => &["true", "false"],
        Type::Pick => &["weighted", "round_robin", "least_busy", "least_latency"],
        Type::Roots => &["bundled", "system"],
        Type::Inflight => &["auto"],
        Type::Auth => &["none"],
        Type::Region => &schema::REGIONS,
        _ => &[],
    }
}

pub(super) fn outcome_words() -> Vec<&'static str> {
    Outcome::ALL
        .into_iter()
        .map(Outcome::as_str)
        .chain(["any"])
        .collect()
}

/// The longest end of a range of times.
const SPANS_MAX: Span = Span::from_secs(31 * 86_400);

const fn is_count(number: Number) -> bool {
    matches!(number.unit, Unit::Plain | Unit::Count(_))
}

const fn is_time(number: Number) -> bool {
    matches!(number.unit, Unit::Time(_))
}

pub(super) fn call_name<'t>(expr: &Expr<'t>) -> &'t str {
    match expr.kind {
        Kind::Call(name, _) => name,
        _ => "",
    }
}

/// What `expr` is, for messages; `text` is how it is written. Strings are not repeated: one may be a secret.
pub(super) fn describe(expr: &Expr<'_>, text: &str) -> String {
    match &expr.kind {
        Kind::Path("true" | "false") | Kind::Index(..) => format!("`{text}`"),
        Kind::Path(_) => format!("the name `{text}`"),
        Kind::Call(name, _) => format!("`{name}(…)`"),
        Kind::Number(number) => match number.unit {
            Unit::Plain | Unit::Count(_) => format!("number `{text}`"),
            Unit::Percent => format!("percentage `{text}`"),
            Unit::Time(_) => format!("duration `{text}`"),
            Unit::Bytes(_) => format!("size `{text}`"),
            Unit::Rate(_) => format!("rate `{text}`"),
        },
        Kind::Range(..) => format!("range `{text}`"),
        Kind::Money(_) => format!("money `{text}`"),
        Kind::Str(_) => "a string".to_owned(),
        Kind::List(_) => "a list".to_owned(),
        Kind::Paren(inner) => describe(inner, text),
        Kind::Not(_) | Kind::And(_) | Kind::Or(_) | Kind::Compare(..) => "a condition".to_owned(),
    }
}
