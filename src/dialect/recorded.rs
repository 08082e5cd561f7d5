//! The recorded interactions of `tests/fixtures`, for the tests of every format.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

use crate::policy::model::ProviderKind;

/// One recorded interaction.
#[derive(Clone)]
pub(super) struct Recorded {
    /// The folder: the format that was spoken, as the recordings name it.
    pub(super) folder: &'static str,
    /// `folder/name`
    pub(super) name: String,
    pub(super) kind: ProviderKind,
    /// `messages`, `converse-stream`, … as recorded.
    pub(super) endpoint: String,
    /// `stream`, `tools`, `error-429`, …
    pub(super) features: Vec<String>,
    /// The request's body; `Null` where it was not recorded.
    pub(super) request: Value,
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: RecordedBody,
}

/// The body of a recorded answer.
#[derive(Clone)]
pub(super) enum RecordedBody {
    /// A plain answer.
    Whole(Vec<u8>),
    /// The events of a stream as they came, blank lines included.
    Sse(Vec<String>),
    /// The messages of a binary stream, each in base64.
    EventStream(Vec<String>),
    /// A JSON value a line: Ollama's own format, which is not spoken here.
    Lines,
}

impl Recorded {
    /// Whether it shows `feature`.
    pub(super) fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|it| it == feature)
    }
}

/// All of them, by name.
pub(super) fn all() -> Vec<Recorded> {
    ALL.clone()
}

/// Read once for all tests: there are megabytes.
static ALL: LazyLock<Vec<Recorded>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found = Vec::new();
    for (folder, kind) in FOLDERS {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            found.push(read(&entry.unwrap().path(), folder, kind));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(
        found.len(),
        258,
        "recordings came or went: extend the tables"
    );
    found
});

/// Those in a folder.
pub(super) fn of(folder: &str) -> Vec<Recorded> {
    let found: Vec<_> = ALL
        .iter()
        .filter(|recorded| recorded.folder == folder)
        .cloned()
        .collect();
    assert!(!found.is_empty(), "no recordings in {folder}");
    found
}

/// What stands behind `data:` in an event, its lines joined; `None` if there is none.
pub(super) fn data_of(event: &str) -> Option<String> {
    let lines: Vec<_> = event
        .lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(|data| data.strip_prefix(' ').unwrap_or(data))
        .collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What stands behind `event:` in an event.
pub(super) fn name_of(event: &str) -> &str {
    event
        .lines()
        .find_map(|line| line.strip_prefix("event:"))
        .unwrap_or_default()
        .trim()
}

fn read(path: &Path, folder: &'static str, kind: ProviderKind) -> Recorded {
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let response = &file["response"];
    let strings = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    let body = if response["sse"].is_array() {
        RecordedBody::Sse(strings(&response["sse"]))
    } else if response["eventstream"].is_array() {
        RecordedBody::EventStream(strings(&response["eventstream"]))
    } else if response["ndjson"].is_array() {
        RecordedBody::Lines
    } else if let Some(text) = response["text"].as_str() {
        RecordedBody::Whole(text.as_bytes().to_vec())
    } else {
        RecordedBody::Whole(serde_json::to_vec(&response["body"]).unwrap())
    };
    let headers = response["headers"].as_object().unwrap();
    Recorded {
        folder,
        name: format!("{folder}/{}", path.file_stem().unwrap().to_str().unwrap()),
        kind,
        endpoint: file["endpoint"].as_str().unwrap_or_default().to_owned(),
        features: strings(&file["features"]),
        request: file["request"]["body"].clone(),
        status: u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
            .collect(),
        body,
    }
}

const FOLDERS: [(&str, ProviderKind); 19] = [
    ("anthropic", ProviderKind::Anthropic),
    ("azure", ProviderKind::AzureOpenAi),
    ("bedrock", ProviderKind::Bedrock),
    ("cerebras", ProviderKind::Cerebras),
    ("cohere", ProviderKind::Cohere),
    ("deepseek", ProviderKind::DeepSeek),
    ("gemini", ProviderKind::Gemini),
    ("groq", ProviderKind::Groq),
    ("llamacpp", ProviderKind::OpenAiCompatible),
    ("mistral", ProviderKind::Mistral),
    ("mistralrs", ProviderKind::OpenAiCompatible),
    ("ollama", ProviderKind::Ollama),
    ("openai", ProviderKind::OpenAi),
    ("openai-responses", ProviderKind::OpenAi),
    ("openrouter", ProviderKind::OpenRouter),
    ("perplexity", ProviderKind::Perplexity),
    ("together", ProviderKind::Together),
    ("vertex", ProviderKind::Vertex),
    ("xai", ProviderKind::Xai),
];
