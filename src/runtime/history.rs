//! The texts that a policy's file held before, beside it in `FILE.history`: for going back. One command at a time.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::runtime::clock;

/// The texts of one policy's file.
#[derive(Debug)]
pub struct History {
    folder: PathBuf,
    /// Held as long as this lives.
    _turn: File,
}

impl History {
    /// Of the policy's file at `path`. The folder is made where there is none.
    ///
    /// # Errors
    /// It cannot be made, or another command uses it.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut folder = path.as_os_str().to_owned();
        folder.push(".history");
        let folder = PathBuf::from(folder);
        fs::create_dir_all(&folder)?;
        let turn = File::create(folder.join("lock"))?;
        turn.try_lock()
            .map_err(|_| io::Error::other("another command uses it"))?;
        Ok(Self {
            folder,
            _turn: turn,
        })
    }

    /// Keeps a text that was served under this hash; of those kept before, the newest four stay.
    pub fn keep(&self, hash: &str, text: &[u8]) -> io::Result<()> {
        let newest = self.all().last().map_or(0, |(number, _)| *number);
        let number = clock::unix_seconds().max(newest + 1);
        fs::write(self.folder.join(format!("{number}-{hash}.policy")), text)?;
        let all = self.all();
        for (_, path) in all.iter().take(all.len().saturating_sub(KEPT)) {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// The newest text.
    pub fn newest(&self) -> Option<Vec<u8>> {
        let (_, path) = self.all().pop()?;
        fs::read(path).ok()
    }

    /// The newest one was not replaced after all.
    pub fn forget_newest(&self) {
        if let Some((_, path)) = self.all().pop() {
            // What stays is one more to go back to.
            let _ = fs::remove_file(path);
        }
    }

    /// The newest one is served again, in place of this text, which is kept for whoever did not mean it.
    pub fn undone(&self, text: &[u8]) {
        self.forget_newest();
        let _ = fs::write(self.folder.join("undone.policy"), text);
    }

    /// The texts in their order.
    fn all(&self) -> Vec<(u64, PathBuf)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let numbered = entries.filter_map(|entry| {
            let name = entry.file_name();
            let (number, _) = name.to_str()?.split_once('-')?;
            Some((number.parse().ok()?, entry.path()))
        });
        let mut all: Vec<(u64, PathBuf)> = numbered.collect();
        all.sort();
        all
    }
}

/// Texts that are kept.
const KEPT: usize = 5;
