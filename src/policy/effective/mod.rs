//! What holds for each provider, target and route once everything is merged, and where each of it comes from. The values
//! are the model's, so that they are those that the gateway goes by; the origins are read off the text.

mod written;

use crate::base::{Span, TargetId};
use crate::policy::facts::Caps;
use crate::policy::kinds;
use crate::policy::model::{
    Action, At, Auth, Breaker, MaxInflight, MidStream, ModelName, Otherwise, Panic, Policy,
    Provider, Retries, Route, Serve, Target, Then, Trigger,
};
use crate::policy::trace::{self, listed, outcomes, percent, pick};

pub use self::written::Written;

/// A provider, target or route, and what holds for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Owner {
    /// `provider`, `target` or `route`.
    pub kind: &'static str,
    /// Its name.
    pub name: Box<str>,
    /// Where it is declared.
    pub at: At,
    /// In the order of the reference.
    pub settings: Vec<Setting>,
}

/// One setting.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Setting {
    /// Its field, with dots for blocks: `breaker.half_open.probes`.
    pub field: String,
    /// As a policy writes it.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Where a setting comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// It is written here.
    Written(At),
    /// It is written for all, in `defaults`.
    Defaults(At),
    /// Its provider has it.
    Provider(At),
    /// What providers of this kind have.
    Kind(&'static str),
    /// What is known of the model.
    Catalogue,
    /// The language's own.
    BuiltIn,
    /// The target's, which may be another for each.
    Target,
}

/// Everything that holds for providers, targets and routes, in the order of the policy. `written` is of the same text.
pub fn owners(policy: &Policy, written: &Written) -> Vec<Owner> {
    let all = Everything { policy, written };
    let providers = policy.providers.iter().map(|it| all.provider(it));
    let targets = policy.targets.iter().map(|it| all.target(it));
    let routes = policy.routes.iter().map(|it| all.route(it));
    providers.chain(targets).chain(routes).collect()
}

/// What holds for the one `provider`, `target` or `route` of that name.
pub fn owner(policy: &Policy, written: &Written, kind: &str, name: &str) -> Option<Owner> {
    let all = Everything { policy, written };
    let provider = |it: &&Provider| *it.name == *name;
    match kind {
        "provider" => Some(all.provider(policy.providers.iter().find(provider)?)),
        "target" => Some(all.target(policy.targets.iter().find(|it| *it.name == *name)?)),
        "route" => Some(all.route(policy.routes.iter().find(|it| *it.name == *name)?)),
        _ => None,
    }
}

struct Everything<'p> {
    policy: &'p Policy,
    written: &'p Written,
}

/// Settings of one owner as they are gathered, and the blocks that may write them, the nearest first.
struct Gathered<'p> {
    settings: Vec<Setting>,
    blocks: Vec<Source<'p>>,
}

/// A block that may write a setting, and what it is then said to come from.
type Source<'p> = (Option<&'p Written>, fn(At) -> Origin);

impl<'p> Gathered<'p> {
    fn origin(&self, field: &str) -> Option<(&'p Written, Origin)> {
        self.blocks.iter().find_map(|(block, origin)| {
            let found = block.as_ref()?.field(field)?;
            Some((found, origin(found.at)))
        })
    }

    /// A field that one of the blocks writes, or that is `otherwise`.
    fn put(&mut self, field: &str, value: String, otherwise: Origin) {
        let origin = self.origin(field).map_or(otherwise, |(_, origin)| origin);
        self.add(field, value, origin);
    }

    fn add(&mut self, field: &str, value: String, origin: Origin) {
        self.settings.push(Setting {
            field: field.to_owned(),
            value,
            origin,
        });
    }
}

