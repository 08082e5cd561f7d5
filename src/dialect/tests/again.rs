//! A → B → A = A minus the declared losses: a request that is said in another format and read again asks the same, but for
//! exactly what the writer names.

use std::collections::{BTreeMap, BTreeSet};

use super::{CLIENTS, format_of, rounds, turns};
use crate::dialect::client::{in_json_schema, read_request};
use crate::dialect::codec::Destination;
use crate::dialect::format::Format;
use crate::dialect::loss::Losses;
use crate::dialect::provider::write_request;
use crate::dialect::recorded::all;
use crate::dialect::turn::{
    Arguments, Effort, Form, Media, Part, Role, Source, Text, ToolChoice, ToolResult, Turn,
};
use crate::policy::model::ProviderKind;
use crate::wire::json::{Node, Tree, Writer};

/// Whom a request is said to: in which format, at what kind of provider, which model.
type Asked = (Format, ProviderKind, &'static str);

/// Of each format that can be read again, models that differ in what they take.
const ASKED: [Asked; 13] = [
    (Format::Chat, ProviderKind::OpenAi, "gpt-4o"),
    (Format::Chat, ProviderKind::OpenAi, "gpt-5.1"),
    (Format::Chat, ProviderKind::OpenRouter, "qwen/qwen3"),
    (Format::Chat, ProviderKind::Vllm, "llama"),
    (Format::Responses, ProviderKind::OpenAi, "gpt-4o"),
    (Format::Responses, ProviderKind::OpenAi, "gpt-5.1"),
    (Format::Responses, ProviderKind::Xai, "grok-4"),
    (
        Format::Messages,
        ProviderKind::Anthropic,
        "claude-3-5-haiku-20241022",
    ),
    (
        Format::Messages,
        ProviderKind::Anthropic,
        "claude-sonnet-4-5",
    ),
    (Format::Messages, ProviderKind::Anthropic, "claude-opus-4-7"),
    (Format::Gemini, ProviderKind::Gemini, "gemini-2.0-flash"),
    (Format::Gemini, ProviderKind::Gemini, "gemini-2.5-flash"),
    (Format::Gemini, ProviderKind::Gemini, "gemini-3-flash"),
];

/// What a request asks, feature by feature, in words that do not depend on how a format arranges it.
type Asks = BTreeMap<&'static str, String>;

/// The features that a loss takes away, by its name.
fn lost_by(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "temperature" => &["temperature"],
        "top_p" => &["top_p"],
        "top_k" => &["top_k"],
        "seed" => &["seed"],
        "presence_penalty" => &["presence_penalty"],
        "frequency_penalty" => &["frequency_penalty"],
        "stop" => &["stop"],
        "user" => &["user"],
        "max_tokens" => &["max_tokens"],
        "reasoning_effort" => &["thinking"],
        "tool_choice" => &["tool_choice"],
        "parallel_tool_calls" => &["parallel_tool_calls"],
        // The latter is Gemini's switch for all tools at once, which no other provider has.
        "tools[].function.strict" | "toolConfig.functionCallingConfig.mode" => &["strict"],
        "cache_control" => &["cache_control"],
        "reasoning" | "messages[].reasoning_content" => &["thoughts"],
        "messages[].content[].file.filename" => &["file names"],
        "messages[].content[].image_url.detail" => &["detail"],
        "response_format.json_schema.name" => &["form name"],
        // What stands in for a proof of another provider's thinking.
        "contents[].parts[].thoughtSignature" => &[],
        "messages[].role" => &["instructions in the middle"],
        _ => return None,
    })
}

