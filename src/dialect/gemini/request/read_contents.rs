//! Reads the conversation. A call and its response meet by id where both have one, else by name and order; a call
//! without an id gets one, always the same, so that formats which need ids have the same one on both.

use std::borrow::Cow;

use crate::dialect::gemini::field;
use crate::dialect::ids::{self, IdForm};
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::{
    Arguments, Media, Message, Part, Reasoning, Role, Source, Text, ToolCall, ToolResult, Turn,
};
use crate::wire::json::Node;

pub(super) fn read<'a>(contents: Node<'a>, turn: &mut Turn<'a>) -> Result<(), Unsupported> {
    let mut calls = Calls::default();
    for (at, content) in field::many(contents).enumerate() {
        if !content.is_object() && content.as_str().is_none() {
            return Err(Unsupported::new(
                format!("contents[{at}]"),
                "is not an object",
            ));
        }
        let role = match (content.as_str(), field::text(content, "role")) {
            (Some(_), _) | (None, None | Some("user" | "function" | "tool" | "")) => Role::User,
            (None, Some("model" | "assistant")) => Role::Assistant,
            (None, Some("system")) => Role::System,
            _ => {
                let why = "is neither `user` nor `model`";
                return Err(Unsupported::new(format!("contents[{at}].role"), why));
            }
        };
        field::name_rest(
            content,
            &["role", "parts"],
            "contents[].",
            &mut turn.dropped,
        );
        let mut parts = Vec::new();
        parts.extend(content.as_str().and_then(Part::text));
        for (number, part) in field::list(content, "parts").enumerate() {
            let place = Place { at, number, role };
            parts.extend(read_part(part, place, &mut calls, turn)?);
        }
        if !parts.is_empty() {
            turn.messages.push(Message { role, parts });
        }
    }
    Ok(())
}

/// Where a part stands.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    number: usize,
    role: Role,
}

impl Place {
    fn wrong(self, why: &'static str) -> Unsupported {
        let Self { at, number, .. } = self;
        Unsupported::new(format!("contents[{at}].parts[{number}]"), why)
    }
}

fn read_part<'a>(
    part: Node<'a>,
    place: Place,
    calls: &mut Calls<'a>,
    turn: &mut Turn<'a>,
) -> Result<Option<Part<'a>>, Unsupported> {
    if let Some(text) = part.as_str() {
        return Ok(Part::text(text));
    }
    let (mut read, mut known) = (None, part.members().next().is_none());
    let signature = field::text(part, "thoughtSignature");
    for (key, value) in part.members().filter(|(_, value)| !value.is_null()) {
        let key = field::camel(key);
        known |= PARTS.contains(&&*key);
        match &*key {
            "thought" | "thoughtSignature" => {}
            "text" => read = read_text(part, value, signature, place)?,
            "inlineData" => read = Some(read_data(value, place, &mut turn.dropped)?),
            "fileData" => read = Some(read_file(value, place, &mut turn.dropped)?),
            "functionCall" if place.role == Role::Assistant => {
                read = Some(calls.call(value, signature, place, turn)?);
            }
            "functionCall" => return Err(place.wrong("is a call, which only the model makes")),
            "functionResponse" if place.role == Role::User => {
                read = Some(calls.response(value, place, turn)?);
            }
            "functionResponse" => {
                return Err(place.wrong("is an answer to a call, which only the user gives"));
            }
            "executableCode" | "codeExecutionResult" | "toolCall" | "toolResponse" => {
                return Err(place.wrong("is of a tool that only Gemini runs"));
            }
            name => turn.dropped.add_unknown("contents[].parts[].", name),
        }
    }
    if !known {
        return Err(place.wrong("is of a kind that is not known here"));
    }
    turn.dropped.add_if(
        signature.is_some() && !matches!(read, Some(Part::Reasoning(_))),
        "contents[].parts[].thoughtSignature",
    );
    Ok(read)
}

/// What makes a part one; what stands beside it only tells more of it.
const PARTS: [&str; 7] = [
    "text",
    "thought",
    "thoughtSignature",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
];

