//! What a recorded answer tells, it tells every client, whole or as a stream.

use super::{CLIENTS, STREAMS, format_of, reply, said, told};
use crate::dialect::client::StreamWriter;
use crate::dialect::format::Format;
use crate::dialect::provider::read_answer;
use crate::dialect::recorded::{RecordedBody, all};
use crate::dialect::told::{Call, Told};
use crate::dialect::translation::answer;
use crate::dialect::turn::{Answer, Arguments, Event, Finish, Part, Usage};
use crate::wire::json::Tree;

/// Checks that a client is told what the provider says, up to what its format has no word for.
fn check(there: &Told, source: &Told, client: Format, place: &str) {
    // Most formats have no words for a refusal beside text.
    let words = |told: &Told| format!("{}{}", told.text, told.refusal);
    assert_eq!(words(there), words(source), "{place}");
    assert_eq!(there.thoughts, source.thoughts, "{place}");
    // Gemini has no place for a call that was cut off.
    let is_told = |call: &&Call| client != Format::Gemini || is_whole(call);
    let expected: Vec<&Call> = source.calls.iter().filter(is_told).collect();
    assert_eq!(there.calls.iter().collect::<Vec<_>>(), expected, "{place}");
    assert_eq!(there.finish, finish_for(source, client), "{place}");
    assert_eq!(there.usage, usage_for(source.usage, client), "{place}");
}

fn is_whole(call: &Call) -> bool {
    Tree::parse(&mut call.arguments.clone().into_bytes()).is_ok()
}

/// How an answer ended, in the words that a client's format has.
fn finish_for(source: &Told, client: Format) -> Option<Finish> {
    source.finish.map(|finish| match (finish, client) {
        (Finish::StopSequence, Format::Chat | Format::Responses | Format::Gemini) => Finish::Stop,
        (Finish::Length, _) => finish,
        // The only way to tell a refusal from an answer.
        (_, Format::Messages) if !source.refusal.is_empty() => Finish::ContentFilter,
        (_, Format::Gemini) if !source.calls.iter().all(is_whole) => Finish::Failed,
        (finish, _) => finish,
    })
}

/// What it took, as far as a client's format counts it.
fn usage_for(usage: Option<Usage>, client: Format) -> Option<Usage> {
    match client {
        // An answer without a count is none.
        Format::Messages => Some(usage.unwrap_or_default()),
        Format::Gemini => usage.map(|usage| Usage {
            cache_write: 0,
            ..usage
        }),
        _ => usage,
    }
}

#[test]
fn a_stream_tells_every_client_the_same() {
    let mut count = 0;
    for stream in STREAMS.iter() {
        let source = told(&stream.bytes, stream.format).meaning();
        if source.failed || source.finish.is_none() {
            continue;
        }
        for client in CLIENTS {
            let place = format!("{} for {}", stream.name, client.word());
            let (out, is_good) = said(&stream.bytes, stream.format, client, [stream.bytes.len()]);
            assert!(is_good, "{place}");
            check(&told(&out, client).meaning(), &source, client, &place);
            count += 1;
        }
    }
    assert!(count > 280, "{count}");
}

/// Reads a whole answer in `format`.
fn with_answer<T>(body: &[u8], format: Format, then: impl FnOnce(&Answer<'_>) -> T) -> T {
    let mut body = body.to_vec();
    let tree = Tree::parse(&mut body).unwrap();
    then(&read_answer(format, tree.root()).unwrap())
}

/// An answer, and its format.
type Body<'b> = (&'b [u8], Format);

/// Does something with every recorded whole answer that means something, in every client's format: its name, the
/// provider's body, the client's.
fn each_answer(then: &mut dyn FnMut(&str, Body<'_>, Body<'_>)) {
    let mut count = 0;
    for recorded in all() {
        let (Some(provider), 200) = (format_of(&recorded), recorded.status) else {
            continue;
        };
        let RecordedBody::Whole(body) = &recorded.body else {
            continue;
        };
        for client in CLIENTS {
            let mut out = Vec::new();
            if answer(&mut body.clone(), provider, client, &reply(), &mut out).is_ok() {
                then(&recorded.name, (body, provider), (&out, client));
                count += 1;
            }
        }
    }
    assert!(count > 250, "{count}");
}

#[test]
fn whole_answers_tell_every_client_the_same() {
    each_answer(&mut |name, (body, provider), (out, client)| {
        let place = format!("{name} for {}", client.word());
        let source = with_answer(body, provider, |it| Told::of_answer(it).meaning());
        let there = with_answer(out, client, |it| Told::of_answer(it).meaning());
        check(&there, &source, client, &place);
    });
}

/// Stream ≡ whole: the same answer, written as a stream and in one piece, tells the same to the last count.
#[test]
fn an_answer_as_a_stream_tells_what_it_tells_in_one_piece() {
    each_answer(&mut |name, (body, provider), (out, client)| {
        let place = format!("{name} for {}", client.word());
        let whole = with_answer(out, client, |it| Told::of_answer(it).meaning());
        for pieces in [1, 3] {
            let stream = with_answer(body, provider, |it| streamed(it, client, pieces));
            let there = told(&stream, client);
            assert!(there.ended || client == Format::Gemini, "{place}");
            assert_eq!(there.meaning(), whole, "{place}");
        }
    });
}

/// An answer as events, every text of it in so many pieces.
fn streamed(answer: &Answer<'_>, client: Format, pieces: usize) -> Vec<u8> {
    let (mut writer, mut out) = (StreamWriter::new(client, reply()), Vec::new());
    let mut say = |event: Event<'_>| writer.write(&event, &mut out);
    say(Event::Start {
        id: &answer.id,
        model: &answer.model,
    });
    let mut calls = 0;
    for part in &answer.parts {
        match part {
            Part::Text(text) => cut(&text.text, pieces, |text| say(Event::Text(text))),
            Part::Refusal(text) => cut(text, pieces, |text| say(Event::Refusal(text))),
            Part::Reasoning(thought) => {
                cut(&thought.text, pieces, |text| say(Event::Reasoning(text)));
                match &thought.signature {
                    Some(seal) if thought.redacted => say(Event::Redacted(seal)),
                    Some(seal) => say(Event::Signature(seal)),
                    None => {}
                }
            }
            Part::ToolCall(call) => {
                say(Event::ToolCall {
                    at: calls,
                    id: &call.id,
                    name: &call.name,
                    signature: call.signature.as_deref(),
                });
                let mut text = Vec::new();
                match &call.arguments {
                    Arguments::Text(arguments) => text.extend_from_slice(arguments.as_bytes()),
                    Arguments::Object(object) => object.write(&mut text),
                }
                let text = String::from_utf8(text).unwrap();
                cut(&text, pieces, |text| {
                    say(Event::ToolArguments { at: calls, text });
                });
                calls += 1;
            }
            other => panic!("no part of an answer: {other:?}"),
        }
    }
    say(Event::Finish {
        finish: answer.finish,
        stop_sequence: answer.stop_sequence.as_deref(),
    });
    if let Some(usage) = answer.usage {
        say(Event::Usage(usage));
    }
    say(Event::End);
    out
}

fn cut(text: &str, pieces: usize, mut take: impl FnMut(&str)) {
    let mut rest = text;
    for left in (1..=pieces).rev() {
        let (piece, behind) = rest.split_at(rest.floor_char_boundary(rest.len() / left));
        rest = behind;
        if !piece.is_empty() {
            take(piece);
        }
    }
}
