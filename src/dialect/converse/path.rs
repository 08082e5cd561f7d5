//! Where Bedrock is asked: the model stands in the path.

use crate::wire::percent;

/// Appends the path of a request for `model` below `base`. The name is percent-encoded (`:` is `%3A`, the `/` of an ARN
/// `%2F`): what the signature is made of encodes this again.
pub fn path(base: &str, model: &str, stream: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(base.trim_end_matches('/').as_bytes());
    out.extend_from_slice(b"/model/");
    percent::encode(model, out);
    out.extend_from_slice(if stream {
        b"/converse-stream"
    } else {
        b"/converse"
    });
}
