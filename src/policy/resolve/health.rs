//! `health`: how a provider's endpoints are asked whether they are there.

use crate::policy::diag::naming as say;
use crate::policy::model::{HealthCheck, Question};
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::{self, Space, Value};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::Stmt;

impl<'t> Resolver<'t> {
    /// `health NAME { … }` at the top.
    pub(super) fn declared_healths(&mut self) {
        for decl in self.names.all(Space::Health) {
            self.bodied(decl.stmt, "health", "health NAME { … }");
            if let Some(health) = self.health(decl.stmt, decl.place) {
                self.healths.insert(decl.name, health);
            }
        }
    }

    /// The health check that a block names or writes out, if it does.
    pub(super) fn health_of(&mut self, fields: &Fields<'t>) -> Option<HealthCheck> {
        if let Some(name) = fields.text("health") {
            return self.healths.get(name).cloned();
        }
        let stmt = fields.of("health").next()?;
        self.health(stmt, stmt.key_place())
    }

    fn health(&mut self, stmt: &'t Stmt<'t>, place: Place) -> Option<HealthCheck> {
        let fields = self.fields(stmt.stmts(), &schema::HEALTH);
        let question = self.question(&fields, place)?;
        Some(HealthCheck {
            question,
            every: fields.span("every")?,
            timeout: fields.span("timeout")?,
            fall: fields.count("fall")?,
            rise: fields.count("rise")?,
            spread: fields.flag("spread"),
        })
    }

    fn question(&mut self, fields: &Fields<'t>, place: Place) -> Option<Question> {
        match (fields.text("path"), fields.text("ask")) {
            (Some(path), None) => {
                if !is_origin_form(path) {
                    let place = fields.place("path").unwrap_or(place);
                    self.report(say::not_written_so(place, "path", "path = \"/v1/models\""));
                    return None;
                }
                Some(Question::Path {
                    head: fields.text("method") == Some("HEAD"),
                    path: path.into(),
                })
            }
            (None, Some(model)) => {
                let Some(Value::Rate(count, per)) = fields.value("at_most") else {
                    return None;
                };
                Some(Question::Token {
                    model: model.into(),
                    count: u32::try_from(*count).unwrap_or(u32::MAX),
                    per: *per,
                })
            }
            (Some(_), Some(_)) => {
                let path = fields.place("path").unwrap_or(place);
                let ask = fields.place("ask").unwrap_or(place);
                self.report(say::either_or(ask, "ask", "path", path));
                None
            }
            (None, None) => {
                self.report(say::missing(place, "health", "`path` or `ask`"));
                None
            }
        }
    }
}

/// A path and perhaps a query, ready for a request line (RFC 9112 section 3.2.1).
fn is_origin_form(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic())
}
