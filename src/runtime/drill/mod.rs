//! Drills on this gateway: faults at the providers' edge of its own network path, for requests that it makes itself or for a
//! part of its clients' requests, judged as those on the virtual clock are.
//!
//! ```text
//!   operator, schedule ─ start ─▶ Drills ─▶ a thread for the run: arrivals, injections, lease, what was seen (run)
//!                                              │ errands                    ▲ records, changes of breakers
//!                                              ▼                            │
//!                                 worker: synthetic requests (synthetic), attempts that are hit (edge, meet)
//! ```
//! Requests of a drill run by a generation of their own, with a board, counters and connections that clients' requests never
//! see, unless the drill is about clients' requests. One drill at a time. What is injected holds for five seconds without
//! a word from the thread of the run.

mod breaking;
mod edge;
mod gather;
pub(super) mod meet;
mod pages;
mod run;
mod state;
pub(super) mod synthetic;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::base::{Moment, Span};
use crate::engine::{GuardChange, KeyChange, State, Transition};
use crate::ops::DrillFigures;
use crate::policy::Plan;
use crate::policy::drill::{Drill, Traffic};
use crate::policy::nearest;
use crate::runtime::clock;
use crate::runtime::generation::Generation;
use crate::runtime::log;
use crate::runtime::shared::Shared;
use crate::runtime::timetable::{Due, Timetable};
use crate::sim::rehearsal::{self, Conclusion, Drilled, Record, Report, requests, requests_of};

pub(super) use self::meet::{Hit, hit};
pub(super) use self::pages::{PATH, page};
pub(super) use self::state::Running;
pub use self::state::{DrillStatus, Refused, Started, WhyEnded};
pub(super) use self::synthetic::Errand;

/// All that is known of drills.
#[derive(Debug, Default)]
pub(super) struct Drills {
    /// The serial number of the run that is on; 0 for none.
    on: AtomicU64,
    runs: Mutex<Runs>,
    /// The ways to the workers.
    workers: OnceLock<Vec<Sender<Errand>>>,
}

#[derive(Debug, Default)]
struct Runs {
    serial: u64,
    running: Option<Arc<Running>>,
    /// What the newest one of each drill came to, by its name.
    past: BTreeMap<Box<str>, Past>,
    /// How many ended how.
    ended: BTreeMap<(Box<str>, Conclusion), u64>,
    /// The reports of each drill's last runs that are over, newest first.
    reports: BTreeMap<Box<str>, VecDeque<String>>,
}

/// A run that is over. What it ran by is given back.
#[derive(Debug)]
struct Past {
    begun: Moment,
    file: String,
    drilled: Drilled,
    record: Record,
    counts: (u64, u64),
    hits: u64,
}

impl Runs {
    fn on(&self, name: &str) -> Option<&Arc<Running>> {
        self.running.as_ref().filter(|it| it.name() == name)
    }
}

impl Drills {
    /// The workers can be reached so.
    pub(super) fn reach(&self, workers: Vec<Sender<Errand>>) {
        // It is said once, at the start.
        let _ = self.workers.set(workers);
    }

