//! When drills come by themselves: cron lines in their zones, the wall clock as a parameter. The calendar's part is
//! `policy/cron`; here are the zones, and what became of the times that came.
//!
//! The clock on the wall jumps, and what then holds is the rule of Vixie's cron (cron(8)). A time of the day that is jumped over
//! comes at the jump; one that comes twice is taken the first time. A line that comes round (`*` in its minute or its hour)
//! follows real time: not at times that there are not, and at both where there are two.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::policy::Policy;
use crate::policy::cron::{Cron, Minute};
use crate::policy::drill::Schedule;

/// The drills of a policy that have a schedule, and what came of those that were due.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    /// The hash of the policy that it is of.
    policy: Option<u64>,
    entries: Vec<Entry>,
    /// The last time that it was looked at, in Unix seconds.
    looked: Option<i64>,
    skipped: BTreeMap<(Box<str>, &'static str), u64>,
}

#[derive(Debug)]
struct Entry {
    drill: Box<str>,
    schedule: Schedule,
    zone: TimeZone,
    next: Option<Timestamp>,
}

/// A drill whose time has come.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Due {
    /// Its name.
    pub(super) drill: Box<str>,
    /// Nobody looked when it came: the clock was set, or the machine slept.
    pub(super) late: bool,
}

/// What there is to say of one drill's schedule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Coming {
    /// The schedule, as it is written, and its zone.
    pub(super) cron: String,
    /// In Unix seconds.
    pub(super) next: Option<i64>,
    /// The same in the schedule's zone, RFC 9557: `2026-12-01T10:00:00+01:00[Europe/Berlin]`.
    pub(super) next_there: Option<String>,
}

/// Whether this machine knows the zones of a policy's schedules.
///
/// # Errors
/// Each that it does not know, a sentence.
pub(super) fn check(policy: &Policy) -> Result<(), Vec<String>> {
    let drills = policy.drills.iter();
    let named = drills.filter_map(|drill| Some((drill, drill.schedule.as_ref()?)));
    let unknown = named.filter_map(|(drill, schedule)| {
        let why = TimeZone::get(&schedule.zone).err()?;
        Some(format!(
            "the schedule of drill `{}` (line {}): there is no zone `{}` here: {why}",
            drill.name, drill.at.line, schedule.zone
        ))
    });
    let unknown: Vec<String> = unknown.collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(unknown)
    }
}

impl Timetable {
    /// The drills whose time has come since the last look, at this wall time in Unix seconds. The policy may be another one
    /// than the last time.
    pub(super) fn look(&mut self, policy: &Policy, now: i64) -> Vec<Due> {
        if self.policy != Some(policy.hash) {
            // From the last look on: what comes in the moment of a reload comes.
            self.read(policy, self.looked.unwrap_or(now));
        }
        self.looked = Some(now);
        let now = second(now);
        let mut due = Vec::new();
        for entry in &mut self.entries {
            let Some(next) = entry.next.filter(|next| *next <= now) else {
                continue;
            };
            due.push(Due {
                drill: entry.drill.clone(),
                late: now.as_second() - next.as_second() > LATE_SECONDS,
            });
            entry.next = next_time(&entry.schedule.cron, &entry.zone, now);
        }
        due
    }

    /// A drill was due and did not begin, for a reason that metrics have.
    pub(super) fn skip(&mut self, drill: &str, reason: &'static str) {
        *self.skipped.entry((drill.into(), reason)).or_default() += 1;
    }

    /// What was skipped since the start: the drill, the reason, how often.
    pub(super) fn skipped(&self) -> impl Iterator<Item = (&str, &'static str, u64)> {
        let all = self.skipped.iter();
        all.map(|((drill, reason), count)| (&**drill, *reason, *count))
    }

