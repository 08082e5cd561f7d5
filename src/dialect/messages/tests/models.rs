//! Names of models.

#![expect(clippy::too_many_lines, reason = "tables")]

use crate::dialect::claude::{Claude, Silence, Thinks};
use crate::dialect::turn::Effort;

#[test]
fn generations_are_read_off_names() {
    use Silence::{Impossible, Said, Unsaid};
    use Thinks::{Adaptive, Budget, Either, Never};
    let off = Said("disabled");
    for (model, thinks, silence, sampling, schemas, forced, xhigh) in [
        (
            "claude-3-5-sonnet-20241022",
            Never,
            Unsaid,
            true,
            false,
            true,
            None,
        ),
        (
            "claude-3-7-sonnet-latest",
            Budget,
            Unsaid,
            true,
            false,
            true,
            None,
        ),
        (
            "claude-opus-4-20250514",
            Budget,
            Unsaid,
            true,
            false,
            true,
            None,
        ),
        ("claude-sonnet-4-0", Budget, Unsaid, true, false, true, None),
        (
            "claude-opus-4-1-20250805",
            Budget,
            Unsaid,
            true,
            true,
            true,
            None,
        ),
        (
            "claude-sonnet-4-5@20250929",
            Budget,
            Unsaid,
            true,
            true,
            true,
            None,
        ),
        (
            "claude-opus-4-5-20251101",
            Budget,
            Unsaid,
            true,
            true,
            true,
            Some("high"),
        ),
        (
            "us.anthropic.claude-opus-4-6-v1:0",
            Either,
            Unsaid,
            true,
            true,
            true,
            Some("high"),
        ),
        (
            "CLAUDE-OPUS-4-7",
            Adaptive,
            Unsaid,
            false,
            true,
            true,
            Some("xhigh"),
        ),
        (
            "anthropic/claude-4.8-opus",
            Adaptive,
            Unsaid,
            false,
            true,
            true,
            Some("xhigh"),
        ),
        (
            "claude-opus-5",
            Adaptive,
            off,
            false,
            true,
            true,
            Some("xhigh"),
        ),
        (
            "claude-sonnet-5-20260701",
            Adaptive,
            off,
            false,
            true,
            true,
            Some("xhigh"),
        ),
        (
            "claude-fable-5",
            Adaptive,
            Impossible,
            false,
            true,
            true,
            Some("xhigh"),
        ),
        (
            "claude-mythos-preview",
            Adaptive,
            Impossible,
            false,
            true,
            true,
            Some("xhigh"),
        ),
        (
            "claude-fable-5-1",
            Adaptive,
            Impossible,
            false,
            true,
            false,
            Some("xhigh"),
        ),
        (
            "claude-opus-5-5",
            Adaptive,
            Impossible,
            false,
            true,
            false,
            Some("xhigh"),
        ),
        (
            "claude-sonnet-5-5",
            Adaptive,
            Said("between_tools"),
            false,
            true,
            false,
            Some("xhigh"),
        ),
        (
            "claude-haiku-5-5",
            Adaptive,
            off,
            false,
            true,
            true,
            Some("xhigh"),
        ),
        ("our-best-model", Budget, Unsaid, true, true, true, None),
    ] {
        let claude = Claude::of(model);
        assert_eq!(claude.thinks(), thinks, "{model}");
        assert_eq!(claude.silence(), silence, "{model}");
        assert_eq!(claude.takes_sampling(), sampling, "{model}");
        assert_eq!(claude.takes_schemas(), schemas, "{model}");
        assert_eq!(claude.takes_forced_tools(), forced, "{model}");
        assert_eq!(claude.effort(Effort::XHigh), xhigh, "{model}");
    }
}