fn read_text<'a>(
    part: Node<'a>,
    text: Node<'a>,
    signature: Option<&'a str>,
    place: Place,
) -> Result<Option<Part<'a>>, Unsupported> {
    let text = text.as_str().ok_or_else(|| place.wrong("is not a text"))?;
    let is_thought = field::member(part, "thought").and_then(Node::as_bool) == Some(true);
    if !is_thought {
        return Ok(Part::text(text));
    }
    let is_said = !text.is_empty() || signature.is_some();
    Ok((is_said && place.role == Role::Assistant).then(|| {
        Part::Reasoning(Reasoning {
            text: Cow::Borrowed(text),
            signature: signature.map(Cow::Borrowed),
            redacted: false,
        })
    }))
}

fn read_data<'a>(
    data: Node<'a>,
    place: Place,
    dropped: &mut Losses,
) -> Result<Part<'a>, Unsupported> {
    let known = ["mimeType", "data", "displayName"];
    field::name_rest(data, &known, "contents[].parts[].inlineData.", dropped);
    let media_type = field::text(data, "mimeType").unwrap_or_default();
    let base64 = field::text(data, "data").ok_or_else(|| place.wrong("has no data"))?;
    let source = Source::of_data(Cow::Borrowed(media_type), field::standard_base64(base64))
        .map_err(|why| place.wrong(why))?;
    media(media_type, source, field::text(data, "displayName"), place)
}

fn read_file<'a>(
    file: Node<'a>,
    place: Place,
    dropped: &mut Losses,
) -> Result<Part<'a>, Unsupported> {
    let known = ["mimeType", "fileUri", "displayName"];
    field::name_rest(file, &known, "contents[].parts[].fileData.", dropped);
    let address = field::text(file, "fileUri").ok_or_else(|| place.wrong("has no address"))?;
    let media_type = field::text(file, "mimeType").unwrap_or_default();
    if is_googles(address) || !address.starts_with("https://") {
        return Err(place.wrong("is a file that only Google's models can read"));
    }
    let source = Source::Url(Cow::Borrowed(address));
    media(media_type, source, field::text(file, "displayName"), place)
}

/// Google's models read files from its own stores, and its own videos.
pub(super) fn is_googles(address: &str) -> bool {
    let host = address
        .strip_prefix("https://")
        .and_then(|rest| rest.split('/').next())
        .unwrap_or_default();
    address.starts_with("gs://")
        || host == "generativelanguage.googleapis.com"
        || host == "youtu.be"
        || host == "youtube.com"
        || host.ends_with(".youtube.com")
}

fn media<'a>(
    media_type: &str,
    source: Source<'a>,
    name: Option<&'a str>,
    place: Place,
) -> Result<Part<'a>, Unsupported> {
    let media = Media {
        name,
        ..Media::of(source)
    };
    match media_type.split('/').next().unwrap_or_default() {
        "image" => Ok(Part::Image(media)),
        "audio" => Ok(Part::Audio(media)),
        "application" | "text" => Ok(Part::Document(media)),
        "video" => Err(place.wrong("is a video, which only Gemini can see")),
        _ => Err(place.wrong("has no media type that is known")),
    }
}

/// The calls of the conversation so far.
#[derive(Default)]
struct Calls<'a> {
    all: Vec<Call<'a>>,
    /// Names that were made up.
    made: u32,
}

struct Call<'a> {
    id: Cow<'a, str>,
    name: &'a str,
    is_answered: bool,
}