impl<'p> Everything<'p> {
    fn provider(&self, provider: &'p Provider) -> Owner {
        let block = self.written.find("provider", &provider.name);
        let mut all = Gathered {
            settings: Vec::new(),
            blocks: vec![(block, Origin::Written)],
        };
        let kind = kinds::KINDS.iter().find(|row| row.kind == provider.kind);
        let kind = kind.map_or("?", |row| row.word);
        let of_kind = Origin::Kind(kind);
        all.put("kind", kind.to_owned(), Origin::BuiltIn);
        let endpoints: Vec<String> = provider.endpoints.iter().map(address).collect();
        let from = if all.origin("endpoints").is_some() {
            "endpoints"
        } else {
            "base_url"
        };
        all.put(from, endpoints.join(", "), of_kind);
        all.put("auth", auth(&provider.auth), of_kind);
        all.put(
            "region",
            text_or_none(provider.region.as_deref()),
            Origin::BuiltIn,
        );
        let domain = format!("{:?}", provider.failure_domain);
        all.put("failure_domain", domain, Origin::BuiltIn);
        all.put(
            "trains_on_data",
            provider.trains_on_data.to_string(),
            Origin::BuiltIn,
        );
        all.put(
            "count_streams",
            provider.count_streams.to_string(),
            Origin::BuiltIn,
        );
        let inflight = provider.max_inflight.map_or_else(none, inflight);
        all.nested("capacity", "max_inflight", inflight);
        let queue = provider.queue.map(|it| it.max.to_string());
        all.nested(
            "capacity",
            "max_queue",
            queue.unwrap_or_else(|| "0".to_owned()),
        );
        if let Some(queue) = provider.queue {
            all.nested("capacity", "max_wait", queue.wait.to_string());
        }
        all.blocks
            .push((self.written.field("defaults"), Origin::Defaults));
        let health = provider.health.as_ref().map_or_else(none, |health| {
            let (every, timeout) = (health.every, health.timeout);
            format!(
                "every {every}, timeout {timeout}, fall {}, rise {}",
                health.fall, health.rise
            )
        });
        all.put("health", health, Origin::BuiltIn);
        all.owner("provider", &provider.name, provider.at)
    }

    fn target(&self, target: &'p Target) -> Owner {
        let provider = self.policy.providers.get(target.provider.index());
        let block = provider.and_then(|it| self.written.find("provider", &it.name));
        let model = target.name.split_once('.').map_or("", |(_, model)| model);
        let own = block.and_then(|block| block.find("model", model));
        let mut all = Gathered {
            settings: Vec::new(),
            blocks: vec![(own, Origin::Written)],
        };
        let id = match &target.model {
            ModelName::Fixed(id) => format!("{id:?}"),
            ModelName::Asked => "what the client asks for".to_owned(),
        };
        let at_itself = match target.model {
            ModelName::Fixed(_) => Origin::Written(target.at),
            ModelName::Asked => Origin::BuiltIn,
        };
        all.put("id", id, at_itself);
        let known = |known: Option<u64>| known.map_or_else(none, |known| known.to_string());
        all.put("context", known(target.context), Origin::Catalogue);
        all.put("max_output", known(target.max_output), Origin::Catalogue);
        all.put("caps", caps(target.caps), Origin::Catalogue);
        let price = |price: Option<u64>| price.map_or_else(none, trace::price);
        all.nested_or("price", "input", price(target.price_in), Origin::Catalogue);
        all.nested_or(
            "price",
            "output",
            price(target.price_out),
            Origin::Catalogue,
        );
        all.blocks.push((block, Origin::Provider));
        all.blocks
            .push((self.written.field("defaults"), Origin::Defaults));
        if let Some(breaker) = self.policy.breakers.get(target.breaker.index()) {
            self.breaker(breaker, &mut all);
        }
        if let Some(retries) = self.policy.retries.get(target.retries.index()) {
            self.retries(retries, &mut all);
        }
        let timeouts = target.timeouts;
        let head = timeouts.head.unwrap_or(timeouts.ttft);
        for (field, value) in [
            ("connect_timeout", timeouts.connect),
            ("head_timeout", head),
            ("ttft_timeout", timeouts.ttft),
            ("idle_timeout", timeouts.idle),
        ] {
            all.put(field, value.to_string(), Origin::BuiltIn);
        }
        all.owner("target", &target.name, target.at)
    }

