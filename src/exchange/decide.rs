//! From a complete request to a decision: the facts that the plan asks for, and no others.

use std::borrow::Cow;
use std::mem;

use crate::base::limits::DEADLINE_RESERVE;
use crate::base::{Moment, RouteId, Span};
use crate::dialect::openai::{Patience, Refusal};
use crate::engine::{Chain, Form};
use crate::exchange::Exchange;
use crate::exchange::asking::{Asking, model_in, resolve_alias, stream_in};
use crate::exchange::context::Context;
use crate::exchange::notes::Notes;
use crate::exchange::shadow::{Draw, Pending};
use crate::ops::Wanted;
use crate::policy::Decision;
use crate::policy::model::PromptSize;
use crate::wire::Extent;
use crate::wire::json::BadJson;

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
            model_in(scan, body)
        };
        let Some(asked) = asked.filter(|model| !model.is_empty()) else {
            return self.refuse(now, Refusal::ModelMissing, context);
        };
        let model = resolve_alias(&context.plan.policy, asked);
        self.request.stream |= stream_in(scan, body);
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
        if let Some(copying) = context.copying {
            let (head, fields) = (self.inbox.unread(), &mut context.scratch.fields);
            self.written = copying.draw(&self.request, head, fields, context.core);
        }
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
        let asking = Asking {
            model,
            path: self.request.operation.client_path(),
            stream: self.request.stream,
            scan: self.request.scan(),
            body,
            head: self.inbox.unread(),
            now: context.wall,
        };
        let (core, shadowing, draining) = (&mut *context.core, context.shadowing, context.draining);
        asking.with(program.needs(), context.scratch, |facts| {
            let mut decision = program.decide(facts);
            let mut withdrawn = None;
            while core.is_withdrawn(decision.route) {
                withdrawn.get_or_insert(decision.route);
                decision = program.decide_after(decision.route, facts);
            }
            let shadow = match shadowing {
                Some(shadowing) if decision.shadowed => {
                    let draw = Draw {
                        request: self.request.id,
                        route: decision.route,
                        bytes: self.request.body_bytes(),
                        draining,
                    };
                    shadowing.draw(now, draw, facts, core)
                }
                _ => None,
            };
            if let Some(notes) = notes {
                notes.set_facts(facts, program.needs());
            }
            Decided {
                decision,
                withdrawn,
                shadow,
            }
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