impl<'a> Calls<'a> {
    fn call(
        &mut self,
        call: Node<'a>,
        signature: Option<&'a str>,
        place: Place,
        turn: &mut Turn<'a>,
    ) -> Result<Part<'a>, Unsupported> {
        field::name_rest(
            call,
            &["id", "name", "args"],
            "contents[].parts[].functionCall.",
            &mut turn.dropped,
        );
        let name = field::text(call, "name").ok_or_else(|| place.wrong("has no name"))?;
        let arguments = match field::member(call, "args") {
            None => Arguments::Text(Cow::Borrowed("{}")),
            Some(args) if args.is_object() => Arguments::Object(args),
            Some(_) => return Err(place.wrong("has arguments that are not an object")),
        };
        let id = match field::text(call, "id").filter(|id| !id.is_empty()) {
            Some(id) => Cow::Borrowed(id),
            None => Cow::Owned(self.made_up(name)),
        };
        self.all.push(Call {
            id: id.clone(),
            name,
            is_answered: false,
        });
        Ok(Part::ToolCall(ToolCall {
            id,
            name: Cow::Borrowed(name),
            arguments,
            signature: signature.map(Cow::Borrowed),
        }))
    }

    fn response(
        &mut self,
        response: Node<'a>,
        place: Place,
        turn: &mut Turn<'a>,
    ) -> Result<Part<'a>, Unsupported> {
        let given = field::text(response, "name").unwrap_or_default();
        let own = field::text(response, "id").filter(|id| !id.is_empty());
        let (id, name) = match self.answered(own, given) {
            Some(call) => (call.id.clone(), call.name),
            // Of no call: the provider's to refuse.
            None => match own {
                Some(id) => (Cow::Borrowed(id), given),
                None => (Cow::Owned(self.made_up(given)), given),
            },
        };
        let mut result = ToolResult {
            id,
            name: Cow::Borrowed(name),
            parts: Vec::new(),
            is_error: false,
            cache: false,
        };
        for (key, value) in response.members().filter(|(_, it)| !it.is_null()) {
            match &*field::camel(key) {
                "id" | "name" => {}
                "response" => {
                    let (text, is_error) = said(value);
                    result.is_error = is_error;
                    if !text.is_empty() {
                        result.parts.insert(0, Part::Text(Text::new(text)));
                    }
                }
                "parts" => {
                    for part in field::many(value) {
                        result
                            .parts
                            .push(read_shown(part, place, &mut turn.dropped)?);
                    }
                }
                name => turn
                    .dropped
                    .add_unknown("contents[].parts[].functionResponse.", name),
            }
        }
        Ok(Part::ToolResult(result))
    }

    /// The call that is answered: the one named so; else the first of that function that has no answer yet; else the
    /// first of any, as clients are recorded that give the name of something else.
    fn answered(&mut self, id: Option<&str>, name: &str) -> Option<&Call<'a>> {
        let open = |is: &dyn Fn(&Call<'a>) -> bool| {
            let is_it = |call: &Call<'a>| !call.is_answered && is(call);
            self.all.iter().position(is_it)
        };
        let at = open(&|call| id.is_some_and(|id| call.id == id))
            .or_else(|| open(&|call| call.name == name))
            .or_else(|| open(&|_| id.is_none()))?;
        let call = self.all.get_mut(at)?;
        call.is_answered = true;
        Some(call)
    }

    fn made_up(&mut self, name: &str) -> String {
        let at = self.made;
        self.made = self.made.saturating_add(1);
        ids::made_up(name, at, IdForm::Chat)
    }
}

/// What a tool answered, and whether it failed. `result`, `output` and `error` are the keys under which Google's
/// documents and SDKs put an answer that is no object of its own.
fn said(response: Node<'_>) -> (Cow<'_, str>, bool) {
    if let Some(text) = response.as_str() {
        return (Cow::Borrowed(text), false);
    }
    let mut members = response.members();
    if let (Some((key, value)), None) = (members.next(), members.next())
        && matches!(key, "result" | "output" | "error")
        && let Some(text) = value.as_str()
    {
        return (Cow::Borrowed(text), key == "error");
    }
    let mut text = Vec::new();
    response.write(&mut text);
    let text = String::from_utf8(text).unwrap_or_default();
    (Cow::Owned(text), false)
}

/// A picture or file beside the answer of a tool.
fn read_shown<'a>(
    part: Node<'a>,
    place: Place,
    dropped: &mut Losses,
) -> Result<Part<'a>, Unsupported> {
    if let Some(data) = field::member(part, "inlineData") {
        return read_data(data, place, dropped);
    }
    match field::member(part, "fileData") {
        Some(file) => read_file(file, place, dropped),
        None => Err(place.wrong("answers with a part that is no file")),
    }
}
