//! Providers: what they speak, where they are, what their errors mean, how they are checked.

use crate::base::{Outcome, Span};
use crate::policy::model::{At, Auth, MaxInflight, Queue, Simulation};

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
    /// `count_streams`: what streams take is asked for, whatever their clients do.
    pub count_streams: bool,
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
