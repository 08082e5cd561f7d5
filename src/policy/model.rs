//! The resolved policy: every name an id, every unit a base unit, every default filled in. What cannot be written
//! down here cannot happen at run time.

use std::fmt;

use crate::base::{BreakerId, Outcome, OutcomeSet, ProviderId, RetriesId, RouteId, Span, TargetId};
use crate::policy::drill::Drill;
use crate::policy::facts::Caps;
use crate::policy::trial::Trial;

/// A policy whose names, types and defaults are settled.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The files it came from, the first one first; [`At::file`] indexes this.
    pub files: Vec<Box<str>>,
    /// XXH3 of all its text and of the values that `--set` gives its consts: shown at start-up and at the admin address.
    pub hash: u64,
    /// Where and how the gateway listens.
    pub server: Server,
    /// What is told of requests.
    pub telemetry: Telemetry,
    /// Indexed by [`ProviderId`].
    pub providers: Vec<Provider>,
    /// Indexed by [`TargetId`]: every model of every provider, and `provider.*` where a route names it.
    pub targets: Vec<Target>,
    /// Indexed by [`BreakerId`].
    pub breakers: Vec<Breaker>,
    /// Indexed by [`RetriesId`].
    pub retries: Vec<Retries>,
    /// Client model names that are replaced before any fact is read.
    pub aliases: Vec<Alias>,
    /// Masks that are checked on every pick.
    pub forbids: Vec<Forbid>,
    /// Indexed by [`RouteId`], in file order; the last one is `default` and has no condition.
    pub routes: Vec<Route>,
    /// What it expects of itself. The gateway does not read them.
    pub trials: Vec<Trial>,
    /// What it rehearses. The gateway does not read them.
    pub drills: Vec<Drill>,
}

impl Policy {
    /// What an `alias` makes of a model name.
    pub fn alias_of(&self, asked: &str) -> Option<&str> {
        let alias = self.aliases.iter().find(|alias| *alias.from == *asked)?;
        Some(&alias.to)
    }
}

/// A place in the policy's text.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct At {
    /// Index into [`Policy::files`].
    pub file: u16,
    /// Line, from 1.
    pub line: u32,
}

/// `server { … }`
#[derive(Clone, Debug)]
pub struct Server {
    /// Where clients connect, as `address:port`.
    pub listen: Box<str>,
    /// Where operators connect, as `address:port`.
    pub admin: Box<str>,
    /// Workers; `None` is `all`: one for each core that the process may use.
    pub cores: Option<u16>,
    /// The largest request body, in bytes.
    pub body_max: u64,
    /// What it takes on at once.
    pub bounds: ServerBounds,
    /// How long requests under way may go on once the process has been told to end.
    pub drain: Span,
    /// TLS towards clients.
    pub tls: Option<ServerTls>,
    /// `clients { anonymous = allow }`: anyone may call on an address that is not loopback.
    pub anonymous: bool,
    /// Where `server` stands, if it is written out.
    pub at: At,
}

/// The bounds in `server { … }`, all cores together. What is left out hangs on the machine.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ServerBounds {
    /// `max_connections`: connections of clients.
    pub connections: Option<u32>,
    /// `max_requests`: requests under way.
    pub requests: Option<u32>,
    /// `body_memory`: bytes of requests' bodies, and of answers that are held back.
    pub body_memory: Option<u64>,
}

/// `telemetry { … }`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Telemetry {
    /// `access_log`
    pub access_log: LogForm,
    /// `sample`: the part of requests that is logged, in parts per million. Those that failed are always.
    pub sample: u32,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            access_log: LogForm::Off,
            sample: 1_000_000,
        }
    }
}

/// How a request looks in the access log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogForm {
    /// `json`: one object a line.
    Json,
    /// `text`: one line for people.
    Text,
    /// `off`: there is no log.
    Off,
}

impl LogForm {
    /// The form that `word` names, if any.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "json" => Some(Self::Json),
            "text" => Some(Self::Text),
            "off" => Some(Self::Off),
            _ => None,
        }
    }

    /// The word that names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
            Self::Off => "off",
        }
    }
}

/// `server { tls { … } }`
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// The certificate chain, PEM.
    pub cert: SecretRef,
    /// The private key, PEM.
    pub key: SecretRef,
}

/// Where a secret is kept. Never the secret itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecretRef {
    /// The store and the name in it.
    pub source: SecretSource,
    /// Where the policy names it.
    pub at: At,
}

/// The stores that secrets come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SecretSource {
    /// `env("NAME")`
    Env(Box<str>),
    /// `file("path")`, one trailing newline is not part of it.
    File(Box<str>),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env({name:?})"),
            Self::File(path) => write!(f, "file({path:?})"),
        }
    }
}

