//! Whether two texts say the same: the promise of the formatter, checked for every file before it is given away. Their
//! items are the same trees but for places, and their tokens and comments are the same and in the same order, so that
//! no comment is lost or has come to another statement.

use std::ops::Range;

use crate::base::limits::POLICY_BYTES_MAX;
use crate::policy::format::Unformatted;
use crate::policy::format::lex::{self, Kind, Piece};
use crate::policy::syntax::ast::{Arg, Expr, Item, Kind as Form, Stmt, Tail, Word};
use crate::policy::syntax::parse::{self, ITEM_BYTES_MAX};
use crate::policy::syntax::split::split;

/// Compares the text `before`, whose items are known, with `after`.
pub(super) fn check(
    before: &str,
    items: &[(Range<usize>, Item<'_>)],
    after: &str,
) -> Result<(), Unformatted> {
    let (chunks, faults) = split(after);
    let too_large = |chunk: &Range<usize>| chunk.len() > ITEM_BYTES_MAX;
    if after.len() > POLICY_BYTES_MAX || chunks.iter().any(|chunk| too_large(&chunk.range)) {
        return Err(Unformatted::TooLarge);
    }
    if !faults.is_empty() || chunks.len() != items.len() {
        return Err(Unformatted::Changed);
    }
    let (mut old_end, mut new_end) = (0, 0);
    for ((old, tree), new) in items.iter().zip(&chunks) {
        let same = same_comments(
            between(before, old_end, old.start),
            between(after, new_end, new.range.start),
        ) && same_item(
            between(before, old.start, old.end),
            tree,
            between(after, new.range.start, new.range.end),
        );
        if !same {
            return Err(Unformatted::Changed);
        }
        (old_end, new_end) = (old.end, new.range.end);
    }
    let same = same_comments(
        between(before, old_end, before.len()),
        between(after, new_end, after.len()),
    );
    if same {
        Ok(())
    } else {
        Err(Unformatted::Changed)
    }
}

fn between(text: &str, from: usize, to: usize) -> &str {
    text.get(from..to).unwrap_or_default()
}

fn same_comments(old: &str, new: &str) -> bool {
    let texts = |text| lex::between(text).0.into_iter().map(|comment| comment.text);
    texts(old).eq(texts(new))
}

fn same_item(old: &str, tree: &Item<'_>, new: &str) -> bool {
    // Commas and line ends separate alike, and comments go before the `and` or `or` that they stood behind.
    let stays = |piece: &Piece<'_>| piece.kind != Kind::Comma && !piece.joins();
    let pieces = |text| {
        lex::item(text)
            .into_iter()
            .filter(stays)
            .map(|piece| (piece.kind, piece.text))
    };
    if !pieces(old).eq(pieces(new)) {
        return false;
    }
    matches!(parse::item(new, 0, 0), Ok(Some(new)) if same_tree(tree, &new))
}

fn same_tree(old: &Item<'_>, new: &Item<'_>) -> bool {
    match (old, new) {
        (Item::Version(_, old), Item::Version(_, new))
        | (Item::Import(_, old), Item::Import(_, new)) => old == new,
        (Item::Const(old), Item::Const(new)) | (Item::Stmt(old), Item::Stmt(new)) => {
            same_stmt(old, new)
        }
        _ => false,
    }
}

fn same_stmt(old: &Stmt<'_>, new: &Stmt<'_>) -> bool {
    let tail = match (&old.tail, &new.tail) {
        (Tail::Bare, Tail::Bare) => true,
        (Tail::Assign(old), Tail::Assign(new)) => same_expr(old, new),
        (Tail::Arrow(old), Tail::Arrow(new)) => all(old, new, same_word),
        _ => false,
    };
    let body = match (&old.body, &new.body) {
        (None, None) => true,
        (Some(old), Some(new)) => all(&old.stmts, &new.stmts, same_stmt),
        _ => false,
    };
    tail && body && all(&old.words, &new.words, same_word)
}

fn same_word(old: &Word<'_>, new: &Word<'_>) -> bool {
    match (old, new) {
        (Word::Expr(old), Word::Expr(new))
        | (Word::When(_, old), Word::When(_, new))
        | (Word::On(_, old), Word::On(_, new)) => same_expr(old, new),
        (Word::Else(_), Word::Else(_)) => true,
        _ => false,
    }
}

fn same_expr(old: &Expr<'_>, new: &Expr<'_>) -> bool {
    match (&old.kind, &new.kind) {
        (Form::Path(old), Form::Path(new)) => old == new,
        (Form::Call(name, old), Form::Call(other, new)) => name == other && all(old, new, same_arg),
        (Form::Index(name, old), Form::Index(other, new)) => name == other && same_expr(old, new),
        (Form::Number(old), Form::Number(new)) => old == new,
        (Form::Range(low, high), Form::Range(other_low, other_high)) => {
            low == other_low && high == other_high
        }
        (Form::Money(old), Form::Money(new)) => old == new,
        (Form::Str(old), Form::Str(new)) => old == new,
        (Form::List(old), Form::List(new))
        | (Form::And(old), Form::And(new))
        | (Form::Or(old), Form::Or(new)) => all(old, new, same_expr),
        (Form::Paren(old), Form::Paren(new)) | (Form::Not(old), Form::Not(new)) => {
            same_expr(old, new)
        }
        (Form::Compare(op, left, right), Form::Compare(other, other_left, other_right)) => {
            op == other && same_expr(left, other_left) && same_expr(right, other_right)
        }
        _ => false,
    }
}

fn same_arg(old: &Arg<'_>, new: &Arg<'_>) -> bool {
    let value = match (&old.value, &new.value) {
        (None, None) => true,
        (Some(old), Some(new)) => same_expr(old, new),
        _ => false,
    };
    value && same_expr(&old.expr, &new.expr)
}

fn all<T>(old: &[T], new: &[T], same: fn(&T, &T) -> bool) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|(old, new)| same(old, new))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::policy::format::Unformatted;
    use crate::policy::load;

    fn is_same(before: &str, after: &str) -> bool {
        let sources = [("main.policy", before)];
        let lone = load::alone(&sources, "main.policy");
        let (items, misfits) = lone.parse();
        assert!(misfits.is_empty(), "{before}");
        match check(before, &items, after) {
            Ok(()) => true,
            Err(Unformatted::Changed) => false,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn blanks_and_line_ends_do_not_matter() {
        let before = "a { b = 1,c } # x\nd when e and # y\n f";
        assert!(is_same(before, before));
        assert!(is_same(
            before,
            "a {\n  b = 1\n  c\n}  # x\n\nd when e  # y\n    and f\n"
        ));
    }

    #[test]
    fn everything_else_does() {
        let before = "# u\na { b = 1,c } # x\nd when e and f # y";
        for (from, to) in [
            ("1", "2"),
            ("b = 1", "b1"),
            ("1,c", "1"),
            ("b = 1,c", "b = 1 {c}"),
            ("a {", "a, {"),
            ("a {", "a {{"),
            ("and", "or"),
            ("and f", ""),
            (" # x", ""),
            ("# x\nd when e and f # y", "\nd when e and f # x # y"),
            ("# u\na { b = 1,c }", "a { b = 1,c # u\n }"),
            ("\nd", "# \nd"),
            ("# y", "# y \u{a0}"),
        ] {
            let after = before.replacen(from, to, 1);
            assert_ne!(before, after);
            assert!(!is_same(before, &after), "{after}");
        }
    }
}
