//! `GET /v1/models` and `GET /v1/models/{id}`, in the form of whoever asks. What the models are is the policy's to say.

use crate::dialect::format::Format;
use crate::wire::json::Writer;

/// Appends the list of `names`, for a client that speaks `format`.
pub fn models_body<'a>(
    format: Format,
    names: &(impl IntoIterator<Item = &'a str> + Clone),
    out: &mut Vec<u8>,
) {
    let list = |it: &mut Writer<'_>| {
        for name in names.clone() {
            model(format, name, it);
        }
    };
    Writer::new(out).object(|it| match format {
        Format::Messages => {
            it.key("data").array(list);
            it.key("has_more").bool(false);
            for (key, name) in [
                ("first_id", names.clone().into_iter().next()),
                ("last_id", names.clone().into_iter().last()),
            ] {
                match name {
                    Some(name) => it.key(key).string(name),
                    None => it.key(key).null(),
                }
            }
        }
        Format::Gemini => it.key("models").array(list),
        Format::Chat | Format::Responses | Format::Converse | Format::Cohere => {
            it.key("object").string("list");
            it.key("data").array(list);
        }
    });
}

/// Appends one model, for a client that speaks `format`.
pub fn model_body(format: Format, name: &str, out: &mut Vec<u8>) {
    model(format, name, &mut Writer::new(out));
}

fn model(format: Format, name: &str, out: &mut Writer<'_>) {
    out.object(|it| match format {
        Format::Messages => {
            it.key("type").string("model");
            it.key("id").string(name);
            it.key("display_name").string(name);
            it.key("created_at").string(CREATED_DATE);
        }
        Format::Gemini => {
            it.key("name").string(&format!("models/{name}"));
            it.key("displayName").string(name);
            it.key("supportedGenerationMethods").array(|it| {
                it.string("generateContent");
                it.string("streamGenerateContent");
            });
        }
        Format::Chat | Format::Responses | Format::Converse | Format::Cohere => {
            it.key("id").string(name);
            it.key("object").string("model");
            it.key("created").number(CREATED);
            it.key("owned_by").string("switchover");
        }
    });
}

/// When the models were made, which clients want to see and nobody reads: 2026-01-01.
const CREATED: u64 = 1_767_225_600;
/// The same for people.
const CREATED_DATE: &str = "2026-01-01T00:00:00Z";

#[cfg(test)]
mod tests {
    use super::{model_body, models_body};
    use crate::dialect::format::Format;

    #[test]
    fn each_in_its_own_form() {
        for (format, text) in [
            (
                Format::Chat,
                r#"{"object":"list","data":[{"id":"a/b","object":"model","created":1767225600,"owned_by":"switchover"}]}"#,
            ),
            (
                Format::Messages,
                r#"{"data":[{"type":"model","id":"a/b","display_name":"a/b","created_at":"2026-01-01T00:00:00Z"}],"has_more":false,"first_id":"a/b","last_id":"a/b"}"#,
            ),
            (
                Format::Gemini,
                r#"{"models":[{"name":"models/a/b","displayName":"a/b","supportedGenerationMethods":["generateContent","streamGenerateContent"]}]}"#,
            ),
        ] {
            let mut out = Vec::new();
            models_body(format, &["a/b"], &mut out);
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
        let mut out = Vec::new();
        model_body(Format::Chat, "m", &mut out);
        assert!(out.starts_with(br#"{"id":"m","object":"model""#));
    }
}