/// The kinds of provider that the language knows. Which of them this binary can speak to is `dialect`'s to say.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ProviderKind {
    /// `openai`
    OpenAi,
    /// `azure_openai`
    AzureOpenAi,
    /// `anthropic`
    Anthropic,
    /// `gemini`
    Gemini,
    /// `vertex`
    Vertex,
    /// `bedrock`
    Bedrock,
    /// `mistral`
    Mistral,
    /// `cohere`
    Cohere,
    /// `groq`
    Groq,
    /// `xai`
    Xai,
    /// `deepseek`
    DeepSeek,
    /// `openrouter`
    OpenRouter,
    /// `together`
    Together,
    /// `fireworks`
    Fireworks,
    /// `perplexity`
    Perplexity,
    /// `cerebras`
    Cerebras,
    /// `ollama`
    Ollama,
    /// `vllm`
    Vllm,
    /// `openai_compatible`
    OpenAiCompatible,
    /// `simulated`: answers from inside the gateway.
    Simulated,
}

/// `provider NAME { … }`
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name in the policy.
    pub name: Box<str>,
    /// Where it is declared.
    pub at: At,
    /// Its format and defaults.
    pub kind: ProviderKind,
    /// Where it answers; at least one. A simulated provider has one that the runtime fills in.
    pub endpoints: Vec<Endpoint>,
    /// `discover`: where more endpoints come from.
    pub discover: Option<Box<Discover>>,
    /// How it knows us.
    pub auth: Auth,
    /// How its certificate is checked.
    pub tls: ClientTls,
    /// `region`, for conditions.
    pub region: Option<Box<str>>,
    /// `failure_domain`; the provider's name unless set.
    pub failure_domain: Box<str>,
    /// `trains_on_data`
    pub trains_on_data: bool,
    /// `api_version`: Azure's query parameter.
    pub api_version: Option<Box<str>>,
    /// `capacity { max_inflight }`, for each endpoint.
    pub max_inflight: Option<MaxInflight>,
    /// `capacity { max_queue, max_wait }`, for each endpoint.
    pub queue: Option<Queue>,
    /// `health`: how its endpoints are checked; nobody checks them where it is `None`.
    pub health: Option<HealthCheck>,
    /// What a simulated provider does.
    pub simulation: Option<Simulation>,
    /// `classify { … }`, top down: what its errors mean where it differs from what is built in.
    pub classify: Vec<Classify>,
}

/// One rule of `classify { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Classify {
    /// Where it stands.
    pub at: At,
    /// Holds for some of the provider's errors.
    pub when: AnswerCond,
    /// What these end in. Neither [`Outcome::Ok`] nor [`Outcome::BreakerOpen`].
    pub outcome: Outcome,
}

/// A condition on a provider's error.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerCond {
    /// `status == 400`, `status in 500..599`: one of these ranges, both ends inclusive, within
    /// [`AnswerCond::STATUSES`].
    Status(Vec<(u16, u16)>),
    /// `code == "…"`, `code in […]`: the error's `code` or `type` is one of these.
    Code(Vec<Box<str>>),
    /// `body contains "…"`: these bytes stand in the error's beginning.
    Body(Box<str>),
    /// `not`
    Not(Box<Self>),
    /// `and`; at least two.
    All(Vec<Self>),
    /// `or`; at least two.
    Any(Vec<Self>),
}

impl AnswerCond {
    /// The statuses of answers that may be errors: 2xx too, because an error may come inside one.
    pub const STATUSES: (u16, u16) = (200, 599);
}

/// `discover = file("…", every = …)`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Discover {
    /// A JSON list of URLs.
    pub path: Box<str>,
    /// How often it is looked at.
    pub every: Span,
    /// So many of the provider's endpoints stand in the policy; those behind them come from the file.
    pub written: usize,
    /// The base path of an address that has none.
    pub base_path: Box<str>,
    /// `tls = off`: plain HTTP to private addresses is meant.
    pub plain: bool,
}

/// One address of a provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// `https`.
    pub tls: bool,
    /// Host name or address, without brackets.
    pub host: Box<str>,
    /// Port.
    pub port: u16,
    /// What stands before `/chat/completions`, without a trailing slash, such as `/v1`.
    pub base_path: Box<str>,
}

/// `health NAME { … }`: how a provider's endpoints are asked whether they are there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HealthCheck {
    /// What is asked.
    pub question: Question,
    /// Time between two checks of one endpoint, give or take a tenth.
    pub every: Span,
    /// How long a check may take, connection included.
    pub timeout: Span,
    /// Failed checks in a row until an endpoint is down.
    pub fall: u32,
    /// Good checks in a row until it is up again.
    pub rise: u32,
    /// Endpoints are checked at different moments.
    pub spread: bool,
}

/// What a health check asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Question {
    /// `path`: whether something answers there, with a status of 200 to 399.
    Path {
        /// `HEAD` instead of `GET`.
        head: bool,
        /// From the root of the address, with its query.
        path: Box<str>,
    },
    /// `ask`: whether the model generates a token.
    Token {
        /// The provider's name for the model.
        model: Box<str>,
        /// `at_most`: so many of them …
        count: u32,
        /// … in this time, for all endpoints together.
        per: Span,
    },
}

