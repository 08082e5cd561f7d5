//! The facts of one request, as conditions see them. Whoever fills them in borrows from the request's own bytes.

/// What a request needs, or what a model can do.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Caps(u8);

impl Caps {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Tool calls.
    pub const TOOLS: Self = Self(1);
    /// Image input.
    pub const IMAGES: Self = Self(1 << 1);
    /// Answers bound to a JSON schema.
    pub const JSON_SCHEMA: Self = Self(1 << 2);
    /// Audio input or output.
    pub const AUDIO: Self = Self(1 << 3);

    /// Each capability with its word in the policy language.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("tools", Self::TOOLS),
        ("images", Self::IMAGES),
        ("json_schema", Self::JSON_SCHEMA),
        ("audio", Self::AUDIO),
    ];

    /// Every one.
    pub const ALL: Self = Self(0b1111);

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is left without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether every capability of `other` is here.
    pub const fn covers(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those that are not here.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(Self::ALL.0 & !self.0)
    }

    /// Those in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// As bits, for whoever keeps it for a while.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From bits; those that mean nothing are left out.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What is known about the client key that a request came with. All empty where the policy names no keys.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeyFacts {
    /// `key.id`
    pub id: Option<Box<str>>,
    /// `key.team`
    pub team: Option<Box<str>>,
    /// `key.tier`
    pub tier: Option<Box<str>>,
    /// `key.residency`
    pub residency: Option<Box<str>>,
    /// `key.contract`
    pub contract: Option<Box<str>>,
}

/// Wall-clock facts, refreshed about once a second by the runtime.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WallTime {
    /// `now.hour`, 0–23.
    pub hour: u8,
    /// `now.weekday`, Monday 0 to Sunday 6.
    pub weekday: u8,
    /// `now.date`: days since 1970-01-01 in the local zone.
    pub date: i32,
}

/// The facts of one request. Strings are compared as they stand; a header or metadata value that is missing is `None`.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// `req.model`, after aliases.
    pub model: &'a str,
    /// `req.path`, without the query.
    pub path: &'a str,
    /// `req.method`.
    pub method: &'a str,
    /// `req.stream`.
    pub stream: bool,
    /// `req.tokens_in`: the estimate; 0 unless [`Needs::tokens_in`].
    pub tokens_in: u64,
    /// `req.max_out`: the client's limit on output tokens; 0 where it names none.
    pub max_out: u64,
    /// `req.has.*`; only those that [`Needs::has`] asks for are looked at.
    pub has: Caps,
    /// `req.header["…"]`, in the order of [`Needs::headers`].
    pub headers: &'a [Option<&'a str>],
    /// `req.meta["…"]`, in the order of [`Needs::meta`].
    pub meta: &'a [Option<&'a str>],
    /// `key.*`.
    pub key: &'a KeyFacts,
    /// `now.*`.
    pub now: WallTime,
}

/// The facts of a request that outlive it. Nobody fills in those of client keys yet, so that they are not kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OwnedFacts {
    /// `req.model`
    pub model: String,
    /// `req.path`
    pub path: String,
    /// `req.stream`
    pub stream: bool,
    /// `req.tokens_in`
    pub tokens_in: u64,
    /// `req.max_out`
    pub max_out: u64,
    /// `req.has.*`
    pub has: Caps,
    /// `req.header["…"]`
    pub headers: Vec<Kept>,
    /// `req.meta["…"]`
    pub meta: Vec<Kept>,
    /// `now.*`
    pub now: WallTime,
}

/// A value that a client may give.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kept {
    /// It gave none.
    Missing,
    /// This one.
    Text(Box<str>),
    /// One that is not kept: it is long, or by its name a credential.
    Withheld,
}

impl Kept {
    /// Values that are longer are not kept.
    pub const BYTES_MAX: usize = 256;

    /// Whether a header or metadata key of that name may hold a credential.
    pub fn is_secret(name: &str) -> bool {
        const PARTS: [&str; 7] = [
            "auth", "api-key", "api_key", "apikey", "cookie", "secret", "token",
        ];
        let name = name.to_ascii_lowercase();
        PARTS.iter().any(|part| name.contains(part)) || name.contains("password")
    }

    /// The value, if there is one that was kept.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Missing | Self::Withheld => None,
        }
    }
}

impl OwnedFacts {
    /// The same of this request.
    #[must_use]
    pub fn of(self, model: &str, path: &str, stream: bool) -> Self {
        Self {
            model: model.to_owned(),
            path: path.to_owned(),
            stream,
            ..self
        }
    }

    /// Calls `ask` with them. What was withheld reads as missing.
    pub fn with<T>(&self, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
        let headers: Vec<_> = self.headers.iter().map(Kept::text).collect();
        let meta: Vec<_> = self.meta.iter().map(Kept::text).collect();
        ask(&Facts {
            model: &self.model,
            path: &self.path,
            method: "POST",
            stream: self.stream,
            tokens_in: self.tokens_in,
            max_out: self.max_out,
            has: self.has,
            headers: &headers,
            meta: &meta,
            key: &KeyFacts::default(),
            now: self.now,
        })
    }
}

/// Which facts a plan reads, so that nobody computes one that it never asks for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Needs {
    /// Header names in lower case, in the order of [`Facts::headers`].
    pub headers: Vec<Box<str>>,
    /// Metadata keys, in the order of [`Facts::meta`].
    pub meta: Vec<Box<str>>,
    /// Whether `req.tokens_in` is read.
    pub tokens_in: bool,
    /// Whether `req.max_out` is read.
    pub max_out: bool,
    /// Which of `req.has.*` are read.
    pub has: Caps,
    /// Whether any of `now.*` is read.
    pub now: bool,
}
