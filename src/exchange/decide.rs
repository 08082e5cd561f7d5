//! From a complete request to a decision: the facts that the plan asks for, and no others.

use std::borrow::Cow;
use std::mem;

use crate::base::limits::DEADLINE_RESERVE;
use crate::base::{Moment, RouteId, Span};
use crate::dialect::openai::{Patience, Refusal};
use crate::engine::{Chain, Form};
use crate::exchange::Exchange;
use crate::exchange::context::Context;
use crate::exchange::notes::Notes;
use crate::exchange::shadow::{Draw, Pending};
use crate::ops::Wanted;
use crate::policy::model::PromptSize;
use crate::policy::{Caps, Decision, Facts, KeyFacts, Needs, Policy};
use crate::wire::Extent;
use crate::wire::h1::request;
use crate::wire::json::{BadJson, DocumentFacts, Key, value};

impl Exchange {
    /// Reads the facts, lets the plan decide, and begins the first attempt.
    pub(super) fn decide(&mut self, now: Moment, context: &mut Context<'_>) {
        let body = self
            .inbox
            .all()
            .get(self.request.body.clone())
            .unwrap_or_default();
        let scan = self.request.scan();
        let (place, asked) = if let Some(model) = &self.request.path_model {
            (Extent::default(), Some(Cow::Owned(model.to_string())))
        } else {
            let place = scan.value(Key::Model).unwrap_or_default();
            (place, value::string(body, place))
        };
        let Some(asked) = asked.filter(|model| !model.is_empty()) else {
            return self.refuse(now, Refusal::ModelMissing, context);
        };
        let model = resolve_alias(&context.plan.policy, asked);
        self.request.stream |= scan
            .value(Key::Stream)
            .and_then(|place| value::bool(body, place))
            .unwrap_or(false);
        let wanted = context.journal.wants_decision(self.request.id);
        let mut notes = (wanted != Wanted::Never).then(|| mem::take(&mut self.request.notes));
        let decided = self.facts(now, &model, body, notes.as_mut(), context);
        if let Some(notes) = notes {
            self.request.notes = notes;
        }
        let decided = match decided {
            Ok(decided) => decided,
            Err(error) => return self.refuse_body(now, error, context),
        };
        let Decided {
            decision,
            withdrawn,
            shadow,
        } = decided;
        self.request.notes.set_model(body, place, &model);
        self.request.wanted = wanted;
        let tail = self.request.body.start + place.end as usize;
        self.request.tail = tail..self.request.body.end;
        self.request.route = Some(decision.route);
        self.request.withdrawn = withdrawn;
        self.shadow = shadow;
        let form = if self.request.stream {
            Form::Stream
        } else {
            Form::Whole
        };
        let prompt = PromptSize::of_body(self.request.body_bytes());
        let chain = Chain::new(context.plan, decision, form, self.request.id, now);
        let chain = chain.with_prompt(prompt);
        let begun = self.request.started.unwrap_or(now);
        let end = |span: Option<Span>| span.map_or(Moment::NEVER, |span| begun + usable(span));
        let Patience { whole, start } = self.request.patience;
        let chain = chain.within(end(whole), end(start));
        self.chain = Some(match wanted {
            Wanted::Logged => chain.noting_calls(),
            Wanted::Always | Wanted::IfFailed | Wanted::Never => chain,
        });
        self.next_step(now, context);
    }

    /// Collects what the plan reads, and asks it. Where the decision may be recorded the facts go into `notes`.
    fn facts(
        &self,
        now: Moment,
        model: &str,
        body: &[u8],
        notes: Option<&mut Notes>,
        context: &mut Context<'_>,
    ) -> Result<Decided, BadJson> {
        let program = &context.plan.program;
        let needs = program.needs();
        let scratch = &mut *context.scratch;
        let document = if needs_document(needs) {
            scratch.inspector.inspect(body, &needs.meta)?
        } else {
            DocumentFacts::default()
        };
        let meta: Vec<Option<&str>> = (0..needs.meta.len())
            .map(|index| scratch.inspector.metadata(index))
            .collect();
        let unread = self.inbox.unread();
        let mut headers: Vec<Option<&str>> = Vec::new();
        if !needs.headers.is_empty() {
            // The table was other requests' meanwhile.
            let parsed = request::parse(unread, &mut scratch.fields);
            debug_assert!(matches!(parsed, Ok(Some(_))), "the head was parsed before");
            headers.extend(needs.headers.iter().map(|name| {
                let value = scratch.fields.value(unread, name)?;
                std::str::from_utf8(value).ok()
            }));
        }
        let scan = self.request.scan();
        let number = |key| scan.value(key).and_then(|place| value::u64(body, place));
        let max_out = number(Key::MaxCompletionTokens)
            .or_else(|| number(Key::MaxTokens))
            .or_else(|| number(Key::MaxOutputTokens));
        let facts = Facts {
            model,
            path: self.request.operation.client_path(),
            method: "POST",
            stream: self.request.stream,
            tokens_in: document.tokens_in,
            max_out: max_out.unwrap_or_default(),
            has: caps(document),
            headers: &headers,
            meta: &meta,
            key: &KeyFacts::default(),
            now: context.wall,
        };
        let mut decision = program.decide(&facts);
        let mut withdrawn = None;
        while context.core.is_withdrawn(decision.route) {
            withdrawn.get_or_insert(decision.route);
            decision = program.decide_after(decision.route, &facts);
        }
        let shadow = match context.shadowing {
            Some(shadowing) if decision.shadowed => {
                let draw = Draw {
                    request: self.request.id,
                    route: decision.route,
                    bytes: self.request.body_bytes(),
                    draining: context.draining,
                };
                shadowing.draw(now, draw, &facts, context.core)
            }
            _ => None,
        };
        if let Some(notes) = notes {
            notes.set_facts(&facts, needs);
        }
        Ok(Decided {
            decision,
            withdrawn,
            shadow,
        })
    }
}

/// What the plan says.
struct Decided {
    decision: Decision,
    /// The first route that would have taken the request and is withdrawn.
    withdrawn: Option<RouteId>,
    shadow: Option<Box<Pending>>,
}

/// What can be used of a client's own time: an answer that comes in the moment in which it gives up is lost.
fn usable(span: Span) -> Span {
    let way_back = Span::from_nanos(span.as_nanos() / 10).min(DEADLINE_RESERVE);
    span.saturating_sub(way_back)
}

/// What the client calls the model, or what it stands for.
fn resolve_alias<'a>(policy: &'a Policy, asked: Cow<'a, str>) -> Cow<'a, str> {
    policy.alias_of(&asked).map_or(asked, Cow::Borrowed)
}

fn needs_document(needs: &Needs) -> bool {
    needs.tokens_in || !needs.has.is_empty() || !needs.meta.is_empty()
}

fn caps(document: DocumentFacts) -> Caps {
    let DocumentFacts {
        tokens_in: _,
        tools,
        images,
        audio,
        json_schema,
    } = document;
    [
        (tools, Caps::TOOLS),
        (images, Caps::IMAGES),
        (audio, Caps::AUDIO),
        (json_schema, Caps::JSON_SCHEMA),
    ]
    .into_iter()
    .filter(|&(has, _)| has)
    .fold(Caps::NONE, |all, (_, cap)| all.union(cap))
}
