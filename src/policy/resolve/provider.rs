//! Providers and their models, which are the targets.

use crate::base::{ProviderId, TargetId, limits};
use crate::policy::catalogue;
use crate::policy::diag::naming as say;
use crate::policy::facts::Caps;
use crate::policy::kinds::{self, KindRow};
use crate::policy::model::{Endpoint, ModelName, Provider, ProviderKind, Queue, Target};
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::names::Decl;
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::settings::{merge, timeouts};
use crate::policy::schema::{self, Space, Value};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Expr, Kind, Stmt, Tail};

impl<'t> Resolver<'t> {
    pub(super) fn providers(&mut self) {
        for decl in self.names.all(Space::Provider) {
            let wrong = self.found.len();
            self.bodied(decl.stmt, "provider", "provider NAME { … }");
            if self.found.len() == wrong {
                self.provider(decl);
            }
        }
    }

    fn provider(&mut self, decl: Decl<'t>) {
        let fields = self.fields(decl.stmt.stmts(), &schema::PROVIDER);
        let Some(kind) = self.kind(decl, &fields) else {
            // Its models still exist for whoever names them.
            self.models(decl, &fields, ProviderId(0));
            return;
        };
        let index = u16::try_from(self.providers.len()).unwrap_or(u16::MAX);
        if index >= limits::POLICY_PROVIDERS_MAX {
            self.report(say::too_many(
                decl.place,
                limits::POLICY_PROVIDERS_MAX,
                "providers",
            ));
            return;
        }
        self.kind_fields(&fields, kind);
        let endpoints = self.endpoints(&fields, kind, decl.place);
        let versioned = |endpoint: &Endpoint| endpoint.base_path.ends_with("/v1");
        if kind.kind == ProviderKind::AzureOpenAi
            && fields.place("api_version").is_none()
            && !endpoints.iter().all(versioned)
        {
            let what = "`api_version`, or an address that ends in `/openai/v1`";
            self.report(say::missing(decl.place, kind.word, what));
        }
        let region: Option<Box<str>> = fields.text("region").map(Into::into);
        self.regions.extend(region.clone());
        let capacity = fields.of("capacity").next();
        let capacity = self.fields(capacity.map_or(&[], Stmt::stmts), &schema::CAPACITY);
        let simulation = (kind.kind == ProviderKind::Simulated)
            .then(|| self.simulation(fields.of("simulate").next()));
        let provider = Provider {
            name: decl.name.into(),
            at: self.at(decl.place),
            kind: kind.kind,
            auth: self.auth_of(&fields, kind, decl.place),
            tls: self.client_tls(&fields),
            region,
            failure_domain: fields.text("failure_domain").unwrap_or(decl.name).into(),
            trains_on_data: fields.flag("trains_on_data"),
            count_streams: fields.flag("count_streams"),
            api_version: fields.text("api_version").map(Into::into),
            max_inflight: capacity.inflight("max_inflight"),
            queue: self.queue_of(&capacity),
            health: self
                .health_of(&fields)
                .or_else(|| self.default_health.clone()),
            simulation,
            classify: self.classify(fields.of("classify").next()),
            discover: Self::discover_of(&fields, kind, endpoints.len()),
            endpoints,
        };
        self.providers.push(provider);
        self.models(decl, &fields, ProviderId(index));
    }

    /// Who may wait for a place; nobody does where there are always some.
    fn queue_of(&mut self, capacity: &Fields<'t>) -> Option<Queue> {
        let max = capacity.count("max_queue").filter(|&max| max != 0);
        let written = capacity.place("max_wait");
        if let (Some(place), true) = (
            capacity.place("max_queue").filter(|_| max.is_some()),
            capacity.written("max_inflight").is_none(),
        ) {
            self.report(say::missing(place, "max_queue", "`max_inflight`"));
        }
        if let (Some(place), None) = (written, max) {
            self.report(say::missing(place, "max_wait", "`max_queue`"));
        }
        Some(Queue {
            max: max?,
            wait: capacity.span("max_wait")?,
        })
    }

