//! Files that change while the gateway runs: secrets, certificates, certificate authorities, lists of endpoints. One thread
//! looks at what the file system says of them, secrets every two seconds, which works on every file system and with every way to replace a file:
//! written in place, renamed over, or a link that is turned elsewhere, as Kubernetes does.
//!
//! A file counts as changed once it has looked the same twice: whoever writes it in pieces is given the time to finish.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::thread;

use crate::base::{Moment, Span};
use crate::policy::Policy;
use crate::policy::model::{Roots, SecretSource};
use crate::runtime::clock;
use crate::runtime::reload::Reloader;
use crate::runtime::shared::Shared;

/// Watches what the newest generation was made from, until the process ends.
pub(super) fn spawn(shared: Arc<Shared>, reloader: Arc<Reloader>) {
    super::spawn::<()>("watcher", move || {
        let mut watcher = Watcher::default();
        loop {
            thread::park_timeout(LOOK_EVERY.as_std());
            let generation = shared.generation();
            let files = files(&generation.plan.policy);
            if watcher.look(clock::now(), &files, signature) {
                reloader.rotate();
            }
        }
    });
}

/// What is known of each file.
#[derive(Debug, Default)]
struct Watcher {
    files: BTreeMap<Box<str>, Sight>,
}

/// How a file looked.
#[derive(Clone, Copy, Debug)]
struct Sight {
    seen: Option<Signature>,
    /// It has been read since it began to look so.
    read: bool,
    /// When it is looked at next.
    due: Moment,
}

/// What changes when a file is replaced or written; nothing where there is no file.
type Signature = (u64, u64, u64, i64, i64);

impl Watcher {
    /// Looks at those of the files that are due, each with its own pace; whether one of them is to be read again. One that
    /// was not looked at before may have changed since it was read. One that has changed is looked at again soon.
    fn look(
        &mut self,
        now: Moment,
        files: &[(&str, Span)],
        signature: impl Fn(&str) -> Option<Signature>,
    ) -> bool {
        self.files
            .retain(|known, _| files.iter().any(|(file, _)| **known == **file));
        let mut changed = false;
        for &(file, every) in files {
            if self.files.get(file).is_some_and(|known| now < known.due) {
                continue;
            }
            let seen = signature(file);
            let fresh = Sight {
                seen,
                read: false,
                due: now,
            };
            match self.files.get_mut(file) {
                Some(known) if known.seen == seen => {
                    changed |= !std::mem::replace(&mut known.read, true);
                    known.due = now + every;
                }
                _ => drop(self.files.insert(file.into(), fresh)),
            }
        }
        changed
    }
}

/// Every file that a secret, a certificate, an authority or endpoints of `policy` are in, and how often it is looked at.
fn files(policy: &Policy) -> Vec<(&str, Span)> {
    let mut files = Vec::new();
    for provider in &policy.providers {
        if let Roots::File(path) = &provider.tls.roots {
            files.push((&**path, SECRETS_EVERY));
        }
        if let Some(discover) = &provider.discover {
            files.push((&*discover.path, discover.every));
        }
    }
    let keys = policy.providers.iter().flat_map(|it| it.auth.secrets());
    let server = policy
        .server
        .tls
        .iter()
        .flat_map(|tls| [&tls.cert, &tls.key]);
    files.extend(
        keys.chain(server)
            .filter_map(|secret| match &secret.source {
                SecretSource::File(path) => Some((&**path, SECRETS_EVERY)),
                SecretSource::Env(_) | SecretSource::Placeholder => None,
            }),
    );
    files
}

fn signature(path: &str) -> Option<Signature> {
    let found = fs::metadata(path).ok()?;
    Some((
        found.dev(),
        found.ino(),
        found.size(),
        found.mtime(),
        found.mtime_nsec(),
    ))
}

/// How often it is looked whether a file is due.
const LOOK_EVERY: Span = Span::from_secs(1);
/// How often a file of a secret is looked at. A replaced one is in use after two looks, of which the second comes soon.
const SECRETS_EVERY: Span = Span::from_secs(2);

#[cfg(test)]
mod tests {
    use super::{Signature, Watcher};
    use crate::base::{Moment, Span};

    const EVERY: Span = Span::from_secs(10);
    const FIRST: Option<Signature> = Some((1, 1, 0, 0, 0));
    const SECOND: Option<Signature> = Some((1, 2, 0, 0, 0));
    const THIRD: Option<Signature> = Some((1, 2, 0, 0, 1));

    #[test]
    fn a_change_counts_once_it_has_come_to_rest() {
        let mut watcher = Watcher::default();
        let mut now = Moment::START;
        let mut see = |a, b| {
            now = now + EVERY;
            let files = [("a", EVERY), ("b", EVERY)];
            watcher.look(now, &files, |file| if file == "a" { a } else { b })
        };
        // Not looked at before: it may have changed since it was read.
        assert!(!see(FIRST, None));
        assert!(see(FIRST, None));
        assert!(!see(FIRST, None));
        // It is being written.
        assert!(!see(SECOND, None));
        assert!(!see(THIRD, None));
        assert!(see(THIRD, None));
        assert!(!see(THIRD, None));
        // One comes, the other one goes.
        assert!(!see(None, FIRST));
        assert!(see(None, FIRST));
        assert!(!see(None, FIRST));
    }

    #[test]
    fn each_file_has_its_pace_and_a_change_is_looked_at_again_soon() {
        let mut watcher = Watcher::default();
        let mut look = |millis, seen| {
            let now = Moment::START + Span::from_millis(millis);
            watcher.look(now, &[("a", EVERY)], |_| seen)
        };
        assert!(!look(0, FIRST));
        assert!(look(100, FIRST));
        // Not due yet, then due and another one.
        assert!(!look(200, SECOND));
        assert!(!look(10_100, SECOND));
        assert!(look(10_200, SECOND));
        assert!(!look(10_300, THIRD));
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten() {
        let mut watcher = Watcher::default();
        let mut see = |files: &[(&str, Span)]| watcher.look(Moment::START, files, |_| FIRST);
        assert!(!see(&[("a", EVERY)]));
        assert!(see(&[("a", EVERY)]));
        assert!(!see(&[]));
        assert!(!see(&[("a", EVERY)]));
        assert!(see(&[("a", EVERY)]));
    }
}
