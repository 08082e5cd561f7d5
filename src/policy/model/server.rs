//! The gateway itself: where it listens, what it takes on, what it tells.

use crate::base::Span;
use crate::policy::model::{At, SecretRef};

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

/// `telemetry { records { … } }`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Records {
    /// `file`: where they are written; only kept in memory for a while where it is `None`.
    pub file: Option<Box<str>>,
    /// `share`: the part of requests whose decisions are recorded, in parts per million.
    pub share: u32,
    /// `failed = all`: those of all requests that fail, too.
    pub failed: bool,
    /// `max_size`: bytes of the file, after which another one is begun. One old one is kept.
    pub max_size: u64,
}

impl Records {
    /// Whether they are of all requests: then they say all that the engine was told.
    pub const fn are_whole(&self) -> bool {
        self.share >= 1_000_000
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
