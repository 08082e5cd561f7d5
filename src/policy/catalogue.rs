//! What is known of well-known models: what a policy does not say of a model is taken from here.
//!
//! `catalogue.json` has a row for each model at each kind of provider, made by `catalogue.py` beside it from two public lists.
//! A fact on which they disagree is not in its row. Nothing is known of a deployment (Azure), of an aggregator (OpenRouter)
//! or of a server of one's own: there a model's name says little about what answers.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::policy::facts::Caps;
use crate::policy::kinds;
use crate::policy::model::ProviderKind;
use crate::policy::syntax::literal::{Money, MoneyPer};

/// What is known of one model. Prices are in micro-dollars per million tokens: without discounts for batches, before any
/// surcharge for long prompts and, of Amazon's own models, as in us-east-1.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Known {
    /// The context window, in tokens.
    pub context: Option<u64>,
    /// Tokens of the longest answer.
    pub max_output: Option<u64>,
    /// What it can do.
    pub caps: Caps,
    /// What it cannot do. What is in neither set is not known.
    pub lacks: Caps,
    /// Of the prompt.
    pub price_in: Option<u64>,
    /// Of the answer.
    pub price_out: Option<u64>,
    /// Of what is read from the provider's prompt cache.
    pub price_cache_read: Option<u64>,
    /// Of what is written to it, for its shortest time.
    pub price_cache_write: Option<u64>,
    /// The day on which the lists were compared: `2026-11-30`.
    pub as_of: &'static str,
    /// The page that the lists name for it.
    pub source: &'static str,
}

/// What is known of the model that providers of this kind call `model`.
pub fn known(kind: ProviderKind, model: &str) -> Option<Known> {
    let model = model.strip_prefix("models/").unwrap_or(model);
    if let Some(known) = find(kind, model) {
        return Some(known);
    }
    // Bedrock's inference profiles: the model is the same in each region, its price is not.
    let (region, model) = model.split_once('.')?;
    let profile = kind == ProviderKind::Bedrock && REGIONS.contains(&region);
    let known = profile.then(|| find(kind, model)).flatten()?;
    Some(Known {
        price_in: None,
        price_out: None,
        price_cache_read: None,
        price_cache_write: None,
        ..known
    })
}

/// The row with the longest name that `model` is, or is a version of.
fn find(kind: ProviderKind, model: &str) -> Option<Known> {
    let rows = LINES.iter().filter(|(of, _, _)| *of == kind);
    let fitting = rows.filter(|(_, name, _)| model.strip_prefix(name).is_some_and(is_version));
    let (_, _, line) = fitting.max_by_key(|(_, name, _)| name.len())?;
    let row: Row = serde_json::from_str(line).ok()?;
    Some(row.read())
}

/// Whether what follows a model's name only says which version of that model: dates, `-001`, `-latest`, `@default`,
/// `-v1:0`. Other words and short numbers make another model (`-mini`, `-audio`, the `-5` of `claude-sonnet-4-5`).
fn is_version(suffix: &str) -> bool {
    if suffix.is_empty() {
        return true;
    }
    let Some(rest) = suffix.strip_prefix(['-', '@', ':']) else {
        return false;
    };
    if let Some((date, after)) = rest.split_at_checked(ISO_DATE)
        && is_iso_date(date)
    {
        return is_version(after);
    }
    let end = rest.find(['-', '@', ':']).unwrap_or(rest.len());
    let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if word.strip_prefix('v').is_some_and(digits) {
        let minor = after.strip_prefix(':');
        return after.is_empty() || minor.is_some_and(digits);
    }
    let names_version =
        matches!(word, "latest" | "default") || digits(word) && matches!(word.len(), 3 | 8);
    names_version && is_version(after)
}

/// Bytes of `2026-11-30`.
const ISO_DATE: usize = 10;

fn is_iso_date(text: &str) -> bool {
    let fits = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == ISO_DATE && text.bytes().enumerate().all(fits)
}

/// What Bedrock's inference profiles put before a model's name.
const REGIONS: [&str; 8] = ["apac", "au", "ca", "eu", "global", "jp", "us", "us-gov"];

