//! The format against what providers really sent: every recorded interaction, and the shapes that nobody records.

mod classify;
mod continuation;
mod events;
mod fields;
mod outcomes;
mod pauses;
mod texts;

use std::path::Path;

use serde_json::Value;

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

fn fixtures() -> Vec<Fixture> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found = Vec::new();
    for (folder, kind) in [
        ("openai", ProviderKind::OpenAi),
        ("azure", ProviderKind::AzureOpenAi),
        ("mistral", ProviderKind::Mistral),
        ("groq", ProviderKind::Groq),
        ("deepseek", ProviderKind::DeepSeek),
        ("openrouter", ProviderKind::OpenRouter),
        ("together", ProviderKind::Together),
        ("perplexity", ProviderKind::Perplexity),
        ("cerebras", ProviderKind::Cerebras),
        ("ollama", ProviderKind::Ollama),
        ("llamacpp", ProviderKind::OpenAiCompatible),
        ("mistralrs", ProviderKind::OpenAiCompatible),
    ] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            found.push(read_fixture(&entry.unwrap().path(), folder, kind));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(found.len(), 121, "fixtures came or went: extend the tables");
    found
}

fn read_fixture(path: &Path, folder: &str, kind: ProviderKind) -> Fixture {
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let response = &file["response"];
    let body = if let Some(events) = response["sse"].as_array() {
        let events = events
            .iter()
            .filter_map(|event| data_of(event.as_str().unwrap()));
        Body::Events(events.collect())
    } else {
        Body::Whole(serde_json::to_vec(&response["body"]).unwrap())
    };
    let headers = response["headers"].as_object().unwrap();
    Fixture {
        name: format!("{folder}/{}", path.file_stem().unwrap().to_str().unwrap()),
        kind,
        status: u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        body,
    }
}

fn data_of(event: &str) -> Option<String> {
    let lines: Vec<_> = event
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(|data| data.strip_prefix(' ').unwrap_or(data))
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}
