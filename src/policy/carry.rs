//! What was said of a whole policy, carried over an edit: until the whole is looked at again, it stands beside what is said of the items.

use crate::policy::diag::{Diagnostic, Diagnostics};
use crate::policy::files::Files;
use crate::policy::load::Loaded;
use crate::policy::syntax::Place;

/// Adds to a glance what the look before it said of the whole policy. Whatever speaks of a part of the text that has changed is
/// dropped, and so is everything when a file came or went.
pub(in crate::policy) fn carry(before: &Loaded, now: &mut Loaded) {
    if before.late.is_empty() {
        return;
    }
    let Some(moves) = Moves::between(&before.diagnostics.files, &now.diagnostics.files) else {
        return;
    };
    let late = before.late.iter();
    now.late = late.filter_map(|one| moves.diagnostic(one)).collect();
    now.diagnostics.list.extend(now.late.iter().cloned());
    let Diagnostics { list, .. } = &mut now.diagnostics;
    list.sort_by_key(Diagnostic::place);
}

/// Where the places of each file went.
struct Moves(Vec<Change>);

/// The stretch of a file that is another one now.
struct Change {
    /// It begins here in both texts.
    start: usize,
    /// It ended here.
    before: usize,
    /// It ends here.
    now: usize,
}

impl Moves {
    fn between(before: &Files, now: &Files) -> Option<Self> {
        let mut changes = Vec::with_capacity(before.len());
        for file in 0..u16::try_from(before.len()).ok()? {
            if before.len() != now.len() || before.name(file) != now.name(file) {
                return None;
            }
            changes.push(Change::between(before.text(file), now.text(file)));
        }
        Some(Self(changes))
    }

    fn diagnostic(&self, one: &Diagnostic) -> Option<Diagnostic> {
        let mut moved = one.clone();
        for label in &mut moved.labels {
            label.place = self.place(label.place)?;
        }
        for fix in &mut moved.fixes {
            fix.place = self.place(fix.place)?;
        }
        Some(moved)
    }

    fn place(&self, place: Place) -> Option<Place> {
        let change = self.0.get(usize::from(place.file))?;
        let (start, end) = (place.start as usize, place.end().start as usize);
        let start = if end <= change.start {
            start
        } else {
            start.checked_sub(change.before)? + change.now
        };
        let start = u32::try_from(start).ok()?;
        Some(Place { start, ..place })
    }
}

impl Change {
    fn between(before: &str, now: &str) -> Self {
        let (before, now) = (before.as_bytes(), now.as_bytes());
        let start = same(before.chunks(BLOCK).zip(now.chunks(BLOCK)), |a, b| {
            a.iter().zip(b).take_while(|(a, b)| a == b).count()
        });
        let most = before.len().min(now.len()) - start;
        let end = same(before.rchunks(BLOCK).zip(now.rchunks(BLOCK)), |a, b| {
            let back = a.iter().rev().zip(b.iter().rev());
            back.take_while(|(a, b)| a == b).count()
        });
        let end = end.min(most);
        Self {
            start,
            before: before.len() - end,
            now: now.len() - end,
        }
    }
}

/// Bytes that are compared at once.
const BLOCK: usize = 1024;

/// How many bytes of two texts are the same: whole blocks, then `some` of the first pair that differs.
fn same<'b>(
    blocks: impl Iterator<Item = (&'b [u8], &'b [u8])>,
    some: impl Fn(&[u8], &[u8]) -> usize,
) -> usize {
    let mut count = 0;
    for (a, b) in blocks {
        if a != b {
            return count + some(a, b);
        }
        count += a.len();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::Change;

    #[test]
    fn a_change_is_the_stretch_that_differs() {
        let change = |before, now| {
            let change = Change::between(before, now);
            (change.start, change.before, change.now)
        };
        assert_eq!(change("abc", "abc"), (3, 3, 3));
        assert_eq!(change("abc", "abxc"), (2, 2, 3));
        assert_eq!(change("aaa", "aaaa"), (3, 3, 4));
        assert_eq!(change("aaaa", "aa"), (2, 4, 2));
        assert_eq!(change("", "x"), (0, 0, 1));
        assert_eq!(change("abcd", "axxd"), (1, 3, 3));
        let (long, tail) = ("a".repeat(2_500), "b".repeat(3_000));
        let text = |middle: &str| format!("{long}{middle}{tail}");
        assert_eq!(change(&text("x"), &text("yz")), (2_500, 2_501, 2_502));
    }
}
