//! What the files of a policy held before, beside its own in `FILE.history`: a folder for each plan, with those of its files that were replaced
//! where the next one was applied. For going back. One command at a time.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::runtime::clock;

/// What was served before the plan of one policy's file.
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

    /// Keeps files of a plan that was served under this hash, each by its path from the folder of the policy's own file; of the plans kept before,
    /// the newest four stay.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn keep(&self, hash: &str, files: &[(String, Vec<u8>)]) -> io::Result<()> {
        let newest = self.all().last().map_or(0, |(number, _)| *number);
        let number = clock::unix_seconds().max(newest + 1);
        write(&self.folder.join(format!("{number}-{hash}")), files)?;
        let all = self.all();
        for (_, path) in all.iter().take(all.len().saturating_sub(KEPT)) {
            fs::remove_dir_all(path)?;
        }
        Ok(())
    }

    /// The files of the newest plan that is kept; empty where none is.
    pub fn newest(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        if let Some((_, folder)) = self.all().pop() {
            collect(&folder, "", &mut files);
        }
        files
    }

    /// The newest one was not replaced after all.
    pub fn forget_newest(&self) {
        if let Some((_, path)) = self.all().pop() {
            // What stays is one more to go back to.
            let _ = fs::remove_dir_all(path);
        }
    }

    /// The newest one is served again, in place of these files, which are kept for whoever did not mean it.
    pub fn undone(&self, files: &[(String, Vec<u8>)]) {
        self.forget_newest();
        let folder = self.folder.join("undone");
        let _ = fs::remove_dir_all(&folder);
        let _ = write(&folder, files);
    }

    /// The folders of plans in their order.
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

fn write(folder: &Path, files: &[(String, Vec<u8>)]) -> io::Result<()> {
    for (name, text) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

/// The files of a folder and of those in it, by their paths from where `prefix` began.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let (path, name) = (entry.path(), format!("{prefix}{name}"));
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files);
        } else if let Ok(text) = fs::read(path) {
            files.push((name, text));
        }
    }
    files.sort();
}

/// Plans that are kept.
const KEPT: usize = 5;
