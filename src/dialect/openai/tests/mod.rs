//! The format against what providers really sent: every recorded interaction, and the shapes that nobody records.

mod classify;
mod continuation;
mod events;
mod fields;
mod outcomes;
mod pauses;
mod texts;

use crate::dialect::recorded::{self, RecordedBody, data_of};
use crate::policy::model::ProviderKind;

/// One recorded interaction.
struct Fixture {
    /// `provider/name`
    name: String,
    kind: ProviderKind,
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

enum Body {
    /// A plain answer.
    Whole(Vec<u8>),
    /// The `data` of each event; comments left out.
    Events(Vec<String>),
}

/// The recordings of Chat Completions, embeddings and models.
fn fixtures() -> Vec<Fixture> {
    let found: Vec<_> = recorded::all()
        .into_iter()
        .filter(|recorded| {
            matches!(
                recorded.endpoint.as_str(),
                "chat-completions" | "embeddings" | "models"
            ) && recorded.folder != "anthropic"
        })
        .map(|recorded| Fixture {
            name: recorded.name,
            kind: recorded.kind,
            status: recorded.status,
            headers: recorded.headers,
            body: match recorded.body {
                RecordedBody::Whole(body) => Body::Whole(body),
                RecordedBody::Sse(events) => {
                    Body::Events(events.iter().filter_map(|event| data_of(event)).collect())
                }
                RecordedBody::EventStream(_) | RecordedBody::Lines => {
                    panic!("another format's")
                }
            },
        })
        .collect();
    assert_eq!(found.len(), 121);
    found
}