/// `auth = …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Auth {
    /// `none`
    None,
    /// One field with one secret, or with one of several: a pool.
    Key {
        /// How the secret is written.
        style: AuthStyle,
        /// The secrets, in the policy's order; at least one, at most [`KEYS_MAX`](crate::base::limits::KEYS_MAX).
        secrets: Vec<SecretRef>,
        /// Which of them a request takes.
        pick: KeyPick,
    },
}

impl Auth {
    /// The secrets, in the policy's order; none for `none`.
    pub fn secrets(&self) -> &[SecretRef] {
        match self {
            Self::None => &[],
            Self::Key { secrets, .. } => secrets,
        }
    }

    /// Which key of a pool a request takes.
    pub fn pick(&self) -> KeyPick {
        match self {
            Self::None => KeyPick::default(),
            Self::Key { pick, .. } => *pick,
        }
    }
}

/// `pick = …` in `keys(…)`: which of the keys that may be used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum KeyPick {
    /// `least_throttled`: spread evenly over those that were not rate-limited lately; else the one whose pause ended
    /// first.
    #[default]
    LeastThrottled,
    /// `round_robin`: one after the other.
    RoundRobin,
    /// `in_order`: the first one.
    InOrder,
}

impl KeyPick {
    /// Each, the default first.
    pub const ALL: [Self; 3] = [Self::LeastThrottled, Self::RoundRobin, Self::InOrder];

    /// The word of the policy language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeastThrottled => "least_throttled",
            Self::RoundRobin => "round_robin",
            Self::InOrder => "in_order",
        }
    }
}

/// How a credential is written on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthStyle {
    /// `authorization: Bearer …`
    Bearer,
    /// `api-key: …` (Azure)
    ApiKey,
    /// `x-api-key: …` (Anthropic)
    XApiKey,
    /// `x-goog-api-key: …` (Gemini)
    XGoogApiKey,
    /// `authorization: AWS4-HMAC-SHA256 …`: a signature of each request (Bedrock)
    SigV4,
}

/// `tls { … }` of a provider.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClientTls {
    /// The roots that the certificate must lead to.
    pub roots: Roots,
    /// Refuse TLS 1.2.
    pub only_tls13: bool,
}

/// `ca = …`
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Roots {
    /// Mozilla's list inside the binary.
    #[default]
    Bundled,
    /// `system`: the machine's own list.
    System,
    /// `file("…")`: only these, PEM.
    File(Box<str>),
}

/// `simulate { … }` of a simulated provider.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Simulation {
    /// Time to the first content, drawn evenly from this range.
    pub ttft: (Span, Span),
    /// Time between the events of a stream.
    pub gap: Span,
    /// Words in an answer.
    pub tokens: u32,
    /// What it does, request by request; after the last step it starts again. Empty: always well.
    pub script: Vec<ScriptStep>,
}

/// One step of a fault script: `times` requests answered in one way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ScriptStep {
    /// How the requests are answered.
    pub act: Act,
    /// How many.
    pub times: u32,
}

/// What a simulated provider can do with a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Act {
    /// `ok`
    Ok,
    /// `s400` to `s599`: that status with an OpenAI error body.
    Status(u16),
    /// `refuse`: the connection is reset before any byte.
    Refuse,
    /// `hang`: the head never comes.
    Hang,
    /// `stall`: a stream stops after its first content; an answer stops inside its body.
    Stall,
    /// `cut`: a stream ends by reset after its first content; an answer inside its body.
    Cut,
    /// `error_event`: a 200 stream whose first event is an error.
    ErrorEvent,
    /// `model_gone`: 404 `model_not_found`.
    ModelGone,
    /// `bad_key`: 401 `invalid_api_key`.
    BadKey,
}

/// One model at one provider.
#[derive(Clone, Debug)]
pub struct Target {
    /// `provider.model`, as policies, headers, logs and metrics name it.
    pub name: Box<str>,
    /// Where it is declared.
    pub at: At,
    /// Its provider.
    pub provider: ProviderId,
    /// The provider's name for the model.
    pub model: ModelName,
    /// `context`, in tokens. This and what follows up to the prices is the catalogue's where the policy does not say, and
    /// `None` where neither does.
    pub context: Option<u64>,
    /// `max_output`: tokens of the longest answer.
    pub max_output: Option<u64>,
    /// What it is known to do.
    pub caps: Caps,
    /// What it is known not to do: what is not in `caps` where the policy has them. The rest is not known.
    pub lacks: Caps,
    /// `price { input }` in micro-dollars per million tokens.
    pub price_in: Option<u64>,
    /// `price { output }` in micro-dollars per million tokens.
    pub price_out: Option<u64>,
    /// `price { cache_read }`: what is read from the provider's cache, in the same unit.
    pub price_cache_read: Option<u64>,
    /// `price { cache_write }`: what is written into the provider's cache, in the same unit.
    pub price_cache_write: Option<u64>,
    /// Its breaker.
    pub breaker: BreakerId,
    /// Its retries.
    pub retries: RetriesId,
    /// Its timers.
    pub timeouts: Timeouts,
    /// Requests at once, over all cores; from `capacity` (times the endpoints).
    pub max_inflight: Option<MaxInflight>,
    /// Requests that wait for a place, over all cores; from `capacity` (times the endpoints).
    pub queue: Option<Queue>,
}

