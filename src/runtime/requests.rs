//! Asking the cores for records. A journal belongs to its worker: it is not reached into, its worker is asked, looks at
//! its questions with its beat, and sends copies. A request never waits for a question, and pays nothing for it.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use crate::base::{RequestId, Span};
use crate::ops::{Journal, Record};
use crate::runtime::clock;
use crate::runtime::generation::Whose;

/// What an operator wants to see.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Ask {
    /// One request.
    One(RequestId),
    /// The newest ones.
    Newest {
        /// At most so many.
        count: usize,
        /// Only those that failed.
        failed: bool,
        /// Whose.
        whose: Whose,
    },
}

/// What a worker is asked, and where it answers.
#[derive(Debug)]
pub(super) struct Question {
    ask: Ask,
    reply: Sender<Vec<Record>>,
}

impl Question {
    /// Answers from the journal of requests, or those of copies and of drills, which there may not be.
    pub(super) fn answer(
        self,
        journal: &Journal,
        copies: Option<&Journal>,
        drill: Option<&Journal>,
    ) {
        let records = match self.ask {
            Ask::One(id) => {
                let found = journal.find(id).or_else(|| drill?.find(id));
                found.copied().into_iter().collect()
            }
            Ask::Newest {
                count,
                failed,
                whose,
            } => {
                let journal = match whose {
                    Whose::Requests => Some(journal),
                    Whose::Copies => copies,
                    Whose::Drill => drill,
                };
                journal.map_or_else(Vec::new, |journal| journal.newest(count, failed))
            }
        };
        // Who asked may have lost patience.
        let _ = self.reply.send(records);
    }
}

/// What the cores said.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Newest first.
    pub(super) records: Vec<Record>,
    /// Cores that did not answer in time: one that is stuck, or that has ended.
    pub(super) silent: usize,
}

/// Asks all workers and waits for their answers, but not for long.
pub(super) async fn ask(workers: &[Sender<Question>], ask: Ask) -> Found {
    let (reply, answers) = channel();
    let mut found = Found::default();
    for worker in workers {
        let reply = reply.clone();
        found.silent += 1;
        // One that has ended has dropped its end.
        let _ = worker.send(Question { ask, reply });
    }
    drop(reply);
    let patience = clock::now() + PATIENCE;
    while found.silent > 0 && clock::now() < patience {
        if !take_answers(&answers, &mut found) {
            break;
        }
        monoio::time::sleep(LOOK.as_std()).await;
    }
    found
        .records
        .sort_by_key(|record| std::cmp::Reverse(record.ended));
    if let Ask::Newest { count, .. } = ask {
        found.records.truncate(count);
    }
    found
}

/// Takes what is there; false where nothing more will come.
fn take_answers(answers: &Receiver<Vec<Record>>, found: &mut Found) -> bool {
    loop {
        match answers.try_recv() {
            Ok(records) => {
                found.records.extend(records);
                found.silent = found.silent.saturating_sub(1);
            }
            Err(TryRecvError::Empty) => return true,
            Err(TryRecvError::Disconnected) => return false,
        }
    }
}

/// A worker at rest looks at its questions every 50 ms; one that does not in ten times that is stuck.
const PATIENCE: Span = Span::from_millis(500);
/// How often answers are looked for.
const LOOK: Span = Span::from_millis(2);
