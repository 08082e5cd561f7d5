//! What the language has to say to its author: a code, a place, a sentence, help, and a fix where one is certain.
//! Constructors live in `syntax`, `naming`, `routing`, `reach`, `failover`, `safety` and `testing`, one for each thing that can be
//! wrong, so that a message is worded once; `render` draws them for people, `json`, `sarif` and `github` write them for machines.

mod codes;
mod github;
mod json;
mod render;
mod sarif;

pub(in crate::policy) mod allow;
pub(in crate::policy) mod failover;
pub(in crate::policy) mod naming;
pub(in crate::policy) mod nearest;
pub(in crate::policy) mod reach;
pub(in crate::policy) mod routing;
pub(in crate::policy) mod safety;
pub(in crate::policy) mod syntax;
pub(in crate::policy) mod testing;

pub use self::codes::{Code, Severity};
pub use self::github::workflow_text;
pub use self::sarif::uri;

use crate::policy::files::Files;
use crate::policy::syntax::Place;

/// Everything that was found in one load, with the files that it speaks of.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    /// In the order of the text.
    pub list: Vec<Diagnostic>,
    /// The files that the places point into.
    pub files: Files,
}

/// One finding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    /// Its stable name.
    pub code: Code,
    /// Lower case, no full stop, the user's words in backticks.
    pub message: String,
    /// Where; the first one is the place, the others explain it.
    pub labels: Vec<Label>,
    /// What to do, most likely first.
    pub help: Vec<String>,
    /// Edits each of which cures it, most likely first.
    pub fixes: Vec<Fix>,
}

/// A remark on a place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// Why this place is shown.
    pub text: String,
}

/// An edit of the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fix {
    /// What it does, as an order.
    pub title: String,
    /// What is replaced; an empty place is an insertion.
    pub place: Place,
    /// By what.
    pub text: String,
    /// Whether nothing else can have been meant.
    pub safe: bool,
}

impl Diagnostics {
    /// Whether the policy cannot load.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        let of = |diagnostic: &&Diagnostic| diagnostic.severity() == severity;
        self.list.iter().filter(of).count()
    }

    /// Drawn for people, one after the other with a blank line between; `color` adds terminal colours.
    pub fn render(&self, color: bool) -> String {
        render::render(self, color)
    }

    /// Workflow commands of GitHub Actions, one line a finding.
    pub fn to_github(&self) -> String {
        github::annotations(self)
    }

    /// Everything that was found in a run, as one SARIF 2.1.0 log.
    pub fn to_sarif(runs: &[Self]) -> String {
        sarif::log(runs)
    }

    /// One JSON object a finding, in an array.
    pub fn to_json(&self) -> String {
        json::to_json(self)
    }
}

impl Diagnostic {
    /// How grave it is.
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// The place that it is about.
    pub fn place(&self) -> Place {
        self.labels
            .first()
            .map_or_else(Place::default, |label| label.place)
    }

    fn new(code: Code, place: Place, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            labels: vec![Label {
                place,
                text: label.into(),
            }],
            help: Vec::new(),
            fixes: Vec::new(),
        }
    }

    fn label(mut self, place: Place, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            place,
            text: text.into(),
        });
        self
    }

    fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// The edit that cures it.
    fn fix(self, title: impl Into<String>, place: Place, text: impl Into<String>) -> Self {
        self.edit(title.into(), place, text.into(), true)
    }

    /// An edit that cures it, if that was meant; there may be several.
    fn guess(self, title: impl Into<String>, place: Place, text: impl Into<String>) -> Self {
        self.edit(title.into(), place, text.into(), false)
    }

    fn edit(mut self, title: String, place: Place, text: String, safe: bool) -> Self {
        self.fixes.push(Fix {
            title,
            place,
            text,
            safe,
        });
        self
    }
}

/// `a`, `b` and `c`, in backticks.
pub(in crate::policy) fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let quoted: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
