//! The five fields of a cron line: what they take, and at which minutes of a calendar they come. Of zones and clocks it knows
//! nothing: its times are those of a wall.

/// A cron line, as sets of numbers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cron {
    text: Box<str>,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// From Sunday, 0.
    weekdays: u64,
    /// The day of the month begins with `*`, and so does the day of the week.
    any_day: (bool, bool),
    /// The minute or the hour begins with `*`.
    repeats: bool,
}

/// A minute on a wall calendar, in the Gregorian calendar. They compare as they follow each other.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Minute {
    /// Of our time.
    pub year: i16,
    /// From 1.
    pub month: u8,
    /// From 1.
    pub day: u8,
    /// From 0.
    pub hour: u8,
    /// From 0.
    pub minute: u8,
}

/// A field: its name, its numbers, and the words that stand for some of them.
struct Field {
    name: &'static str,
    low: u8,
    high: u8,
    words: &'static [(&'static str, u8)],
}

const MINUTE: Field = Field {
    name: "minute",
    low: 0,
    high: 59,
    words: &[],
};
const HOUR: Field = Field {
    name: "hour",
    low: 0,
    high: 23,
    words: &[],
};
const DAY: Field = Field {
    name: "day of the month",
    low: 1,
    high: 31,
    words: &[],
};
const MONTH: Field = Field {
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
};
const WEEKDAY: Field = Field {
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
};

impl Cron {
    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, for people; also that it would never come.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = *fields.as_slice() else {
            return Err(format!(
                "it has {} fields instead of five: minute, hour, day, month, day of the week",
                fields.len()
            ));
        };
        let weekdays = WEEKDAY.set(weekday)?;
        let cron = Self {
            text: text.into(),
            minutes: MINUTE.set(minute)?,
            hours: HOUR.set(hour)?,
            days: DAY.set(day)?,
            months: MONTH.set(month)?,
            // Sunday has two numbers.
            weekdays: (weekdays | weekdays >> 7) & 0x7f,
            any_day: (day.starts_with('*'), weekday.starts_with('*')),
            repeats: minute.starts_with('*') || hour.starts_with('*'),
        };
        if cron.next(ANY).is_some() {
            return Ok(cron);
        }
        Err(match (day.parse::<u8>(), MONTH.number(month)) {
            (Ok(day), Some(month)) => {
                format!("month {month} has no day {day}: it would never run")
            }
            _ => "none of its months has such a day: it would never run".to_owned(),
        })
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it comes round by the hour or the minute (`*` there), and not at times of the day that are named.
    pub const fn repeats(&self) -> bool {
        self.repeats
    }

    /// The first minute behind `after` at which it comes; `None` if it never does.
    pub fn next(&self, after: Minute) -> Option<Minute> {
        let mut from = after.following();
        let last = after.year.checked_add(CALENDAR_YEARS)?;
        while from.year <= last {
            if !has(self.months, from.month) {
                from = from.next_month();
            } else if !self.comes_on(from) {
                from = from.next_day();
            } else if let Some(found) = self.in_day(from) {
                return Some(found);
            } else {
                from = from.next_day();
            }
        }
        None
    }

    /// Whether it comes at this minute.
    pub fn comes_at(&self, at: Minute) -> bool {
        has(self.months, at.month)
            && self.comes_on(at)
            && has(self.hours, at.hour)
            && has(self.minutes, at.minute)
    }

    /// Of a day of the month and one of the week either is enough, unless one of them is `*` (crontab(5)).
    fn comes_on(&self, at: Minute) -> bool {
        let (day, weekday) = (has(self.days, at.day), has(self.weekdays, at.weekday()));
        match self.any_day {
            (false, false) => day || weekday,
            _ => day && weekday,
        }
    }

