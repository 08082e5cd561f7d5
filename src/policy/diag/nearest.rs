//! Did-you-mean: the word of a list that a mistyped one most likely stands for.

/// The nearest of `words`: by Damerau–Levenshtein within a third of the length, else by prefix.
pub fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let limit = (word.chars().count() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    let mut longer = None;
    for candidate in words {
        if candidate.len().abs_diff(word.len()) <= limit {
            let far = distance(word, candidate);
            if far <= limit && best.is_none_or(|(least, _)| far < least) {
                best = Some((far, candidate));
            }
        }
        if word.len() >= 2 && (candidate.starts_with(word) || word.starts_with(candidate)) {
            longer = longer.or(Some(candidate));
        }
    }
    best.map(|(_, candidate)| candidate).or(longer)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut last_a = None;
    for (row, char_a) in a.chars().enumerate() {
        let mut line = Vec::with_capacity(above.len());
        let mut left = row + 1;
        line.push(left);
        let mut last_b = None;
        for (column, &char_b) in b.iter().enumerate() {
            let at =
                |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&above, column) + usize::from(char_a != char_b);
            let mut least = replaced.min(left + 1).min(at(&above, column + 1) + 1);
            if last_a == Some(char_b) && last_b == Some(char_a) && column > 0 {
                least = least.min(at(&before, column - 1) + 1);
            }
            left = least;
            line.push(left);
            last_b = Some(char_b);
        }
        before = std::mem::replace(&mut above, line);
        last_a = Some(char_a);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("weigth", "weight", 1),
            ("timout", "timeout", 1),
            ("", "abc", 3),
            ("same", "same", 0),
            ("route", "tier", 5),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn near_words_first_then_prefixes() {
        let words = ["weight", "window", "min_requests"];
        assert_eq!(nearest("weigth", words), Some("weight"));
        assert_eq!(nearest("min", words), Some("min_requests"));
        assert_eq!(nearest("zebra", words), None);
    }
}
