//! Where Bedrock is asked: the model stands in the path.

use crate::wire::percent;

/// Appends the path of a request for `model` below `base`. The name is percent-encoded (`:` is `%3A`, the `/` of an ARN
/// `%2F`): what the signature is made of encodes this again.
pub fn path(base: &str, model: &str, stream: bool, out: &mut Vec<u8>) {
    let action = if stream {
        b"/converse-stream".as_slice()
    } else {
        b"/converse"
    };
    model_path(base, model, action, out);
}

/// The same for anything that is asked of a model.
pub(super) fn model_path(base: &str, model: &str, action: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(base.trim_end_matches('/').as_bytes());
    out.extend_from_slice(b"/model/");
    percent::encode(model, b"", out);
    out.extend_from_slice(action);
}
