//! Embeddings in the form of each of the two addresses.

use crate::dialect::codec::Destination;
use crate::dialect::embeddings;
use crate::dialect::gemini::embeddings::{path, read, write};
use crate::dialect::loss::Losses;
use crate::policy::model::ProviderKind;
use crate::wire::json::{Tree, Writer};

const ASKED: &str =
    r#"{"model":"any","input":["a \"b\"","c"],"dimensions":256,"input_type":"search_query"}"#;

fn asked(kind: ProviderKind, model: &str) -> (String, String) {
    let mut text = ASKED.as_bytes().to_vec();
    let tree = Tree::parse(&mut text).unwrap();
    let asked = embeddings::read(tree.root()).unwrap();
    let to = Destination {
        kind,
        model,
        max_output: None,
    };
    let (mut target, mut out) = (Vec::new(), Vec::new());
    path("/v1", &to, &mut target);
    let mut losses = Losses::default();
    write(&asked, &to, &mut losses, &mut Writer::new(&mut out));
    assert_eq!(losses.iter().collect::<Vec<_>>(), ["input_type"]);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(target), text(out))
}

#[test]
fn gemini_is_asked_for_a_batch() {
    let (path, body) = asked(ProviderKind::Gemini, "gemini-embedding-001");
    assert_eq!(path, "/v1/models/gemini-embedding-001:batchEmbedContents");
    assert_eq!(
        body,
        concat!(
            r#"{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"a \"b\""}]},"outputDimensionality":256},"#,
            r#"{"model":"models/gemini-embedding-001","content":{"parts":[{"text":"c"}]},"outputDimensionality":256}]}"#
        )
    );
}

#[test]
fn vertex_is_asked_for_a_prediction() {
    let (path, body) = asked(ProviderKind::Vertex, "text-embedding-005");
    assert_eq!(path, "/v1/models/text-embedding-005:predict");
    assert_eq!(
        body,
        r#"{"instances":[{"content":"a \"b\""},{"content":"c"}],"parameters":{"outputDimensionality":256}}"#
    );
}

#[test]
fn answers_of_both() {
    for (body, tokens) in [
        (r#"{"embeddings":[{"values":[0.1,2]},{"values":[0.3]}]}"#, 0),
        (
            r#"{"embeddings":[{"values":[0.1,2]},{"values":[0.3]}],"usageMetadata":{"promptTokenCount":5}}"#,
            5,
        ),
        (
            r#"{"predictions":[{"embeddings":{"values":[0.1,2],"statistics":{"token_count":4}}},{"embeddings":{"values":[0.3],"statistics":{"token_count":"3"}}}]}"#,
            7,
        ),
    ] {
        let mut text = body.as_bytes().to_vec();
        let tree = Tree::parse(&mut text).unwrap();
        let embedded = read(tree.root(), 2).unwrap();
        assert_eq!(embedded.tokens, tokens, "{body}");
        let mut out = Vec::new();
        embeddings::write(&embedded, false, "m", &mut Writer::new(&mut out));
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains(r#""index":0,"embedding":[0.1,2]}"#), "{out}");
        assert!(out.contains(r#""index":1,"embedding":[0.3]}"#), "{out}");
    }
    let mut text = br#"{"embedding":{"values":[0.5]}}"#.to_vec();
    let tree = Tree::parse(&mut text).unwrap();
    assert_eq!(read(tree.root(), 1).unwrap().vectors.len(), 1);
}

#[test]
fn answers_that_are_none() {
    for body in [
        "{}",
        r#"{"embeddings":[{"values":[0.1]}]}"#,
        r#"{"embeddings":[{"values":[0.1]},{}]}"#,
        r#"{"embeddings":[{"values":[0.1]},{"values":[]}]}"#,
        r#"{"embeddings":[{"values":[0.1]},{"values":["x"]}]}"#,
        r#"{"predictions":[{},{}]}"#,
    ] {
        let mut text = body.as_bytes().to_vec();
        let tree = Tree::parse(&mut text).unwrap();
        assert!(read(tree.root(), 2).is_err(), "{body}");
    }
}
