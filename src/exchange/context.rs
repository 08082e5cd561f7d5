//! What an exchange works with while it handles one input: the plan, its core's engine, and memory that is reused.

use bytes::Bytes;

use crate::base::{ProviderId, RequestId, Secret};
use crate::engine::Core;
use crate::exchange::copy::Copying;
use crate::exchange::shadow::Shadowing;
use crate::ops::Journal;
use crate::policy::model::{Auth, AuthStyle, Provider};
use crate::policy::{Plan, WallTime};
use crate::wire::h1::Fields;
use crate::wire::json::Inspector;

/// Lent to [`super::Exchange::handle`] for the length of one call.
#[expect(
    missing_debug_implementations,
    reason = "holds a closure, and is never kept"
)]
pub struct Context<'a> {
    /// The plan that decides.
    pub plan: &'a Plan,
    /// How providers are addressed.
    pub outlets: &'a Outlets,
    /// This core's part of the engine.
    pub core: &'a mut Core,
    /// Reused memory.
    pub scratch: &'a mut Scratch,
    /// Where the request's record goes.
    pub journal: &'a mut Journal,
    /// Names the next request.
    pub next_id: &'a mut dyn FnMut() -> RequestId,
    /// The wall clock for `now.*`.
    pub wall: WallTime,
    /// Unix seconds, for dates in `Retry-After`.
    pub unix: u64,
    /// The process is about to end: answers close their connections.
    pub draining: bool,
    /// What copies of requests run by, where a route has a shadow. Nothing for the copies themselves.
    pub shadowing: Option<&'a Shadowing>,
    /// Which requests are copied for a drill. Nothing for the copies themselves.
    pub copying: Option<&'a Copying>,
}

/// Memory of one core that no request keeps across an operation, and a stock of buffers.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) fields: Fields,
    pub(super) head: Vec<u8>,
    /// A model's name as JSON.
    pub(super) name: Vec<u8>,
    pub(super) inspector: Inspector,
    stock: Vec<Vec<u8>>,
}

impl Scratch {
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        self.stock
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
    }

    pub(super) fn give_buffer(&mut self, buffer: Vec<u8>) {
        let usual = (BUFFER_BYTES..=BUFFER_BYTES * 4).contains(&buffer.capacity());
        if usual && self.stock.len() < STOCK_MAX {
            self.stock.push(buffer);
        }
    }
}

/// How each provider is addressed, indexed by [`ProviderId`].
#[derive(Debug)]
pub struct Outlets(Vec<Outlet>);

/// The fields of a request head that a provider always gets.
#[derive(Debug)]
pub struct Outlet {
    /// `host: …` for each endpoint.
    hosts: Vec<Bytes>,
    /// The whole field line of each key, in the policy's order.
    credentials: Vec<Secret>,
    /// They are not written but sign each request.
    signs: bool,
}

impl Outlets {
    /// One for each provider, in order.
    pub const fn new(outlets: Vec<Outlet>) -> Self {
        Self(outlets)
    }

    /// Where a provider of `old` has the key that `provider` has at `key`; a provider without any has one that everybody
    /// knows.
    pub fn key_before(
        &self,
        (provider, key): (ProviderId, u8),
        old: &Self,
        before: ProviderId,
    ) -> Option<u8> {
        let outlet = self.0.get(provider.index())?;
        let known = old.0.get(before.index())?;
        let Some(credential) = outlet.credentials.get(usize::from(key)) else {
            return (key == 0 && known.credentials.is_empty()).then_some(0);
        };
        let same = |old: &Secret| old.expose() == credential.expose();
        u8::try_from(known.credentials.iter().position(same)?).ok()
    }

    /// One of the provider's keys, as it is written.
    pub fn credential(&self, provider: ProviderId, key: u8) -> Option<&Secret> {
        let outlet = self.0.get(provider.index())?;
        outlet.credentials.get(usize::from(key))
    }

    /// How many endpoints the provider has.
    pub(super) fn endpoints(&self, provider: ProviderId) -> u16 {
        self.0
            .get(provider.index())
            .map_or(1, |outlet| u16::try_from(outlet.hosts.len()).unwrap_or(1))
    }

    /// The name of one of the provider's endpoints and the key that signs requests to it; `None` where keys are written.
    pub fn signer(&self, provider: ProviderId, endpoint: u16, key: u8) -> Option<(&str, &Secret)> {
        let outlet = self.0.get(provider.index()).filter(|outlet| outlet.signs)?;
        let host = outlet.hosts.get(usize::from(endpoint))?;
        let host = std::str::from_utf8(host).ok()?.trim();
        let host = host.strip_prefix("host: ").unwrap_or(host);
        Some((host, outlet.credentials.get(usize::from(key))?))
    }

    /// Appends the fields for one of the provider's endpoints, with one of the provider's keys.
    pub fn write_fields(&self, provider: ProviderId, endpoint: u16, key: u8, out: &mut Vec<u8>) {
        if let Some(outlet) = self.0.get(provider.index()) {
            out.extend_from_slice(
                outlet
                    .hosts
                    .get(usize::from(endpoint))
                    .map_or(b"", |host| host),
            );
            if let Some(credential) = outlet.credentials.get(usize::from(key))
                && !outlet.signs
            {
                out.extend_from_slice(credential.expose());
            }
        }
    }
}

impl Outlet {
    /// The fields for `provider`, which knows us by any of `credentials`, in the policy's order, each as
    /// [`Outlet::credential`] makes it.
    pub fn new(provider: &Provider, credentials: impl IntoIterator<Item = Secret>) -> Self {
        let hosts = provider.endpoints.iter().map(|endpoint| {
            let default = if endpoint.tls { 443 } else { 80 };
            let host = &endpoint.host;
            let host = if host.contains(':') {
                format!("[{host}]")
            } else {
                host.to_string()
            };
            let port = endpoint.port;
            if port == default {
                Bytes::from(format!("host: {host}\r\n"))
            } else {
                Bytes::from(format!("host: {host}:{port}\r\n"))
            }
        });
        Self {
            hosts: hosts.collect(),
            credentials: credentials.into_iter().collect(),
            signs: matches!(
                provider.auth,
                Auth::Key {
                    style: AuthStyle::SigV4,
                    ..
                }
            ),
        }
    }

    /// A credential as it is written: the whole line of its field. The secret must be free of line ends.
    pub fn credential(style: AuthStyle, secret: &Secret) -> Secret {
        field_line(style, secret)
    }
}

fn field_line(style: AuthStyle, secret: &Secret) -> Secret {
    let name = match style {
        // Not written but used: each request has its own signature.
        AuthStyle::SigV4 => return secret.clone(),
        AuthStyle::Bearer => b"authorization: Bearer ".as_slice(),
        AuthStyle::ApiKey => b"api-key: ",
        AuthStyle::XApiKey => b"x-api-key: ",
        AuthStyle::XGoogApiKey => b"x-goog-api-key: ",
    };
    // Of its final size, so that growing it leaves no copy behind.
    let mut line = Vec::with_capacity(name.len() + secret.expose().len() + 2);
    line.extend_from_slice(name);
    line.extend_from_slice(secret.expose());
    line.extend_from_slice(b"\r\n");
    Secret::new(line)
}

/// A buffer for answers: one read takes up to this much from a provider.
const BUFFER_BYTES: usize = 16 * 1024;
/// Buffers that a core keeps: 1 MiB.
const STOCK_MAX: usize = 64;
