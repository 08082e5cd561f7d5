//! How a provider is reached: its addresses, how it knows us, how its certificate is checked. What would send a key or
//! a prompt over an open wire is refused here.

use std::net::IpAddr;

use crate::base::Span;
use crate::base::limits::KEYS_MAX;
use crate::policy::diag::{naming as say, safety};
use crate::policy::kinds::KindRow;
use crate::policy::model::{
    Auth, AuthStyle, ClientTls, Discover, Endpoint, KeyPick, Roots, SecretRef, SecretSource,
};
use crate::policy::resolve::block::Fields;
use crate::policy::resolve::policy::Resolver;
use crate::policy::resolve::value::call_name;
use crate::policy::schema::{self, Type, Value};
use crate::policy::syntax::Place;
use crate::policy::syntax::ast::{Arg, Expr, Kind};

/// A URL taken apart.
struct Url<'u> {
    tls: bool,
    host: &'u str,
    port: u16,
    /// `None` where it ends after the host.
    path: Option<&'u str>,
}

impl<'t> Resolver<'t> {
    /// Every address of a provider; none is an error.
    pub(super) fn endpoints(
        &mut self,
        fields: &Fields<'t>,
        kind: &KindRow,
        name: Place,
    ) -> Vec<Endpoint> {
        let tls_off = fields.text("tls") == Some("off");
        let mut urls: Vec<(&str, Place)> = Vec::new();
        if let (Some(text), Some(place)) = (fields.text("base_url"), fields.place("base_url")) {
            urls.push((text, place));
        }
        if let Some(place) = fields.place("endpoints") {
            for value in fields.list("endpoints") {
                if let Value::Text(text) = value {
                    urls.push((text, place));
                }
            }
            if let Some(base) = fields.place("base_url") {
                self.report(say::either_or(place, "endpoints", "base_url", base));
            }
        }
        let mut endpoints = Vec::with_capacity(urls.len());
        for (text, place) in urls {
            endpoints.extend(self.endpoint(text, place, kind, tls_off));
        }
        let written = fields
            .place("base_url")
            .or_else(|| fields.place("endpoints"));
        if written.is_none() && fields.place("discover").is_none() {
            match kind.base_url.and_then(parse_url) {
                Some(url) => endpoints.push(endpoint_of(&url, kind.path)),
                None => self.report(say::missing(
                    name,
                    kind.word,
                    "`base_url`: every customer has an own address",
                )),
            }
        }
        if let (true, Some(place)) = (
            tls_off && endpoints.iter().any(|endpoint| endpoint.tls),
            fields.place("tls"),
        ) {
            self.report(safety::tls_off_https(place, written));
        }
        endpoints
    }

