//! Marks for prompt caches: the provider may keep everything up to and including what is marked for the next request.

use crate::dialect::loss::Losses;
use crate::wire::json::Node;

/// Whether `block` has Anthropic's mark, `cache_control`, which clients of other formats use too.
pub(super) fn is_on(block: Node<'_>, dropped: &mut Losses) -> bool {
    let Some(mark) = block.get("cache_control") else {
        return false;
    };
    // Five minutes are what every provider understands by it.
    dropped.add_if(
        mark.text("ttl").is_some_and(|ttl| ttl != "5m"),
        "cache_control.ttl",
    );
    true
}
