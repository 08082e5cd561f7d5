//! The parts of a message's content.

use std::borrow::Cow;

use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::mark;
use crate::dialect::turn::{Media, Part, Source, Text};
use crate::wire::json::Node;

/// Reads a part, which stands at `field`; `None` for one that says nothing.
pub(super) fn read<'a>(
    part: Node<'a>,
    field: &dyn Fn() -> String,
    dropped: &mut Losses,
) -> Result<Option<Part<'a>>, Unsupported> {
    let kind = part.text("type").unwrap_or_default();
    dropped.add_rest(
        part,
        &["type", kind, "cache_control", name_of(kind)],
        "messages[].content[].",
    );
    let text = || part.text(kind).filter(|text| !text.is_empty());
    let cache = mark::is_on(part, dropped);
    Ok(match kind {
        "text" => text().map(|text| {
            Part::Text(Text {
                text: Cow::Borrowed(text),
                cache,
            })
        }),
        "refusal" => text().map(|text| Part::Refusal(Cow::Borrowed(text))),
        "image_url" => Some(Part::Image(read_image(field, part, dropped)?)),
        "file" => Some(Part::Document(read_file(field, part, dropped)?)),
        // COMPAT: Mistral's own part, which its clients send.
        "document_url" => Some(Part::Document(read_document(field, part, dropped)?)),
        "input_audio" => Some(Part::Audio(read_audio(field, part, dropped)?)),
        _ => {
            return Err(Unsupported::new(
                field(),
                "is of a type that is known to providers of this format only",
            ));
        }
    })
}

fn read_image<'a>(
    field: &dyn Fn() -> String,
    part: Node<'a>,
    dropped: &mut Losses,
) -> Result<Media<'a>, Unsupported> {
    let image = part.get("image_url");
    // COMPAT: Mistral takes the address itself, and its clients send that.
    let url = image.and_then(|image| image.as_str().or_else(|| image.text("url")));
    let url = url.ok_or_else(|| Unsupported::new(field(), "has no `image_url.url`"))?;
    let text = |key| image.and_then(|image| image.text(key));
    if let Some(image) = image {
        let known = ["url", "detail"];
        dropped.add_rest(image, &known, "messages[].content[].image_url.");
    }
    Ok(Media {
        detail: text("detail").filter(|detail| *detail != "auto"),
        cache: mark::is_on(part, dropped),
        ..Media::of(source_at(url, field)?)
    })
}

fn read_file<'a>(
    field: &dyn Fn() -> String,
    part: Node<'a>,
    dropped: &mut Losses,
) -> Result<Media<'a>, Unsupported> {
    let file = part.get("file");
    let text = |key| file.and_then(|file| file.text(key));
    let data = text("file_data").ok_or_else(|| {
        Unsupported::new(
            field(),
            "has no `file.file_data`: a file that lies at one provider is not known to another",
        )
    })?;
    if let Some(file) = file {
        let known = ["file_data", "filename", "file_id"];
        dropped.add_rest(file, &known, "messages[].content[].file.");
    }
    Ok(Media {
        name: text("filename"),
        cache: mark::is_on(part, dropped),
        ..Media::of(source_at(data, field)?)
    })
}

fn source_at<'a>(url: &'a str, field: &dyn Fn() -> String) -> Result<Source<'a>, Unsupported> {
    Source::of_url(url).map_err(|why| Unsupported::new(field(), why))
}

/// The member that names what a part holds, beside the one of its type: the type itself where there is none.
fn name_of(kind: &str) -> &str {
    match kind {
        "document_url" => "document_name",
        _ => kind,
    }
}

fn read_document<'a>(
    field: &dyn Fn() -> String,
    part: Node<'a>,
    dropped: &mut Losses,
) -> Result<Media<'a>, Unsupported> {
    let url = part.text("document_url");
    let url = url.ok_or_else(|| Unsupported::new(field(), "has no `document_url`"))?;
    Ok(Media {
        name: part.text("document_name"),
        cache: mark::is_on(part, dropped),
        ..Media::of(source_at(url, field)?)
    })
}

fn read_audio<'a>(
    field: &dyn Fn() -> String,
    part: Node<'a>,
    dropped: &mut Losses,
) -> Result<Media<'a>, Unsupported> {
    let audio = part.get("input_audio");
    let text = |key| audio.and_then(|audio| audio.text(key));
    // COMPAT: Mistral takes the data itself, and its clients send that.
    let data = audio.and_then(|audio| audio.as_str().or_else(|| audio.text("data")));
    let data = data.ok_or_else(|| Unsupported::new(field(), "has no `input_audio.data`"))?;
    if let Some(audio) = audio {
        let known = ["data", "format"];
        dropped.add_rest(audio, &known, "messages[].content[].input_audio.");
    }
    let media_type = match text("format") {
        Some("mp3") => Cow::Borrowed("audio/mpeg"),
        Some(format) => Cow::Owned(format!("audio/{format}")),
        None => Cow::Borrowed("audio/wav"),
    };
    let source = Source::of_data(media_type, Cow::Borrowed(data));
    Ok(Media {
        cache: mark::is_on(part, dropped),
        ..Media::of(source.map_err(|why| Unsupported::new(field(), why))?)
    })
}
