//! The facts of a request that is not there.

use crate::base::RouteId;
use crate::base::limits::BODY_BYTES_MAX;
use crate::policy::drill::Drill;
use crate::policy::facts::{Caps, Facts, KeyFacts, Needs, WallTime};
use crate::policy::model::{FlagFact, IntFact, StrFact};
use crate::policy::trial::Given;
use crate::policy::{Decision, Plan, Program};
use crate::wire::h1::write;
use crate::wire::json::Writer;

/// What a test or a drill says of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    model: Box<str>,
    path: Box<str>,
    method: Box<str>,
    pub(super) stream: bool,
    pub(super) tokens_in: u64,
    max_out: u64,
    has: Caps,
    headers: Vec<(Box<str>, Box<str>)>,
    meta: Vec<(Box<str>, Box<str>)>,
    key: KeyFacts,
    now: WallTime,
}

impl Request {
    /// A request for chat completions with these facts; all others are empty. Its model is what an `alias` makes of the
    /// given one, as on the way in.
    pub(super) fn of(plan: &Plan, given: &[Given]) -> Self {
        let mut request = Self {
            path: "/v1/chat/completions".into(),
            method: "POST".into(),
            ..Self::default()
        };
        for given in given {
            match given {
                Given::Text(fact, value) => request.set(fact, value),
                Given::Int(fact, value) => request.set_number(*fact, *value),
                Given::Flag(flag, value) => request.set_flag(*flag, *value),
            }
        }
        if let Some(model) = plan.policy.alias_of(&request.model) {
            request.model = model.into();
        }
        request
    }

    /// The requests of a drill: one kind, or one for each value of its sample.
    pub(super) fn kinds(plan: &Plan, drill: &Drill) -> Vec<Self> {
        let mut request = Self::of(plan, &drill.given);
        let count = drill.sample.as_ref().map_or(1, |sample| sample.count);
        let kind = |number: u32| {
            if let Some(sample) = &drill.sample {
                request.set(&sample.fact, &number.to_string());
            }
            request.clone()
        };
        (0..count).map(kind).collect()
    }

    /// Gives a fact this value. Facts of attempts and targets are not the request's, and are left alone.
    pub(super) fn set(&mut self, fact: &StrFact, value: &str) {
        let value: Box<str> = value.into();
        match fact {
            StrFact::Model => self.model = value,
            StrFact::Path => self.path = value,
            StrFact::Method => self.method = value,
            StrFact::Header(name) => put(&mut self.headers, name, value),
            StrFact::Meta(key) => put(&mut self.meta, key, value),
            StrFact::KeyId => self.key.id = Some(value),
            StrFact::KeyTeam => self.key.team = Some(value),
            StrFact::KeyTier => self.key.tier = Some(value),
            StrFact::KeyResidency => self.key.residency = Some(value),
            StrFact::KeyContract => self.key.contract = Some(value),
            StrFact::TargetRegion | StrFact::TargetDomain | StrFact::AttemptLastDomain => {}
        }
    }

    fn set_number(&mut self, fact: IntFact, value: u64) {
        match fact {
            IntFact::TokensIn => self.tokens_in = value,
            IntFact::MaxOut => self.max_out = value,
            IntFact::Hour => self.now.hour = u8::try_from(value).unwrap_or(u8::MAX),
            IntFact::Weekday => self.now.weekday = u8::try_from(value).unwrap_or(u8::MAX),
            IntFact::Date => self.now.date = i32::try_from(value).unwrap_or(i32::MAX),
            IntFact::AttemptIndex | IntFact::TargetPrice => {}
        }
    }

    fn set_flag(&mut self, flag: FlagFact, value: bool) {
        let cap = match flag {
            FlagFact::Stream => {
                self.stream = value;
                return;
            }
            FlagFact::HasTools => Caps::TOOLS,
            FlagFact::HasImages => Caps::IMAGES,
            FlagFact::HasJsonSchema => Caps::JSON_SCHEMA,
            FlagFact::HasAudio => Caps::AUDIO,
            FlagFact::TargetTrainsOnData => return,
        };
        self.has = if value {
            self.has.union(cap)
        } else {
            self.has.without(cap)
        };
    }

    /// What `program` says to it.
    pub(super) fn decide(&self, program: &Program) -> Decision {
        self.with_facts(program.needs(), |facts| program.decide(facts))
    }

    /// The same, for a request that routes up to `route` do not take.
    pub(super) fn decide_after(&self, route: RouteId, program: &Program) -> Decision {
        self.with_facts(program.needs(), |facts| program.decide_after(route, facts))
    }

