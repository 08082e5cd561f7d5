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
    /// What an address names: a `data:` one (RFC 2397) is the thing itself.
    pub fn of_url(url: &'a str) -> Self {
        let data = url
            .strip_prefix("data:")
            .and_then(|data| data.split_once(";base64,"));
        match data {
            Some((media_type, base64)) => Self::Data {
                media_type: Cow::Borrowed(media_type.split(';').next().unwrap_or_default()),
                base64: Cow::Borrowed(base64),
            },
            None => Self::Url(Cow::Borrowed(url)),
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