impl Target {
    /// Whether it is known to lack any of these.
    pub const fn lacks_any(&self, caps: Caps) -> bool {
        !self.lacks.intersection(caps).is_empty()
    }
}

/// `max_queue = 32, max_wait = 2s`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Queue {
    /// How many may wait; at least one.
    pub max: u32,
    /// For how long.
    pub wait: Span,
}

impl Queue {
    /// The same for each of so many endpoints, together.
    #[must_use]
    pub const fn times(self, endpoints: u32) -> Self {
        Self {
            max: self.max.saturating_mul(endpoints),
            ..self
        }
    }
}

/// `max_inflight = 64`, `max_inflight = auto(4..1000)`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MaxInflight {
    /// So many.
    Fixed(u32),
    /// As many as its answers show that it bears.
    Auto(AutoInflight),
}

/// The bounds of what is learned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AutoInflight {
    /// Never fewer; at least one.
    pub least: u32,
    /// Never more; at least as many.
    pub most: u32,
}

impl AutoInflight {
    /// `auto`: the least is enough to learn from, the most is more than a provider usually allows one customer.
    pub const BUILT_IN: Self = Self {
        least: 4,
        most: 1_000,
    };
}

impl MaxInflight {
    /// The same for each of so many endpoints, together.
    #[must_use]
    pub const fn times(self, endpoints: u32) -> Self {
        match self {
            Self::Fixed(max) => Self::Fixed(max.saturating_mul(endpoints)),
            Self::Auto(AutoInflight { least, most }) => Self::Auto(AutoInflight {
                least: least.saturating_mul(endpoints),
                most: most.saturating_mul(endpoints),
            }),
        }
    }
}

/// The provider's name for a model.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ModelName {
    /// This one.
    Fixed(Box<str>),
    /// `provider.*`: the one that the client asked for.
    Asked,
}

/// The timers of one attempt, all inside the request's deadline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timeouts {
    /// `connect_timeout`: address, TCP and TLS.
    pub connect: Span,
    /// `head_timeout`: from the beginning of the attempt to the head of a stream; `None`: as `ttft`.
    pub head: Option<Span>,
    /// `ttft_timeout`: from the beginning of the attempt to its first content.
    pub ttft: Span,
    /// `idle_timeout`: between two content events, or two reads of a plain answer's body.
    pub idle: Span,
}

/// A route's own timers; what is `None` is the target's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TimeoutsOverride {
    /// `connect_timeout`
    pub connect: Option<Span>,
    /// `head_timeout`
    pub head: Option<Span>,
    /// `ttft_timeout`
    pub ttft: Option<Span>,
    /// `idle_timeout`
    pub idle: Option<Span>,
}

/// `breaker NAME { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Breaker {
    /// Its name; `standard` for the built-in one.
    pub name: Box<str>,
    /// Where it is declared.
    pub at: At,
    /// `window`
    pub window: Span,
    /// `min_requests`
    pub min_requests: u32,
    /// `scope = core`: each core judges alone.
    pub per_core: bool,
    /// `count`: the outcomes that are ill health.
    pub count: OutcomeSet,
    /// `open when error_rate > …`, in parts per million.
    pub error_rate: Option<u32>,
    /// `open when consecutive >= …`
    pub consecutive: Option<u32>,
    /// `open when p95(ttft) > …`, `open when slow(gap > …) > …` and their like, at most [`Breaker::SLOW_MAX`].
    pub slow: Vec<SlowRule>,
    /// `cool_down = 15s..2m`: first and longest.
    pub cool_down: (Span, Span),
    /// `half_open { probes }`: requests let through at once, over all cores.
    pub probes: u32,
    /// `half_open { need }`: probes that must succeed, one after the other, until it lets others through again.
    pub need: u32,
    /// `half_open { share }`: the part of its weight that a half-open target keeps, in parts per million.
    pub share: u32,
    /// `half_open { ramp }`: the parts of its weight that it gets back then.
    pub ramp: Ramp,
    /// `half_open { step }`: how long it stays at each of them.
    pub step: Span,
    /// `throttle { obey_retry_after }`
    pub obey_retry_after: bool,
    /// `throttle { max }`: the longest pause after a 429.
    pub throttle_max: Span,
}

