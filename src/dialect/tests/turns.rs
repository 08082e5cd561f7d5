//! Made-up requests, from a seed: everything that a neutral turn can hold, in any combination that means something.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::Dice;
use crate::dialect::turn::{
    Arguments, Effort, Form, Media, Message, Part, Reasoning, Role, Schema, Source, Text, Thinking,
    Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use crate::wire::json::{Node, Tree};

/// A request. Most members are left out most of the time, so that what one of them does is seen alone too.
pub(super) fn turn(seed: u64) -> Turn<'static> {
    let mut dice = Dice::new(seed, "turn");
    let mut turn = Turn {
        system: texts(&mut dice, &[0, 0, 1, 2]),
        ..Turn::default()
    };
    if dice.once_in(2) {
        add_tools(&mut turn, &mut dice);
    }
    converse(&mut turn, &mut dice);
    let dice = &mut dice;
    turn.max_tokens = maybe(dice, &[1, 20, 1_000, 3_000, 30_000]);
    turn.temperature = maybe(dice, &[0.0, 0.3, 0.75, 1.0, 1.5, 2.0]);
    turn.top_p = maybe(dice, &[0.1, 0.5, 0.96, 1.0]);
    turn.top_k = maybe(dice, &[1, 40, 200]);
    turn.seed = maybe(dice, &[0, 7, 4_000_000_000]);
    turn.presence_penalty = maybe(dice, &[-0.5, 0.0, 0.5]);
    turn.frequency_penalty = maybe(dice, &[-1.5, 0.0, 0.25]);
    turn.user = maybe(dice, &["user-1", "ü"]);
    if dice.once_in(3) {
        let count = dice.pick(&[1, 2, 4, 5]);
        turn.stop = STOPS[..count].to_vec();
    }
    turn.stream = dice.once_in(2);
    turn.form = form(dice);
    if dice.once_in(3) {
        turn.thinking = Some(thinking(dice));
    }
    turn
}

fn maybe<T: Copy>(dice: &mut Dice, values: &[T]) -> Option<T> {
    dice.once_in(4).then(|| dice.pick(values))
}

fn add_tools(turn: &mut Turn<'static>, dice: &mut Dice) {
    let count = 1 + dice.below(TOOLS.len());
    for name in &TOOLS[..count] {
        turn.tools.push(Tool {
            name,
            description: (!dice.once_in(4)).then(|| dice.pick(&WORDS)),
            schema: (!dice.once_in(6)).then(|| schema(dice)),
            strict: dice.pick(&[None, None, Some(false), Some(true)]),
            cache: dice.once_in(8),
        });
    }
    let last = TOOLS[count - 1];
    turn.tool_choice = dice.pick(&[
        None,
        None,
        Some(ToolChoice::Auto),
        Some(ToolChoice::Required),
        Some(ToolChoice::None),
        Some(ToolChoice::Named(last)),
    ]);
    turn.parallel_tools = dice.pick(&[None, None, Some(true), Some(false)]);
}

/// What was said before: sides in turns as a rule, calls and their results, the user at the end.
fn converse(turn: &mut Turn<'static>, dice: &mut Dice) {
    let mut calls = 0;
    push(turn, Role::User, asked(dice));
    for _ in 0..dice.below(4) {
        if dice.once_in(6) {
            push(turn, Role::System, texts(dice, &[1, 2]));
        }
        let mut parts = Vec::new();
        if dice.once_in(4) {
            parts.push(Part::Reasoning(Reasoning {
                text: Cow::Borrowed(dice.pick(&WORDS)),
                signature: dice.once_in(2).then_some(Cow::Borrowed("c2VhbA==")),
                redacted: false,
            }));
        }
        if dice.once_in(12) {
            parts.push(Part::Refusal(Cow::Borrowed(dice.pick(&WORDS))));
        } else {
            parts.extend(texts(dice, &[0, 1, 1, 2]));
        }
        let mut results = Vec::new();
        if !turn.tools.is_empty() && dice.once_in(2) {
            for _ in 0..=dice.below(3) {
                let name = turn.tools[dice.below(turn.tools.len())].name;
                let id: Cow<'static, str> = match dice.below(6) {
                    0 => format!("call:{calls}.{}", "long".repeat(20)).into(),
                    _ => format!("call_{calls}").into(),
                };
                calls += 1;
                results.push(Part::ToolResult(result(id.clone(), name, dice)));
                parts.push(Part::ToolCall(ToolCall {
                    id,
                    name: Cow::Borrowed(name),
                    arguments: arguments(dice),
                    signature: None,
                }));
            }
            if dice.once_in(3) {
                results.reverse();
            }
        }
        push(turn, Role::Assistant, parts);
        let says_more = results.is_empty() || dice.once_in(3);
        push(turn, Role::User, results);
        if says_more {
            push(turn, Role::User, asked(dice));
        }
    }
}

fn push(turn: &mut Turn<'static>, role: Role, parts: Vec<Part<'static>>) {
    if !parts.is_empty() {
        turn.messages.push(Message { role, parts });
    }
}

fn texts(dice: &mut Dice, counts: &[usize]) -> Vec<Part<'static>> {
    let count = dice.pick(counts);
    (0..count).map(|_| text(dice)).collect()
}

fn text(dice: &mut Dice) -> Part<'static> {
    Part::Text(Text {
        text: Cow::Borrowed(dice.pick(&WORDS)),
        cache: dice.once_in(12),
    })
}