/// `SWITCHOVER_TURNS=100000 cargo test --release --lib dialect::tests::again` for a long run.
#[test]
fn what_is_said_in_another_format_asks_the_same_minus_what_is_named() {
    let mut told = BTreeMap::new();
    let mut wrong = BTreeMap::new();
    for seed in 0..rounds("SWITCHOVER_TURNS", 20) {
        let turn = turns::turn(seed);
        let seed = &format!("seed {seed}");
        for from in ASKED {
            hop(&turn, from, &mut |first, broken| {
                note(&mut wrong, seed, "", from, broken);
                there_and_back(first, from, &mut |by, asked, broken| {
                    note(&mut wrong, seed, by.2, asked, broken);
                    *told.entry((by.0.word(), asked.0.word())).or_insert(0) += 1;
                });
            });
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Not all can be said everywhere, but enough of it.
    assert_eq!(told.len(), 16, "{told:?}");
    assert!(told.values().all(|count| *count > 50), "{told:?}");
}

/// What is spelt in more ways than texts can be compared: schemas in any order of members, tools that stand in for those of a
/// conversation without any, thoughts of which only the seal was recorded. That is left to requests that are made up.
fn is_spelt_freely(broken: &str) -> bool {
    const FREELY: [&str; 5] = ["form", "tools", "strict", "tool_choice", "thinking"];
    let what = broken.split(':').next().unwrap();
    FREELY.contains(&what) || what.ends_with("is named and not lost") || what.starts_with("names a")
}

/// What applications really send, in each client's format: said for everybody, its conversation and settings are the same.
#[test]
fn what_was_recorded_asks_the_same_in_another_format() {
    let mut told = BTreeMap::new();
    let mut wrong = BTreeMap::new();
    for recorded in all() {
        let client = format_of(&recorded).filter(|format| CLIENTS.contains(format));
        let Some(client) = client.filter(|_| recorded.request.is_object()) else {
            continue;
        };
        let mut body = recorded.request.to_string().into_bytes();
        let tree = Tree::parse(&mut body).unwrap();
        let mut plain = in_json_schema(client, tree.root());
        let plain = plain.as_mut().map(|plain| Tree::parse(plain).unwrap());
        // What only its own provider can do is refused, and bad requests are.
        let Ok(turn) = read_request(client, plain.as_ref().unwrap_or(&tree).root()) else {
            continue;
        };
        for to in ASKED {
            hop(&turn, to, &mut |_, broken| {
                let broken = broken.iter().filter(|it| !is_spelt_freely(it));
                let broken: Vec<_> = broken.cloned().collect();
                note(&mut wrong, &recorded.name, client.word(), to, &broken);
                *told.entry((client.word(), to.0.word())).or_insert(0) += 1;
            });
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(told.len(), 16, "{told:?}");
    assert!(told.values().all(|count| *count > 40), "{told:?}");
}

/// Says what `from` was asked for everybody, and then again for `from`: tells each time whose request it was, whom it was
/// said to, and what does not hold.
fn there_and_back(turn: &Turn<'_>, from: Asked, tell: &mut dyn FnMut(Asked, Asked, &[String])) {
    for to in ASKED {
        hop(turn, to, &mut |second, broken| {
            tell(from, to, broken);
            hop(second, from, &mut |_, broken| {
                tell(to, from, broken);
            });
        });
    }
}

/// Keeps one example of each thing that is wrong.
fn note(
    wrong: &mut BTreeMap<String, String>,
    of: &str,
    from: &str,
    (format, _, model): Asked,
    broken: &[String],
) {
    for broken in broken {
        let what = broken.split(':').next().unwrap();
        let example = || format!("{broken} ({of}, from {from:?})");
        let key = format!("{} {model}: {what}", format.word());
        wrong.entry(key).or_insert_with(example);
    }
}

/// Says `turn` for somebody and reads it again: hands on what was read and what does not hold. Nothing, if it is refused.
fn hop(turn: &Turn<'_>, (format, kind, model): Asked, then: &mut dyn FnMut(&Turn<'_>, &[String])) {
    let to = Destination {
        kind,
        model,
        max_output: None,
    };
    let (mut body, mut losses) = (Vec::new(), Losses::default());
    if write_request(format, turn, &to, &mut losses, &mut Writer::new(&mut body)).is_err() {
        return;
    }
    let tree = Tree::parse(&mut body).unwrap();
    let mut plain = in_json_schema(format, tree.root());
    let plain = plain.as_mut().map(|plain| Tree::parse(plain).unwrap());
    let again = read_request(format, plain.as_ref().unwrap_or(&tree).root());
    match again {
        Ok(mut again) => {
            for name in again.dropped.iter() {
                losses.add(name.to_owned());
            }
            let broken = differences(turn, &again, &losses, model);
            // In some formats that is said beside the body.
            again.stream = turn.stream;
            then(&again, &broken);
        }
        Err(refused) => then(turn, &[format!("refuses what it wrote: {refused}")]),
    }
}

fn differences(was: &Turn<'_>, is: &Turn<'_>, losses: &Losses, model: &str) -> Vec<String> {
    let mut broken = Vec::new();
    // Instructions that are hoisted are not lost.
    let hoisted = losses.iter().any(|it| it == "messages[].role");
    let (asked, again) = (asks(was, hoisted), asks(is, hoisted));
    let mut lost: BTreeSet<&str> = BTreeSet::new();
    for name in losses.iter() {
        match lost_by(name) {
            Some(features) => lost.extend(features),
            None => broken.push(format!("names a loss that nobody knows: {name}")),
        }
    }
    for (feature, asked) in &asked {
        let again = &again[feature];
        let is_same = asked == again || means_the_same(feature, asked, again, model);
        if !is_same && !lost.contains(feature) {
            broken.push(format!("{feature}: {asked} became {again}"));
        }
        // A name that was filled in on the way is lost beside the one that the schema has.
        if asked == again && lost.contains(feature) && *feature != "form name" {
            broken.push(format!("{feature} is named and not lost: {asked}"));
        }
    }
    broken
}

/// What a format or a model makes of a feature without changing what is asked.
fn means_the_same(feature: &str, asked: &str, again: &str, model: &str) -> bool {
    match feature {
        // Demanded, and added where nothing is asked.
        "max_tokens" => asked == "None",
        "file names" => {
            let pairs = || asked.lines().zip(again.lines());
            pairs().all(|(asked, again)| asked == again || (asked, again) == ("-", "document.pdf"))
        }
        "form name" => (asked, again) == ("-", "answer"),
        // They think only when they are asked to.
        "thinking" if model.starts_with("claude") || model == "gemini-2.0-flash" => {
            (asked, again) == ("no", "as the provider likes")
        }
        // Its subset of JSON Schema knows objects of these members only.
        "tools" | "form" if model == "gemini-2.0-flash" => {
            let bare = asked.replace(",\"additionalProperties\":false", "");
            bare.replace("additionalProperties: false\n", "") == again
        }
        _ => false,
    }
}

/// `hoisted`: instructions in the middle of the conversation are told as standing before it.
fn asks(turn: &Turn<'_>, hoisted: bool) -> Asks {
    let mut asks = Asks::new();
    let mut add = |feature, value: String| asks.insert(feature, value);
    let mut conversation = Conversation::of(turn, hoisted);
    add("instructions", core::mem::take(&mut conversation.system));
    add("conversation", conversation.lines.join("\n"));
    add("thoughts", conversation.thoughts.join("\n"));
    add(
        "instructions in the middle",
        conversation.middle.to_string(),
    );
    add("file names", conversation.names.join("\n"));
    let marks = turn.tools.iter().filter(|tool| tool.cache).count() + conversation.marks;
    add("cache_control", marks.to_string());
    add("tools", turn.tools.iter().map(tool).collect());
    let strict: Vec<_> = turn
        .tools
        .iter()
        .map(|it| it.strict == Some(true))
        .collect();
    add("strict", format!("{strict:?}"));
    let choice = turn.tool_choice.unwrap_or(ToolChoice::Auto);
    add("tool_choice", format!("{choice:?}"));
    add(
        "parallel_tool_calls",
        (turn.parallel_tools != Some(false)).to_string(),
    );
    add("max_tokens", format!("{:?}", turn.max_tokens));
    // One is what a model does by itself, and no penalty.
    let penalty = |value: Option<f64>| format!("{:?}", value.unwrap_or(0.0));
    let chance = |value: Option<f64>| format!("{:?}", value.unwrap_or(1.0));
    add("temperature", chance(turn.temperature));
    add("top_p", chance(turn.top_p));
    add("top_k", format!("{:?}", turn.top_k));
    add("stop", format!("{:?}", turn.stop));
    add("seed", format!("{:?}", turn.seed));
    add("presence_penalty", penalty(turn.presence_penalty));
    add("frequency_penalty", penalty(turn.frequency_penalty));
    add("user", format!("{:?}", turn.user));
    add("form", form(&turn.form));
    add("form name", form_name(&turn.form).to_owned());
    add("detail", conversation.details.join(" "));
    add("thinking", thinking(turn).to_owned());
    asks
}

fn tool(tool: &crate::dialect::turn::Tool<'_>) -> String {
    let schema = tool.schema.map_or_else(|| EMPTY.to_owned(), json);
    let schema = if schema == r#"{"type":"object"}"# {
        EMPTY.to_owned()
    } else {
        schema
    };
    format!(
        "{} {:?} {schema}\n",
        tool.name,
        tool.description.unwrap_or_default()
    )
}

/// The schema of no arguments.
const EMPTY: &str = r#"{"type":"object","properties":{}}"#;

fn form(form: &Form<'_>) -> String {
    match form {
        Form::Text => "text".to_owned(),
        Form::Json => "json".to_owned(),
        Form::Schema(schema) => {
            let is_told = |(key, _): &(&str, Node<'_>)| !matches!(*key, "title" | "description");
            let members = schema.schema.members().filter(is_told);
            let lines: Vec<_> = members
                .map(|(key, value)| format!("{key}: {}\n", json(value)))
                .collect();
            lines.concat()
        }
    }
}

/// What it is called: some formats have its name in the schema, as its title.
fn form_name<'a>(form: &Form<'a>) -> &'a str {
    match form {
        Form::Schema(schema) => schema.schema.text("title").or(schema.name).unwrap_or("-"),
        Form::Text | Form::Json => "-",
    }
}

/// How much is fitted to what a model knows; whether at all is not.
fn thinking(turn: &Turn<'_>) -> &'static str {
    match turn.thinking {
        None => "as the provider likes",
        Some(thinking) if thinking.effort == Some(Effort::None) => "no",
        Some(thinking) if thinking.effort.is_none() && thinking.budget.is_none() => "shown",
        Some(_) => "yes",
    }
}

fn json(node: Node<'_>) -> String {
    let mut text = Vec::new();
    node.write(&mut text);
    String::from_utf8(text).unwrap()
}

/// The conversation as lines: sides in turns, what tools answered first, words in a row as one, without white space.
#[derive(Default)]
struct Conversation {
    system: String,
    lines: Vec<String>,
    thoughts: Vec<String>,
    names: Vec<String>,
    details: Vec<String>,
    middle: bool,
    marks: usize,
    ids: Vec<String>,
}

impl Conversation {
    fn of(turn: &Turn<'_>, hoisted: bool) -> Self {
        let mut all = Self::default();
        for part in &turn.system {
            all.instruct(part);
        }
        let mut sides: Vec<(Role, Vec<&Part<'_>>)> = Vec::new();
        for message in &turn.messages {
            all.middle |= message.role == Role::System;
            if hoisted && message.role == Role::System {
                message.parts.iter().for_each(|part| all.instruct(part));
                continue;
            }
            for part in &message.parts {
                match (part, sides.last_mut()) {
                    // Who only thinks says nothing.
                    (Part::Reasoning(thought), _) => all.thoughts.push(thought.text.to_string()),
                    (_, Some((role, parts))) if *role == message.role => parts.push(part),
                    _ => sides.push((message.role, vec![part])),
                }
            }
        }
        for (role, parts) in sides {
            all.side(role, &parts);
        }
        all
    }

    fn instruct(&mut self, part: &Part<'_>) {
        let Part::Text(text) = part else {
            panic!("instructions of {part:?}");
        };
        self.system.push_str(&bare(&text.text));
        self.marks += usize::from(text.cache);
    }

    fn side(&mut self, role: Role, parts: &[&Part<'_>]) {
        let before = self.lines.len();
        self.lines.push(format!("{role:?}:"));
        let mut shown = Vec::new();
        for part in parts {
            if let Part::ToolResult(result) = part {
                self.result(result, &mut shown);
            }
        }
        self.lines
            .sort_by_key(|line| line.starts_with("result").then(|| line.clone()));
        let mut words = String::new();
        for part in shown.into_iter().chain(parts.iter().copied()) {
            match part {
                Part::Text(Text { text, cache })
                | Part::Document(Media {
                    source: Source::Text(text),
                    cache,
                    ..
                }) => {
                    words.push_str(&bare(text));
                    self.marks += usize::from(*cache);
                }
                Part::Refusal(text) => words.push_str(&bare(text)),
                Part::Image(media) => self.media("image", media, &mut words),
                Part::Document(media) => self.media("document", media, &mut words),
                Part::Audio(media) => self.media("audio", media, &mut words),
                Part::ToolCall(_) | Part::ToolResult(_) | Part::Reasoning(_) => {}
            }
        }
        self.flush(&mut words);
        for part in parts {
            if let Part::ToolCall(call) = part {
                let id = self.id(&call.id);
                let arguments = match &call.arguments {
                    Arguments::Object(object) => json(*object),
                    Arguments::Text(text) => compact(text),
                };
                self.lines
                    .push(format!("call {id} {} {arguments}", call.name));
            }
        }
        if self.lines.len() == before + 1 {
            self.lines.pop();
        }
    }

    fn result<'p>(&mut self, result: &'p ToolResult<'p>, shown: &mut Vec<&'p Part<'p>>) {
        let mut text = String::new();
        let mut is_marked = result.cache;
        for part in &result.parts {
            match part {
                Part::Text(part) => {
                    text.push_str(&bare(&part.text));
                    is_marked |= part.cache;
                }
                other => shown.push(other),
            }
        }
        // Where a result is one text, one mark stands for all in it.
        self.marks += usize::from(is_marked);
        // Formats without a mark for it say it in words.
        let text = if result.is_error {
            format!("Error:{text}")
        } else {
            text
        };
        let id = self.id(&result.id);
        self.lines
            .push(format!("result {id} {} {text}", result.name));
    }

    fn media(&mut self, what: &str, media: &Media<'_>, words: &mut String) {
        self.flush(words);
        self.marks += usize::from(media.cache);
        if what == "image" {
            self.details.push(media.detail.unwrap_or("auto").to_owned());
        }
        if what == "document" {
            self.names.push(media.name.unwrap_or("-").to_owned());
        }
        let url = media.source.url().unwrap_or_default();
        self.lines.push(format!("{what} {url}"));
    }

    fn flush(&mut self, words: &mut String) {
        if !words.is_empty() {
            self.lines.push(format!("says {}", core::mem::take(words)));
        }
    }

    /// Names of calls may be replaced: what counts is which is which.
    fn id(&mut self, id: &str) -> usize {
        self.ids.iter().position(|it| it == id).unwrap_or_else(|| {
            self.ids.push(id.to_owned());
            self.ids.len() - 1
        })
    }
}

/// Without white space, which joins and trims differ in.
fn bare(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Arguments as JSON without white space; as they are, if they were cut off.
fn compact(text: &str) -> String {
    let mut copy = text.as_bytes().to_vec();
    match Tree::parse(&mut copy) {
        Ok(tree) => json(tree.root()),
        Err(_) if text.is_empty() => "{}".to_owned(),
        Err(_) => text.to_owned(),
    }
}