    /// `file("path", every = 10s)`
    pub(super) fn discover(&mut self, expr: &'t Expr<'t>) -> Option<Value<'t>> {
        let (path, every) = match &expr.kind {
            Kind::Call("file", args) => match args.as_slice() {
                [path] => (path, None),
                [path, every] if every.expr.name() == Some("every") => (path, every.value.as_ref()),
                _ => return self.no_discover(expr),
            },
            _ => return self.no_discover(expr),
        };
        let (Kind::Str(text), None) = (&self.deref(&path.expr, &[]).kind, &path.value) else {
            return self.no_discover(expr);
        };
        let every = match every {
            None => DISCOVER_EVERY,
            Some(every) => match self.value(every, &DISCOVER_SPAN, None)? {
                Value::Span(every) => every,
                _ => return None,
            },
        };
        (!text.is_empty()).then_some(Value::Discover(text, every))
    }

    fn no_discover(&mut self, expr: &'t Expr<'t>) -> Option<Value<'t>> {
        let example = "discover = file(\"endpoints.json\", every = 10s)";
        self.report(say::not_written_so(expr.place, "discover", example));
        None
    }

    /// Where more endpoints come from, if anywhere.
    pub(super) fn discover_of(
        fields: &Fields<'t>,
        kind: &KindRow,
        written: usize,
    ) -> Option<Box<Discover>> {
        let Some(&Value::Discover(path, every)) = fields.written("discover") else {
            return None;
        };
        Some(Box::new(Discover {
            path: path.into(),
            every,
            written,
            base_path: kind.path.into(),
            plain: fields.text("tls") == Some("off"),
        }))
    }

    fn endpoint(
        &mut self,
        text: &str,
        place: Place,
        kind: &KindRow,
        tls_off: bool,
    ) -> Option<Endpoint> {
        let Some(url) = parse_url(text) else {
            if text.contains('@') {
                // What stands before `@` is a credential.
                self.inline_secret(place);
            } else {
                self.report(say::bad_url(place, text));
            }
            return None;
        };
        match wire_of(&url, tls_off) {
            Wire::Sound => {}
            Wire::PlainPublic => self.report(safety::plain_public(place, url.host)),
            Wire::PlainUnsaid => self.report(safety::plain_unsaid(place, url.host)),
        }
        Some(endpoint_of(&url, kind.path))
    }

    /// How the provider knows us: as written, else by the kind's usual variable.
    pub(super) fn auth_of(&self, fields: &Fields<'t>, kind: &KindRow, name: Place) -> Auth {
        match (fields.written("auth"), kind.env) {
            (Some(Value::Auth(auth)), _) => auth.clone(),
            (Some(Value::Keys(secrets, pick)), _) => Auth::Key {
                style: kind.style,
                secrets: secrets.clone(),
                pick: *pick,
            },
            (None, Some(env)) => {
                let secret = SecretRef {
                    source: SecretSource::Env(env.into()),
                    at: self.at(name),
                };
                only_key(kind.style, secret)
            }
            _ => Auth::None,
        }
    }

    /// `none`, `bearer(secret)`, `api_key(secret)`, `sigv4(secret)`, `header("name", secret)`, `keys(secret, …)`
    pub(super) fn auth(&mut self, expr: &'t Expr<'t>) -> Option<Value<'t>> {
        let secret = match &expr.kind {
            Kind::Path("none") => return Some(Value::Auth(Auth::None)),
            Kind::Call("bearer", args) => (AuthStyle::Bearer, self.only_secret(expr, args)),
            Kind::Call("api_key", args) => (AuthStyle::ApiKey, self.only_secret(expr, args)),
            Kind::Call("sigv4", args) => (AuthStyle::SigV4, self.only_secret(expr, args)),
            Kind::Call("header", args) => return self.header_auth(expr, args).map(Value::Auth),
            Kind::Call("keys", args) => return self.key_pool(expr, args),
            Kind::Call("env" | "file", _) => {
                self.report(say::not_written_so(
                    expr.place,
                    "auth",
                    "auth = bearer(env(\"NAME\"))",
                ));
                return None;
            }
            Kind::Str(_) => {
                self.inline_secret(expr.place);
                return None;
            }
            _ => {
                self.mismatch(expr, &Type::Auth, None);
                return None;
            }
        };
        let (style, secret) = secret;
        secret.map(|secret| Value::Auth(only_key(style, secret)))
    }

    fn only_secret(&mut self, call: &'t Expr<'t>, args: &'t [Arg<'t>]) -> Option<SecretRef> {
        if let [Arg { expr, value: None }] = args {
            return self.secret(expr);
        }
        let name = call_name(call);
        self.report(say::not_written_so(
            call.place,
            name,
            &format!("{name}(env(\"NAME\"))"),
        ));
        None
    }

    fn header_auth(&mut self, call: &'t Expr<'t>, args: &'t [Arg<'t>]) -> Option<Auth> {
        let [
            Arg {
                expr: name,
                value: None,
            },
            Arg {
                expr: secret,
                value: None,
            },
        ] = args
        else {
            self.report(say::not_written_so(
                call.place,
                "header",
                "header(\"x-api-key\", env(\"NAME\"))",
            ));
            return None;
        };
        let style = match &name.kind {
            Kind::Str(text) if text.eq_ignore_ascii_case("x-api-key") => Some(AuthStyle::XApiKey),
            Kind::Str(text) if text.eq_ignore_ascii_case("api-key") => Some(AuthStyle::ApiKey),
            Kind::Str(text) if text.eq_ignore_ascii_case("x-goog-api-key") => {
                Some(AuthStyle::XGoogApiKey)
            }
            _ => None,
        };
        if style.is_none() {
            self.report(say::unsupported_header(name.place));
        }
        let secret = self.secret(secret);
        style
            .zip(secret)
            .map(|(style, secret)| only_key(style, secret))
    }

    /// A pool of keys: each once, at most [`KEYS_MAX`] of them.
    fn key_pool(&mut self, call: &'t Expr<'t>, args: &'t [Arg<'t>]) -> Option<Value<'t>> {
        let mut sound = true;
        let mut pick = KeyPick::default();
        let mut keys: Vec<(SecretRef, Place)> = Vec::new();
        for arg in args {
            let place = arg.expr.place;
            let Some(value) = &arg.value else {
                let Some(secret) = self.secret(&arg.expr) else {
                    sound = false;
                    continue;
                };
                let before = keys.iter().find(|(other, _)| other.source == secret.source);
                if let Some(&(_, before)) = before {
                    self.report(safety::key_twice(place, before));
                }
                keys.push((secret, place));
                continue;
            };
            if arg.expr.name() == Some("pick") {
                match self.key_pick(value) {
                    Some(word) => pick = word,
                    None => sound = false,
                }
            } else {
                let word = self.files.slice(place);
                self.report(say::unknown_name(place, "argument", word, &["pick"]));
                sound = false;
            }
        }
        if keys.is_empty() && sound {
            self.report(say::not_written_so(
                call.place,
                "keys",
                "keys(env(\"A\"), env(\"B\"), pick = least_throttled)",
            ));
        } else if keys.len() > KEYS_MAX {
            self.report(safety::too_many_keys(call.place, keys.len()));
        }
        let secrets: Vec<_> = keys.into_iter().map(|(secret, _)| secret).collect();
        (sound && !secrets.is_empty()).then_some(Value::Keys(secrets, pick))
    }

    fn key_pick(&mut self, value: &'t Expr<'t>) -> Option<KeyPick> {
        let found = value
            .name()
            .and_then(|word| KeyPick::ALL.into_iter().find(|pick| pick.as_str() == word));
        if found.is_none() {
            let word = self.files.slice(value.place);
            let words = KeyPick::ALL.map(KeyPick::as_str);
            self.report(say::unknown_name(value.place, "pick", word, &words));
        }
        found
    }

    pub(super) fn client_tls(&mut self, fields: &Fields<'t>) -> ClientTls {
        let Some(stmt) = fields.of("tls").next() else {
            return ClientTls::default();
        };
        let inner = self.fields(stmt.stmts(), &schema::TLS);
        let roots = match inner.written("ca") {
            Some(Value::Roots(roots)) => roots.clone(),
            _ => Roots::Bundled,
        };
        ClientTls {
            roots,
            only_tls13: inner.text("min") == Some("1.3"),
        }
    }
}