    /// Whether a drill is on: one load, for each connection that is wanted.
    #[inline]
    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed) != 0
    }

    /// The serial number of the run that is on; 0 for none.
    pub(super) fn serial(&self) -> u64 {
        self.on.load(Ordering::Relaxed)
    }

    /// The run that is on.
    pub(super) fn running(&self) -> Option<Arc<Running>> {
        self.lock().running.clone()
    }

    /// Begins a drill of the newest policy. Returns at once: a thread of its own runs it.
    ///
    /// # Errors
    /// Why nothing begins.
    pub(super) fn start(
        &self,
        shared: &Arc<Shared>,
        name: &str,
        seed: Option<u64>,
    ) -> Result<Started, Refused> {
        let generation = shared.generation();
        let plan = Arc::clone(&generation.plan);
        let drill = named(&plan, name)?;
        if shared.draining.load(Ordering::Relaxed) {
            return Err(Refused::Draining);
        }
        fitting(drill)?;
        let kinds = match drill.traffic {
            Traffic::Live(_) | Traffic::Shadow(_) => Vec::new(),
            Traffic::Synthetic { .. } => requests(&plan, drill).map_err(Refused::Unfit)?,
        };
        let workers = self.workers.get().map(Vec::as_slice).unwrap_or_default();
        let mut runs = self.lock();
        if let Some(running) = &runs.running {
            return Err(Refused::Running(running.name().to_owned()));
        }
        unbroken(&generation)?;
        runs.serial += 1;
        let (run, records) = Running::new(&generation, drill, seed, workers.len(), runs.serial);
        let run = Arc::new(run);
        let started = run.started();
        runs.running = Some(Arc::clone(&run));
        self.on.store(runs.serial, Ordering::Relaxed);
        drop(runs);
        log::note(&format!("drill {}: begins ({})", started.name, started));
        run::spawn(Arc::clone(shared), run, kinds, workers.to_vec(), records);
        Ok(started)
    }

    /// The drill is over: the next one may begin.
    fn over(&self, run: &Running) {
        let past = Past {
            begun: run.begun,
            file: run.file(),
            drilled: run.drilled(),
            record: run.record(),
            counts: run.counts(),
            hits: run.hits(),
        };
        let report = rehearsal::json(&[Report {
            file: past.file.clone(),
            drills: vec![past.drilled.clone()],
        }]);
        let mut runs = self.lock();
        runs.running = None;
        let name: Box<str> = run.name().into();
        let ended = (name.clone(), past.drilled.conclusion);
        *runs.ended.entry(ended).or_default() += 1;
        let reports = runs.reports.entry(name.clone()).or_default();
        reports.push_front(report);
        reports.truncate(REPORTS_MAX);
        runs.past.insert(name, past);
        self.on.store(0, Ordering::Relaxed);
    }

    /// Ends the drill that is on, if it has this name; tells whether it does.
    pub(super) fn end(&self, name: &str, why: WhyEnded) -> bool {
        let running = self.running().filter(|it| it.name() == name);
        running.is_some_and(|running| {
            running.stop(why);
            true
        })
    }

    /// All drills of the newest policy.
    pub(super) fn list(&self, plan: &Plan) -> Vec<DrillStatus> {
        let runs = self.lock();
        let status = |drill: &Drill| {
            let (on, past) = (runs.on(&drill.name), runs.past.get(&drill.name));
            let came = past.map(|past| past.drilled.conclusion);
            DrillStatus {
                name: drill.name.clone(),
                running: on.is_some(),
                began: on.map(|run| run.begun).or_else(|| Some(past?.begun)),
                conclusion: on.map(|_| Conclusion::Running).or(came),
                requests: requests_of(drill),
                length: drill.length,
                traffic: drill.traffic,
            }
        };
        plan.policy.drills.iter().map(status).collect()
    }

    /// The newest run of a drill, as far as it has come: its policy's file, and what was seen.
    pub(super) fn report(&self, name: &str) -> Option<(String, Drilled)> {
        let runs = self.lock();
        if let Some(run) = runs.on(name).cloned() {
            drop(runs);
            return Some((run.file(), run.drilled()));
        }
        let past = runs.past.get(name)?;
        Some((past.file.clone(), past.drilled.clone()))
    }

    /// What the newest run of a drill has seen, as far as it has come.
    pub(super) fn record(&self, name: &str) -> Option<Record> {
        let runs = self.lock();
        let past = || Some(runs.past.get(name)?.record.clone());
        runs.on(name).map(|run| run.record()).or_else(past)
    }

    /// All drills of the newest policy, in numbers.
    pub(super) fn figures(&self, plan: &Plan, timetable: &Timetable) -> Vec<DrillFigures> {
        let runs = self.lock();
        let figures = |drill: &Drill| {
            let (on, past) = (runs.on(&drill.name), runs.past.get(&drill.name));
            let (answered, failed) = on
                .map(|run| run.counts())
                .or_else(|| Some(past?.counts))
                .unwrap_or_default();
            let ended = runs.ended.iter();
            let ended = ended.filter(|((name, _), _)| *name == drill.name);
            DrillFigures {
                name: drill.name.clone(),
                running: on.is_some(),
                injected: on.map_or(0, |run| run.edge.injected().len() as u64),
                answered,
                failed,
                hits: on
                    .map(|run| run.hits())
                    .or_else(|| Some(past?.hits))
                    .unwrap_or_default(),
                last: past.filter(|_| on.is_none()).map(|past| {
                    let passed = past.drilled.conclusion == Conclusion::Passed;
                    (unix_of(past.begun), passed)
                }),
                next: timetable.coming(&drill.name).and_then(|it| it.next),
                skipped: timetable
                    .skipped()
                    .filter(|(name, ..)| *name == &*drill.name)
                    .map(|(_, reason, count)| (reason, count))
                    .collect(),
                runs: ended
                    .map(|((_, how), &count)| (how.as_str(), count))
                    .collect(),
            }
        };
        plan.policy.drills.iter().map(figures).collect()
    }

    /// The report of a run of a drill that is over, as JSON: the newest one's, or that of so many runs before.
    pub(super) fn past(&self, name: &str, back: usize) -> Option<String> {
        self.lock().reports.get(name)?.get(back).cloned()
    }

    /// A breaker of requests has changed.
    pub(super) fn saw_transition(&self, transition: &Transition) {
        self.tell(|run| run.saw_transition(transition));
    }

    /// A key has.
    pub(super) fn saw_key(&self, change: KeyChange) {
        self.tell(|run| run.saw_key(change));
    }

    /// A guarded route has.
    pub(super) fn saw_guard(&self, change: &GuardChange) {
        self.tell(|run| run.saw_guard(change));
    }

    /// Of clients' requests only drills with live traffic hear.
    fn tell(&self, what: impl FnOnce(&Running)) {
        if self.is_on()
            && let Some(running) = self.running().filter(|it| it.is_live())
        {
            what(&running);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins the drills whose time has come at this wall time, in Unix seconds. One that cannot begin is skipped, not put off.
pub(super) fn begin_due(shared: &Arc<Shared>, now: i64) {
    let plan = Arc::clone(&shared.generation().plan);
    let due = shared.timetable().look(&plan.policy, now);
    for Due { drill, late } in due {
        let skipped = if late {
            Some(("late", LATE.to_owned()))
        } else {
            let refused = shared.drills.start(shared, &drill, None).err();
            refused.map(|refused| (refused.as_str(), refused.to_string()))
        };
        if let Some((reason, why)) = skipped {
            shared.timetable().skip(&drill, reason);
            log::note(&format!(
                "drill {drill}: its time has come, and it is skipped: {why}"
            ));
        }
    }
}

fn named<'p>(plan: &'p Plan, name: &str) -> Result<&'p Drill, Refused> {
    let drills = &plan.policy.drills;
    let found = drills.iter().find(|drill| &*drill.name == name);
    found.ok_or_else(|| {
        let near = nearest(name, drills.iter().map(|drill| &*drill.name));
        Refused::Unknown(name.to_owned(), near.map(str::to_owned))
    })
}

