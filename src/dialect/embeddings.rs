//! Embeddings as OpenAI's clients ask for them and read them, for providers that are asked in another form.
//!
//! ```text
//!   {"input":"text" | ["text", …],"model","dimensions"?,"encoding_format"?,"input_type"?}
//!   {"object":"list","data":[{"object":"embedding","index":0,"embedding":[…] | "base64"}],"model","usage"}
//! ```

use crate::dialect::codec::BadAnswer;
use crate::dialect::loss::{Losses, Unsupported};
use crate::wire::json::{Node, Writer};

/// What is asked for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The texts, at least one.
    pub texts: Vec<&'a str>,
    /// Numbers of each embedding; `None`: as many as the model gives.
    pub dimensions: Option<u64>,
    /// Numbers are wanted as the base64 of 32-bit floats (little-endian), as OpenAI's Python SDK asks unless told
    /// otherwise.
    pub base64: bool,
    /// What the texts are for, in the provider's words. OpenAI does not ask; clients of those who do send it beside the rest.
    pub input_type: Option<&'a str>,
    /// What the client's body says and this does not hold.
    pub dropped: Losses,
}

/// What came.
#[derive(Debug)]
pub struct Embedded<'a> {
    /// A list of numbers for each text, in the order of the texts.
    pub vectors: Vec<Node<'a>>,
    /// Tokens of all texts; 0 where the provider does not count.
    pub tokens: u64,
}

impl Embedded<'_> {
    /// Itself, if it is what was asked for: lists of numbers, as many as `texts`.
    pub(super) fn checked(self, texts: usize) -> Result<Self, BadAnswer> {
        let bad = |reason| BadAnswer { reason };
        if self.vectors.len() != texts {
            return Err(bad("there are not as many embeddings as texts"));
        }
        let is_vector = |vector: &Node<'_>| {
            let mut numbers = vector.elements().peekable();
            numbers.peek().is_some() && numbers.all(|number| number.as_f64().is_some())
        };
        if !self.vectors.iter().all(is_vector) {
            return Err(bad("an embedding is not a list of numbers"));
        }
        Ok(self)
    }
}

/// Reads the body of `POST /v1/embeddings`.
pub fn read(body: Node<'_>) -> Result<Asked<'_>, Unsupported> {
    let mut asked = Asked {
        texts: Vec::new(),
        dimensions: None,
        base64: false,
        input_type: None,
        dropped: Losses::default(),
    };
    for (key, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match key {
            "model" => {}
            "input" => read_input(value, &mut asked.texts)?,
            "dimensions" => {
                let dimensions = value.as_u64().filter(|&number| number > 0);
                let wrong = || Unsupported::new("dimensions", "is not a whole number from 1 on");
                asked.dimensions = Some(dimensions.ok_or_else(wrong)?);
            }
            "encoding_format" => match value.as_str() {
                Some("float") => {}
                Some("base64") => asked.base64 = true,
                _ => {
                    let why = "is neither `float` nor `base64`";
                    return Err(Unsupported::new("encoding_format", why));
                }
            },
            "input_type" => {
                let wrong = || Unsupported::new("input_type", "is not a text");
                asked.input_type = Some(value.as_str().ok_or_else(wrong)?);
            }
            name => asked.dropped.add(name.to_owned()),
        }
    }
    if asked.texts.is_empty() {
        return Err(Unsupported::new("input", "has no text"));
    }
    Ok(asked)
}

fn read_input<'a>(input: Node<'a>, texts: &mut Vec<&'a str>) -> Result<(), Unsupported> {
    if let Some(text) = input.as_str() {
        texts.push(text);
        return Ok(());
    }
    for text in input.elements() {
        let why = "holds numbers of OpenAI's tokens, which no other provider knows: send texts";
        let text = text
            .as_str()
            .ok_or_else(|| Unsupported::new("input", why))?;
        texts.push(text);
    }
    Ok(())
}