fn only_key(style: AuthStyle, secret: SecretRef) -> Auth {
    Auth::Key {
        style,
        secrets: vec![secret],
        pick: KeyPick::default(),
    }
}

/// Whether what is said to an address may be read on the way.
enum Wire {
    Sound,
    PlainPublic,
    PlainUnsaid,
}

fn wire_of(url: &Url<'_>, plain: bool) -> Wire {
    if url.tls || is_loopback(url.host) {
        Wire::Sound
    } else if !is_private(url.host) {
        Wire::PlainPublic
    } else if plain {
        Wire::Sound
    } else {
        Wire::PlainUnsaid
    }
}

impl Discover {
    /// The endpoint at an address in the file, by the rules of `endpoints`.
    ///
    /// # Errors
    /// What is wrong with it, in words that show no credential.
    pub(in crate::policy) fn endpoint(&self, text: &str) -> Result<Endpoint, String> {
        let Some(url) = parse_url(text) else {
            return Err(if text.contains('@') {
                "has a credential in it".to_owned()
            } else {
                format!("is no `http://` or `https://` address: `{text}`")
            });
        };
        match wire_of(&url, self.plain) {
            Wire::Sound => Ok(endpoint_of(&url, &self.base_path)),
            Wire::PlainPublic => Err(format!(
                "is plain http to the public address `{}`",
                url.host
            )),
            Wire::PlainUnsaid => Err(format!(
                "is plain http to `{}`, which the policy allows with `tls = off`",
                url.host
            )),
        }
    }
}