/// What a row of the file says of its model. Amounts are written as in policies.
#[derive(Debug, Deserialize)]
struct Row {
    context: Option<u64>,
    max_output: Option<u64>,
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
    input: Option<String>,
    output: Option<String>,
    cache_read: Option<String>,
    cache_write: Option<String>,
    as_of: &'static str,
    source: &'static str,
}

const TEXT: &str = include_str!("catalogue.json");

/// Kind and model of each row, and the row as it is written, a line each. Made when the first policy names a model: most policies
/// name a few, and to read all rows takes longer than to check a short one.
static LINES: LazyLock<Vec<(ProviderKind, &'static str, &'static str)>> =
    LazyLock::new(|| TEXT.lines().filter_map(head_of).collect());

fn head_of(line: &'static str) -> Option<(ProviderKind, &'static str, &'static str)> {
    let row = line.trim_matches([' ', ',']);
    let (kind, rest) = row
        .strip_prefix("{\"kind\": \"")?
        .split_once("\", \"model\": \"")?;
    let (model, _) = rest.split_once('"')?;
    Some((kinds::by_word(kind)?.kind, model, row))
}

impl Row {
    fn read(self) -> Known {
        let price = |text: Option<String>| text.as_deref().and_then(price);
        Known {
            context: self.context,
            max_output: self.max_output,
            caps: caps(&self.caps),
            lacks: caps(&self.lacks),
            price_in: price(self.input),
            price_out: price(self.output),
            price_cache_read: price(self.cache_read),
            price_cache_write: price(self.cache_write),
            as_of: self.as_of,
            source: self.source,
        }
    }
}

fn caps(words: &[String]) -> Caps {
    let named = Caps::WORDS
        .iter()
        .filter(|(name, _)| words.iter().any(|word| word == name));
    named.fold(Caps::NONE, |all, (_, cap)| all.union(*cap))
}