impl Breaker {
    /// Latency rules of one breaker: each is one counter for each size of prompt in every window bucket.
    pub const SLOW_MAX: usize = 4;
}

/// `half_open { ramp = [1%, 5%, 25%, 100%] }`: rising parts of a target's weight. The last one, all of it, is no step: it is
/// what follows them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Ramp {
    parts: [u32; Self::STEPS_MAX],
    len: u8,
}

impl Ramp {
    /// Steps below all of the weight.
    pub const STEPS_MAX: usize = 8;
    /// What holds unless a policy says otherwise: 1, 5 and 25 %.
    pub const BUILT_IN: Self = Self {
        parts: [10_000, 50_000, 250_000, 0, 0, 0, 0, 0],
        len: 3,
    };

    /// From the parts in parts per million, the last of which is everything; `None` unless they rise, and for too many.
    pub fn new(parts: &[u32]) -> Option<Self> {
        let (&last, steps) = parts.split_last()?;
        let rising = parts.is_sorted_by(|low, high| low < high) && parts.first() != Some(&0);
        let mut ramp = Self {
            parts: [0; Self::STEPS_MAX],
            len: u8::try_from(steps.len()).ok()?,
        };
        let room = ramp.parts.get_mut(..steps.len())?;
        room.copy_from_slice(steps);
        (rising && last == 1_000_000).then_some(ramp)
    }

    /// The parts below everything, in parts per million, in their order.
    pub fn steps(&self) -> &[u32] {
        self.parts.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// `open when pNN(ttft) > limit`, or `open when slow(ttft > limit) > MM%`, where MM is what NN leaves: true when more than
/// `1 − NN %` of the window's streams were slower than the limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SlowRule {
    /// What it looks at.
    pub measure: Measure,
    /// Of `ttft`, the prompts that it is about; `None` for all of them.
    pub prompts: Option<PromptSize>,
    /// The percentile in parts per million: p95 is 950,000.
    pub percentile: u32,
    /// The longest time that does not count as slow.
    pub limit: Span,
}

/// How long a prompt is, by the bytes of the request's body: the time to the first content grows with it. Four bytes are
/// about a token of English text.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum PromptSize {
    /// `short`: up to 16 KiB, about 4,000 tokens.
    #[default]
    Short,
    /// `medium`: up to 128 KiB, about 32,000 tokens.
    Medium,
    /// `long`: more.
    Long,
}

impl PromptSize {
    /// Each of them, from the shortest.
    pub const ALL: [Self; 3] = [Self::Short, Self::Medium, Self::Long];

    /// That of a request whose body has so many bytes.
    pub const fn of_body(bytes: u64) -> Self {
        if bytes <= Self::SHORT_MAX {
            Self::Short
        } else if bytes <= Self::MEDIUM_MAX {
            Self::Medium
        } else {
            Self::Long
        }
    }

    /// The one that the policy language calls so.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.as_str() == word)
    }

    /// The word of the policy language.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Medium => "medium",
            Self::Long => "long",
        }
    }

    const SHORT_MAX: u64 = 16 * 1024;
    const MEDIUM_MAX: u64 = 128 * 1024;
}

/// What a latency rule of a breaker looks at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Measure {
    /// `ttft`: the time to a stream's first content.
    Ttft,
    /// `gap`: the longest time between two contents of a stream.
    Gap,
}

impl Measure {
    /// The one that the policy language calls so.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Ttft, Self::Gap]
            .into_iter()
            .find(|measure| measure.as_str() == word)
    }

    /// The word of the policy language, of logs and of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Gap => "gap",
        }
    }
}

/// `retries NAME { … }`: repeats at the same target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Retries {
    /// Its name; `standard` for the built-in one.
    pub name: Box<str>,
    /// Where it is declared.
    pub at: At,
    /// `max`: repeats for one request at one target.
    pub max: u8,
    /// `budget`: repeats as a part of the provider's requests, in parts per million.
    pub budget: u32,
    /// `floor`: repeats a second that are always allowed.
    pub floor_per_s: u32,
    /// `backoff = 50ms..500ms`: first and longest pause.
    pub backoff: (Span, Span),
}

/// `alias "from" -> "to"`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alias {
    /// What the client says.
    pub from: Box<str>,
    /// What it means.
    pub to: Box<str>,
}

/// `forbid NAME when …`: no target for which the condition holds is ever picked.
#[derive(Clone, Debug)]
pub struct Forbid {
    /// Its name.
    pub name: Box<str>,
    /// Where it is declared.
    pub at: At,
    /// May read facts of the request, of the target and of the attempt.
    pub when: Cond,
}

/// `route NAME when … { … }`
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name.
    pub name: Box<str>,
    /// Where it is declared.
    pub at: At,
    /// Reads facts of the request only. `Cond::Always` for `default`.
    pub when: Cond,
    /// What a matching request gets.
    pub action: Action,
    /// `guard { … }`: what withdraws the route; [`Action::Serve`] only, and never on `default`.
    pub guard: Option<Guard>,
}