    /// Calls `ask` with its facts, those of headers and metadata in the order of `needs`.
    pub(super) fn with_facts<T>(&self, needs: &Needs, ask: impl FnOnce(&Facts<'_>) -> T) -> T {
        let headers: Vec<_> = needs
            .headers
            .iter()
            .map(|name| found(&self.headers, name))
            .collect();
        let meta: Vec<_> = needs
            .meta
            .iter()
            .map(|key| found(&self.meta, key))
            .collect();
        ask(&Facts {
            model: &self.model,
            path: &self.path,
            method: &self.method,
            stream: self.stream,
            tokens_in: self.tokens_in,
            max_out: self.max_out,
            has: self.has,
            headers: &headers,
            meta: &meta,
            key: &self.key,
            now: self.now,
        })
    }
}

impl Request {
    /// The request as a client sends it: head and body, with a question whose answer is short.
    ///
    /// # Errors
    /// A client cannot say what is given; a sentence.
    pub(super) fn http(&self) -> Result<Vec<u8>, String> {
        let body = self.body()?;
        let mut out = Vec::with_capacity(body.len() + 256);
        write::request_line("POST", self.path.as_bytes(), &mut out);
        write::field(b"host", b"drill", &mut out);
        write::field(b"content-type", b"application/json", &mut out);
        for (name, value) in &self.headers {
            if is_framing(name) || value.bytes().any(|byte| byte.is_ascii_control()) {
                return Err(format!(
                    "no request of a drill can have this `{name}` field"
                ));
            }
            write::field(name.as_bytes(), value.as_bytes(), &mut out);
        }
        write::field_decimal(b"content-length", body.len() as u64, &mut out);
        write::end(&mut out);
        out.extend_from_slice(&body);
        Ok(out)
    }

    fn body(&self) -> Result<Vec<u8>, String> {
        let KeyFacts {
            id,
            team,
            tier,
            residency,
            contract,
        } = &self.key;
        if [id, team, tier, residency, contract]
            .into_iter()
            .any(Option::is_some)
        {
            return Err(
                "clients have no keys at a gateway yet: `key.*` cannot be given".to_owned(),
            );
        }
        if self.now != WallTime::default() || &*self.method != "POST" {
            return Err(
                "`now.*` and `req.method` are as they are: they cannot be given".to_owned(),
            );
        }
        let chat = &*self.path == "/v1/chat/completions";
        let plain = self.has == Caps::default() && !self.stream;
        let known = match &*self.path {
            "/v1/chat/completions" => true,
            "/v1/messages" | "/v1/responses" => self.has == Caps::default(),
            "/v1/embeddings" => plain,
            _ => false,
        };
        if !known {
            return Err(format!("no drill makes such requests to `{}`", self.path));
        }
        let model = if self.model.is_empty() {
            MODEL
        } else {
            &self.model
        };
        let mut body = Vec::new();
        Writer::new(&mut body).object(|it| {
            it.key("model").string(model);
            if self.stream {
                it.key("stream").bool(true);
                if chat {
                    // Or what it takes is not told.
                    it.key("stream_options")
                        .object(|it| it.key("include_usage").bool(true));
                }
            }
            self.metadata(it);
            self.bound(it);
            self.question(chat, it);
        });
        Ok(body)
    }

    fn metadata(&self, it: &mut Writer<'_>) {
        if self.meta.is_empty() {
            return;
        }
        it.key("metadata").object(|meta| {
            for (key, value) in &self.meta {
                meta.key(key).string(value);
            }
        });
    }

    /// How long the answer may be.
    fn bound(&self, it: &mut Writer<'_>) {
        match &*self.path {
            // Compulsory in this format.
            "/v1/messages" => {
                it.key("max_tokens")
                    .number(if self.max_out == 0 { 64 } else { self.max_out });
            }
            "/v1/embeddings" => {}
            _ if self.max_out == 0 => {}
            "/v1/responses" => it.key("max_output_tokens").number(self.max_out),
            _ => it.key("max_completion_tokens").number(self.max_out),
        }
    }

    fn question(&self, chat: bool, it: &mut Writer<'_>) {
        let text = self.text();
        if matches!(&*self.path, "/v1/responses" | "/v1/embeddings") {
            return it.key("input").string(&text);
        }
        it.key("messages").array(|all| {
            all.object(|message| {
                message.key("role").string("user");
                self.content(&text, message.key("content"));
            });
        });
        if !chat {
            return;
        }
        if self.has.covers(Caps::TOOLS) {
            it.key("tools").raw(TOOLS);
        }
        if self.has.covers(Caps::JSON_SCHEMA) {
            it.key("response_format").raw(SCHEMA);
        }
    }

    fn content(&self, text: &str, it: &mut Writer<'_>) {
        let (images, audio) = (self.has.covers(Caps::IMAGES), self.has.covers(Caps::AUDIO));
        if !images && !audio {
            return it.string(text);
        }
        it.array(|parts| {
            parts.object(|part| {
                part.key("type").string("text");
                part.key("text").string(text);
            });
            if images {
                parts.raw(IMAGE);
            }
            if audio {
                parts.raw(AUDIO);
            }
        });
    }

