//! Embeddings: asked for as OpenAI's clients do, answered as they read them.

use crate::dialect::codec::Destination;
use crate::dialect::format::Format;
use crate::dialect::translation::{AskedEmbeddings, embeddings_answer, embeddings_request};
use crate::policy::model::ProviderKind;

/// What the client's body becomes, what is dropped, and what its answer hangs on; or why it is refused.
fn asked(body: &str) -> Result<(String, Vec<String>, AskedEmbeddings), String> {
    let to = Destination {
        kind: ProviderKind::Cohere,
        model: "embed-v4.0",
        max_output: None,
    };
    let (mut body, mut out) = (body.as_bytes().to_vec(), Vec::new());
    let (dropped, kept) = embeddings_request(&mut body, &to, Format::Cohere, &mut out)
        .map_err(|untold| format!("{untold:?}"))?;
    let dropped = dropped.iter().map(str::to_owned).collect();
    Ok((String::from_utf8(out).unwrap(), dropped, kept))
}

#[test]
fn texts_are_to_be_searched_unless_the_client_says_otherwise() {
    let (body, dropped, _) =
        asked(r#"{"model":"m","input":"a \"b\"","user":"u","encoding_format":"float"}"#).unwrap();
    assert_eq!(
        body,
        r#"{"model":"embed-v4.0","texts":["a \"b\""],"input_type":"search_document","embedding_types":["float"],"truncate":"NONE"}"#
    );
    assert_eq!(dropped, ["user"]);
    let (body, dropped, _) =
        asked(r#"{"model":"m","input":["a","b"],"dimensions":256,"input_type":"search_query"}"#)
            .unwrap();
    assert_eq!(
        body,
        r#"{"model":"embed-v4.0","texts":["a","b"],"input_type":"search_query","embedding_types":["float"],"output_dimension":256,"truncate":"NONE"}"#
    );
    assert!(dropped.is_empty());
}

#[test]
fn no_more_texts_than_cohere_takes() {
    let body = |texts| format!(r#"{{"input":[{}]}}"#, vec![r#""a""#; texts].join(","));
    assert!(asked(&body(96)).is_ok());
    assert!(asked(&body(97)).unwrap_err().contains("the 96 texts"));
}

/// What the client reads of `answer` to a request for two texts.
fn told(answer: &str, encoding: &str) -> Option<String> {
    let (_, _, kept) = asked(&format!(
        r#"{{"input":["a","b"],"encoding_format":"{encoding}"}}"#
    ))
    .unwrap();
    let (mut answer, mut out) = (answer.as_bytes().to_vec(), Vec::new());
    embeddings_answer(&mut answer, Format::Cohere, kept, "m", &mut out).ok()?;
    Some(String::from_utf8(out).unwrap())
}

#[test]
fn answers_as_openai_gives_them() {
    let answer = r#"{"id":"i","embeddings":{"float":[[1.0,-0.5],[0.25,0]]},"texts":["a","b"],"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":4},"tokens":null},"response_type":"embeddings_by_type"}"#;
    let around = |first: &str, second: &str| {
        format!(
            r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":{first}}},{{"object":"embedding","index":1,"embedding":{second}}}],"model":"m","usage":{{"prompt_tokens":4,"total_tokens":4}}}}"#
        )
    };
    assert_eq!(
        told(answer, "float").unwrap(),
        around("[1.0,-0.5]", "[0.25,0]")
    );
    // Python: base64.b64encode(struct.pack("<2f", 1.0, -0.5)), and of 0.25 and 0.
    assert_eq!(
        told(answer, "base64").unwrap(),
        around(r#""AACAPwAAAL8=""#, r#""AACAPgAAAAA=""#)
    );
    let counted = r#"{"embeddings":{"float":[[1],[2]]},"meta":{"billed_units":{"input_tokens":9},"tokens":{"input_tokens":3.0}}}"#;
    assert!(
        told(counted, "float")
            .unwrap()
            .contains(r#""prompt_tokens":3,"#)
    );
}

#[test]
fn answers_that_are_none() {
    for answer in [
        "{}",
        "[]",
        r#"{"embeddings":[[0.1],[0.2]]}"#,
        r#"{"embeddings":{"float":[[0.1]]}}"#,
        r#"{"embeddings":{"float":[[0.1],[]]}}"#,
        r#"{"embeddings":{"float":[[0.1],["x"]]}}"#,
        r#"{"embeddings":{"int8":[[1],[2]],"float":null}}"#,
    ] {
        assert_eq!(told(answer, "float"), None, "{answer}");
    }
}