/// `guard { … }`: a route is withdrawn when it does worse than another one does over the same time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Guard {
    /// Where it stands.
    pub at: At,
    /// `compare`: the baseline.
    pub compare: RouteId,
    /// `window`: what is looked back on.
    pub window: Span,
    /// `min_requests`: below it, on either side, nothing is judged.
    pub min_requests: u32,
    /// `stop when …`; at least one, at most [`Guard::STOPS_MAX`].
    pub stop: Vec<StopRule>,
}

impl Guard {
    /// Rules of one guard.
    pub const STOPS_MAX: usize = 16;
}

/// `stop when …`: the canary's measurement against the baseline's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StopRule {
    /// `delta(error_rate) > 1%`: so many parts per million more.
    ErrorDelta(u32),
    /// `ratio(error_rate) > 2`: so many millionths of the baseline's.
    ErrorRatio(u64),
    /// `delta(pNN(ttft)) > 200ms`
    TtftDelta {
        /// The percentile in parts per million: p95 is 950,000.
        percentile: u32,
        /// So much longer.
        more: Span,
    },
    /// `ratio(pNN(ttft)) > 1.3`
    TtftRatio {
        /// The percentile in parts per million.
        percentile: u32,
        /// So many millionths of the baseline's.
        times: u64,
    },
}

impl StopRule {
    /// The largest ratio, in millionths.
    pub const RATIO_MAX: u64 = 1_000_000_000;

    /// The percentile that it is about, in parts per million, if it is about times.
    pub const fn percentile(self) -> Option<u32> {
        match self {
            Self::ErrorDelta(_) | Self::ErrorRatio(_) => None,
            Self::TtftDelta { percentile, .. } | Self::TtftRatio { percentile, .. } => {
                Some(percentile)
            }
        }
    }
}

impl fmt::Display for StopRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |ppm: u32| decimal(u64::from(ppm), 10_000);
        match *self {
            Self::ErrorDelta(ppm) => write!(f, "delta(error_rate) > {}%", percent(ppm)),
            Self::ErrorRatio(times) => {
                write!(f, "ratio(error_rate) > {}", decimal(times, 1_000_000))
            }
            Self::TtftDelta { percentile, more } => {
                write!(f, "delta(p{}(ttft)) > {more}", percent(percentile))
            }
            Self::TtftRatio { percentile, times } => {
                let times = decimal(times, 1_000_000);
                write!(f, "ratio(p{}(ttft)) > {times}", percent(percentile))
            }
        }
    }
}

/// `count` units of which `one` make a whole, without needless zeros. `one` is a power of ten.
fn decimal(count: u64, one: u64) -> String {
    let (whole, rest) = (count / one, count % one);
    if rest == 0 {
        return whole.to_string();
    }
    let width = one.ilog10() as usize;
    let digits = format!("{whole}.{rest:0width$}");
    digits.trim_end_matches('0').to_owned()
}

/// What a route does.
#[derive(Clone, Debug)]
pub enum Action {
    /// The route is only a `reject(…)`.
    Reject(Reject),
    /// Targets are tried.
    Serve(Serve),
}

/// The targets of a route and how they are tried.
#[derive(Clone, Debug)]
pub struct Serve {
    /// By priority; together at most [`crate::base::limits::ROUTE_TARGETS_MAX`] members.
    pub tiers: Vec<Tier>,
    /// `spill`: from this part of its places taken, in parts per million, some of a tier's load goes to the next one.
    pub spill: Option<u32>,
    /// Tried top down against the outcome.
    pub fallback: Vec<FallbackLine>,
    /// `else -> …`
    pub otherwise: Otherwise,
    /// `require = […]`: targets that are known to lack one are passed over.
    pub require: Caps,
    /// `deadline`
    pub deadline: Span,
    /// `max_attempts`
    pub attempts_max: u8,
    /// The route's own timers.
    pub timeouts: TimeoutsOverride,
    /// `mid_stream`
    pub mid_stream: MidStream,
    /// `panic`
    pub panic: Panic,
    /// `strict`: a request is refused rather than said in part.
    pub strict: bool,
    /// `sticky = hash(…)`: a request that has all of these goes where its like went; empty: none.
    pub sticky: Vec<StrFact>,
    /// `hedge after … -> provider.model`
    pub hedge: Option<Box<Hedge>>,
    /// `shadow provider.model { … }`
    pub shadow: Option<Shadow>,
}

/// `shadow provider.model { … }`: some of the route's requests are copied to a target whose answers nobody gets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shadow {
    /// Where it stands.
    pub at: At,
    /// Where copies go.
    pub target: TargetId,
    /// `share`: the part of the route's requests that is copied, in parts per million.
    pub share: u32,
    /// `max_inflight`: copies at once, over all cores.
    pub max_inflight: u32,
}

