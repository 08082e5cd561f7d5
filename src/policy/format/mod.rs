//! `switchover fmt`: the one style of policies, without options.
//!
//! ```text
//!   text ─split→ items ─lex→ pieces ─tree→ entries, comments, brackets ─layout→ lines ─page→ columns, text
//!                  └───────────────── same: nothing but blanks has changed ─────────────────────────┘
//! ```
//! Works item by item on tokens and comments, so that what it holds is bounded by the largest item. Knows no names and
//! no types: a policy that does not check is formatted as long as it parses.

mod layout;
mod lex;
mod page;
mod same;
mod tree;

use std::fmt;
use std::ops::Range;

use crate::base::limits::POLICY_BYTES_MAX;
use crate::policy::diag::{Code, Diagnostic, Diagnostics, Severity};
use crate::policy::files::Sources;
use crate::policy::load;
use crate::policy::syntax::ast::Item;
use crate::policy::syntax::leak;

use self::lex::Gap;
use self::page::Page;
use self::tree::Remark;

/// Characters that a line may have, if something in it can be broken; comments do not count.
const WIDTH: usize = 100;
/// Blanks for each block.
const INDENT: usize = 2;
/// Blanks more for a line that goes on with a statement: not those of the block that may follow.
const HANG: usize = 4;

/// A policy file, as it is and as it should be.
#[derive(Clone, Eq, PartialEq)]
pub struct Formatted {
    /// Its text.
    pub before: String,
    /// The same, formatted.
    pub after: String,
}

/// Why a file was not formatted.
#[derive(Debug)]
pub enum Unformatted {
    /// It does not parse.
    Broken(Diagnostics),
    /// Indented, it would be larger than a policy file, or an item of one, may be.
    TooLarge,
    /// What was made of it does not say the same. That is a mistake in this module.
    Changed,
}

/// Formats the file at `path`. Its imports are not read.
pub fn format(sources: &dyn Sources, path: &str) -> Result<Formatted, Unformatted> {
    let lone = load::alone(sources, path);
    let (items, misfits) = lone.parse();
    if misfits.is_empty() && !lone.found.iter().any(hinders) {
        let before = lone.files.text(0);
        let after = laid_out(before, &items)?;
        same::check(before, &items, &after)?;
        return Ok(Formatted {
            before: before.to_owned(),
            after,
        });
    }
    drop(items);
    let load::Lone {
        files, mut found, ..
    } = lone;
    found.extend(misfits);
    found.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| label.place));
    Err(Unformatted::Broken(Diagnostics { list: found, files }))
}

/// The text with asterisks where a credential stands: differences are shown to more people than files are.
pub fn masked(text: &str) -> String {
    let mut masked = text.to_owned();
    for secret in leak::find(text) {
        let stars = "*".repeat(secret.len());
        masked.replace_range(secret, &stars);
    }
    masked
}

/// Whether the text cannot be taken apart. A missing `policy 1`, and a secret, are no matter of form.
fn hinders(found: &Diagnostic) -> bool {
    let is_of_form = !matches!(found.code, Code::P0001 | Code::P4001);
    found.severity() == Severity::Error && is_of_form
}

fn laid_out(text: &str, items: &[(Range<usize>, Item<'_>)]) -> Result<String, Unformatted> {
    let mut page = Page::new();
    let start = items.first().map_or(text.len(), |(first, _)| first.start);
    let (first, mut above, mut gap) = tree::between(text.get(..start).unwrap_or_default());
    // At the beginning of the file there is nothing that a comment could stand behind.
    let first = first.map(|text| Remark {
        text,
        after_empty: false,
    });
    above.splice(..0, first);
    for (number, (range, _)) in items.iter().enumerate() {
        layout::remarks(&above, 0, &mut page);
        if gap == Gap::EmptyLine {
            page.empty_line();
        }
        let item = text.get(range.clone()).unwrap_or_default();
        let mut entry = tree::item(&lex::item(item)).ok_or(Unformatted::Changed)?;
        let next = items.get(number + 1);
        let next = next.map_or(text.len(), |(next, _)| next.start);
        (entry.behind, above, gap) = tree::between(text.get(range.end..next).unwrap_or_default());
        layout::item(&entry, &mut page);
        if page.len() > POLICY_BYTES_MAX {
            return Err(Unformatted::TooLarge);
        }
    }
    layout::remarks(&above, 0, &mut page);
    Ok(page.finish())
}

impl Formatted {
    /// Whether the file is not in the style.
    pub fn differs(&self) -> bool {
        self.before != self.after
    }
}

/// Policies may hold secrets, against all advice.
impl fmt::Debug for Formatted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Formatted")
            .field("differs", &self.differs())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Unformatted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken(_) => "it does not parse",
            Self::TooLarge => "with its indentation it would be larger than a policy may be",
            Self::Changed => {
                "formatting would have changed what it says; that is a mistake in switchover, please report it"
            }
        })
    }
}
