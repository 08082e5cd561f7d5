//! Tokens, as Anthropic counts them: `input_tokens` are those that the cache neither held nor keeps.

use crate::dialect::turn::Usage;
use crate::wire::json::{Node, Writer};

/// Counts of which the later ones win: a stream says those of the request first, and some of them again at its end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    input: u64,
    cache_read: u64,
    cache_write: u64,
    output: u64,
    thinking: u64,
}

impl Counts {
    /// Takes over what `usage` says.
    pub(super) fn take(&mut self, usage: Node<'_>) {
        let number = |node: Node<'_>, key| node.get(key).and_then(Node::as_u64);
        for (count, key) in [
            (&mut self.input, "input_tokens"),
            (&mut self.cache_read, "cache_read_input_tokens"),
            (&mut self.cache_write, "cache_creation_input_tokens"),
            (&mut self.output, "output_tokens"),
        ] {
            if let Some(said) = number(usage, key) {
                *count = said;
            }
        }
        if let Some(said) = usage
            .get("output_tokens_details")
            .and_then(|details| number(details, "thinking_tokens"))
        {
            self.thinking = said;
        }
    }

    /// In the neutral count.
    pub(super) fn usage(self) -> Usage {
        Usage {
            input: self
                .input
                .saturating_add(self.cache_read)
                .saturating_add(self.cache_write),
            cache_read: self.cache_read,
            cache_write: self.cache_write,
            output: self.output,
            reasoning: self.thinking,
        }
        .saturated()
    }
}

/// What a `usage` says, if it counts the prompt.
pub fn usage_of(usage: Node<'_>) -> Option<Usage> {
    usage.get("input_tokens").and_then(Node::as_u64)?;
    let mut counts = Counts::default();
    counts.take(usage);
    Some(counts.usage())
}

/// Writes the `usage` of an answer. All of it, also at the end of a stream: Claude Code reckons costs from there.
pub(super) fn write(usage: Usage, out: &mut Writer<'_>) {
    let usage = usage.saturated();
    out.object(|it| {
        it.key("input_tokens")
            .number(usage.input - usage.cache_read - usage.cache_write);
        it.key("cache_creation_input_tokens")
            .number(usage.cache_write);
        it.key("cache_read_input_tokens").number(usage.cache_read);
        it.key("output_tokens").number(usage.output);
        if usage.reasoning > 0 {
            it.key("output_tokens_details")
                .object(|it| it.key("thinking_tokens").number(usage.reasoning));
        }
    });
}

/// Writes the answer to `/v1/messages/count_tokens`.
pub fn count_tokens(estimate: u64, out: &mut Vec<u8>) {
    Writer::new(out).object(|it| it.key("input_tokens").number(estimate));
}
