//! The conversation: sides that alternate, each with its blocks.

use std::borrow::Cow;

use crate::dialect::converse::family::Family;
use crate::dialect::ids;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::turn::{Media, Message, Part, Role, Source, ToolCall, ToolResult, Turn};
use crate::wire::base64;
use crate::wire::json::Writer;

/// What is said, in Converse's order.
pub(super) struct Conversation<'t, 'a> {
    system: Vec<&'t Part<'a>>,
    sides: Vec<Side<'t, 'a>>,
    /// There are calls or results of tools in it.
    pub(super) has_tools: bool,
    /// It ends in results of tools: the model goes on with what it began.
    pub(super) ends_in_results: bool,
}

/// Everything that one side says until the other does.
struct Side<'t, 'a> {
    role: Role,
    parts: Vec<&'t Part<'a>>,
}

impl<'t, 'a> Conversation<'t, 'a> {
    pub(super) fn of(turn: &'t Turn<'a>, losses: &mut Losses) -> Result<Self, Unsupported> {
        let mut system: Vec<_> = turn.system.iter().filter(|part| !is_blank(part)).collect();
        let mut sides: Vec<Side<'t, 'a>> = Vec::new();
        for message in &turn.messages {
            let parts = said(message, losses);
            match sides.last_mut() {
                _ if message.role == Role::System => {
                    // There is no place for it between the sides.
                    losses.add("messages[].role");
                    system.extend(parts);
                }
                Some(side) if side.role == message.role => side.parts.extend(parts),
                _ => sides.extend(Side::of(message.role, parts)),
            }
        }
        for side in &mut sides {
            // Stable: results come first, and else the order stays.
            side.parts.sort_by_key(|part| !is_result(part));
        }
        if sides.first().is_none_or(|side| side.role != Role::User) {
            return Err(Unsupported::new(
                "messages",
                "has to begin with a message of the user for Bedrock",
            ));
        }
        let of_tools = |part: &&Part<'_>| matches!(part, Part::ToolCall(_) | Part::ToolResult(_));
        Ok(Self {
            has_tools: sides.iter().any(|side| side.parts.iter().any(of_tools)),
            ends_in_results: sides
                .last()
                .and_then(|side| side.parts.first())
                .is_some_and(|part| is_result(part)),
            system,
            sides,
        })
    }

