//! What separates accounts and regions: whether credentials do, and who decides.

use crate::policy::diag::{Diagnostic, safety as say};
use crate::policy::model::{
    Action, Auth, AuthStyle, Cond, FlagFact, Provider, SecretRef, SecretSource, StrFact, Test, Then,
};
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::Space;
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Stmt, Word};

impl Resolver<'_> {
    pub(super) fn check_trust(&self) -> Vec<Diagnostic> {
        let mut found = self.shared_credentials();
        found.extend(self.clients_lift_forbids());
        found.extend(self.clients_choose_accounts());
        found
    }

    /// P4004: a secret that two providers are given. A signature does not carry it, and one identity serves all regions.
    fn shared_credentials(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (at, provider) in self.providers.iter().enumerate() {
            let before = self.providers.iter().take(at);
            let shared = before.filter_map(|before| Some((before, shared(before, provider)?)));
            let Some((first, source)) = shared.into_iter().next() else {
                continue;
            };
            let places = self.auth_place(provider).zip(self.auth_place(first));
            if let Some((place, before)) = places {
                let names = (&*first.name, &*provider.name);
                found.push(say::credential_shared(
                    place,
                    names,
                    &source.to_string(),
                    before,
                ));
            }
        }
        found
    }

    /// Where a provider says how it is known; its name, where it leaves that to its kind.
    fn auth_place(&self, provider: &Provider) -> Option<Place> {
        let decls = self.names.all(Space::Provider);
        let decl = decls.iter().find(|decl| *decl.name == *provider.name)?;
        let auth = decl.stmt.stmts().iter().find(|stmt| stmt.key() == "auth");
        Some(auth.map_or(decl.place, |stmt| stmt.place))
    }

    /// P4006: forbids about regions or training that hold only as long as the client says so.
    fn clients_lift_forbids(&self) -> Vec<Diagnostic> {
        let decls = self.names.all(Space::Forbid).into_iter();
        let lifted = decls.zip(&self.forbids).filter_map(|(decl, forbid)| {
            let guards = reads(&forbid.when, &is_guarded);
            let theirs = reads(&forbid.when, &is_clients);
            let place = client_facts(when(decl.stmt)?).first().copied()?;
            (guards && theirs).then(|| say::client_lifts(place, decl.name, self.files.slice(place)))
        });
        lifted.collect()
    }

    /// P4006: routes that a header leads to another account at the same service.
    fn clients_choose_accounts(&self) -> Vec<Diagnostic> {
        let by_route = self.routes.iter().map(|route| self.reached(&route.action));
        let by_route: Vec<Vec<usize>> = by_route.collect();
        let mut routes_of = vec![0_usize; self.providers.len()];
        for id in by_route.iter().flatten() {
            if let Some(count) = routes_of.get_mut(*id) {
                *count += 1;
            }
        }
        let mut found = Vec::new();
        let decls = self.names.all(Space::Route);
        for ((route, decl), reached) in self.routes.iter().zip(&decls).zip(&by_route) {
            if !reads(&route.when, &is_clients) {
                continue;
            }
            let own = reached.iter().filter_map(|id| self.providers.get(*id));
            let pair = own.into_iter().find_map(|own| {
                let providers = self.providers.iter().zip(&routes_of).enumerate();
                let mut elsewhere = providers
                    .filter(|(id, (_, routes))| **routes > usize::from(reached.contains(id)));
                let other = elsewhere.find(|(_, (other, _))| other_account(own, other))?;
                Some((&*own.name, &*other.1.0.name))
            });
            let place = when(decl.stmt).and_then(|when| client_facts(when).first().copied());
            if let Some((names, place)) = pair.zip(place) {
                let fact = self.files.slice(place);
                found.push(say::client_chooses_account(place, decl.name, fact, names));
            }
        }
        found
    }

    /// The providers that a route can ask.
    fn reached(&self, action: &Action) -> Vec<usize> {
        let Action::Serve(serve) = action else {
            return Vec::new();
        };
        let members = serve
            .tiers
            .iter()
            .flat_map(|tier| &tier.members)
            .map(|member| member.target);
        let jumps = serve.fallback.iter().filter_map(|line| match line.then {
            Then::Jump(target) => Some(target),
            _ => None,
        });
        let mut ids: Vec<usize> = members
            .chain(jumps)
            .filter_map(|target| Some(self.targets.get(target.index())?.provider.index()))
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// A secret that both send.
fn shared<'p>(a: &'p Provider, b: &Provider) -> Option<&'p SecretSource> {
    let (own, others) = (sent(a), sent(b));
    let sources = own.iter().map(|secret| &secret.source);
    let mut both = sources.filter(|source| others.iter().any(|other| other.source == **source));
    both.next()
}

/// What goes over the wire as it is.
fn sent(provider: &Provider) -> &[SecretRef] {
    match &provider.auth {
        Auth::Key { style, secrets, .. } if *style != AuthStyle::SigV4 => secrets,
        _ => &[],
    }
}

/// The same service, known to it by another key.
fn other_account(a: &Provider, b: &Provider) -> bool {
    let sources = |provider: &Provider| -> Vec<SecretSource> {
        let secrets = provider.auth.secrets().iter();
        secrets.map(|secret| secret.source.clone()).collect()
    };
    let (own, other) = (sources(a), sources(b));
    a.name != b.name
        && a.kind == b.kind
        && a.endpoints == b.endpoints
        && !own.is_empty()
        && !other.is_empty()
        && !own.iter().any(|source| other.contains(source))
}

fn when<'t>(stmt: &'t Stmt<'t>) -> Option<&'t Expr<'t>> {
    stmt.words.iter().find_map(|word| match word {
        Word::When(_, when) => Some(when),
        _ => None,
    })
}

/// Whether any test of the condition is so.
fn reads(cond: &Cond, is: &impl Fn(&Test) -> bool) -> bool {
    match cond {
        Cond::Always | Cond::Never => false,
        Cond::Test(test) => is(test),
        Cond::Not(inner) => reads(inner, is),
        Cond::All(parts) | Cond::Any(parts) => parts.iter().any(|part| reads(part, is)),
    }
}

/// What a forbid keeps from happening for somebody's sake: that data go abroad, or into a model.
fn is_guarded(test: &Test) -> bool {
    match test {
        Test::OneOf { fact, .. } | Test::Matches { fact, .. } | Test::Present(fact) => {
            *fact == StrFact::TargetRegion
        }
        Test::Flag(fact) => *fact == FlagFact::TargetTrainsOnData,
        _ => false,
    }
}

/// What the client says about itself. A share of a hash is no decision of anybody.
fn is_clients(test: &Test) -> bool {
    match test {
        Test::OneOf { fact, .. } | Test::Matches { fact, .. } | Test::Present(fact) => {
            matches!(fact, StrFact::Header(_) | StrFact::Meta(_))
        }
        _ => false,
    }
}

/// Where a condition reads headers or metadata.
fn client_facts(expr: &Expr<'_>) -> Vec<Place> {
    match &expr.kind {
        Kind::Index("req.header" | "req.meta", _) => vec![expr.place],
        Kind::Paren(inner) | Kind::Not(inner) => client_facts(inner),
        Kind::And(members) | Kind::Or(members) | Kind::List(members) => {
            members.iter().flat_map(client_facts).collect()
        }
        Kind::Compare(_, left, right) => [left, right]
            .into_iter()
            .flat_map(|side| client_facts(side))
            .collect(),
        Kind::Call("has", args) => args
            .iter()
            .flat_map(|arg| client_facts(&arg.expr))
            .collect(),
        _ => Vec::new(),
    }
}
