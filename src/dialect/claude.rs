//! What Claude models take, whoever serves them, told by their names: the settings differ by generation, and a model
//! refuses those that it does not know. Sources: Anthropic's pages on extended and adaptive thinking, structured outputs
//! and each model's migration guide, 2026-10.

/// A model, by line and version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Claude {
    line: Line,
    /// 3.7 is `(3, 7)`; `(0, 0)` where the name has no version, as the oldest ones.
    version: (u8, u8),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Line {
    Opus,
    /// Sonnet, Haiku and the oldest.
    Other,
    /// Fable and Mythos: their first version is as new as Opus 4.7.
    Newest,
}

impl Claude {
    /// By its name at any provider: `claude-sonnet-4-5-20250929`, `us.anthropic.claude-3-7-sonnet-20250219-v1:0`,
    /// `claude-opus-4-7@20260401`. `None` if it is another model.
    pub fn of(model: &str) -> Option<Self> {
        let (_, name) = model.split_once("claude")?;
        let (mut line, mut numbers) = (Line::Other, [0; 2]);
        let mut count = 0;
        for word in name.split(|c: char| !c.is_ascii_alphanumeric()) {
            match word {
                "" | "sonnet" | "haiku" => {}
                "opus" => line = Line::Opus,
                "fable" | "mythos" => line = Line::Newest,
                _ => match word.parse::<u8>() {
                    Ok(number) if count < 2 && word.len() <= 2 => {
                        if let Some(slot) = numbers.get_mut(count) {
                            *slot = number;
                        }
                        count += 1;
                    }
                    // A date, or the revision of a name: no part of the version follows.
                    _ => break,
                },
            }
        }
        let [major, minor] = numbers;
        Some(Self {
            line,
            version: (major, minor),
        })
    }

    /// Thinks where it is asked to.
    pub fn thinks(self) -> bool {
        self.measures_itself() || self.version >= (3, 7)
    }

    /// Thinks by its own measure: takes an effort but no budget, and no temperature, `top_p` or `top_k` at all.
    pub fn measures_itself(self) -> bool {
        match self.line {
            Line::Newest => true,
            Line::Opus => self.version >= (4, 7),
            Line::Other => self.version >= (5, 0),
        }
    }

    /// Takes temperature or `top_p`, but not both.
    pub fn samples_by_one(self) -> bool {
        match self.line {
            Line::Newest => true,
            Line::Opus => self.version >= (4, 1),
            Line::Other => self.version >= (4, 5),
        }
    }

    /// Answers in the form of a schema, and calls tools strictly by theirs.
    pub fn takes_schemas(self) -> bool {
        self.samples_by_one()
    }
}

#[cfg(test)]
mod tests {
    use super::Claude;

    #[test]
    fn names_tell_generations() {
        // name, thinks, measures itself, one of temperature and top_p
        for (name, thinks, measures, one) in [
            ("claude-3-haiku-20240307", false, false, false),
            (
                "anthropic.claude-3-5-sonnet-20240620-v1:0",
                false,
                false,
                false,
            ),
            ("anthropic.claude-v2:1", false, false, false),
            ("anthropic.claude-instant-v1", false, false, false),
            (
                "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
                true,
                false,
                false,
            ),
            ("claude-3.7-sonnet", true, false, false),
            ("claude-sonnet-4-20250514", true, false, false),
            (
                "anthropic.claude-sonnet-4-20250514-v1:0",
                true,
                false,
                false,
            ),
            ("claude-sonnet-4@20250514", true, false, false),
            ("claude-opus-4-1-20250805", true, false, true),
            (
                "anthropic.claude-haiku-4-5-20251001-v1:0",
                true,
                false,
                true,
            ),
            ("claude-opus-4-6", true, false, true),
            ("global.anthropic.claude-opus-4-7-v1", true, true, true),
            ("claude-opus-4-10", true, true, true),
            ("claude-sonnet-5", true, true, true),
            ("claude-haiku-5-20270101", true, true, true),
            ("claude-fable-1", true, true, true),
        ] {
            let model = Claude::of(name).unwrap();
            assert_eq!(
                (
                    model.thinks(),
                    model.measures_itself(),
                    model.samples_by_one()
                ),
                (thinks, measures, one),
                "{name}"
            );
        }
        assert_eq!(Claude::of("amazon.nova-lite-v1:0"), None);
    }
}