/// Writes the answer for a client. `model` is the one that answered.
pub fn write(embedded: &Embedded<'_>, base64: bool, model: &str, out: &mut Writer<'_>) {
    out.object(|out| {
        out.key("object").string("list");
        out.key("data").array(|out| {
            for (index, vector) in (0..).zip(&embedded.vectors) {
                write_vector(index, *vector, base64, out);
            }
        });
        out.key("model").string(model);
        out.key("usage").object(|out| {
            out.key("prompt_tokens").number(embedded.tokens);
            out.key("total_tokens").number(embedded.tokens);
        });
    });
}

fn write_vector(index: u64, vector: Node<'_>, base64: bool, out: &mut Writer<'_>) {
    out.object(|out| {
        out.key("object").string("embedding");
        out.key("index").number(index);
        out.key("embedding");
        if base64 {
            out.string_of(|text| encode(vector, text));
        } else {
            out.node(vector);
        }
    });
}

/// The base64 (RFC 4648) of the numbers as 32-bit floats.
fn encode(vector: Node<'_>, text: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    #[expect(
        clippy::cast_possible_truncation,
        reason = "embeddings are 32-bit floats"
    )]
    let number = |node: Node<'_>| (node.as_f64().unwrap_or_default() as f32).to_le_bytes();
    let bytes: Vec<u8> = vector.elements().flat_map(number).collect();
    for three in bytes.chunks(3) {
        let byte = |at| u32::from(three.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap_or_default();
            text.push(match ALPHABET.get(digit) {
                Some(letter) if at <= three.len() => *letter,
                _ => b'=',
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Embedded, read, write};
    use crate::wire::json::{Tree, Writer};

    #[test]
    fn what_is_asked_for() {
        let mut text = br#"{"model":"m","input":["a","b"],"dimensions":3,"encoding_format":"base64","user":"u","input_type":"clustering"}"#.to_vec();
        let tree = Tree::parse(&mut text).unwrap();
        let asked = read(tree.root()).unwrap();
        assert_eq!(asked.texts, ["a", "b"]);
        assert_eq!((asked.dimensions, asked.base64), (Some(3), true));
        assert_eq!(asked.input_type, Some("clustering"));
        assert_eq!(asked.dropped.iter().collect::<Vec<_>>(), ["user"]);
    }

    #[test]
    fn what_cannot_be_asked_for() {
        for (body, field) in [
            (r#"{"model":"m"}"#, "input"),
            (r#"{"input":[]}"#, "input"),
            (r#"{"input":[1,2]}"#, "input"),
            (r#"{"input":[[1,2]]}"#, "input"),
            (r#"{"input":"a","dimensions":0}"#, "dimensions"),
            (
                r#"{"input":"a","encoding_format":"int8"}"#,
                "encoding_format",
            ),
            (r#"{"input":"a","input_type":1}"#, "input_type"),
            ("[]", "input"),
        ] {
            let mut text = body.as_bytes().to_vec();
            let tree = Tree::parse(&mut text).unwrap();
            assert_eq!(read(tree.root()).unwrap_err().field, field, "{body}");
        }
    }

    #[test]
    fn numbers_as_they_are_and_in_base64() {
        let mut text = b"[[1.0,-0.5],[0.25]]".to_vec();
        let tree = Tree::parse(&mut text).unwrap();
        let embedded = Embedded {
            vectors: tree.root().elements().collect(),
            tokens: 7,
        };
        let written = |base64| {
            let mut out = Vec::new();
            write(&embedded, base64, "m", &mut Writer::new(&mut out));
            String::from_utf8(out).unwrap()
        };
        let around = |first: &str, second: &str| {
            format!(
                r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":{first}}},{{"object":"embedding","index":1,"embedding":{second}}}],"model":"m","usage":{{"prompt_tokens":7,"total_tokens":7}}}}"#
            )
        };
        assert_eq!(written(false), around("[1.0,-0.5]", "[0.25]"));
        // Python: base64.b64encode(struct.pack("<2f", 1.0, -0.5)), and of 0.25.
        assert_eq!(written(true), around(r#""AACAPwAAAL8=""#, r#""AACAPg==""#));
    }
}