    /// The first time from here to the day's end.
    fn in_day(&self, from: Minute) -> Option<Minute> {
        let mut hours = from.hour..24;
        hours.find_map(|hour| {
            let first = if hour == from.hour { from.minute } else { 0 };
            let minute = has(self.hours, hour)
                .then(|| (first..60).find(|&minute| has(self.minutes, minute)))
                .flatten()?;
            Some(Minute {
                hour,
                minute,
                ..from
            })
        })
    }
}

impl Minute {
    /// The one after it.
    #[must_use]
    pub const fn following(self) -> Self {
        match self {
            Self { minute: 0..59, .. } => Self {
                minute: self.minute + 1,
                ..self
            },
            Self { hour: 0..23, .. } => Self {
                hour: self.hour + 1,
                minute: 0,
                ..self
            },
            _ => self.next_day(),
        }
    }

    /// The first minute of the next day.
    const fn next_day(self) -> Self {
        if self.day >= days_of(self.year, self.month) {
            return self.next_month();
        }
        Self {
            day: self.day + 1,
            hour: 0,
            minute: 0,
            ..self
        }
    }

    /// The first minute of the next month.
    const fn next_month(self) -> Self {
        let (year, month) = if self.month >= 12 {
            (self.year.saturating_add(1), 1)
        } else {
            (self.year, self.month + 1)
        };
        Self {
            year,
            month,
            day: 1,
            hour: 0,
            minute: 0,
        }
    }

    /// From Sunday, 0.
    fn weekday(self) -> u8 {
        // Sakamoto's method: days up to each month, with the year beginning in March.
        const MONTHS: [i32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
        let year = i32::from(self.year) - i32::from(self.month < 3);
        let month = MONTHS.get(usize::from(self.month.saturating_sub(1)));
        let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
        let days = year + leaps + month.copied().unwrap_or_default() + i32::from(self.day);
        u8::try_from(days.rem_euclid(7)).unwrap_or_default()
    }
}

const fn days_of(year: i16, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

const fn has(set: u64, number: u8) -> bool {
    set >> number & 1 != 0
}

/// The calendar comes round in so many years: what has not come by then never does.
const CALENDAR_YEARS: i16 = 400;
/// Any minute.
const ANY: Minute = Minute {
    year: 2000,
    month: 1,
    day: 1,
    hour: 0,
    minute: 0,
};

impl Field {
    /// All that a field says, as bits.
    fn set(&self, text: &str) -> Result<u64, String> {
        text.split(',').try_fold(0, |set, part| {
            let found = self.part(part).ok_or_else(|| {
                format!(
                    "`{part}` is no {}: numbers from {} to {}, `*`, ranges `1-5`, steps `*/15`",
                    self.name, self.low, self.high
                )
            })?;
            Ok(set | found)
        })
    }

    /// `*`, `5`, `1-5`, `mon-fri`, and any of them with `/2`; `5/20` goes on to the end.
    fn part(&self, part: &str) -> Option<u64> {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => (range, Some(step.parse::<u8>().ok()?)),
        };
        if step.is_some_and(|step| step == 0 || step > self.high) {
            return None;
        }
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.low, self.high),
            Some((from, to)) => (self.number(from)?, self.number(to)?),
            None => {
                let number = self.number(range)?;
                let to = if step.is_some() { self.high } else { number };
                (number, to)
            }
        };
        let numbers = (from..=to).step_by(usize::from(step.unwrap_or(1)));
        (from <= to).then(|| numbers.fold(0, |set, number| set | 1 << number))
    }

    fn number(&self, text: &str) -> Option<u8> {
        let mut words = self.words.iter();
        let word = words.find(|(word, _)| text.eq_ignore_ascii_case(word));
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
pub fn is_zone(text: &str) -> bool {
    let is_part = |part: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
        part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.chars().all(inner)
    };
    text.len() <= 64 && text.split('/').all(is_part) && (text.contains('/') || text == "UTC")
}

#[cfg(test)]
mod tests {
    use super::{ANY, Cron, Minute, is_zone};
    use crate::base::hash;

