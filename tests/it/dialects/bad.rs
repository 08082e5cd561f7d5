//! Bad input: for each format that clients speak what becomes of a request that nobody should send, for each format that
//! providers answer in what becomes of such an answer and such a stream. Requests and answers are tables: `tests/corpus/bad`. A clear error that names the field and the
//! formats, or a count that saturates; never a panic, and never a success that is none. `hostile` looks for what nobody thought of.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use switchover::dialect::codec::{Destination, Reply};
use switchover::dialect::format::Format;
use switchover::dialect::loss::Unsupported;
use switchover::dialect::translation::{self, Translator, Untold};
use switchover::policy::model::ProviderKind;
use switchover::wire::eventstream;

use super::CLIENTS;

/// The rows of a table: format, what is bad, what becomes of it, the text.
fn rows(name: &str) -> Vec<[String; 4]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus/bad")
        .join(name);
    let table = fs::read_to_string(path).unwrap();
    let lines = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rows = lines.map(|line| {
        let cells: Vec<_> = line.splitn(4, " | ").map(str::to_owned).collect();
        cells.try_into().unwrap_or_else(|_| panic!("{line}"))
    });
    rows.collect()
}

fn format_of(word: &str) -> Format {
    let named = Format::ALL.into_iter().find(|format| format.word() == word);
    named.unwrap_or_else(|| panic!("{word}"))
}

/// The message that the client gets, or what the provider gets and what is dropped.
fn said(client: Format, body: &str) -> Result<(String, Vec<String>), String> {
    let to = Destination {
        kind: ProviderKind::Bedrock,
        model: "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        max_output: None,
    };
    let (mut body, mut out) = (body.as_bytes().to_vec(), Vec::new());
    let said = translation::request(&mut body, client, &to, Format::Converse, false, &mut out);
    let between =
        |unsupported: Unsupported| unsupported.between(client.word(), Format::Converse.word());
    match said {
        Ok(said) => Ok((
            String::from_utf8(out).unwrap(),
            said.dropped.iter().map(str::to_owned).collect(),
        )),
        Err(Untold::Unsupported(unsupported)) => Err(between(unsupported)),
        Err(Untold::Json(bad)) => Err(between(Unsupported::new(
            "body",
            format!("is not valid JSON: {bad}"),
        ))),
    }
}

#[test]
fn bad_requests_are_refused_by_field_and_format() {
    let deep = format!("\"x\":{}1{}", "[".repeat(400), "]".repeat(400));
    let (mut wrong, mut seen) = (String::new(), BTreeMap::<_, u32>::new());
    for [format, name, fate, body] in rows("requests.txt") {
        let formats = format!("a request in `{format}`, to be said in `converse`");
        let said = said(format_of(&format), &body.replace("\"DEEP\":0", &deep));
        let fine = match (
            &said,
            fate.split_once(": ")
                .unwrap_or_else(|| (fate.trim_end_matches(':'), "")),
        ) {
            (Err(message), ("refused", words)) => {
                message.contains(words) && message.contains(&formats)
            }
            (Ok((_, dropped)), ("dropped", field)) => dropped.iter().any(|it| it == field),
            (Ok((body, _)), ("said", words)) => body.contains(words),
            _ => false,
        };
        if !fine {
            let _ = writeln!(wrong, "{format}, {name}: {said:?}, wanted {fate}");
        }
        *seen.entry(format).or_default() += 1;
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(
        seen.len() == CLIENTS.len() && seen.values().all(|&rows| rows > 15),
        "{seen:?}"
    );
}

fn reply() -> Reply {
    Reply {
        id: "0123456789abcdef".to_owned(),
        model: "m".to_owned(),
        stream_usage: true,
        ..Reply::default()
    }
}

#[test]
fn bad_answers_are_none_and_counts_saturate() {
    let (mut wrong, mut seen) = (String::new(), BTreeMap::<_, u32>::new());
    for [format, name, verdict, body] in rows("answers.txt") {
        let provider = format_of(&format);
        for client in CLIENTS.into_iter().filter(|client| *client != provider) {
            let (mut body, mut out) = (body.clone().into_bytes(), Vec::new());
            let told = translation::answer(&mut body, provider, client, &reply(), &mut out);
            let fine = match (&told, verdict.split_once(' ').unwrap_or((&verdict, ""))) {
                (Err(bad), ("none", why)) => bad.reason.contains(why) && !bad.reason.is_empty(),
                (Ok(usage), ("counts", counts)) => {
                    let usage = usage.unwrap_or_default();
                    let told = [usage.input, usage.cache_read, usage.output, usage.reasoning];
                    let told = told.map(|count| match count {
                        u64::MAX => "max".to_owned(),
                        count => count.to_string(),
                    });
                    let whole = serde_json::from_slice::<serde_json::Value>(&out);
                    told.join(" ") == counts && whole.is_ok()
                }
                _ => false,
            };
            if !fine {
                let _ = writeln!(
                    wrong,
                    "{format} to {}, {name}: {told:?}, wanted {verdict}",
                    client.word()
                );
            }
        }
        *seen.entry(format).or_default() += 1;
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(
        seen.len() == Format::ALL.len() && seen.values().all(|&rows| rows > 5),
        "{seen:?}"
    );
}

/// The events of a stream that say `text` and no more, as each format has them.
fn begun(provider: Format, text: &str) -> Vec<u8> {
    let sse = |name: &str, data: String| match name {
        "" => format!("data: {data}\n\n"),
        name => format!("event: {name}\ndata: {data}\n\n"),
    };
    let events = match provider {
        Format::Chat => sse(
            "",
            format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#),
        ),
        Format::Responses => sse(
            "response.output_text.delta",
            format!(r#"{{"type":"response.output_text.delta","output_index":0,"delta":"{text}"}}"#),
        ),
        Format::Messages => sse(
            "content_block_start",
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#
                .to_owned(),
        ) + &sse(
            "content_block_delta",
            format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#
            ),
        ),
        Format::Gemini => sse(
            "",
            format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}]}}}}]}}"#),
        ),
        Format::Cohere => sse(
            "content-delta",
            format!(
                r#"{{"type":"content-delta","index":0,"delta":{{"message":{{"content":{{"text":"{text}"}}}}}}}}"#
            ),
        ),
        Format::Converse => {
            let mut bytes = Vec::new();
            let payload = format!(r#"{{"contentBlockIndex":0,"delta":{{"text":"{text}"}}}}"#);
            eventstream::write(
                eventstream::Kind::Event,
                "contentBlockDelta",
                payload.as_bytes(),
                &mut bytes,
            );
            return bytes;
        }
    };
    events.into_bytes()
}

