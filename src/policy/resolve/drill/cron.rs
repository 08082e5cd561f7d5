//! The five fields of a cron line, and names of time zones: whether they can be meant. When the next time is, is not
//! asked here.

/// A field: its name, its numbers, and the words that stand for some of them.
struct Field {
    name: &'static str,
    low: u8,
    high: u8,
    words: &'static [(&'static str, u8)],
}

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        low: 0,
        high: 59,
        words: &[],
    },
    Field {
        name: "hour",
        low: 0,
        high: 23,
        words: &[],
    },
    Field {
        name: "day of the month",
        low: 1,
        high: 31,
        words: &[],
    },
    Field {
        name: "month",
        low: 1,
        high: 12,
        words: &[
            ("jan", 1),
            ("feb", 2),
            ("mar", 3),
            ("apr", 4),
            ("may", 5),
            ("jun", 6),
            ("jul", 7),
            ("aug", 8),
            ("sep", 9),
            ("oct", 10),
            ("nov", 11),
            ("dec", 12),
        ],
    },
    Field {
        name: "day of the week",
        low: 0,
        high: 7,
        words: &[
            ("sun", 0),
            ("mon", 1),
            ("tue", 2),
            ("wed", 3),
            ("thu", 4),
            ("fri", 5),
            ("sat", 6),
        ],
    },
];

/// What is wrong with a cron line, for people.
pub(super) fn check(text: &str) -> Result<(), String> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!(
            "it has {} fields instead of five: minute, hour, day, month, day of the week",
            fields.len()
        ));
    }
    for (text, field) in fields.iter().zip(&FIELDS) {
        for part in text.split(',') {
            if !field.takes(part) {
                return Err(format!(
                    "`{part}` is no {}: numbers from {} to {}, `*`, ranges `1-5`, steps `*/15`",
                    field.name, field.low, field.high
                ));
            }
        }
    }
    never(&fields)
}

/// A day that no month in question has.
fn never(fields: &[&str]) -> Result<(), String> {
    let [_, _, day, month, weekday] = fields else {
        return Ok(());
    };
    let (Ok(day), Some(month)) = (
        day.parse::<u8>(),
        FIELDS.get(3).and_then(|it| it.number(month)),
    ) else {
        return Ok(());
    };
    let longest = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if day > longest && *weekday == "*" {
        return Err(format!(
            "month {month} has no day {day}: it would never run"
        ));
    }
    Ok(())
}

impl Field {
    /// `*`, `5`, `1-5`, `mon-fri`, and any of them with `/2`.
    fn takes(&self, part: &str) -> bool {
        let (range, step) = part
            .split_once('/')
            .map_or((part, None), |(a, b)| (a, Some(b)));
        let steps = |step: &str| {
            step.parse::<u8>()
                .is_ok_and(|step| step > 0 && step <= self.high)
        };
        if !step.is_none_or(steps) {
            return false;
        }
        if range == "*" {
            return true;
        }
        match range.split_once('-') {
            Some((from, to)) => self
                .number(from)
                .zip(self.number(to))
                .is_some_and(|(from, to)| from <= to),
            None => self.number(range).is_some(),
        }
    }

    fn number(&self, text: &str) -> Option<u8> {
        let word = self
            .words
            .iter()
            .find(|(word, _)| text.eq_ignore_ascii_case(word));
        match word {
            Some(&(_, number)) => Some(number),
            None => text
                .parse()
                .ok()
                .filter(|number| (self.low..=self.high).contains(number)),
        }
    }
}

/// Whether this has the form of a zone's name: `UTC`, `Europe/Berlin`, `America/Argentina/Salta`. Which zones there are,
/// the machine knows that runs the drill.
pub(super) fn is_zone(text: &str) -> bool {
    let is_part = |part: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
        part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.chars().all(inner)
    };
    text.len() <= 64 && text.split('/').all(is_part) && (text.contains('/') || text == "UTC")
}

#[cfg(test)]
mod tests {
    use super::{check, is_zone};

    #[test]
    fn what_cron_takes() {
        for good in [
            "0 10 * * tue",
            "*/15 0-6 1,15 jan-mar mon-fri",
            "59 23 31 12 7",
            "0 0 29 2 *",
            "0 0 31 2 mon",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "0 10 * *",
            "60 10 * * *",
            "0 24 * * *",
            "0 10 0 * *",
            "0 10 * 13 *",
            "0 10 * * 8",
            "0 10 * * fri-mon",
            "0 10 * * */0",
            "0 10 * * tues",
            "0 0 31 2 *",
            "0 0 31 apr *",
            "0 10 * * tue *",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_a_zone_looks_like() {
        for good in [
            "UTC",
            "Europe/Berlin",
            "America/Argentina/Salta",
            "Etc/GMT+3",
        ] {
            assert!(is_zone(good), "{good}");
        }
        for bad in [
            "",
            "Berlin",
            "Europe/",
            "/Berlin",
            "Europe/Ber lin",
            "+02:00",
        ] {
            assert!(!is_zone(bad), "{bad}");
        }
    }
}