/// Whether a gateway can run it.
fn fitting(drill: &Drill) -> Result<(), Refused> {
    let requests = requests_of(drill);
    let why = match drill.traffic {
        Traffic::Live(_) if drill.aborts.is_empty() => {
            "its traffic is live, and it has no `abort when` that would spare the clients"
                .to_owned()
        }
        _ if requests > REQUESTS_MAX => format!(
            "it would make {requests} requests, and {REQUESTS_MAX} are the most on a gateway: shorten it, or lower its rate"
        ),
        _ => return Ok(()),
    };
    Err(Refused::Unfit(why))
}

/// A drill would add to what is wrong already, and could not be judged.
fn unbroken(generation: &Generation) -> Result<(), Refused> {
    let targets = generation.board.status(clock::now());
    let broken = targets
        .iter()
        .find(|it| matches!(it.state, State::Open | State::HalfOpen));
    let Some(broken) = broken else { return Ok(()) };
    let target = generation.plan.policy.targets.get(broken.target.index());
    let name = target.map_or("?", |target| &target.name);
    Err(Refused::BreakerOpen(name.to_owned()))
}

/// Reports of each drill that are kept: some ten KiB each.
const REPORTS_MAX: usize = 8;
/// Why one is skipped that is late.
const LATE: &str = "nobody looked at the clock then: the machine slept, or its clock was set";
/// Requests that one drill makes at the most: each is answered by a provider, who bills it.
const REQUESTS_MAX: u64 = 100_000;