/// What a client reads of a stream in such pieces, and whether it says that the answer came to an end.
fn streamed(provider: Format, client: Format, bytes: &[u8], length: usize) -> (String, bool, bool) {
    let mut translator = Translator::new(provider, client, reply());
    let (mut out, mut ended, mut broken) = (Vec::new(), false, false);
    for piece in bytes.chunks(length) {
        match translator.feed(piece, false, &mut out) {
            Ok(seen) => {
                ended |= seen.finish || seen.end;
                broken |= seen.error;
            }
            Err(_) => broken = true,
        }
        if broken {
            break;
        }
    }
    (String::from_utf8(out).unwrap(), ended, broken)
}

/// A stream that is cut, is no JSON, or says a thing that nobody knows is at no client an answer that came to its end.
#[test]
fn bad_streams_have_no_end() {
    for provider in Format::ALL {
        let good = begun(provider, "hi");
        for client in CLIENTS.into_iter().filter(|client| *client != provider) {
            let case = format!("{} to {}", provider.word(), client.word());
            // Cut anywhere.
            for end in [good.len() / 3, good.len() - 1, good.len()] {
                let (_, ended, _) = streamed(provider, client, &good[..end], 7);
                assert!(!ended, "{case}");
            }
            // A line of a megabyte is one.
            let large = "x".repeat(1 << 20);
            let (said, ended, broken) = streamed(provider, client, &begun(provider, &large), 1_400);
            assert!(said.contains(&large) && !ended && !broken, "{case}");
            if provider == Format::Converse {
                // A wrong checksum, of the head and of the whole.
                for at in [9, good.len() - 1] {
                    let mut bytes = good.clone();
                    bytes[at] ^= 1;
                    let (said, ended, broken) = streamed(provider, client, &bytes, 1_400);
                    assert!(broken && !ended && !said.contains("hi"), "{case} {at}");
                }
                continue;
            }
            // Between two good events: no JSON, nothing known, other types, deep nesting.
            let deep = format!("{}{}", "[".repeat(4_000), "]".repeat(4_000));
            for odd in [
                "{\"choices\":[",
                "{\"smell\":1}",
                "[]",
                "7",
                "\"x\"",
                "{\"choices\":7,\"candidates\":7,\"delta\":7}",
                &deep,
            ] {
                let mut bytes = good.clone();
                bytes.extend_from_slice(format!("data: {odd}\n\n").as_bytes());
                bytes.extend_from_slice(&begun(provider, "ho"));
                let (said, ended, _) = streamed(provider, client, &bytes, 64);
                assert!(
                    said.contains("hi") && said.contains("ho") && !ended,
                    "{case}: {odd:.40}: {said}"
                );
            }
        }
    }
}

/// A character that is cut into its halves between two events is whole at the client.
#[test]
fn surrogate_pairs_that_are_cut_between_events_are_joined() {
    for provider in Format::ALL.into_iter().filter(|it| *it != Format::Converse) {
        let mut bytes = begun(provider, "a\\ud83d");
        bytes.extend(begun(provider, "\\ude00b"));
        for client in CLIENTS.into_iter().filter(|client| *client != provider) {
            for length in [1, 7, 4_096] {
                let (said, _, broken) = streamed(provider, client, &bytes, length);
                let case = format!("{} to {}, {length}: {said}", provider.word(), client.word());
                assert!(said.contains('\u{1f600}') && !broken, "{case}");
            }
        }
    }
}