    /// The names of the tools that were called, each once and in the order of the first calls.
    pub(super) fn called(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for part in self.sides.iter().flat_map(|side| &side.parts) {
            let name = match part {
                Part::ToolCall(call) => &*call.name,
                Part::ToolResult(result) => &*result.name,
                _ => continue,
            };
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

impl<'t, 'a> Side<'t, 'a> {
    fn of(role: Role, parts: Vec<&'t Part<'a>>) -> Option<Self> {
        (!parts.is_empty()).then_some(Self { role, parts })
    }
}

/// The parts that can be said. Thoughts are another provider's: their proofs are refused, and without those they are too.
fn said<'t, 'a>(message: &'t Message<'a>, losses: &mut Losses) -> Vec<&'t Part<'a>> {
    let thought = |part: &&Part<'_>| matches!(part, Part::Reasoning(_));
    losses.add_if(
        message.parts.iter().any(|it| thought(&it)),
        "messages[].reasoning_content",
    );
    message
        .parts
        .iter()
        .filter(|part| !thought(part) && !is_blank(part))
        .collect()
}

fn is_result(part: &Part<'_>) -> bool {
    matches!(part, Part::ToolResult(_))
}

fn is_marked(part: &Part<'_>) -> bool {
    match part {
        Part::Text(text) => text.cache,
        Part::Image(media) | Part::Document(media) | Part::Audio(media) => media.cache,
        _ => false,
    }
}

/// Blank texts are refused.
fn is_blank(part: &Part<'_>) -> bool {
    match part {
        Part::Text(text) => text.text.trim().is_empty(),
        Part::Refusal(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// Writes `messages` and `system`.
pub(super) fn write(
    talk: &Conversation<'_, '_>,
    family: Family,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let mut blocks = Blocks {
        family,
        losses,
        documents: 0,
        in_result: false,
    };
    out.key("messages").try_array(|out| {
        talk.sides.iter().try_for_each(|side| {
            out.try_object(|out| {
                out.key("role").string(match side.role {
                    Role::Assistant => "assistant",
                    Role::User | Role::System => "user",
                });
                out.key("content")
                    .try_array(|out| blocks.write_all(&side.parts, out))
            })
        })
    })?;
    if talk.system.is_empty() {
        return Ok(());
    }
    if !talk.system.iter().all(|part| matches!(part, Part::Text(_))) {
        let why = "holds instructions that are not text, which Bedrock does not take";
        return Err(Unsupported::new("messages", why));
    }
    out.key("system")
        .try_array(|out| blocks.write_all(&talk.system, out))
}

/// Writes blocks.
struct Blocks<'l> {
    family: Family,
    losses: &'l mut Losses,
    /// Documents so far: each needs a name of its own.
    documents: u32,
    /// Inside the answer of a tool, where no mark may stand: those in it become one behind it.
    in_result: bool,
}

impl Blocks<'_> {
    fn write_all(&mut self, parts: &[&Part<'_>], out: &mut Writer<'_>) -> Result<(), Unsupported> {
        parts.iter().try_for_each(|part| self.write(part, out))
    }

    fn write(&mut self, part: &Part<'_>, out: &mut Writer<'_>) -> Result<(), Unsupported> {
        match part {
            Part::Text(text) => {
                out.object(|out| out.key("text").string(&text.text));
                self.cache(text.cache, self.family.caches(), out);
            }
            Part::Refusal(text) => out.object(|out| out.key("text").string(text)),
            Part::Image(image) => {
                image.lose_name(self.losses);
                image.lose_detail(self.losses);
                write_image(image, out)?;
                self.cache(image.cache, self.family.caches(), out);
            }
            Part::Document(document) => self.write_document(document, out)?,
            Part::Audio(_) => {
                return Err(Unsupported::new("input_audio", "is not taken by Bedrock"));
            }
            Part::ToolCall(call) => write_call(call, self.family, out)?,
            Part::ToolResult(result) => self.write_result(result, out)?,
            // Left out before.
            Part::Reasoning(_) => {}
        }
        Ok(())
    }

    fn write_document(
        &mut self,
        document: &Media<'_>,
        out: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        let (format, base64) = match &document.source {
            Source::Data { media_type, base64 } => {
                let format = document_format(media_type).ok_or_else(|| {
                    Unsupported::new("file", "is of a type that Bedrock does not read")
                })?;
                (format, Cow::Borrowed(&**base64))
            }
            Source::Text(text) => {
                let mut spelt = Vec::new();
                base64::encode(text.as_bytes(), &mut spelt);
                (
                    "txt",
                    Cow::Owned(String::from_utf8(spelt).unwrap_or_default()),
                )
            }
            Source::Url(_) => {
                return Err(Unsupported::new(
                    "file",
                    "is an address: Bedrock takes files as data only",
                ));
            }
        };
        self.documents += 1;
        // The name is read by the model, so that a file's own could carry words of an attacker (AWS, `DocumentBlock`).
        document.lose_name(self.losses);
        let name = format!("Document {}", self.documents);
        out.object(|out| {
            out.key("document").object(|out| {
                out.key("format").string(format);
                out.key("name").string(&name);
                out.key("source")
                    .object(|out| out.key("bytes").string(&base64));
            });
        });
        if document.cache && self.family.caches() && !self.in_result {
            // COMPAT: Bedrock, 2025: a cache point right behind a document is refused, one behind this text is not.
            out.object(|out| out.key("text").string("\n"));
        }
        self.cache(document.cache, self.family.caches(), out);
        Ok(())
    }

    fn write_result(
        &mut self,
        result: &ToolResult<'_>,
        out: &mut Writer<'_>,
    ) -> Result<(), Unsupported> {
        out.try_object(|out| {
            out.key("toolResult").try_object(|out| {
                out.key("toolUseId")
                    .string(&ids::fitted(&result.id, self.family.id_form()));
                out.key("content").try_array(|out| {
                    let said = result.parts.iter().filter(|part| !is_blank(part));
                    let parts: Vec<_> = said.collect();
                    self.in_result = true;
                    let written = self.write_all(&parts, out);
                    self.in_result = false;
                    written
                })?;
                if result.is_error && self.family.takes_status() {
                    out.key("status").string("error");
                }
                Ok(())
            })
        })?;
        self.losses
            .add_if(result.is_error && !self.family.takes_status(), "is_error");
        let marked = result.cache || result.parts.iter().any(is_marked);
        self.cache(marked, self.family.caches_tools(), out);
        Ok(())
    }

    /// A mark behind what is to be kept.
    fn cache(&mut self, wanted: bool, taken: bool, out: &mut Writer<'_>) {
        let wanted = wanted && !self.in_result;
        self.losses.add_if(wanted && !taken, "cache_control");
        if wanted && taken {
            write_cache_point(out);
        }
    }
}

pub(super) fn write_cache_point(out: &mut Writer<'_>) {
    out.object(|out| {
        out.key("cachePoint")
            .object(|out| out.key("type").string("default"));
    });
}

fn write_image(image: &Media<'_>, out: &mut Writer<'_>) -> Result<(), Unsupported> {
    let Source::Data { media_type, base64 } = &image.source else {
        return Err(Unsupported::new(
            "image_url",
            "is an address: Bedrock takes pictures as data only",
        ));
    };
    let format = match &**media_type {
        "image/png" => "png",
        "image/jpeg" | "image/jpg" => "jpeg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        _ => {
            return Err(Unsupported::new(
                "image_url",
                "is a picture of a type that Bedrock does not read: PNG, JPEG, GIF and WebP are",
            ));
        }
    };
    out.object(|out| {
        out.key("image").object(|out| {
            out.key("format").string(format);
            out.key("source")
                .object(|out| out.key("bytes").string(base64));
        });
    });
    Ok(())
}

fn document_format(media_type: &str) -> Option<&'static str> {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    Some(match essence {
        "application/pdf" => "pdf",
        "text/plain" => "txt",
        "text/csv" => "csv",
        "text/html" => "html",
        "text/markdown" => "md",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        _ => return None,
    })
}

fn write_call(
    call: &ToolCall<'_>,
    family: Family,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    super::tools::check_name(&call.name, "tool_calls.function.name")?;
    out.try_object(|out| {
        out.key("toolUse").try_object(|out| {
            out.key("toolUseId")
                .string(&ids::fitted(&call.id, family.id_form()));
            out.key("name").string(&call.name);
            call.arguments
                .write_object(&|| "tool_calls".to_owned(), out.key("input"))
        })
    })
}