fn price(text: &str) -> Option<u64> {
    let money = Money::parse(text);
    (money.per == MoneyPer::Mtok).then_some(money.micros)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::{
        Caps, Known, LINES, ProviderKind, Row, TEXT, is_iso_date, is_version, kinds, known, price,
    };

    fn rows() -> impl Iterator<Item = (&'static str, Row)> {
        let read = |line| serde_json::from_str(line).unwrap();
        LINES
            .iter()
            .map(move |(_, model, line)| (*model, read(line)))
    }

    #[test]
    fn every_row_is_well_formed_and_says_where_it_is_from() {
        for (name, row) in rows() {
            assert!(!name.is_empty());
            assert!(is_iso_date(row.as_of), "{name}: {}", row.as_of);
            assert!(row.source.starts_with("https://"), "{name}: {}", row.source);
            for tokens in [row.context, row.max_output].into_iter().flatten() {
                assert!((1_000..=10_000_000).contains(&tokens), "{name}: {tokens}");
            }
            if let (Some(context), Some(max_output)) = (row.context, row.max_output) {
                assert!(max_output <= context, "{name}");
            }
            let word = |word: &String| Caps::WORDS.iter().any(|(name, _)| name == word);
            assert!(row.caps.iter().chain(&row.lacks).all(word), "{name}: caps");
            let both = row.caps.iter().any(|cap| row.lacks.contains(cap));
            assert!(!both, "{name}: can and cannot");
            let caps = !row.caps.is_empty() || !row.lacks.is_empty();
            let tokens = row.context.is_some() || row.max_output.is_some();
            assert!(caps || tokens || row.input.is_some(), "{name}: no fact");
            assert_eq!(row.input.is_some(), row.output.is_some(), "{name}: prices");
            let prices = [&row.input, &row.output, &row.cache_read, &row.cache_write];
            for text in prices.into_iter().flatten() {
                let micros = price(text).unwrap_or_else(|| panic!("{name}: {text}"));
                // Above a thousand dollars the unit is wrong, not the model dear.
                assert!((1..1_000_000_000).contains(&micros), "{name}: {text}");
            }
            let read = (
                row.cache_read.as_deref().and_then(price),
                row.input.as_deref().and_then(price),
            );
            assert!(read.0.is_none() || read.0 <= read.1, "{name}: cache_read");
        }
    }

    /// Rows are read alone, by what their lines begin with.
    #[test]
    fn each_row_is_a_line_and_sorted() {
        const FACTS: [&str; 12] = [
            "kind",
            "model",
            "context",
            "max_output",
            "caps",
            "lacks",
            "input",
            "output",
            "cache_read",
            "cache_write",
            "as_of",
            "source",
        ];
        let all: Vec<BTreeMap<String, Value>> = serde_json::from_str(TEXT).unwrap();
        assert!(all.len() > 100);
        assert_eq!(all.len(), LINES.len());
        let mut before = ("", "");
        for (row, (kind, model, line)) in all.iter().zip(&*LINES) {
            let word = row["kind"].as_str().unwrap();
            assert_eq!(kinds::by_word(word).unwrap().kind, *kind, "{model}");
            assert_eq!(row["model"], *model);
            let alone: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
            assert_eq!(alone, *row);
            let known = |fact: &String| FACTS.contains(&&**fact);
            assert!(row.keys().all(known), "{model}");
            // No model has two.
            assert!(before < (word, *model), "{model}");
            before = (word, model);
        }
    }

    #[test]
    fn versions_of_a_model_are_that_model() {
        for suffix in [
            "",
            "-2025-08-07",
            "-20251001",
            "@20251001",
            "-001",
            "-latest",
            "@default",
            "-v1:0",
            "-20251001-v1:0",
        ] {
            assert!(is_version(suffix), "{suffix}");
        }
        for suffix in [
            "-",
            "-mini",
            "-5",
            "-5-20250929",
            "-audio-preview-2025-06-03",
            ":free",
            "-search-api",
            "x",
            "-v1:0:200k",
            "-v",
            "-2025-08",
            "-ä",
            "--latest",
        ] {
            assert!(!is_version(suffix), "{suffix}");
        }
    }

    #[test]
    fn a_model_is_found_by_the_names_that_providers_give_it() {
        let haiku = known(ProviderKind::Anthropic, "claude-haiku-4-5").unwrap();
        let expected = Known {
            context: Some(200_000),
            max_output: Some(64_000),
            caps: Caps::TOOLS.union(Caps::IMAGES).union(Caps::JSON_SCHEMA),
            lacks: Caps::AUDIO,
            price_in: Some(1_000_000),
            price_out: Some(5_000_000),
            price_cache_read: Some(100_000),
            price_cache_write: Some(1_250_000),
            as_of: haiku.as_of,
            source: haiku.source,
        };
        assert_eq!(haiku, expected);
        let dated = known(ProviderKind::Anthropic, "claude-haiku-4-5-20251001");
        assert_eq!(dated, Some(haiku));
        let gemini = known(ProviderKind::Gemini, "models/gemini-2.5-pro");
        assert_eq!(gemini, known(ProviderKind::Gemini, "gemini-2.5-pro"));
        assert!(gemini.is_some());
        let vertex = known(ProviderKind::Vertex, "gemini-2.5-flash@default");
        assert!(vertex.is_some_and(|known| known.context.is_some()));
        let profile = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
        let profile = known(ProviderKind::Bedrock, profile).unwrap();
        assert_eq!(profile.context, Some(200_000));
        let bedrock = "amazon.nova-pro";
        let here = known(ProviderKind::Bedrock, bedrock).unwrap();
        let elsewhere = known(ProviderKind::Bedrock, &format!("ca.{bedrock}-v1:0")).unwrap();
        assert!(here.price_in.is_some());
        assert_eq!(
            (elsewhere.context, elsewhere.price_in),
            (here.context, None)
        );
    }

    #[test]
    fn another_model_is_not_taken_for_its_namesake() {
        let none = [
            (ProviderKind::OpenAi, "gpt-4o-audio-preview"),
            (ProviderKind::OpenAi, "gpt-5-search-api"),
            (ProviderKind::OpenAi, "gpt"),
            (ProviderKind::Anthropic, "claude-haiku-4-9"),
            (ProviderKind::Anthropic, "us.claude-haiku-4-5"),
            (ProviderKind::AzureOpenAi, "gpt-5"),
            (ProviderKind::OpenAiCompatible, "gpt-5"),
            (ProviderKind::OpenRouter, "anthropic/claude-haiku-4-5"),
            (ProviderKind::OpenAi, "ft:gpt-4o-mini:acme::1"),
            (ProviderKind::Bedrock, "eu.amazon.titan-text-express-v1"),
        ];
        for (kind, model) in none {
            assert_eq!(known(kind, model), None, "{model}");
        }
    }
}