    /// The schedule of a drill, if it has one.
    pub(super) fn coming(&self, drill: &str) -> Option<Coming> {
        let entry = self.entries.iter().find(|entry| *entry.drill == *drill)?;
        let Schedule { cron, zone } = &entry.schedule;
        let there = |next: Timestamp| next.to_zoned_datetime(entry.zone.clone()).to_string();
        Some(Coming {
            cron: format!("{} {zone}", cron.text()),
            next: entry.next.map(Timestamp::as_second),
            next_there: entry.next.map(there),
        })
    }

    fn read(&mut self, policy: &Policy, now: i64) {
        self.policy = Some(policy.hash);
        let drills = policy.drills.iter();
        self.entries = drills
            .filter_map(|drill| {
                let schedule = drill.schedule.clone()?;
                // Whoever adopts a policy has asked for its zones.
                let zone = TimeZone::get(&schedule.zone).ok()?;
                Some(Entry {
                    drill: drill.name.clone(),
                    next: next_time(&schedule.cron, &zone, second(now)),
                    schedule,
                    zone,
                })
            })
            .collect();
    }
}

fn second(now: i64) -> Timestamp {
    Timestamp::from_second(now).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The first time behind `now` at which `cron` comes in `zone`.
fn next_time(cron: &Cron, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    if cron.repeats() {
        next_round(cron, zone, now)
    } else {
        next_of_day(cron, zone, now)
    }
}

/// A line with times of the day: each time on the wall comes once.
fn next_of_day(cron: &Cron, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let mut wall = minute(zone.to_datetime(now));
    loop {
        wall = cron.next(wall)?;
        let there = zone.to_ambiguous_timestamp(date_time(wall)?);
        let at = match there.offset() {
            AmbiguousOffset::Gap { .. } => jump_near(zone, there.earlier().ok()?)?,
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => {
                there.earlier().ok()?
            }
        };
        if at > now {
            return Some(at);
        }
    }
}

/// The jump that a time on the wall fell into which, by the clock before it, is `at`.
fn jump_near(zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let before = at.as_second().checked_sub(JUMP_SECONDS)?;
    let mut jumps = zone.following(Timestamp::from_second(before).ok()?);
    jumps.next().map(|jump| jump.timestamp())
}

/// A line that comes round: by the minutes that pass, whatever the wall says. Between two jumps the wall goes as time does.
fn next_round(cron: &Cron, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    // A jump lies on a whole minute; the minute that begins with it is one of the new time.
    let mut from = now;
    loop {
        let offset = zone.to_offset(from);
        let wall = cron.next(minute(offset.to_datetime(from)))?;
        let at = offset.to_timestamp(date_time(wall)?).ok()?;
        let jump = zone.following(from).next().map(|jump| jump.timestamp());
        let Some(jump) = jump.filter(|jump| at >= *jump) else {
            return Some(at);
        };
        let first = minute(zone.to_datetime(jump));
        if cron.comes_at(first) {
            return Some(jump);
        }
        from = jump;
    }
}

/// The minute on the wall that this moment lies in.
fn minute(at: DateTime) -> Minute {
    let part = |number: i8| u8::try_from(number).unwrap_or_default();
    Minute {
        year: at.year(),
        month: part(at.month()),
        day: part(at.day()),
        hour: part(at.hour()),
        minute: part(at.minute()),
    }
}

fn date_time(at: Minute) -> Option<DateTime> {
    let part = |number: u8| i8::try_from(number).unwrap_or(i8::MAX);
    let Minute {
        year,
        month,
        day,
        hour,
        minute,
    } = at;
    DateTime::new(year, part(month), part(day), part(hour), part(minute), 0, 0).ok()
}

/// A time that was missed by more than this is not made up for.
const LATE_SECONDS: i64 = 60;
/// No wall clock jumps by more: whole days do (Samoa, 2011).
const JUMP_SECONDS: i64 = 86_400;

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    use super::{Timetable, check, minute, next_time};
    use crate::base::hash;
    use crate::policy::cron::Cron;
    use crate::policy::{self, Policy};

    /// The times behind `from` of a line in a zone.
    fn times(line: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let (cron, zone) = (Cron::parse(line).unwrap(), TimeZone::get(zone).unwrap());
        let mut now: Timestamp = from.parse().unwrap();
        let next = |_| {
            now = next_time(&cron, &zone, now).unwrap();
            now.to_string()
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn a_wall_that_jumps_forward() {
        // Berlin, 2027-03-28: from 2:00 to 3:00, at 1:00 UTC.
        for (line, want) in [
            // At the jump, and once, however many there are.
            (
                "30 2 * * *",
                ["2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"],
            ),
            (
                "10,40 2 * * *",
                ["2027-03-28T01:00:00Z", "2027-03-29T00:10:00Z"],
            ),
            (
                "0 3 * * *",
                ["2027-03-28T01:00:00Z", "2027-03-29T01:00:00Z"],
            ),
            // By the hour: 1:30, 3:30, nothing between.
            (
                "30 * * * *",
                ["2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z"],
            ),
            (
                "*/30 2-3 * * *",
                ["2027-03-28T01:00:00Z", "2027-03-28T01:30:00Z"],
            ),
        ] {
            let found = times(line, "Europe/Berlin", "2027-03-28T00:10:00Z", 2);
            assert_eq!(found, want, "{line}");
        }
    }

    #[test]
    fn a_wall_that_jumps_back() {
        // Berlin, 2027-10-31: from 3:00 to 2:00, at 1:00 UTC.
        for (line, want) in [
            (
                "30 2 * * *",
                ["2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"],
            ),
            (
                "30 * * * *",
                ["2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z"],
            ),
            (
                "0 * * * *",
                ["2027-10-31T01:00:00Z", "2027-10-31T02:00:00Z"],
            ),
        ] {
            let found = times(line, "Europe/Berlin", "2027-10-31T00:10:00Z", 2);
            assert_eq!(found, want, "{line}");
        }
        // In the hour that comes again: it was there.
        let later = times("30 2 * * *", "Europe/Berlin", "2027-10-31T01:10:00Z", 1);
        assert_eq!(later, ["2027-11-01T01:30:00Z"]);
        // A whole day that was not there, and half an hour that was twice.
        let samoa = times("0 12 30 12 *", "Pacific/Apia", "2011-12-29T12:00:00Z", 1);
        assert_eq!(samoa, ["2011-12-30T10:00:00Z"]);
        let lord_howe = times(
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2027-04-03T14:00:00Z",
            2,
        );
        assert_eq!(lord_howe, ["2027-04-03T14:45:00Z", "2027-04-04T15:15:00Z"]);
    }

    /// Against walking through time minute by minute, in zones that jump at odd times and by odd lengths.
    #[test]
    fn lines_that_come_round_come_at_every_minute_that_fits_and_no_other() {
        for seed in 0..60 {
            let draw = |salt: u64, below: u64| hash::scale(hash::mix(seed, salt), below);
            let zones = [
                "Europe/Berlin",
                "America/New_York",
                "Australia/Lord_Howe",
                "Africa/Casablanca",
            ];
            let zone = TimeZone::get(zones[usize::try_from(draw(1, 4)).unwrap()]).unwrap();
            let line = format!("*/{} {}-23 * * *", 7 + draw(2, 40), draw(3, 4));
            let cron = Cron::parse(&line).unwrap();
            // About a jump.
            let start =
                Timestamp::from_second(1_800_000_000 + i64::try_from(draw(4, 40_000_000)).unwrap());
            let jump = zone.following(start.unwrap()).next().unwrap().timestamp();
            let mut walked = jump.as_second() - 7_200;
            let mut now = Timestamp::from_second(walked).unwrap();
            for _ in 0..12 {
                let next = next_time(&cron, &zone, now).unwrap();
                let fits = |second: i64| {
                    let at = Timestamp::from_second(second).unwrap();
                    cron.comes_at(minute(zone.to_datetime(at)))
                };
                walked = (1..=366 * 24 * 60)
                    .map(|minutes| walked + minutes * 60)
                    .find(|&second| fits(second) || second > next.as_second())
                    .unwrap();
                assert_eq!(next.as_second(), walked, "{line} {zone:?} behind {now}");
                now = next;
            }
        }
    }

    /// A line with times of the day comes once for each of them, except that those in one jump come together.
    #[test]
    fn times_of_the_day_come_once() {
        for zone in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"] {
            let found = times("15 1,2,3 * * *", zone, "2026-12-31T23:59:00Z", 365 * 3);
            let mut walls: Vec<String> = found
                .iter()
                .map(|at| {
                    let at: Timestamp = at.parse().unwrap();
                    let there = at.to_zoned_datetime(TimeZone::get(zone).unwrap());
                    there.strftime("%F %H:%M").to_string()
                })
                .collect();
            let all = walls.len();
            walls.dedup();
            assert_eq!(walls.len(), all, "{zone}: none twice");
            assert!(found.is_sorted(), "{zone}");
        }
    }

    fn policy(lines: &str) -> Policy {
        let text = format!(
            "policy 1\nprovider openai {{ model m = \"m\" }}\nroute default {{ tier 1 {{ openai.m }} }}\n\
             drill one {{ traffic = synthetic(1/s), for = 5s, {lines} expect {{ success >= 1% }} }}\n"
        );
        policy::load(&[("p.policy", &*text)], "p.policy", &[])
            .unwrap()
            .0
    }

    #[test]
    fn drills_come_when_it_is_time_and_once() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        let first = policy("schedule = cron(\"0 10 * * *\", tz = \"Europe/Berlin\"),");
        let mut table = Timetable::default();
        assert_eq!(table.look(&first, at("2026-12-01T08:59:58Z")), []);
        let coming = table.coming("one").unwrap();
        assert_eq!(coming.next, Some(at("2026-12-01T09:00:00Z")));
        let there = "2026-12-01T10:00:00+01:00[Europe/Berlin]";
        assert_eq!(coming.next_there.as_deref(), Some(there));
        assert_eq!(table.look(&first, at("2026-12-01T08:59:59Z")), []);
        let due = table.look(&first, at("2026-12-01T09:00:01Z"));
        assert!(matches!(&*due, [due] if &*due.drill == "one" && !due.late));
        assert_eq!(table.look(&first, at("2026-12-01T09:00:02Z")), []);
        // The clock is set back: it has been there.
        assert_eq!(table.look(&first, at("2026-12-01T08:59:59Z")), []);
        assert_eq!(table.look(&first, at("2026-12-01T09:00:01Z")), []);
        // The machine slept.
        let due = table.look(&first, at("2026-12-02T11:00:00Z"));
        assert!(matches!(&*due, [due] if due.late));
        // Another policy is adopted in the very moment.
        let other = policy("schedule = cron(\"30 11 * * *\"),");
        assert_eq!(table.look(&other, at("2026-12-02T11:29:59Z")), []);
        let third = policy("schedule = cron(\"30 11 * * wed\"),");
        assert_eq!(table.look(&third, at("2026-12-02T11:30:00Z")).len(), 1);
        // One without a schedule never comes.
        assert_eq!(table.look(&policy(""), at("2026-12-02T11:31:00Z")), []);
        assert_eq!(table.coming("one"), None);
        table.skip("one", "running");
        table.skip("one", "running");
        let skipped: Vec<_> = table.skipped().collect();
        assert_eq!(skipped, [("one", "running", 2)]);
    }

    #[test]
    fn a_zone_that_is_not_there_is_said() {
        let bad = policy("schedule = cron(\"0 10 * * *\", tz = \"Europe/Atlantis\"),");
        let said = check(&bad).unwrap_err();
        assert!(
            matches!(&*said, [one] if one.contains("Europe/Atlantis")),
            "{said:?}"
        );
        assert_eq!(check(&policy("schedule = cron(\"0 10 * * *\"),")), Ok(()));
    }
}
