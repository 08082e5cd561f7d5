//! Pictures, documents and recordings, and where they are.

use std::borrow::Cow;

use crate::dialect::loss::Losses;
use crate::wire::base64;

/// A picture, document or recording.
#[derive(Debug)]
pub struct Media<'a> {
    /// Where it is.
    pub source: Source<'a>,
    /// Its file name, or the title of a document.
    pub name: Option<&'a str>,
    /// How closely a picture is to be looked at: `low`, `high`, …; `None`: as the provider likes.
    pub detail: Option<&'a str>,
    /// The provider may keep everything up to and including this for the next request.
    pub cache: bool,
}

/// Where a picture, document or recording is.
#[derive(Clone, Debug)]
pub enum Source<'a> {
    /// Here, in base64.
    Data {
        /// `image/png`, `application/pdf`, …
        media_type: Cow<'a, str>,
        /// The bytes, in standard base64.
        base64: Cow<'a, str>,
    },
    /// Here, as plain text.
    Text(Cow<'a, str>),
    /// At an address, for the provider to fetch.
    Url(Cow<'a, str>),
}

impl<'a> Source<'a> {
    /// What an address names: a `data:` one (RFC 2397) is the thing itself. The error says what is wrong with it.
    pub fn of_url(url: &'a str) -> Result<Self, &'static str> {
        let Some(data) = url.strip_prefix("data:") else {
            return Ok(Self::Url(Cow::Borrowed(url)));
        };
        let (media_type, base64) = data
            .split_once(";base64,")
            .ok_or("is a `data:` address that is not in base64")?;
        let media_type = media_type.split(';').next().unwrap_or_default();
        Self::of_data(Cow::Borrowed(media_type), Cow::Borrowed(base64))
    }

    /// What is here in base64. Providers choose by the type how to read it, so one that is none would be taken for another thing by each.
    pub fn of_data(media_type: Cow<'a, str>, base64: Cow<'a, str>) -> Result<Self, &'static str> {
        if is_media_type(&media_type) {
            Ok(Self::Data { media_type, base64 })
        } else {
            Err("has no media type such as `image/png`")
        }
    }

    /// Its address, a `data:` one where it is here; `None` for plain text.
    pub fn url(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Data { media_type, base64 } => {
                Some(Cow::Owned(format!("data:{media_type};base64,{base64}")))
            }
            Self::Url(url) => Some(Cow::Borrowed(url)),
            Self::Text(_) => None,
        }
    }

    /// The words of what is plain text, here as such or in base64.
    pub fn words(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Data { media_type, base64 } if media_type.starts_with("text/") => {
                String::from_utf8(base64::decode(base64)?)
                    .ok()
                    .map(Cow::Owned)
            }
            Self::Data { .. } | Self::Url(_) => None,
        }
    }
}

/// A type that a model can be shown, and a subtype: a name of RFC 6838 section 4.2. Its parameters are left out.
fn is_media_type(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    text.split_once('/').is_some_and(|(kind, subtype)| {
        ["image", "audio", "video", "text", "application"].contains(&kind)
            && (1..=127).contains(&subtype.len())
            && subtype.bytes().all(is_part)
    })
}

impl<'a> Media<'a> {
    /// Just that.
    pub const fn of(source: Source<'a>) -> Self {
        Self {
            source,
            name: None,
            detail: None,
            cache: false,
        }
    }

    /// For formats without a place for its name.
    pub fn lose_name(&self, losses: &mut Losses) {
        losses.add_if(self.name.is_some(), "messages[].content[].file.filename");
    }

    /// For formats without a place for how closely it is to be looked at.
    pub fn lose_detail(&self, losses: &mut Losses) {
        losses.add_if(
            self.detail.is_some(),
            "messages[].content[].image_url.detail",
        );
    }
}
