//! The thread that writes the access log to standard output. It looks for records from time to time and is never woken,
//! so that a core pays no system call for a line. If standard output does not take lines fast enough, the cores' queues
//! fill up and count what they drop; the gateway itself never waits.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::{self, JoinHandle};

use crate::base::Span;
use crate::ops::{Account, Record};
use crate::policy::model::LogForm;
use crate::runtime::clock::Anchor;
use crate::runtime::log;
use crate::runtime::shared::Shared;

/// The thread, and how to end it.
#[derive(Debug)]
pub(super) struct LogWriter {
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl LogWriter {
    /// Writes what comes from `cores`.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn start(shared: Arc<Shared>, cores: Vec<Receiver<Record>>) -> io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let body = move || {
            if let Err(error) = write(&shared, &cores, &seen) {
                log::note(&format!(
                    "the access log cannot be written to standard output ({error}): it has ended"
                ));
            }
        };
        let thread = thread::Builder::new().name("access-log".to_owned());
        let thread = thread.spawn(body)?;
        Ok(Self { over, thread })
    }

    /// Says that no more records will come; true once all lines are written.
    pub(super) fn ends(&self) -> bool {
        self.over.store(true, Ordering::Release);
        self.thread.is_finished()
    }
}

fn write(shared: &Shared, cores: &[Receiver<Record>], over: &AtomicBool) -> io::Result<()> {
    // A reload does not change it.
    let form = shared.generation().plan.policy.telemetry.access_log;
    let mut lines = String::new();
    loop {
        // Read first: what was put in before is found by the round that follows.
        let last = over.load(Ordering::Acquire);
        let anchor = Anchor::now();
        for core in cores {
            for record in core.try_iter().take(ROUND_MAX) {
                tell(shared, form, &record, &anchor, &mut lines);
            }
        }
        if !lines.is_empty() {
            let mut out = io::stdout().lock();
            out.write_all(lines.as_bytes())?;
            out.flush()?;
            lines.clear();
        } else if last {
            return Ok(());
        } else {
            thread::park_timeout(PAUSE.as_std());
        }
    }
}

fn tell(shared: &Shared, form: LogForm, record: &Record, anchor: &Anchor, lines: &mut String) {
    let plan = &*shared.plan_of(record.policy);
    let time = anchor.rfc3339(record.started);
    let account = Account::new(record, plan, &time);
    match form {
        LogForm::Json => lines.push_str(&account.json().to_string()),
        LogForm::Text => lines.push_str(&account.text()),
        LogForm::Off => return,
    }
    lines.push('\n');
}

/// How long a line may wait: short enough to watch, long enough to cost nothing.
const PAUSE: Span = Span::from_millis(20);
/// Records of one core before the next one has its turn.
const ROUND_MAX: usize = 256;
