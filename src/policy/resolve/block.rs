//! Reads one block by its schema: which statements are fields, which are blocks, and which their owner reads. Fields
//! come out typed, in base units, with defaults.

use crate::base::{OutcomeSet, Span};
use crate::policy::diag::naming as say;
use crate::policy::model::{MaxInflight, Pick, Ramp, SecretRef, StrFact};
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::{Block, Form, Row, Value};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Stmt, Tail};

/// What a block says.
#[derive(Debug)]
pub(super) struct Fields<'t> {
    schema: &'static Block,
    values: Vec<(&'static str, Place, Value<'t>)>,
    /// Statements that are not simple fields, in order.
    pub(super) others: Vec<(&'static Row, &'t Stmt<'t>)>,
}

impl<'t> Resolver<'t> {
    /// Reads `stmts` by `schema`.
    pub(super) fn fields(&mut self, stmts: &'t [Stmt<'t>], schema: &'static Block) -> Fields<'t> {
        let mut fields = Fields {
            schema,
            values: Vec::new(),
            others: Vec::new(),
        };
        let mut seen: Vec<(&str, Place)> = Vec::new();
        for stmt in stmts {
            let (key, place) = (stmt.key(), stmt.key_place());
            let Some(row) = schema.row(key) else {
                self.report(say::unknown_field(
                    place,
                    self.files.slice(place),
                    schema.word,
                    schema.words(),
                ));
                continue;
            };
            let repeats = matches!(row.form, Form::Free(_));
            match seen.iter().find(|(word, _)| *word == key) {
                Some(&(_, before)) if !repeats => {
                    self.report(say::twice(place, key, before));
                    continue;
                }
                _ => seen.push((key, place)),
            }
            if row.later {
                self.note_later(place, row.word);
            }
            self.row(row, stmt, &mut fields);
        }
        fields
    }

    fn row(&mut self, row: &'static Row, stmt: &'t Stmt<'t>, fields: &mut Fields<'t>) {
        match (&row.form, &stmt.tail, stmt.words.len(), &stmt.body) {
            (Form::Field(of, _) | Form::Either(of, _), Tail::Assign(expr), 1, None) => {
                if let Some(value) = self.value(expr, of, Some((row.word, stmt.key_place()))) {
                    fields.values.push((row.word, expr.place, value));
                }
            }
            (Form::Block(schema) | Form::Either(_, schema), Tail::Bare, 1, Some(body)) => {
                if row.later {
                    let inner = self.fields(&body.stmts, schema);
                    self.check_later(schema, &inner);
                }
                fields.others.push((row, stmt));
            }
            (Form::Free(_), ..) => fields.others.push((row, stmt)),
            _ => self.report(say::field_not_written_so(
                stmt.head(),
                row.word,
                &row.form.shape(row.word),
                row.doc,
            )),
        }
    }
}

impl<'t> Fields<'t> {
    /// What the block itself says.
    pub(super) fn written(&self, word: &str) -> Option<&Value<'t>> {
        self.values
            .iter()
            .find(|(key, ..)| *key == word)
            .map(|(_, _, value)| value)
    }

    /// Where a field's value stands.
    pub(super) fn place(&self, word: &str) -> Option<Place> {
        self.values
            .iter()
            .find(|(key, ..)| *key == word)
            .map(|&(_, place, _)| place)
    }

    /// The statements of one row.
    pub(super) fn of<'s>(&'s self, word: &'s str) -> impl Iterator<Item = &'t Stmt<'t>> + 's {
        let of = move |(row, _): &&(&'static Row, &'t Stmt<'t>)| row.word == word;
        self.others.iter().filter(of).map(|&(_, stmt)| stmt)
    }

    /// What the block says, or the schema's default.
    pub(super) fn value(&self, word: &str) -> Option<&Value<'t>> {
        self.written(word).or_else(|| match self.schema.row(word) {
            Some(Row {
                form: Form::Field(_, Some(default)),
                ..
            }) => Some(default),
            _ => None,
        })
    }

    /// A count, a size, an amount.
    pub(super) fn int(&self, word: &str) -> Option<u64> {
        match self.value(word) {
            Some(Value::Int(value)) => Some(*value),
            _ => None,
        }
    }

    /// A count that the schema bounds to 32 bits.
    pub(super) fn count(&self, word: &str) -> Option<u32> {
        self.int(word).and_then(|value| u32::try_from(value).ok())
    }

    /// How many requests at once.
    pub(super) fn inflight(&self, word: &str) -> Option<MaxInflight> {
        match self.value(word) {
            Some(Value::Inflight(value)) => Some(*value),
            _ => None,
        }
    }

    /// Parts per million.
    pub(super) fn ppm(&self, word: &str) -> Option<u32> {
        match self.value(word) {
            Some(Value::Ppm(value)) => Some(*value),
            _ => None,
        }
    }

    /// A time.
    pub(super) fn span(&self, word: &str) -> Option<Span> {
        match self.value(word) {
            Some(Value::Span(value)) => Some(*value),
            _ => None,
        }
    }

    /// First and longest.
    pub(super) fn spans(&self, word: &str) -> Option<(Span, Span)> {
        match self.value(word) {
            Some(Value::Spans(low, high)) => Some((*low, *high)),
            _ => None,
        }
    }

    /// Rising parts of a weight.
    pub(super) fn ramp(&self, word: &str) -> Option<Ramp> {
        match self.value(word) {
            Some(Value::Ramp(ramp)) => Some(*ramp),
            _ => None,
        }
    }

    /// True where the flag is set.
    pub(super) fn flag(&self, word: &str) -> bool {
        matches!(self.value(word), Some(Value::Bool(true)))
    }

    /// A string or a name.
    pub(super) fn text(&self, word: &str) -> Option<&str> {
        match self.value(word) {
            Some(Value::Text(text) | Value::Word(text)) => Some(text),
            _ => None,
        }
    }

    /// A list, empty where it is left out.
    pub(super) fn list(&self, word: &str) -> &[Value<'t>] {
        match self.value(word) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    /// How members are chosen, by weight where nothing says otherwise.
    pub(super) fn pick(&self) -> Pick {
        match self.value("pick") {
            Some(Value::Pick(pick)) => pick.clone(),
            _ => Pick::Weighted,
        }
    }

    /// Outcomes, none where they are left out.
    pub(super) fn outcomes(&self, word: &str) -> OutcomeSet {
        match self.value(word) {
            Some(Value::Outcomes(set)) => *set,
            _ => OutcomeSet::EMPTY,
        }
    }

    /// Facts, none where they are left out.
    pub(super) fn facts(&self, word: &str) -> &[StrFact] {
        match self.value(word) {
            Some(Value::Facts(facts)) => facts,
            _ => &[],
        }
    }

    /// Where a secret is kept.
    pub(super) fn secret(&self, word: &str) -> Option<SecretRef> {
        match self.value(word) {
            Some(Value::Secret(secret)) => Some(secret.clone()),
            _ => None,
        }
    }
}