    /// The block that a name stands for, or the block itself.
    fn meant(&self, word: &str, all: &Gathered<'p>) -> Option<&'p Written> {
        let Some((found, _)) = all.origin(word) else {
            return self.written.find(word, "standard");
        };
        if found.inner.is_empty() {
            self.written.find(word, &found.name)
        } else {
            Some(found)
        }
    }

    fn breaker(&self, breaker: &Breaker, all: &mut Gathered<'p>) {
        all.put("breaker", breaker.name.to_string(), Origin::BuiltIn);
        let block = self.meant("breaker", all);
        let mut inner = Gathered {
            settings: Vec::new(),
            blocks: vec![(block, Origin::Written)],
        };
        let built_in = Origin::BuiltIn;
        inner.put("window", breaker.window.to_string(), built_in);
        inner.put("min_requests", breaker.min_requests.to_string(), built_in);
        let scope = if breaker.per_core { "core" } else { "shared" };
        inner.put("scope", scope.to_owned(), built_in);
        inner.put("count", outcomes(breaker.count), built_in);
        inner.put("open", opens(breaker).join("; "), built_in);
        inner.put("cool_down", range(breaker.cool_down), built_in);
        inner.nested("half_open", "probes", breaker.probes.to_string());
        inner.nested("half_open", "need", breaker.need.to_string());
        inner.nested("half_open", "share", percent(breaker.share.into()));
        let steps = breaker.ramp.steps().iter().copied().chain([1_000_000]);
        let steps: Vec<String> = steps.map(|step| percent(step.into())).collect();
        inner.nested("half_open", "ramp", format!("[{}]", steps.join(", ")));
        inner.nested("half_open", "step", breaker.step.to_string());
        let obeys = breaker.obey_retry_after.to_string();
        inner.nested("throttle", "obey_retry_after", obeys);
        inner.nested("throttle", "max", breaker.throttle_max.to_string());
        all.adopt("breaker", inner);
    }

    fn retries(&self, retries: &Retries, all: &mut Gathered<'p>) {
        all.put("retries", retries.name.to_string(), Origin::BuiltIn);
        let block = self.meant("retries", all);
        let mut inner = Gathered {
            settings: Vec::new(),
            blocks: vec![(block, Origin::Written)],
        };
        let built_in = Origin::BuiltIn;
        inner.put("max", retries.max.to_string(), built_in);
        inner.put("budget", percent(retries.budget.into()), built_in);
        inner.put("floor", format!("{}/s", retries.floor_per_s), built_in);
        inner.put("backoff", range(retries.backoff), built_in);
        all.adopt("retries", inner);
    }

    fn route(&self, route: &'p Route) -> Owner {
        let block = self.written.find("route", &route.name);
        let mut all = Gathered {
            settings: Vec::new(),
            blocks: vec![(block, Origin::Written)],
        };
        match &route.action {
            Action::Reject(reject) => {
                let text = format!("reject({})", reject.status);
                all.put("reject", text, Origin::Written(reject.at));
            }
            Action::Serve(serve) => self.serve(route, serve, &mut all),
        }
        all.owner("route", &route.name, route.at)
    }

    fn serve(&self, route: &Route, serve: &'p Serve, all: &mut Gathered<'p>) {
        self.tiers(route, serve, all);
        self.fallback(route, serve, all);
        self.bounds(serve, all);
        let timers = serve.timeouts;
        for (field, value) in [
            ("connect_timeout", timers.connect),
            ("head_timeout", timers.head),
            ("ttft_timeout", timers.ttft),
            ("idle_timeout", timers.idle),
        ] {
            let value = value.map_or_else(|| "the target's".to_owned(), |it| it.to_string());
            all.put(field, value, Origin::Target);
        }
        if !serve.sticky.is_empty() {
            let facts = listed(&serve.sticky);
            all.put("sticky", format!("hash({facts})"), Origin::BuiltIn);
        }
        if let Some(hedge) = &serve.hedge {
            let target = self.target_name(hedge.target);
            let extra = percent(hedge.max_extra.into());
            let value = format!("-> {target}, max_extra {extra}");
            all.put("hedge", value, Origin::Written(hedge.at));
        }
        if let Some(shadow) = &serve.shadow {
            let target = self.target_name(shadow.target);
            let value = format!("{target}, share {}", percent(shadow.share.into()));
            all.put("shadow", value, Origin::Written(shadow.at));
        }
    }

    fn tiers(&self, route: &Route, serve: &'p Serve, all: &mut Gathered<'p>) {
        // The targets of a pool stand there.
        let used = all.origin("use");
        let pool = used.and_then(|(found, _)| {
            let name = found.name.strip_prefix("pool.")?;
            self.written.find("pool", name)
        });
        if let Some((found, origin)) = used {
            all.add("use", found.name.to_string(), origin);
        }
        let place = pool.map_or(route.at, |pool| pool.at);
        let own = all.blocks.first().and_then(|(block, _)| *block);
        let tiers = pool.or(own);
        for (number, tier) in (1_usize..).zip(&serve.tiers) {
            let block = tiers.and_then(|block| block.all("tier").nth(number - 1));
            let at = block.map_or(place, |block| block.at);
            let members: Vec<String> = tier
                .members
                .iter()
                .map(|it| format!("{} weight {}", self.target_name(it.target), it.weight))
                .collect();
            let field = format!("tier {number}");
            all.add(&field, members.join(", "), Origin::Written(at));
            let own = block.and_then(|block| block.field("pick"));
            let own = own.or_else(|| tiers.and_then(|tiers| tiers.field("pick")));
            let origin = own.map_or(Origin::BuiltIn, |it| Origin::Written(it.at));
            all.add(&format!("{field}.pick"), pick(&tier.pick), origin);
        }
    }

    fn fallback(&self, route: &Route, serve: &Serve, all: &mut Gathered<'p>) {
        for (number, line) in (1_usize..).zip(&serve.fallback) {
            let then = match &line.then {
                Then::Next => "next".to_owned(),
                Then::Stop => "stop".to_owned(),
                Then::Jump(target) => self.target_name(*target).to_owned(),
                Then::Reject(reject) => format!("reject({})", reject.status),
            };
            let on = match line.on {
                Trigger::Slow(limit) => format!("ttft > {limit}"),
                Trigger::Outcomes(set) => outcomes(set),
            };
            let origin = own_line(line.at, route.at);
            let value = format!("on {on} -> {then}");
            all.add(&format!("fallback {number}"), value, origin);
        }
        let (otherwise, at) = match &serve.otherwise {
            Otherwise::Stop => ("stop".to_owned(), route.at),
            Otherwise::Reject(reject) => (format!("reject({})", reject.status), reject.at),
        };
        let fallback = all.origin("fallback").map(|(found, _)| found);
        let written = fallback.and_then(|found| found.field("else"));
        let origin = written.map_or_else(|| own_line(at, route.at), |it| Origin::Written(it.at));
        all.add("fallback else", otherwise, origin);
    }

    /// What `defaults` may say for routes.
    fn bounds(&self, serve: &Serve, all: &mut Gathered<'p>) {
        let built_in = Origin::BuiltIn;
        all.put("require", caps(serve.require), built_in);
        all.blocks
            .push((self.written.field("defaults"), Origin::Defaults));
        all.put("deadline", serve.deadline.to_string(), built_in);
        all.put("max_attempts", serve.attempts_max.to_string(), built_in);
        let mid_stream = match serve.mid_stream {
            MidStream::Error => "error",
            MidStream::Continue => "continue",
        };
        all.put("mid_stream", mid_stream.to_owned(), built_in);
        let panic = match serve.panic {
            Panic::Fail => "fail",
            Panic::Probe => "probe",
        };
        all.put("panic", panic.to_owned(), built_in);
        all.put("strict", serve.strict.to_string(), built_in);
        // A route's own timer goes before the target's; `defaults` are the target's already.
        all.blocks.pop();
    }

    fn target_name(&self, target: TargetId) -> &'p str {
        let found = self.policy.targets.get(target.index());
        found.map_or("?", |target| &target.name)
    }
}