/// What the user says: words, and now and then something to look at.
fn asked(dice: &mut Dice) -> Vec<Part<'static>> {
    let mut parts = texts(dice, &[1, 1, 2]);
    while dice.once_in(4) {
        let at = dice.below(parts.len() + 1);
        let part = match dice.below(12) {
            0 => Part::Audio(data("audio/wav", None, dice)),
            1 => Part::Image(Media::of(Source::Url("https://example.com/a.png".into()))),
            2 => Part::Document(Media::of(Source::Url("https://example.com/a.pdf".into()))),
            3 => Part::Document(Media {
                cache: dice.once_in(4),
                ..Media::of(Source::Text("plain words".into()))
            }),
            4..7 => {
                let name = dice.pick(&[None, Some("a.pdf"), Some("Q3 report.pdf")]);
                Part::Document(data("application/pdf", name, dice))
            }
            _ => image(dice),
        };
        parts.insert(at, part);
    }
    parts
}

fn image(dice: &mut Dice) -> Part<'static> {
    let media_type = dice.pick(&["image/png", "image/jpeg", "image/webp"]);
    Part::Image(data(media_type, None, dice))
}

fn data(media_type: &'static str, name: Option<&'static str>, dice: &mut Dice) -> Media<'static> {
    Media {
        source: Source::Data {
            media_type: Cow::Borrowed(media_type),
            base64: Cow::Borrowed(dice.pick(&["AAAA", "/+8=", "AQ=="])),
        },
        name,
        detail: None,
        cache: !media_type.starts_with("audio") && dice.once_in(8),
    }
}

fn result(id: Cow<'static, str>, name: &'static str, dice: &mut Dice) -> ToolResult<'static> {
    let mut parts = match dice.below(4) {
        0 => vec![Part::Text(Text::new(dice.pick(&OBJECTS)))],
        _ => texts(dice, &[0, 1, 1, 2]),
    };
    if dice.once_in(6) {
        parts.push(image(dice));
    }
    ToolResult {
        id,
        name: Cow::Borrowed(name),
        parts,
        is_error: dice.once_in(8),
        cache: dice.once_in(12),
    }
}

fn arguments(dice: &mut Dice) -> Arguments<'static> {
    match dice.below(8) {
        0 => Arguments::Text(Cow::Borrowed("")),
        1 => Arguments::Object(node(&TREES, dice.below(OBJECTS.len()))),
        // The model was cut off.
        2 if dice.once_in(3) => Arguments::Text(Cow::Borrowed("{\"city\": \"Par")),
        _ => Arguments::Text(Cow::Borrowed(dice.pick(&OBJECTS))),
    }
}

fn form(dice: &mut Dice) -> Form<'static> {
    match dice.below(8) {
        0 => Form::Json,
        1 | 2 => Form::Schema(Schema {
            name: dice.pick(&[None, Some("answer_form")]),
            description: None,
            schema: schema(dice),
            strict: dice.pick(&[None, Some(true)]),
        }),
        _ => Form::Text,
    }
}

fn thinking(dice: &mut Dice) -> Thinking {
    let effort = dice.pick(&[
        None,
        Some(Effort::None),
        Some(Effort::Minimal),
        Some(Effort::Low),
        Some(Effort::Medium),
        Some(Effort::High),
        Some(Effort::XHigh),
        Some(Effort::Max),
    ]);
    Thinking {
        effort,
        budget: match effort {
            None => dice.pick(&[Some(1_500), Some(20_000)]),
            Some(_) => None,
        },
        shown: effort != Some(Effort::None) && dice.once_in(2),
    }
}

fn schema(dice: &mut Dice) -> Node<'static> {
    node(&SCHEMA_TREES, dice.below(SCHEMAS.len()))
}

type Trees = LazyLock<Vec<Tree<'static>>>;

fn node(trees: &'static Trees, at: usize) -> Node<'static> {
    trees[at].root()
}

fn parsed(texts: &[&str]) -> Vec<Tree<'static>> {
    let parse = |text: &&str| Tree::parse(text.as_bytes().to_vec().leak()).unwrap();
    texts.iter().map(parse).collect()
}

static TREES: Trees = LazyLock::new(|| parsed(&OBJECTS));
static SCHEMA_TREES: Trees = LazyLock::new(|| parsed(&SCHEMAS));

const TOOLS: [&str; 3] = ["get_weather", "look-up", "f"];
const STOPS: [&str; 5] = ["END", "\n\n", "###", "stop here", "五"];
const WORDS: [&str; 8] = [
    "hi",
    "What is this?",
    " leading and trailing ",
    "two\nlines",
    "quotes \" and \\ and \u{1}",
    "é ☃ \u{1f600}",
    "{\"looks\": \"like JSON\"}",
    "Error: it only looks so",
];
const OBJECTS: [&str; 5] = [
    r#"{"city":"Paris"}"#,
    "{}",
    r#"{"a":[1,2.5,-3,null,true],"b":{"c":"é"}}"#,
    r#"{"result":"x"}"#,
    r#"{"n":12345678901234567890,"e":1e-7}"#,
];
const SCHEMAS: [&str; 4] = [
    r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}"#,
    r#"{"type":"object","properties":{"a":{"type":"array","items":{"type":"integer"}},"b":{"type":"string","enum":["x","y"]}},"required":["a","b"],"additionalProperties":false}"#,
    r#"{"type":"object","properties":{"n":{"type":"number","description":"how many"}},"required":["n"],"additionalProperties":false}"#,
    r#"{"type":"object","properties":{"in":{"type":"object","properties":{"x":{"type":"boolean"}},"required":["x"],"additionalProperties":false}},"required":["in"],"additionalProperties":false}"#,
];