    /// A token is about four bytes.
    fn text(&self) -> String {
        let wanted = self.tokens_in.saturating_mul(4).min(BODY_BYTES_MAX / 2);
        let wanted = usize::try_from(wanted).unwrap_or_default();
        let mut text = String::from(QUESTION);
        while text.len() < wanted {
            text.push_str(FILLER);
        }
        text.truncate(wanted.max(QUESTION.len()));
        text
    }
}

/// Fields that say where a request ends, or whose it is.
fn is_framing(name: &str) -> bool {
    [
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "expect",
        "upgrade",
        "te",
        "trailer",
    ]
    .contains(&name)
}

/// What is asked for where nothing is given.
const MODEL: &str = "drill";
const QUESTION: &str = "Answer with one word: ready. ";
const FILLER: &str = "This is a drill. ";
/// One white pixel.
const IMAGE: &[u8] = br#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg=="}}"#;
/// No sound at all.
const AUDIO: &[u8] = br#"{"type":"input_audio","input_audio":{"data":"UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=","format":"wav"}}"#;
const TOOLS: &[u8] = br#"[{"type":"function","function":{"name":"ready","description":"Says that all is well","parameters":{"type":"object","properties":{}}}}]"#;
const SCHEMA: &[u8] = br#"{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object","properties":{"word":{"type":"string"}}}}}"#;

fn put(list: &mut Vec<(Box<str>, Box<str>)>, name: &str, value: Box<str>) {
    match list.iter_mut().find(|(known, _)| **known == *name) {
        Some((_, known)) => *known = value,
        None => list.push((name.into(), value)),
    }
}

fn found<'a>(list: &'a [(Box<str>, Box<str>)], name: &str) -> Option<&'a str> {
    let (_, value) = list.iter().find(|(known, _)| **known == *name)?;
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::Request;
    use crate::policy::model::{FlagFact, IntFact, StrFact};
    use crate::policy::trial::Given;
    use crate::policy::{Plan, load};
    use crate::wire::h1::{Fields, request};
    use crate::wire::json::Inspector;

    fn request(given: &[Given]) -> Request {
        let text = "policy 1\nprovider a { kind = simulated, model m = \"m\" }\nroute default { tier 1 { a.m } }\n";
        let (policy, _) = load(&[("p.policy", text)], "p.policy", &[]).unwrap();
        Request::of(&Plan::new(policy).unwrap(), given)
    }

    #[test]
    fn what_is_given_is_said_in_the_request() {
        let text = |fact, value: &str| Given::Text(fact, value.into());
        let bytes = request(&[
            text(StrFact::Model, "gpt-5"),
            text(StrFact::Header("x-team".into()), "blue"),
            text(StrFact::Meta("user".into()), "u1"),
            Given::Int(IntFact::TokensIn, 1_000),
            Given::Int(IntFact::MaxOut, 7),
            Given::Flag(FlagFact::Stream, true),
            Given::Flag(FlagFact::HasImages, true),
            Given::Flag(FlagFact::HasAudio, true),
            Given::Flag(FlagFact::HasJsonSchema, true),
        ])
        .http()
        .unwrap();
        let mut fields = Fields::default();
        let head = request::parse(&bytes, &mut fields).unwrap().unwrap();
        assert_eq!(head.path(&bytes), "/v1/chat/completions");
        assert_eq!(fields.value(&bytes, "x-team"), Some(&b"blue"[..]));
        let body = &bytes[head.len as usize..];
        let mut inspector = Inspector::new();
        let facts = inspector.inspect(body, &["user".into()]).unwrap();
        assert!(facts.images && facts.audio && facts.json_schema && !facts.tools);
        assert_eq!(inspector.metadata(0), Some("u1"));
        assert!(
            (1_000..1_010).contains(&facts.tokens_in),
            "{}",
            facts.tokens_in
        );
        let told: serde_json::Value = serde_json::from_slice(body).unwrap();
        assert_eq!(told["model"], "gpt-5");
        assert_eq!(told["stream"], true);
        assert_eq!(told["stream_options"]["include_usage"], true);
        assert_eq!(told["max_completion_tokens"], 7);
    }

    #[test]
    fn every_path_has_its_own_form() {
        for (path, field) in [
            ("/v1/messages", "messages"),
            ("/v1/responses", "input"),
            ("/v1/embeddings", "input"),
        ] {
            let bytes = request(&[Given::Text(StrFact::Path, path.into())]).http();
            let bytes = bytes.unwrap();
            let at = bytes.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
            let told: serde_json::Value = serde_json::from_slice(&bytes[at + 4..]).unwrap();
            assert!(told.get(field).is_some(), "{path}: {told}");
        }
    }

    #[test]
    fn what_no_client_can_say_is_refused() {
        for given in [
            Given::Text(StrFact::KeyTeam, "blue".into()),
            Given::Int(IntFact::Hour, 3),
            Given::Text(StrFact::Path, "/v1/models".into()),
            Given::Text(StrFact::Header("content-length".into()), "3".into()),
        ] {
            let refused = request(std::slice::from_ref(&given)).http();
            assert!(refused.is_err(), "{given:?}");
        }
    }
}
