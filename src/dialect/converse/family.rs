//! Whose model it is: each family takes some settings in its own words, and refuses those of others.

use crate::dialect::claude::Claude;
use crate::dialect::ids::IdForm;

/// A family of models.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Family {
    /// Anthropic's.
    Claude(Claude),
    /// Amazon Nova, first generation.
    Nova,
    /// Amazon Nova 2, which thinks.
    Nova2,
    /// Mistral's.
    Mistral,
    /// OpenAI's open ones.
    GptOss,
    /// Others, and what hides behind the name of an inference profile: asked for what all models know.
    Other,
}

impl Family {
    /// By the model's name at Bedrock: `us.amazon.nova-lite-v1:0`, or an ARN that has such a name in it.
    pub(super) fn of(model: &str) -> Self {
        if Claude::is_one(model) {
            Self::Claude(Claude::of(model))
        } else if model.contains("amazon.nova-2") {
            Self::Nova2
        } else if model.contains("amazon.nova") {
            Self::Nova
        } else if model.contains("mistral.") {
            Self::Mistral
        } else if model.contains("gpt-oss") {
            Self::GptOss
        } else {
            Self::Other
        }
    }

    /// Names of calls.
    pub(super) const fn id_form(self) -> IdForm {
        match self {
            Self::Mistral => IdForm::Mistral,
            _ => IdForm::Converse,
        }
    }

    const fn is_nova(self) -> bool {
        matches!(self, Self::Nova | Self::Nova2)
    }

    /// Takes `cachePoint` between the blocks of the conversation.
    pub(super) const fn caches(self) -> bool {
        self.is_nova() || self.caches_tools()
    }

    /// Takes `cachePoint` behind tools and their results; Nova refuses it there.
    pub(super) const fn caches_tools(self) -> bool {
        matches!(self, Self::Claude(_))
    }

    /// Is told by `status` that a tool failed.
    pub(super) const fn takes_status(self) -> bool {
        self.is_nova() || matches!(self, Self::Claude(_))
    }

    /// Answers in the form of a schema. Of models that are not known here, Bedrock tells.
    pub(super) fn takes_schemas(self) -> bool {
        match self {
            Self::Claude(claude) => claude.takes_schemas(),
            Self::Nova | Self::Nova2 => false,
            Self::Mistral | Self::GptOss | Self::Other => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Family;

    #[test]
    fn names_tell_families() {
        for (name, family) in [
            ("us.amazon.nova-2-lite-v1:0", Family::Nova2),
            ("amazon.nova-micro-v1:0", Family::Nova),
            (
                "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0",
                Family::Nova,
            ),
            ("mistral.mistral-large-2407-v1:0", Family::Mistral),
            ("openai.gpt-oss-120b-1:0", Family::GptOss),
            ("amazon.titan-text-lite-v1", Family::Other),
            (
                "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3",
                Family::Other,
            ),
        ] {
            assert_eq!(Family::of(name), family, "{name}");
        }
        assert!(matches!(
            Family::of("eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
            Family::Claude(_)
        ));
    }
}