impl Gathered<'_> {
    fn nested(&mut self, block: &str, field: &str, value: String) {
        self.nested_or(block, field, value, Origin::BuiltIn);
    }

    fn nested_or(&mut self, block: &str, field: &str, value: String, otherwise: Origin) {
        let found = self.blocks.iter().find_map(|(owner, origin)| {
            let found = owner.as_ref()?.field(block)?.field(field)?;
            Some(origin(found.at))
        });
        self.add(
            &format!("{block}.{field}"),
            value,
            found.unwrap_or(otherwise),
        );
    }

    /// Takes the settings of a block over.
    fn adopt(&mut self, block: &str, inner: Self) {
        let inner = inner.settings.into_iter().map(|setting| Setting {
            field: format!("{block}.{}", setting.field),
            ..setting
        });
        self.settings.extend(inner);
    }

    fn owner(self, kind: &'static str, name: &str, at: At) -> Owner {
        Owner {
            kind,
            name: name.into(),
            at,
            settings: self.settings,
        }
    }
}

/// A line that stands where its route does is the standard one.
fn own_line(at: At, route: At) -> Origin {
    if at == route {
        Origin::BuiltIn
    } else {
        Origin::Written(at)
    }
}

fn opens(breaker: &Breaker) -> Vec<String> {
    let rate = breaker.error_rate;
    let rate = rate.map(|rate| format!("error_rate > {}", percent(rate.into())));
    let run = breaker.consecutive;
    let run = run.map(|run| format!("consecutive >= {run}"));
    let slow = breaker.slow.iter().map(ToString::to_string);
    rate.into_iter().chain(run).chain(slow).collect()
}