    fn at(year: i16, month: u8, day: u8, hour: u8, minute: u8) -> Minute {
        Minute {
            year,
            month,
            day,
            hour,
            minute,
        }
    }

    #[test]
    fn what_cron_takes() {
        for good in [
            "0 10 * * tue",
            "*/15 0-6 1,15 jan-mar mon-fri",
            "59 23 31 12 7",
            "0 0 29 2 *",
            "0 0 31 2 mon",
            "5/20 * * * *",
        ] {
            assert!(Cron::parse(good).is_ok(), "{good}");
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
            "0 0 30,31 2 *",
            "0 0 31 4,6,9,11 *",
            "0 10 * * tue *",
        ] {
            assert!(Cron::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_next_time_on_the_calendar() {
        let after = at(2026, 11, 30, 16, 30);
        for (cron, next) in [
            ("0 10 * * tue", at(2026, 12, 1, 10, 0)),
            ("30 16 * * *", at(2026, 12, 1, 16, 30)),
            ("31 16 * * *", at(2026, 11, 30, 16, 31)),
            ("*/15 * * * *", at(2026, 11, 30, 16, 45)),
            ("0 0 29 2 *", at(2028, 2, 29, 0, 0)),
            ("0 0 31 * *", at(2026, 12, 31, 0, 0)),
            // The 13th or a Friday; with a star, both.
            ("0 0 13 * fri", at(2026, 12, 4, 0, 0)),
            ("0 0 */13 * fri", at(2027, 1, 1, 0, 0)),
            ("59 23 31 12 *", at(2026, 12, 31, 23, 59)),
            ("0 12 * * sun", at(2026, 12, 6, 12, 0)),
            ("0 12 * * 7", at(2026, 12, 6, 12, 0)),
        ] {
            assert_eq!(Cron::parse(cron).unwrap().next(after), Some(next), "{cron}");
        }
    }

    /// Against walking minute by minute, for lines and beginnings by chance.
    #[test]
    fn the_next_time_is_the_first_minute_that_fits() {
        for seed in 0..60 {
            let draw = |salt: u64, below: u64| hash::scale(hash::mix(seed, salt), below);
            let number = |salt, low: u64, count| match draw(salt, 4) {
                0 => "*".to_owned(),
                1 => format!("*/{}", 1 + draw(salt + 1, 7)),
                _ => {
                    let from = low + draw(salt + 2, count);
                    let to = from + draw(salt + 3, low + count - from);
                    format!("{from}-{to}")
                }
            };
            let line = format!(
                "{} {} {} {} {}",
                number(10, 0, 60),
                number(20, 0, 24),
                number(30, 1, 28),
                number(40, 1, 12),
                number(50, 0, 7)
            );
            let cron = Cron::parse(&line).unwrap();
            let day = u8::try_from(1 + draw(1, 28)).unwrap();
            let mut walking = at(2027, 1 + (seed % 12) as u8, day, (seed % 24) as u8, 7);
            let next = cron.next(walking).unwrap();
            // Some weeks of minutes; what lies behind them, another seed finds.
            for _ in 0..20 * 24 * 60 {
                walking = walking.following();
                if walking == next || cron.comes_at(walking) {
                    break;
                }
            }
            assert!(
                walking == next && cron.comes_at(next) || next > walking,
                "{line}: {next:?}, {walking:?}"
            );
        }
    }

    #[test]
    fn days_of_the_week_are_known() {
        // Known dates, and that each day follows the one before.
        assert_eq!(at(2026, 11, 30, 0, 0).weekday(), 1);
        assert_eq!(at(2000, 2, 29, 0, 0).weekday(), 2);
        let mut day = ANY;
        for _ in 0..150_000 {
            let next = day.next_day();
            assert_eq!(next.weekday(), (day.weekday() + 1) % 7, "{next:?}");
            day = next;
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