fn endpoint_of(url: &Url<'_>, base_path: &str) -> Endpoint {
    Endpoint {
        tls: url.tls,
        host: url.host.into(),
        port: url.port,
        base_path: url.path.unwrap_or(base_path).trim_end_matches('/').into(),
    }
}

fn parse_url(text: &str) -> Option<Url<'_>> {
    let (tls, rest) = match text.split_once("://")? {
        ("https", rest) => (true, rest),
        ("http", rest) => (false, rest),
        _ => return None,
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest
            .split_at_checked(at)
            .map(|(host, path)| (host, Some(path)))?,
        None => (rest, None),
    };
    let default = if tls { 443 } else { 80 };
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']')?;
        host.parse::<std::net::Ipv6Addr>().ok()?;
        match after.strip_prefix(':') {
            Some(port) => (host, port.parse().ok()?),
            None if after.is_empty() => (host, default),
            None => return None,
        }
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, default),
        }
    };
    let name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&byte);
    let sound = !host.is_empty()
        && host.bytes().all(name)
        && port != 0
        && path.unwrap_or("").bytes().all(plain);
    sound.then_some(Url {
        tls,
        host,
        port,
        path,
    })
}

/// Whether bytes for `host` stay on this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// Whether bytes for `host` stay inside a private network, as far as its name tells: RFC 1918, 4193 and 6598
/// addresses, link-local ones, names without a dot, and the suffixes that are never in the public DNS.
fn is_private(host: &str) -> bool {
    const SUFFIXES: [&str; 7] = [
        ".internal",
        ".local",
        ".lan",
        ".home.arpa",
        ".localhost",
        ".svc",
        ".test",
    ];
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => {
            let shared = matches!(v4.octets(), [100, 64..=127, ..]);
            v4.is_private() || v4.is_link_local() || shared
        }
        Ok(IpAddr::V6(v6)) => v6.is_unique_local() || v6.is_unicast_link_local(),
        Err(_) => !host.contains('.') || SUFFIXES.iter().any(|suffix| host.ends_with(suffix)),
    }
}

/// How often a file with addresses is looked at, unless it says so.
const DISCOVER_EVERY: Span = Span::from_secs(10);
const DISCOVER_SPAN: Type = Type::Span(Span::from_secs(1), Span::from_secs(3_600));

#[cfg(test)]
mod tests {
    use super::{is_private, parse_url};

    #[test]
    fn urls_come_apart() {
        let url = parse_url("http://[fd00::1]:8000/v1/").unwrap();
        assert_eq!(
            (url.tls, url.host, url.port, url.path),
            (false, "fd00::1", 8000, Some("/v1/"))
        );
        let url = parse_url("https://api.example.com").unwrap();
        assert_eq!((url.tls, url.port, url.path), (true, 443, None));
        for bad in [
            "",
            "ftp://x",
            "http://",
            "http://a:b",
            "http://a:0",
            "http://u@h/",
            "http://h/a b",
            "http://h?q",
        ] {
            assert!(parse_url(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn private_names_and_addresses() {
        for host in [
            "10.0.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "fd00::1",
            "vllm",
            "a.internal",
        ] {
            assert!(is_private(host), "{host}");
        }
        for host in ["8.8.8.8", "100.128.0.1", "2001:db8::1", "api.openai.com"] {
            assert!(!is_private(host), "{host}");
        }
    }
}
