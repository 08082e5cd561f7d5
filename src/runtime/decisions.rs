//! The thread that writes records of decisions: as lines to the policy's file, and the newest of them into memory, where
//! operators find them by id. As with the access log, no core wakes it or waits for it.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::base::{RequestId, Span};
use crate::ops::{DecisionNotes, Ending, TickNotes, Told, ToldTick};
use crate::policy::model::Records;
use crate::runtime::clock::Anchor;
use crate::runtime::log;
use crate::runtime::shared::Shared;

/// The newest records, as they are written.
#[derive(Debug, Default)]
pub(super) struct Recent {
    lines: Mutex<VecDeque<Line>>,
}

#[derive(Debug)]
struct Line {
    id: RequestId,
    failed: bool,
    text: String,
}

impl Recent {
    /// The record of a request.
    pub(super) fn find(&self, id: RequestId) -> Option<String> {
        let lines = self.lock();
        let found = lines.iter().rev().find(|line| line.id == id);
        found.map(|line| line.text.clone())
    }

    /// The newest ones, newest first.
    pub(super) fn newest(&self, count: usize, failed: bool) -> Vec<String> {
        let lines = self.lock();
        let wanted = lines.iter().rev().filter(|line| !failed || line.failed);
        wanted.take(count).map(|line| line.text.clone()).collect()
    }

    fn keep(&self, line: Line) {
        let mut lines = self.lock();
        if lines.len() >= RECENT_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread, and how to end it.
#[derive(Debug)]
pub(super) struct DecisionWriter {
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl DecisionWriter {
    /// Writes what comes from `cores`, and of `ticks` between, as `records` says.
    ///
    /// # Errors
    /// The file cannot be written, or there is no thread to be had; a sentence.
    pub(super) fn start(
        shared: Arc<Shared>,
        records: &Records,
        cores: Vec<Receiver<Box<DecisionNotes>>>,
        ticks: Option<Receiver<TickNotes>>,
    ) -> Result<Self, String> {
        let over = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&over);
        let book =
            match &records.file {
                None => None,
                Some(path) => Some(Book::open(path, records.max_size).map_err(|error| {
                    format!("the records cannot be written to `{path}`: {error}")
                })?),
            };
        let body = move || write(&shared, &cores, ticks.as_ref(), book, &seen);
        let thread = thread::Builder::new().name("decisions".to_owned());
        let thread = thread.spawn(body).map_err(|error| error.to_string())?;
        Ok(Self { over, thread })
    }

    /// Says that no more will come; true once all is written.
    pub(super) fn ends(&self) -> bool {
        self.over.store(true, Ordering::Release);
        self.thread.is_finished()
    }
}

fn write(
    shared: &Shared,
    cores: &[Receiver<Box<DecisionNotes>>],
    ticks: Option<&Receiver<TickNotes>>,
    mut book: Option<Book>,
    over: &AtomicBool,
) {
    let mut text = String::new();
    loop {
        // Read first: what was put in before is found by the round that follows.
        let last = over.load(Ordering::Acquire);
        let anchor = Anchor::now();
        let mut any = false;
        for notes in cores
            .iter()
            .flat_map(|core| core.try_iter().take(ROUND_MAX))
        {
            any = true;
            tell(shared, &notes, &anchor, &mut text);
        }
        for tick in ticks.into_iter().flat_map(Receiver::try_iter) {
            any = true;
            tell_tick(shared, &tick, &mut text);
        }
        if let Some(open) = book.as_mut().filter(|_| !text.is_empty())
            && let Err(error) = open.add(text.as_bytes())
        {
            let path = open.path.display();
            log::note(&format!(
                "records of decisions cannot be written to {path} any more ({error}): the newest are at /decisions"
            ));
            book = None;
        }
        text.clear();
        if !any && last {
            return;
        }
        if !any {
            thread::park_timeout(PAUSE.as_std());
        }
    }
}

fn tell(shared: &Shared, notes: &DecisionNotes, anchor: &Anchor, text: &mut String) {
    let plan = shared.plan_of(notes.record.policy);
    let time = anchor.rfc3339(notes.record.started);
    let Some(told) = Told::new(notes, &plan, &time) else {
        return;
    };
    let Ok(line) = serde_json::to_string(&told) else {
        return;
    };
    text.push_str(&line);
    text.push('\n');
    shared.decisions.keep(Line {
        id: notes.record.id,
        failed: notes.record.ending == Ending::Failed,
        text: line,
    });
}

fn tell_tick(shared: &Shared, tick: &TickNotes, text: &mut String) {
    let plan = shared.plan_of(tick.policy);
    let told = ToldTick::new(tick, &plan);
    if let Some(line) = told.and_then(|told| serde_json::to_string(&told).ok()) {
        text.push_str(&line);
        text.push('\n');
    }
}

/// The file with records, and the one before it.
#[derive(Debug)]
struct Book {
    path: PathBuf,
    file: File,
    size: u64,
    max: u64,
}

impl Book {
    fn open(path: &str, max: u64) -> io::Result<Self> {
        let path = PathBuf::from(path);
        let file = Self::file(&path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path,
            file,
            size,
            max,
        })
    }

    /// What requests were about is their operator's.
    fn file(path: &PathBuf) -> io::Result<File> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
    }

    fn add(&mut self, lines: &[u8]) -> io::Result<()> {
        let more = lines.len() as u64;
        if self.size > 0 && self.size.saturating_add(more) > self.max {
            let mut before = self.path.clone().into_os_string();
            before.push(".1");
            fs::rename(&self.path, &before)?;
            self.file = Self::file(&self.path)?;
            self.size = 0;
        }
        self.file.write_all(lines)?;
        self.size = self.size.saturating_add(more);
        Ok(())
    }
}

/// Records in memory, a few KiB each.
const RECENT_MAX: usize = 1_000;
/// How long a record may wait: short enough to look it up, long enough to cost nothing.
const PAUSE: Span = Span::from_millis(20);
/// Records of one core before the next one has its turn.
const ROUND_MAX: usize = 64;