    fn kind(&mut self, decl: Decl<'t>, fields: &Fields<'t>) -> Option<&'static KindRow> {
        let (word, place) = match (fields.text("kind"), fields.place("kind")) {
            (Some(word), Some(place)) => (word, place),
            _ if decl.stmt.stmts().iter().any(|stmt| stmt.key() == "kind") => return None,
            _ => (decl.name, decl.place),
        };
        let Some(kind) = kinds::by_word(word) else {
            self.report(say::kind_missing(place, word, &kinds::WORDS));
            return None;
        };
        Some(kind)
    }

    /// Fields that only one kind has.
    fn kind_fields(&mut self, fields: &Fields<'t>, kind: &KindRow) {
        if kind.kind != ProviderKind::Simulated
            && let Some(stmt) = fields.of("simulate").next()
        {
            self.report(say::not_this_kind(
                stmt.key_place(),
                "simulate",
                "simulated",
                kind.word,
            ));
        }
        if kind.kind != ProviderKind::AzureOpenAi
            && let Some(place) = fields.place("api_version")
        {
            self.report(say::not_this_kind(
                place,
                "api_version",
                "azure_openai",
                kind.word,
            ));
        }
        if kind.kind == ProviderKind::Simulated {
            for word in ["base_url", "endpoints", "discover", "auth", "tls"] {
                if let Some(place) = fields.place(word) {
                    self.report(say::simulated_has_none(place, word));
                }
            }
        }
    }

    fn models(&mut self, decl: Decl<'t>, fields: &Fields<'t>, provider: ProviderId) {
        let base = self.base_target(decl, fields, provider);
        self.wildcards.insert(
            decl.name,
            Target {
                model: ModelName::Asked,
                ..base.clone()
            },
        );
        for stmt in fields.of("model") {
            let Some((name, place)) = stmt
                .name()
                .filter(|(name, _)| !name.contains('.') && stmt.words.len() == 2)
            else {
                self.report(say::not_written_so(
                    stmt.head(),
                    "model",
                    "model NAME = \"id\"` or `model NAME { … }",
                ));
                continue;
            };
            let target = self.model(stmt, name, place, &base);
            let full = format!("{}.{name}", decl.name);
            if let Some(&before) = self.target_ids.get(full.as_str()) {
                let before = self
                    .target_places
                    .get(before.index())
                    .copied()
                    .unwrap_or_default();
                self.report(say::duplicate(place, "model", name, before));
            } else {
                self.add_target(full.into(), place, target);
            }
        }
    }

    /// What every model of the provider starts from.
    fn base_target(&mut self, decl: Decl<'t>, fields: &Fields<'t>, provider: ProviderId) -> Target {
        let owner = self
            .providers
            .get(provider.index())
            .filter(|owner| *owner.name == *decl.name);
        let endpoints = owner.map_or(1, |owner| owner.endpoints.len());
        let inflight = owner.and_then(|owner| owner.max_inflight);
        let queue = owner.and_then(|owner| owner.queue);
        let endpoints = u32::try_from(endpoints).unwrap_or(u32::MAX);
        Target {
            name: format!("{}.*", decl.name).into(),
            at: self.at(decl.place),
            provider,
            model: ModelName::Asked,
            context: None,
            max_output: None,
            caps: Caps::NONE,
            lacks: Caps::NONE,
            price_in: None,
            price_out: None,
            price_cache_read: None,
            price_cache_write: None,
            breaker: self
                .breaker_of(fields, decl.name)
                .unwrap_or(self.defaults.breaker),
            retries: self
                .retries_of(fields, decl.name)
                .unwrap_or(self.defaults.retries),
            timeouts: merge(timeouts(fields), self.defaults.timeouts),
            max_inflight: inflight.map(|inflight| inflight.times(endpoints)),
            queue: queue.map(|queue| queue.times(endpoints)),
        }
    }

    fn model(&mut self, stmt: &'t Stmt<'t>, name: &'t str, place: Place, base: &Target) -> Target {
        let fields = self.fields(stmt.stmts(), &schema::MODEL);
        let short = match &stmt.tail {
            Tail::Assign(Expr {
                kind: Kind::Str(id),
                ..
            }) => Some(&**id),
            Tail::Bare => None,
            Tail::Assign(_) | Tail::Arrow(_) => {
                self.report(say::not_written_so(
                    stmt.head(),
                    "model",
                    "model NAME = \"id\"",
                ));
                Some("")
            }
        };
        let Some(id) = short.or_else(|| fields.text("id")) else {
            if !stmt.stmts().iter().any(|field| field.key() == "id") {
                let what = "`id`: the provider's own name for it";
                self.report(say::missing(place, "model", what));
            }
            return base.clone();
        };
        let kind = self.providers.get(base.provider.index());
        let known = kind.and_then(|provider| catalogue::known(provider.kind, id));
        let known = known.unwrap_or_default();
        let told = fields.written("caps").map(caps_of);
        let price = fields.of("price").next();
        let price = self.fields(price.map_or(&[], Stmt::stmts), &schema::PRICE);
        // The catalogue's prices go together: a discount on the prompt leaves its list price for the cache behind.
        let cached = match price.int("input") {
            Some(_) => (None, None),
            None => (known.price_cache_read, known.price_cache_write),
        };
        Target {
            at: self.at(place),
            model: ModelName::Fixed(id.into()),
            context: fields.int("context").or(known.context),
            max_output: fields.int("max_output").or(known.max_output),
            caps: told.unwrap_or(known.caps),
            lacks: told.map_or(known.lacks, Caps::complement),
            price_in: price.int("input").or(known.price_in),
            price_out: price.int("output").or(known.price_out),
            price_cache_read: price.int("cache_read").or(cached.0),
            price_cache_write: price.int("cache_write").or(cached.1),
            breaker: self.breaker_of(&fields, name).unwrap_or(base.breaker),
            retries: self.retries_of(&fields, name).unwrap_or(base.retries),
            timeouts: merge(timeouts(&fields), base.timeouts),
            ..base.clone()
        }
    }

    fn add_target(&mut self, name: Box<str>, place: Place, target: Target) -> Option<TargetId> {
        let Ok(index) = u16::try_from(self.targets.len()) else {
            self.report(say::too_many(place, u16::MAX, "targets"));
            return None;
        };
        let id = TargetId(index);
        self.targets.push(Target {
            name: name.clone(),
            ..target
        });
        self.target_places.push(place);
        self.target_ids.insert(name, id);
        Some(id)
    }

    /// The target that `expr` names: `provider.model`, or `provider.*`, which comes into being here.
    pub(super) fn target(&mut self, expr: &'t Expr<'t>) -> Option<TargetId> {
        let expr = self.deref(expr, &[]);
        let Kind::Path(path) = expr.kind else {
            let found = crate::policy::resolve::value::describe(expr, self.files.slice(expr.place));
            self.report(say::wrong_type(
                expr.place,
                "target such as `provider.model`",
                &found,
                None,
                "",
            ));
            return None;
        };
        let Some((provider, model)) = path.split_once('.') else {
            let hint: Vec<&str> = self.models_of(path);
            self.report(say::target_incomplete(expr.place, path, &hint));
            return None;
        };
        let named = Place {
            len: u32::try_from(provider.len()).unwrap_or(expr.place.len),
            ..expr.place
        };
        self.lookup(Space::Provider, provider, named)?;
        if let Some(&id) = self.target_ids.get(path) {
            return Some(id);
        }
        if model == "*" {
            let base = self.wildcards.get(provider)?.clone();
            return self.add_target(path.into(), expr.place, base);
        }
        let known = self.models_of(provider);
        if known.contains(&model) {
            // It is there, and what is wrong with it has been said.
            return None;
        }
        self.report(say::unknown_model(expr.place, provider, model, &known));
        None
    }

    fn models_of(&self, provider: &str) -> Vec<&'t str> {
        let decl = self
            .names
            .all(Space::Provider)
            .into_iter()
            .find(|decl| decl.name == provider);
        let stmts = decl.map_or(&[] as &[Stmt<'t>], |decl| decl.stmt.stmts());
        let models = stmts.iter().filter(|stmt| stmt.key() == "model");
        models
            .filter_map(|stmt| stmt.name().map(|(name, _)| name))
            .collect()
    }
}

/// The capabilities that a list names.
pub(super) fn caps_of(value: &Value<'_>) -> Caps {
    let Value::List(words) = value else {
        return Caps::NONE;
    };
    words.iter().fold(Caps::NONE, |all, word| {
        let Value::Word(word) = word else { return all };
        let cap = Caps::WORDS.iter().find(|(name, _)| name == word);
        cap.map_or(all, |&(_, cap)| all.union(cap))
    })
}