/// `hedge after … -> provider.model`: a second attempt beside one that has brought no content yet. The first content
/// wins.
#[derive(Clone, Debug, PartialEq)]
pub struct Hedge {
    /// Where it stands.
    pub at: At,
    /// How long the attempt goes without content before.
    pub after: HedgeDelay,
    /// Where the second attempt goes.
    pub target: TargetId,
    /// Reads facts of the request only: which requests may hedge.
    pub when: Cond,
    /// `max_extra`: second attempts as a part of the route's requests, in parts per million.
    pub max_extra: u32,
}

/// When a hedge begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HedgeDelay {
    /// After this time.
    Fixed(Span),
    /// `p95`: after what 95 of 100 streams of the first attempt's target took to their first content.
    P95,
}

/// What happens when a stream breaks after its first content.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MidStream {
    /// The client gets an error event.
    #[default]
    Error,
    /// A target that can go on from the text sent so far is asked to; if none can, as [`MidStream::Error`].
    Continue,
}

/// What happens when the breakers of all of a route's targets are open.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Panic {
    /// Requests are refused at once.
    #[default]
    Fail,
    /// One request a second tries each target; the others are refused.
    Probe,
}

/// `tier N { … }`
#[derive(Clone, Debug, PartialEq)]
pub struct Tier {
    /// How one of its members is picked.
    pub pick: Pick,
    /// At least one.
    pub members: Vec<Member>,
}

/// A target in a tier.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Member {
    /// The target.
    pub target: TargetId,
    /// Its weight; 0 is never picked first, only when nothing else of the tier is left.
    pub weight: u32,
}

/// `pick = …`
#[derive(Clone, Debug, PartialEq)]
pub enum Pick {
    /// By weight, from the request id.
    Weighted,
    /// In turn, smoothly by weight.
    RoundRobin,
    /// The smaller of two random members' requests in flight over capacity.
    LeastBusy,
    /// The smallest moving average of the time to first content.
    LeastLatency,
    /// Weighted rendezvous over these facts; a missing one hashes as empty.
    Hash(Vec<StrFact>),
}

/// One line of `fallback { … }`.
#[derive(Clone, Debug)]
pub struct FallbackLine {
    /// Where it stands.
    pub at: At,
    /// When it applies.
    pub on: Trigger,
    /// What it does.
    pub then: Then,
}

/// What a fallback line waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trigger {
    /// The attempt ended in one of these.
    Outcomes(OutcomeSet),
    /// `on ttft > …`: no content after this time, and nothing sent to the client.
    Slow(Span),
}

/// What a fallback line does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Then {
    /// `next`: the next candidate of this tier, then of the next tier.
    Next,
    /// `stop`: the client gets this outcome's own answer, cleaned.
    Stop,
    /// `-> provider.model`
    Jump(TargetId),
    /// `-> reject(…)`
    Reject(Reject),
}

/// `else -> …`
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Otherwise {
    /// `stop`
    Stop,
    /// `reject(…)`
    Reject(Reject),
}

/// `reject(status, "message", retry_after = …)`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reject {
    /// 400–599.
    pub status: u16,
    /// The client's message; a sentence about the cause where it is `None`.
    pub message: Option<Box<str>>,
    /// `retry_after`; where `None`, the soonest moment at which a target may be usable again.
    pub retry_after: Option<Span>,
    /// The policy line, named in the reason.
    pub at: At,
}

/// A condition, typed.
#[derive(Clone, Debug, PartialEq)]
pub enum Cond {
    /// True.
    Always,
    /// False.
    Never,
    /// One test.
    Test(Test),
    /// `not`
    Not(Box<Self>),
    /// `and`; at least two.
    All(Vec<Self>),
    /// `or`; at least two.
    Any(Vec<Self>),
}

/// One comparison. On a missing string (`None`) every test is false but a negated one, which is true.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A string equals one of `values`; negated for `!=` and `not in`.
    OneOf {
        /// What is read.
        fact: StrFact,
        /// Sorted, without repeats, at least one.
        values: Vec<Box<str>>,
        /// `!=`, `not in`
        negated: bool,
    },
    /// A string has a form.
    Matches {
        /// What is read.
        fact: StrFact,
        /// The form.
        pattern: Pattern,
    },
    /// `has(req.header["…"])`: the string is there.
    Present(StrFact),
    /// A number lies in `low..=high`; negated for `!=` and `not in`. `low > high` never holds.
    Within {
        /// What is read.
        fact: IntFact,
        /// Inclusive.
        low: u64,
        /// Inclusive.
        high: u64,
        /// `!=`, `not in`
        negated: bool,
    },
    /// A flag is set.
    Flag(FlagFact),
    /// `attempt.last in […]`; false before the first attempt has ended.
    LastOutcome(OutcomeSet),
    /// `target.failure_domain == attempt.last_domain`; false before the first attempt has ended.
    SameDomain,
    /// `hash_pct(fact, salt = "…") < share`, share in parts per million; a missing fact hashes as empty.
    HashBelow {
        /// What is hashed.
        fact: StrFact,
        /// Keeps different experiments apart.
        salt: Box<str>,
        /// 0..=1,000,000
        share: u32,
    },
}

