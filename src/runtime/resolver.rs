//! Names: each provider's name is looked up ahead of any request and again every half minute, as load balancers of
//! providers change their addresses. The system's resolver blocks, so that each lookup has a thread of its own for as long as
//! it takes: a name server that does not answer delays its own names and no other. A name that cannot be looked up
//! keeps the addresses that it had.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::base::{Moment, Span, hash};
use crate::runtime::shared::Shared;
use crate::runtime::{clock, log};

/// Looks names up until the process ends.
pub(super) fn spawn(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    super::spawn::<()>("resolver", move || {
        shared.resolver.get_or_init(thread::current);
        let lookups = Arc::new(Mutex::new(Lookups::default()));
        loop {
            for name in lock(&lookups).begin(clock::now(), &shared.generation().peers.names()) {
                let (shared, lookups) = (Arc::clone(&shared), Arc::clone(&lookups));
                super::spawn::<()>("lookup", move || {
                    finish(&shared, &lookups, &name, &look_up(&name));
                    Ok(())
                });
            }
            thread::park_timeout(LOOK_EVERY.as_std());
        }
    });
}

fn look_up(name: &str) -> io::Result<Vec<IpAddr>> {
    // The port does not matter: each endpoint has its own.
    let found = (name, 0).to_socket_addrs()?;
    Ok(found.map(|address| address.ip()).collect())
}

/// What came of a lookup. An empty answer is a failure.
fn finish(shared: &Shared, lookups: &Mutex<Lookups>, name: &str, found: &io::Result<Vec<IpAddr>>) {
    let why = match found {
        Ok(found) if found.is_empty() => Some("it has no address".to_owned()),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    let peers = &shared.generation().peers;
    if let (Ok(found), None) = (found, &why) {
        peers.found(name, found);
    }
    let known = peers.knows(name);
    let news = lock(lookups).end(clock::now(), name, why.is_none(), known);
    match (news, why) {
        (true, Some(why)) if known => log::note(&format!(
            "the name {name} cannot be looked up ({why}); the addresses that it had are used on"
        )),
        (true, Some(why)) => log::note(&format!("the name {name} cannot be looked up ({why})")),
        (true, None) => log::note(&format!("the name {name} can be looked up again")),
        (false, _) => {}
    }
}

/// Which names are being looked up, and when the others are due.
#[derive(Debug, Default)]
struct Lookups {
    due: BTreeMap<Box<str>, Moment>,
    under_way: BTreeSet<Box<str>>,
    failing: BTreeSet<Box<str>>,
    count: u64,
}

impl Lookups {
    /// Of `names`, those that are to be looked up now: due, not under way, and no more than there is room for.
    fn begin(&mut self, now: Moment, names: &BTreeSet<Box<str>>) -> Vec<Box<str>> {
        self.due.retain(|name, _| names.contains(name));
        self.failing.retain(|name| names.contains(name));
        let room = LOOKUPS_MAX.saturating_sub(self.under_way.len());
        let is_due = |name: &str| {
            let due = self.due.get(name).is_none_or(|&due| due <= now);
            due && !self.under_way.contains(name)
        };
        let due = names.iter().filter(|name| is_due(name));
        let begun: Vec<Box<str>> = due.take(room).cloned().collect();
        self.under_way.extend(begun.iter().cloned());
        begun
    }

    /// A lookup is over; whether it is news that it went well, or that it did not. A name without any address is tried
    /// again soon, the others not in step.
    fn end(&mut self, now: Moment, name: &str, well: bool, known: bool) -> bool {
        self.under_way.remove(name);
        self.count = self.count.wrapping_add(1);
        let pause = if known { RESOLVE_EVERY } else { RETRY_EVERY };
        let tenth = pause.as_nanos() / 10;
        let chance = hash::of_bytes(self.count, name.as_bytes());
        let early = Span::from_nanos(hash::scale(chance, tenth));
        let pause = Span::from_nanos(pause.as_nanos().saturating_sub(early.as_nanos()));
        self.due.insert(name.into(), now + pause);
        if well {
            self.failing.remove(name)
        } else {
            self.failing.insert(name.into())
        }
    }
}

fn lock(lookups: &Mutex<Lookups>) -> MutexGuard<'_, Lookups> {
    lookups.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often names are looked up again, less up to a tenth; load balancers of providers commonly have a TTL of 60 s.
const RESOLVE_EVERY: Span = Span::from_secs(30);
/// The same for a name that has no address yet.
const RETRY_EVERY: Span = Span::from_secs(2);
/// How often it is looked whether a name is due. New names are looked up at once.
const LOOK_EVERY: Span = Span::from_millis(500);
/// Lookups at once: a name server that is gone holds no more threads than this.
const LOOKUPS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{LOOKUPS_MAX, Lookups, RESOLVE_EVERY, RETRY_EVERY};
    use crate::base::Moment;

    fn names(names: &[&str]) -> BTreeSet<Box<str>> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn a_slow_name_delays_no_other() {
        let mut lookups = Lookups::default();
        let all = names(&["fast", "slow"]);
        let mut now = Moment::START;
        assert_eq!(lookups.begin(now, &all).len(), 2);
        assert!(lookups.begin(now, &all).is_empty());
        for _ in 0..3 {
            assert!(!lookups.end(now, "fast", true, true));
            assert!(lookups.begin(now, &all).is_empty());
            now = now + RESOLVE_EVERY;
            assert_eq!(lookups.begin(now, &all), ["fast".into()]);
        }
        assert!(lookups.end(now, "slow", false, true), "it is news");
        now = now + RESOLVE_EVERY;
        assert_eq!(lookups.begin(now, &all), ["slow".into()]);
        assert!(!lookups.end(now, "slow", false, true), "it was known");
        now = now + RESOLVE_EVERY;
        lookups.begin(now, &all);
        assert!(lookups.end(now, "slow", true, true), "it is well again");
    }

    #[test]
    fn lookups_are_bounded_and_unknown_names_come_soon() {
        let mut lookups = Lookups::default();
        let many: Vec<String> = (0..LOOKUPS_MAX * 2).map(|n| format!("name-{n}")).collect();
        let all = many.iter().map(|name| (&**name).into()).collect();
        let mut now = Moment::START;
        let first = lookups.begin(now, &all);
        assert_eq!(first.len(), LOOKUPS_MAX);
        for name in &first {
            lookups.end(now, name, false, false);
        }
        let second = lookups.begin(now, &all);
        assert_eq!(second.len(), LOOKUPS_MAX);
        assert!(second.iter().all(|name| !first.contains(name)));
        for name in &second {
            lookups.end(now, name, true, true);
        }
        now = now + RETRY_EVERY;
        assert_eq!(lookups.begin(now, &all), first, "those without an address");
        // A name that is gone is forgotten, and new again when it comes back.
        assert!(lookups.begin(now, &names(&[])).is_empty());
        assert_eq!(lookups.due.len(), 0);
    }
}
