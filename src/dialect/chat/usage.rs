//! Tokens, as providers of Chat Completions count them.

use crate::dialect::turn::Usage;
use crate::wire::json::walk::{Cursor, Shape};
use crate::wire::json::{Node, Writer};

/// What a `usage` counts, under the names that it has at one provider or another.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    cached: Option<u64>,
    cache_hit: Option<u64>,
    cache_write: Option<u64>,
    reasoning: Option<u64>,
}

impl Counts {
    fn note(&mut self, key: &[u8], count: Option<u64>) {
        let place = match key {
            b"prompt_tokens" => &mut self.prompt,
            b"completion_tokens" => &mut self.completion,
            b"total_tokens" => &mut self.total,
            b"cached_tokens" => &mut self.cached,
            // DeepSeek says it beside.
            b"prompt_cache_hit_tokens" => &mut self.cache_hit,
            b"cache_write_tokens" => &mut self.cache_write,
            b"reasoning_tokens" => &mut self.reasoning,
            _ => return,
        };
        *place = count.or(*place);
    }

    fn usage(self) -> Usage {
        let input = self.prompt.unwrap_or_default();
        let said = self.completion.unwrap_or_default();
        let reasoning = self.reasoning.unwrap_or_default();
        // COMPAT: xAI counts thinking beside the answer; its total tells (vercel/ai, 2026).
        let both = said.saturating_add(reasoning);
        let is_beside = self.total == Some(input.saturating_add(both));
        Usage {
            input,
            cache_read: self.cached.or(self.cache_hit).unwrap_or_default(),
            cache_write: self.cache_write.unwrap_or_default(),
            output: if is_beside { both } else { said },
            reasoning,
        }
        .saturated()
    }
}

/// What a `usage` says.
pub(super) fn usage_of(usage: Node<'_>) -> Usage {
    let mut counts = Counts::default();
    for (key, value) in usage.members() {
        counts.note(key.as_bytes(), value.as_u64());
        if is_group(key.as_bytes()) {
            for (key, value) in value.members() {
                counts.note(key.as_bytes(), value.as_u64());
            }
        }
    }
    counts.usage()
}

/// The same of its text, if it counts the prompt.
///
/// PERF: one pass over it, no allocation: every answer that passes as it is gets here.
pub fn usage_at(mut cursor: Cursor<'_>) -> Option<Usage> {
    let mut counts = Counts::default();
    let mut in_group = false;
    cursor.enter(b'{')?;
    loop {
        if let Some((key, count)) = cursor.counted() {
            counts.note(key, Some(count));
        } else if let Some(key) = cursor.member() {
            if !in_group && cursor.shape() == Some(Shape::Object) && is_group(key) {
                cursor.enter(b'{')?;
                in_group = true;
            } else {
                counts.note(key, cursor.count()?);
            }
        } else if !std::mem::take(&mut in_group) {
            break;
        }
    }
    counts.prompt?;
    Some(counts.usage())
}

fn is_group(key: &[u8]) -> bool {
    matches!(key, b"prompt_tokens_details" | b"completion_tokens_details")
}

pub(super) fn write_usage(usage: Usage, it: &mut Writer<'_>) {
    it.key("prompt_tokens").number(usage.input);
    it.key("completion_tokens").number(usage.output);
    it.key("total_tokens").number(usage.total());
    it.key("prompt_tokens_details").object(|it| {
        it.key("cached_tokens").number(usage.cache_read);
        if usage.cache_write > 0 {
            it.key("cache_write_tokens").number(usage.cache_write);
        }
    });
    it.key("completion_tokens_details")
        .object(|it| it.key("reasoning_tokens").number(usage.reasoning));
}

#[cfg(test)]
mod tests {
    use super::{Usage, usage_at, usage_of};
    use crate::wire::json::Tree;
    use crate::wire::json::walk::Cursor;

    /// Both readings of one text.
    fn check(usage: &str, expected: (u64, u64, u64, u64)) {
        let mut text = usage.as_bytes().to_vec();
        let tree = Tree::parse(&mut text).unwrap();
        let said = |usage: Usage| (usage.input, usage.cache_read, usage.output, usage.reasoning);
        assert_eq!(said(usage_of(tree.root())), expected, "{usage}");
        assert_eq!(
            usage_at(Cursor::new(usage.as_bytes())).map(said),
            Some(expected),
            "{usage}"
        );
    }

    #[test]
    fn thinking_is_part_of_the_answer_or_counted_beside_it() {
        let details = r#""completion_tokens_details":{"reasoning_tokens":310}"#;
        for (rest, (output, reasoning)) in [
            (r#""completion_tokens":14,"total_tokens":332"#, (324, 310)), // xAI
            (r#""completion_tokens":324,"total_tokens":332"#, (324, 310)),
            (r#""completion_tokens":14,"total_tokens":22"#, (14, 14)),
            (r#""completion_tokens":14"#, (14, 14)),
        ] {
            let usage = format!(r#"{{"prompt_tokens":8,{rest},{details}}}"#);
            check(&usage, (8, 0, output, reasoning));
        }
    }

    #[test]
    fn what_the_cache_held_has_two_names() {
        let details = r#"{"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":null}"#;
        check(details, (9, 4, 1, 0));
        let deepseek = r#"{"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":5,"prompt_cache_miss_tokens":4}"#;
        check(deepseek, (9, 5, 1, 0));
        let more_than_all = r#"{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":40}}"#;
        check(more_than_all, (9, 9, 0, 0));
    }

    #[test]
    fn where_a_count_stands_makes_no_difference() {
        let thinking = r#""completion_tokens_details":{"reasoning_tokens":2,"audio_tokens":0}"#;
        let cache = r#""prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":3}"#;
        let counts = r#""prompt_tokens":9,"completion_tokens":5,"total_tokens":14"#;
        for usage in [
            format!("{{{counts},{cache},{thinking}}}"),
            format!("{{{counts},{thinking},{cache}}}"),
            format!("{{{thinking},{counts},{cache}}}"),
            format!("{{{cache},{thinking},{counts},\"x\":[{{\"total_tokens\":1}}]}}"),
            format!("{{ {counts},\n {thinking} ,\t{cache} }}").replace(':', " : "),
        ] {
            check(&usage, (9, 4, 5, 2));
            let written = usage_at(Cursor::new(usage.as_bytes())).map(|it| it.cache_write);
            assert_eq!(written, Some(3), "{usage}");
        }
    }

    #[test]
    fn what_counts_no_prompt_is_no_usage() {
        for text in [
            "{}",
            r#"{"type":"string"}"#,
            "[1]",
            "",
            r#"{"prompt_tokens":3"#,
            r#"{"prompt_tokens":"3"}"#,
        ] {
            assert_eq!(usage_at(Cursor::new(text.as_bytes())), None, "{text}");
        }
    }
}