/// A form of string.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Pattern {
    /// `like "gpt-5*"`: the literal parts between the stars, at least two; an empty first or last part is an open end.
    Like(Vec<Box<str>>),
    /// `starts_with`
    StartsWith(Box<str>),
    /// `ends_with`
    EndsWith(Box<str>),
    /// `contains`
    Contains(Box<str>),
}

/// A fact that is a string.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum StrFact {
    /// `req.model`
    Model,
    /// `req.path`
    Path,
    /// `req.method`
    Method,
    /// `req.header["…"]`, the name in lower case.
    Header(Box<str>),
    /// `req.meta["…"]`
    Meta(Box<str>),
    /// `key.id`
    KeyId,
    /// `key.team`
    KeyTeam,
    /// `key.tier`
    KeyTier,
    /// `key.residency`
    KeyResidency,
    /// `key.contract`
    KeyContract,
    /// `target.region`; in `forbid` only.
    TargetRegion,
    /// `target.failure_domain`; in `forbid` only.
    TargetDomain,
    /// `attempt.last_domain`; in `forbid` only.
    AttemptLastDomain,
}

/// A fact that is a whole number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum IntFact {
    /// `req.tokens_in`
    TokensIn,
    /// `req.max_out`
    MaxOut,
    /// `now.hour`, 0–23
    Hour,
    /// `now.weekday`, Monday 0 to Sunday 6
    Weekday,
    /// `now.date`, days since 1970-01-01
    Date,
    /// `attempt.index`, from 0; in `forbid` only.
    AttemptIndex,
    /// `target.price`, input, micro-dollars per million tokens, 0 where unknown; in `forbid` only.
    TargetPrice,
}

/// A fact that is true or false.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FlagFact {
    /// `req.stream`
    Stream,
    /// `req.has.tools`
    HasTools,
    /// `req.has.images`
    HasImages,
    /// `req.has.json_schema`
    HasJsonSchema,
    /// `req.has.audio`
    HasAudio,
    /// `target.trains_on_data`; in `forbid` only.
    TargetTrainsOnData,
}

/// What a `forbid` may know about the attempt that is about to begin.
#[derive(Clone, Copy, Debug, Default)]
pub struct AttemptFacts {
    /// `attempt.index`, from 0.
    pub index: u8,
    /// `attempt.last`, if an attempt has ended.
    pub last: Option<Outcome>,
    /// The target of that attempt: `attempt.last_domain` is its provider's.
    pub last_target: Option<TargetId>,
}

/// How a provider is asked to go on from an answer that another one began: all of them by an assistant message at the
/// end of the conversation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Continuation {
    /// The message alone.
    Message,
    /// The message says `"prefix":true`.
    Prefix,
    /// The request says `"continue_final_message":true,"add_generation_prompt":false`.
    Flags,
}

impl Provider {
    /// How it is asked to continue an answer; `None` where it would begin a new one, or nobody knows.
    ///
    /// From the providers' references, November 2026: vLLM's chat parameters, DeepSeek's chat prefix completion (at its
    /// beta address only), Groq's assistant message prefilling.
    pub fn continuation(&self) -> Option<Continuation> {
        match self.kind {
            ProviderKind::Vllm => Some(Continuation::Flags),
            ProviderKind::DeepSeek => {
                let beta = |endpoint: &Endpoint| endpoint.base_path.ends_with("/beta");
                (self.endpoints.iter().all(beta)).then_some(Continuation::Prefix)
            }
            ProviderKind::Groq | ProviderKind::Simulated => Some(Continuation::Message),
            _ => None,
        }
    }
}

impl Policy {
    /// The provider of a target. Ids come from this policy's own tables, so `None` means a mistake of ours.
    pub fn provider_of(&self, target: TargetId) -> Option<&Provider> {
        self.providers
            .get(self.targets.get(target.index())?.provider.index())
    }

    /// What clients may call models: the aliases and the ids of all targets, sorted, each once.
    pub fn model_names(&self) -> Vec<&str> {
        let aliases = self.aliases.iter().map(|alias| &*alias.from);
        let ids = self
            .targets
            .iter()
            .filter_map(|target| match &target.model {
                ModelName::Fixed(id) => Some(&**id),
                ModelName::Asked => None,
            });
        let mut names: Vec<&str> = aliases.chain(ids).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The catch-all route: the last one.
    pub fn default_route(&self) -> RouteId {
        RouteId(u16::try_from(self.routes.len().saturating_sub(1)).unwrap_or(u16::MAX))
    }
}
