//! Streams that are counted although their client did not ask what they take: `count_streams`.

use crate::dialect::Operation;
use crate::dialect::format::Format;
use crate::dialect::openai::is_usage_alone;
use crate::dialect::provider::{Asked, says_usage_if_asked};
use crate::dialect::usage_of_answer;
use crate::exchange::Exchange;
use crate::wire::sse::Splitter;

impl Exchange {
    /// Whether the provider is to say what a stream takes.
    pub(super) fn counts(&self, asked: &Asked<'_>) -> bool {
        asked.provider.count_streams
            && asked.stream
            && self.request.operation == Operation::Generate(Format::Chat)
            && asked.format == Format::Chat
            && says_usage_if_asked(asked.provider.kind)
    }

    /// What the client did not ask for is taken out of the events that have become complete.
    ///
    /// PERF: for each read of a stream a look at an option; only streams that are counted so are read twice.
    pub(super) fn hide_usage(&mut self) {
        let hides = self
            .upstream
            .own
            .as_deref()
            .is_some_and(|own| own.hides_usage);
        if !hides || self.answer.stream.is_raw() {
            return;
        }
        let mut at = self.answer.stream.ready();
        let (mut splitter, mut several) = (Splitter::default(), Vec::new());
        loop {
            let rest = self.outbox.all().get(at..self.answer.body.end);
            let rest = rest.unwrap_or_default();
            let Ok(Some(event)) = splitter.next(rest) else {
                return;
            };
            let data = event.data(rest, &mut several);
            let Some(data) = data.filter(|data| is_usage_alone(data)) else {
                at += event.len;
                continue;
            };
            let usage = usage_of_answer(Format::Chat, data);
            self.answer.usage = usage.or(self.answer.usage);
            self.outbox.cut(at..at + event.len);
            self.answer.body.end -= event.len;
            // It may have seen the beginning of what is gone.
            self.answer.stream.splitter = Splitter::default();
        }
    }
}
