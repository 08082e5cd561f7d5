//! Checks that need the whole policy: what is missing, what is never reached, what is never used.

use crate::policy::diag::{Diagnostic, Severity, naming as say, routing};
use crate::policy::model::{Action, Then};
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::Space;
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Item, Kind, Stmt, Tail, Word};

impl<'t> Resolver<'t> {
    pub(super) fn check_whole(&mut self) {
        if !self.names.has(Space::Route, "default") {
            let last = self
                .names
                .all(Space::Route)
                .last()
                .map(|decl| decl.stmt.place);
            self.report(routing::no_default(last.unwrap_or_default().end()));
        }
        // A mistake elsewhere may be the only reason why something seems unused.
        let sound = |diagnostic: &Diagnostic| diagnostic.severity() < Severity::Error;
        if self.found.iter().all(sound) {
            self.unreached();
            self.unused();
        }
    }

    /// Providers and models that no route leads to. An imported file is shared: not everybody needs all of it.
    fn unreached(&mut self) {
        let mut reached = vec![false; self.targets.len()];
        for route in &self.routes {
            let Action::Serve(serve) = &route.action else {
                continue;
            };
            let members = serve
                .tiers
                .iter()
                .flat_map(|tier| tier.members.iter().map(|member| member.target));
            let jumps = serve.fallback.iter().filter_map(|line| match line.then {
                Then::Jump(target) => Some(target),
                _ => None,
            });
            for target in members.chain(jumps) {
                if let Some(reached) = reached.get_mut(target.index()) {
                    *reached = true;
                }
            }
        }
        for (index, provider) in self.providers.clone().iter().enumerate() {
            let own = self
                .targets
                .iter()
                .zip(&reached)
                .filter(|(target, _)| target.provider.index() == index);
            let (mut any, mut idle) = (false, Vec::new());
            for ((target, reached), place) in own.zip(self.own_places(index)) {
                any |= reached;
                if !reached && place.file == 0 {
                    idle.push((place, target.name.clone()));
                }
            }
            if any {
                for (place, name) in idle {
                    self.report(routing::unreached(place, "model", &name));
                }
            } else if provider.at.file == 0
                && let Some(decl) = self
                    .names
                    .all(Space::Provider)
                    .iter()
                    .find(|decl| *decl.name == *provider.name)
            {
                self.report(routing::unreached(decl.place, "provider", &provider.name));
            }
        }
    }

    fn own_places(&self, provider: usize) -> Vec<Place> {
        let all = self.targets.iter().zip(&self.target_places);
        all.filter(|(target, _)| target.provider.index() == provider)
            .map(|(_, place)| *place)
            .collect()
    }

    fn unused(&mut self) {
        for space in [
            Space::Const,
            Space::Breaker,
            Space::Retries,
            Space::Pool,
            Space::Health,
            Space::Limit,
            Space::Budget,
        ] {
            for decl in self.names.all(space) {
                let used = self.names.is_used(space, decl.name) || decl.name == "standard";
                if !used && decl.place.file == 0 {
                    self.report(say::unused(decl.place, space.as_str(), decl.name));
                }
            }
        }
    }

    /// Strings that look like a credential, anywhere.
    pub(super) fn find_secrets(&mut self, tree: &'t [Item<'t>]) {
        for item in tree {
            match item {
                Item::Const(stmt) | Item::Stmt(stmt) => self.secrets_in(stmt),
                Item::Version(..) | Item::Import(..) => {}
            }
        }
    }

    fn secrets_in(&mut self, stmt: &'t Stmt<'t>) {
        let arrow = match &stmt.tail {
            Tail::Bare => &[],
            Tail::Assign(expr) => {
                self.secrets_of(expr);
                &[]
            }
            Tail::Arrow(words) => words.as_slice(),
        };
        for word in stmt.words.iter().chain(arrow) {
            match word {
                Word::Expr(expr) | Word::When(_, expr) | Word::On(_, expr) => self.secrets_of(expr),
                Word::Else(_) => {}
            }
        }
        for inner in stmt.stmts() {
            self.secrets_in(inner);
        }
    }

    fn secrets_of(&mut self, expr: &'t Expr<'t>) {
        match &expr.kind {
            Kind::Str(text) if looks_secret(text) => self.inline_secret(expr.place),
            Kind::Call(_, args) => {
                for arg in args {
                    self.secrets_of(&arg.expr);
                    if let Some(value) = &arg.value {
                        self.secrets_of(value);
                    }
                }
            }
            Kind::List(items) | Kind::And(items) | Kind::Or(items) => {
                for item in items {
                    self.secrets_of(item);
                }
            }
            Kind::Paren(inner) | Kind::Not(inner) | Kind::Index(_, inner) => self.secrets_of(inner),
            Kind::Compare(_, left, right) => {
                self.secrets_of(left);
                self.secrets_of(right);
            }
            _ => {}
        }
    }
}

/// Prefixes that providers give their credentials, so that scanners can find them.
const SECRET_PREFIXES: [&str; 14] = [
    "sk-",
    "sk_",
    "gsk_",
    "xai-",
    "AIza",
    "AKIA",
    "ASIA",
    "ghp_",
    "github_pat_",
    "hf_",
    "pplx-",
    "csk-",
    "r8_",
    "eyJ",
];

fn looks_secret(text: &str) -> bool {
    let key_like = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.len() >= 16
        && SECRET_PREFIXES
            .iter()
            .any(|prefix| text.starts_with(prefix))
        && text.bytes().all(key_like)
}
