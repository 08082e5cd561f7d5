//! Health checks as bytes: what an endpoint is asked, and what its answer says about it.

use crate::base::{Outcome, Secret};
use crate::dialect::codec::Destination;
use crate::dialect::converse::{self, Signed};
use crate::dialect::format::Format;
use crate::dialect::provider::{Asked, outcome_of};
use crate::dialect::{Operation, translation};
use crate::policy::model::{Endpoint, Provider, ProviderKind, Question};
use crate::wire::h1::write;
use crate::wire::json::Writer;

/// What an answer says about the endpoint that gave it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Finding {
    /// It does what it was asked for.
    Good,
    /// It does not.
    Bad,
    /// It is there, but refuses us: a key, a quota, a rate limit. Those have switches of their own.
    Silent,
}

/// What signs a check of a provider that is sent no key: Bedrock with Amazon's credentials.
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The endpoint's name, as in the `host` field.
    pub host: &'a str,
    /// What signs.
    pub credentials: &'a Secret,
    /// Now, in Unix seconds.
    pub unix: u64,
}

/// Appends a health check's request. `outlet` are the fields that the endpoint always gets: its name and our credential;
/// `signer` is there where that is not written but signs. A question at a path is not signed: nothing that Bedrock
/// answers at one would tell more than that it is there, which its refusal does too.
pub fn health_request(
    provider: &Provider,
    endpoint: &Endpoint,
    question: &Question,
    outlet: &[u8],
    signer: Option<Signer<'_>>,
    out: &mut Vec<u8>,
) {
    let mut body = Vec::new();
    let mut target = Vec::new();
    match question {
        Question::Path { head, path } => {
            write::request_line(if *head { "HEAD" } else { "GET" }, path.as_bytes(), out);
        }
        Question::Token { model, .. } => {
            let asked = Asked {
                provider,
                endpoint,
                format: Format::own_of(provider.kind),
                model,
                max_output: None,
                stream: false,
            };
            token_question(&asked, &mut body);
            asked.path(Operation::Generate(asked.format), &mut target);
            write::request_line("POST", &target, out);
            out.extend_from_slice(b"content-type: application/json\r\n");
            asked.fields(false, out);
        }
    }
    out.extend_from_slice(outlet);
    if let (Some(signer), Question::Token { .. }) = (signer, question) {
        let signed = Signed {
            host: signer.host,
            path: std::str::from_utf8(&target).unwrap_or_default(),
            body: &body,
            unix: signer.unix,
        };
        converse::sign(&signed, signer.credentials, out);
    }
    out.extend_from_slice(b"accept-encoding: identity\r\nconnection: close\r\n");
    if !body.is_empty() {
        write::field_decimal(b"content-length", body.len() as u64, out);
    }
    write::end(out);
    out.extend_from_slice(&body);
}

/// What an answer with this status and body says. The body of an answer to [`Question::Path`] is not looked at.
pub fn health_finding(
    kind: ProviderKind,
    question: &Question,
    status: u16,
    body: &[u8],
) -> Finding {
    if let Question::Path { .. } = question {
        return match status {
            200..=399 => Finding::Good,
            401 | 403 | 429 => Finding::Silent,
            _ => Finding::Bad,
        };
    }
    match outcome_of(Format::own_of(kind), kind, status, "", body) {
        Outcome::Ok => Finding::Good,
        Outcome::S429
        | Outcome::S4xx
        | Outcome::AuthFailed
        | Outcome::QuotaExhausted
        | Outcome::ContextExceeded
        | Outcome::ContentFilter => Finding::Silent,
        // One token cuts the answer short, so that it may well be empty (a reasoning model thinks first).
        Outcome::BadOutput if status == 200 && body.trim_ascii_start().starts_with(b"{\"") => {
            Finding::Silent
        }
        _ => Finding::Bad,
    }
}

/// The smallest request that makes a model generate, in the provider's own format.
fn token_question(asked: &Asked<'_>, out: &mut Vec<u8>) {
    let mut chat = Vec::new();
    Writer::new(&mut chat).object(|it| {
        it.key("messages").array(|it| {
            it.object(|it| {
                it.key("role").string("user");
                it.key("content").string("ping");
            });
        });
        it.key("max_tokens").number(1);
    });
    let to = Destination {
        model: if asked.model_in_body() {
            asked.model
        } else {
            ""
        },
        ..asked.destination()
    };
    let said = translation::request(&mut chat, Format::Chat, &to, asked.format, false, out);
    debug_assert!(said.is_ok(), "every format can say this");
}

#[cfg(test)]
mod tests {
    use super::{Signer, health_request};
    use crate::base::Secret;
    use crate::dialect::converse::{Signed, sign};
    use crate::policy::model::Question;

    const POLICY: &str = r#"policy 1
provider bedrock {
  base_url = "https://bedrock-runtime.eu-west-1.amazonaws.com"
  auth = sigv4(env("AWS"))
  model claude = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
  health { ask = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0", at_most = 12/h }
}
route default { tier 1 { bedrock.claude } }
"#;

    /// The request and its body.
    fn asked(question: Option<Question>) -> (String, String) {
        let (policy, _) = crate::policy::load(&[("p", POLICY)], "p", &[])
            .unwrap_or_else(|found| panic!("{}", found.render(false)));
        let provider = &policy.providers[0];
        let check = provider.health.as_ref().unwrap();
        let credentials = Secret::new(b"AKIDEXAMPLE:SECRET:TOKEN".to_vec());
        let signer = Signer {
            host: "bedrock-runtime.eu-west-1.amazonaws.com",
            credentials: &credentials,
            unix: 1_440_938_160,
        };
        let mut out = Vec::new();
        health_request(
            provider,
            &provider.endpoints[0],
            &question.unwrap_or_else(|| check.question.clone()),
            b"host: bedrock-runtime.eu-west-1.amazonaws.com\r\n",
            Some(signer),
            &mut out,
        );
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    #[test]
    fn a_question_of_one_token_is_signed_as_requests_are() {
        let (head, body) = asked(None);
        let path = "/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse";
        assert!(
            head.starts_with(&format!("POST {path} HTTP/1.1\r\n")),
            "{head}"
        );
        let mut fields = Vec::new();
        let signed = Signed {
            host: "bedrock-runtime.eu-west-1.amazonaws.com",
            path,
            body: body.as_bytes(),
            unix: 1_440_938_160,
        };
        let credentials = Secret::new(b"AKIDEXAMPLE:SECRET:TOKEN".to_vec());
        sign(&signed, &credentials, &mut fields);
        let fields = String::from_utf8(fields).unwrap();
        assert!(
            fields.contains("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/bedrock/")
        );
        assert!(head.contains(&fields), "{head}");
        assert!(!head.contains("SECRET:"), "{head}");
    }

    #[test]
    fn a_question_at_a_path_is_not_signed() {
        let (head, _) = asked(Some(Question::Path {
            head: false,
            path: "/ping".into(),
        }));
        assert!(
            head.starts_with("GET /ping") && !head.contains("authorization"),
            "{head}"
        );
    }
}