/// A moment in Unix seconds.
fn unix_of(at: Moment) -> u64 {
    let ago = clock::now().since(at).as_secs();
    clock::unix_seconds().saturating_sub(ago)
}

/// A moment of a run, from its beginning.
fn since(begun: Moment, at: Moment) -> Span {
    at.since(begun)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use super::begin_due;
    use crate::policy;
    use crate::runtime::{Gateway, Options, clock};
    use crate::sim::rehearsal::Conclusion;

    /// Two drills at the minute that comes, by UTC.
    fn plan(at: i64) -> String {
        let (minute, hour) = (at / 60 % 60, at / 3_600 % 24);
        let drill = |name: &str| {
            format!(
                "drill {name} {{\n  schedule = cron(\"{minute} {hour} * * *\")\n  \
                 traffic = synthetic(20/s, arrivals = even)\n  for = 1s\n  expect {{ success >= 99% }}\n}}\n"
            )
        };
        format!(
            "policy 1\nprovider alpha {{\n  kind = simulated\n  simulate {{ ttft = 1ms..2ms, tokens = 2 }}\n  \
             model chat = \"chat\"\n}}\nroute default {{ tier 1 {{ alpha.chat }} }}\n{}{}",
            drill("one"),
            drill("two")
        )
    }

    #[test]
    fn drills_begin_when_it_is_time_one_at_a_time() {
        let at = i64::try_from(clock::unix_seconds()).unwrap() / 60 * 60 + 60;
        let text = plan(at);
        let (policy, _) = policy::load(&[("p.policy", &*text)], "p.policy", &[]).unwrap();
        let any = || Some("127.0.0.1:0".to_owned());
        let options = Options {
            listen: any(),
            admin: any(),
            cores: Some(1),
            transitions: Some(channel().0),
            ..Options::default()
        };
        let gateway = Gateway::start(policy, &options).unwrap();
        let shared = &gateway.shared;
        // The minute may have come meanwhile, for the gateway's own look at the clock.
        begin_due(shared, at - 1);
        begin_due(shared, at + 1);
        let figures = || shared.drills.figures(&gateway.plan(), &shared.timetable());
        let [one, two] = &*figures() else { panic!() };
        assert!(one.running || one.last.is_some(), "{one:?}");
        assert_eq!(one.next, Some(at + 86_400));
        assert_eq!(two.skipped, [("running", 1)]);
        let over = || {
            let report = gateway.drill_report("one").unwrap();
            report.conclusion != Conclusion::Running
        };
        for _ in 0..1_000 {
            if over() && !figures()[0].running {
                break;
            }
            thread::park_timeout(Duration::from_millis(10));
        }
        let report = gateway.drill_report("one").unwrap();
        assert_eq!(report.conclusion, Conclusion::Passed, "{report:?}");
        let [one, _] = &*figures() else { panic!() };
        assert!(matches!(one.last, Some((_, true))), "{one:?}");
        let kept = shared.drills.past("one", 0).unwrap();
        assert!(kept.contains("\"passed\"") && shared.drills.past("one", 1).is_none());
        // A day later nobody looked in time.
        begin_due(shared, at + 86_400 + 300);
        for drill in figures() {
            assert!(drill.skipped.contains(&("late", 1)), "{drill:?}");
        }
    }
}
