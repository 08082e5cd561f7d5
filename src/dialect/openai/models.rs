//! `GET /v1/models` and `GET /v1/models/{id}` in OpenAI's form. What the models are is the policy's to say.

use crate::wire::json::patch;

/// Appends the list of `names`, all owned by the gateway. `created` is in seconds since 1970: clients want one.
pub fn models_body<'a>(out: &mut Vec<u8>, names: impl IntoIterator<Item = &'a str>, created: u64) {
    out.extend_from_slice(b"{\"object\":\"list\",\"data\":[");
    for (index, name) in names.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        model_body(out, name, created);
    }
    out.extend_from_slice(b"]}");
}

/// Appends one model.
pub fn model_body(out: &mut Vec<u8>, name: &str, created: u64) {
    out.extend_from_slice(b"{\"id\":");
    patch::string(name, out);
    out.extend_from_slice(b",\"object\":\"model\",\"created\":");
    out.extend_from_slice(created.to_string().as_bytes());
    out.extend_from_slice(b",\"owned_by\":\"switchover\"}");
}
