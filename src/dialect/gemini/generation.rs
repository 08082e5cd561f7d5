//! What a model takes, by its name. Google's documents tell it by generation.

/// Of models.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Generation {
    /// Not told by the name: Gemma, tuned models, endpoints. Written for as for the oldest.
    Unnamed,
    /// 1.0 to 2.0: schemas in the subset of `OpenAPI`, no thinking.
    V2,
    /// 2.5: JSON Schema, thinking in tokens.
    V2_5,
    /// 3.0 and later: thinking in words, proofs of it that are asked back.
    V3,
}

/// What the name of a model says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    /// Its generation.
    pub(super) generation: Generation,
    /// It is of the large kind, which always thinks.
    pub(super) is_pro: bool,
    /// It is of the smallest kind.
    pub(super) is_lite: bool,
    /// It is Gemini 3.0 Pro, which knows `low` and `high` only.
    pub(super) is_first_pro: bool,
    /// It takes `minimal` thinking (docs.cloud.google.com, "Thinking", 2026): smaller models from 3.0 to 3.6.
    pub(super) is_minimal: bool,
}

impl Model {
    /// Of a name, with or without its collection.
    pub(super) fn of(name: &str) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        let is_pro = name.contains("-pro");
        let version = version(name);
        Self {
            generation: generation(name, version),
            is_pro,
            is_minimal: !is_pro && matches!(version, Some((3, 0..=6))),
            is_lite: name.contains("-lite"),
            is_first_pro: name.starts_with("gemini-3-pro"),
        }
    }

    /// Takes JSON Schema (`parametersJsonSchema`, `responseJsonSchema`).
    pub(super) fn takes_json_schema(self) -> bool {
        self.generation >= Generation::V2_5
    }

    /// Refuses a form of the answer together with functions (Google's own words: "Function calling with a response
    /// mime type: 'application/json' is unsupported").
    pub(super) const fn refuses_form_with_tools(self) -> bool {
        matches!(self.generation, Generation::V2 | Generation::V2_5)
    }
}

fn generation(name: &str, version: Option<(u32, u32)>) -> Generation {
    match version {
        Some((3.., _)) => Generation::V3,
        Some((2, 5..)) => Generation::V2_5,
        Some(_) => Generation::V2,
        // `gemini-flash-latest` and its like: recorded as 3.6 in 2026.
        None if name.starts_with("gemini-") && name.ends_with("-latest") => Generation::V3,
        None => Generation::Unnamed,
    }
}

/// `gemini-2.5-flash`, `gemini-3-pro-preview`: its number.
fn version(name: &str) -> Option<(u32, u32)> {
    let version = name.strip_prefix("gemini-")?.split('-').next()?;
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    Some((major.parse().ok()?, minor.parse().ok()?))
}