fn address(endpoint: &crate::policy::model::Endpoint) -> String {
    let scheme = if endpoint.tls { "https" } else { "http" };
    let (host, port) = (&endpoint.host, endpoint.port);
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_string()
    };
    let port = match (endpoint.tls, port) {
        (true, 443) | (false, 80) => String::new(),
        (_, port) => format!(":{port}"),
    };
    format!("\"{scheme}://{host}{port}{}\"", endpoint.base_path)
}

/// Where secrets are kept, never what they are.
fn auth(auth: &Auth) -> String {
    match auth.secrets() {
        [] => none(),
        [one] => one.source.to_string(),
        several => {
            let keys: Vec<String> = several.iter().map(|it| it.source.to_string()).collect();
            format!("keys({}, pick = {})", keys.join(", "), auth.pick().as_str())
        }
    }
}

fn inflight(max: MaxInflight) -> String {
    match max {
        MaxInflight::Fixed(max) => max.to_string(),
        MaxInflight::Auto(range) => format!("auto({}..{})", range.least, range.most),
    }
}

fn caps(caps: Caps) -> String {
    let words = Caps::WORDS.iter().filter(|(_, cap)| caps.covers(*cap));
    let words: Vec<&str> = words.map(|(word, _)| *word).collect();
    format!("[{}]", words.join(", "))
}

fn range((first, longest): (Span, Span)) -> String {
    format!("{first}..{longest}")
}

fn text_or_none(text: Option<&str>) -> String {
    text.map_or_else(none, |text| format!("{text:?}"))
}

fn none() -> String {
    "none".to_owned()
}
