//! Files that change while the gateway runs: secrets, certificates, certificate authorities. One thread looks at what the
//! file system says of them every two seconds, which works on every file system and with every way to replace a file:
//! written in place, renamed over, or a link that is turned elsewhere, as Kubernetes does.
//!
//! A file counts as changed once it has looked the same twice: whoever writes it in pieces is given the time to finish.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::thread;

use crate::base::Span;
use crate::policy::Policy;
use crate::policy::model::{Roots, SecretSource};
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
            if watcher.look(&files, signature) {
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
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Sight {
    now: Option<Signature>,
    /// It has been read since it began to look so.
    read: bool,
}

/// What changes when a file is replaced or written; nothing where there is no file.
type Signature = (u64, u64, u64, i64, i64);

impl Watcher {
    /// Looks at these files; whether one of them is to be read again. One that was not looked at before may have changed
    /// since it was read.
    fn look(&mut self, files: &[&str], signature: impl Fn(&str) -> Option<Signature>) -> bool {
        self.files.retain(|known, _| files.contains(&&**known));
        let mut changed = false;
        for &file in files {
            let now = signature(file);
            let fresh = Sight { now, read: false };
            match self.files.get_mut(file) {
                None => drop(self.files.insert(file.into(), fresh)),
                Some(known) if known.now != now => *known = fresh,
                Some(known) => changed |= !std::mem::replace(&mut known.read, true),
            }
        }
        changed
    }
}

/// Every file that a secret, a certificate or an authority of `policy` is in.
fn files(policy: &Policy) -> Vec<&str> {
    let providers = policy.providers.iter();
    let keys = providers.flat_map(|provider| provider.auth.secrets());
    let server = policy
        .server
        .tls
        .iter()
        .flat_map(|tls| [&tls.cert, &tls.key]);
    let secrets = keys
        .chain(server)
        .filter_map(|secret| match &secret.source {
            SecretSource::File(path) => Some(&**path),
            SecretSource::Env(_) => None,
        });
    let roots = policy
        .providers
        .iter()
        .filter_map(|provider| match &provider.tls.roots {
            Roots::File(path) => Some(&**path),
            Roots::Bundled | Roots::System => None,
        });
    secrets.chain(roots).collect()
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

/// A replaced secret is in use after two looks.
const LOOK_EVERY: Span = Span::from_secs(2);

#[cfg(test)]
mod tests {
    use super::{Signature, Watcher};

    const FIRST: Option<Signature> = Some((1, 1, 0, 0, 0));
    const SECOND: Option<Signature> = Some((1, 2, 0, 0, 0));
    const THIRD: Option<Signature> = Some((1, 2, 0, 0, 1));

    #[test]
    fn a_change_counts_once_it_has_come_to_rest() {
        let mut watcher = Watcher::default();
        let mut see = |a, b| watcher.look(&["a", "b"], |file| if file == "a" { a } else { b });
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
    fn what_nobody_asks_for_is_forgotten() {
        let mut watcher = Watcher::default();
        let mut see = |files: &[&str]| watcher.look(files, |_| FIRST);
        assert!(!see(&["a"]));
        assert!(see(&["a"]));
        assert!(!see(&[]));
        assert!(!see(&["a"]));
        assert!(see(&["a"]));
    }
}
