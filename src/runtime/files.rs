//! Policy files on disk.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;
use std::process;
use std::thread;
use std::time::Duration;

use crate::base::limits::POLICY_BYTES_MAX;
use crate::policy::Sources;

/// Reads policies from the file system; relative paths are relative to the working directory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Sources for Disk {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        // One byte more than is allowed tells that there are too many, without reading them all.
        let max = POLICY_BYTES_MAX as u64 + 1;
        file.take(max)
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

impl Disk {
    /// Comes back once one of the files reads otherwise than now. For commands that watch: it blocks the thread.
    pub fn await_change(self, paths: &[String]) {
        let read = || -> Vec<_> { paths.iter().map(|path| self.read(path)).collect() };
        let known = read();
        while read() == known {
            thread::park_timeout(LOOK_EVERY);
        }
    }
}

/// The lines of a file that may be too large for memory, or of standard input.
pub struct TextLines(Box<dyn BufRead>);

impl fmt::Debug for TextLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TextLines")
    }
}

impl TextLines {
    /// Of the file at `path`; `-` is standard input.
    pub fn open(path: &str) -> io::Result<Self> {
        Ok(Self(if path == "-" {
            Box::new(io::stdin().lock())
        } else {
            Box::new(BufReader::new(File::open(path)?))
        }))
    }
}

impl Iterator for TextLines {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Vec::new();
        // A line of a record is a few KiB: what has no end is no record.
        let mut part = (&mut self.0).take(LINE_BYTES_MAX);
        match part.read_until(b'\n', &mut bytes) {
            Ok(0) => None,
            Ok(_) => Some(Ok(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) => Some(Err(error)),
        }
    }
}

/// The longest line that is read as one.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Puts the content at a path: in place of the file that is there, or as a new one that whoever may read `like` can read.
///
/// # Errors
/// As [`replace`]'s; or the file or its folder cannot be made.
pub fn put(path: &Path, content: &[u8], like: &Path) -> io::Result<()> {
    if path.exists() {
        return replace(path, content);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    fill(&mut new, content, &fs::metadata(like)?)
}

/// Takes a file away.
///
/// # Errors
/// It is not there, or its folder cannot be written.
pub fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)
}

/// Gives the file at `path` another content, whole or not at all: whoever reads it meanwhile sees the old one or the new
/// one. Where `path` is a symbolic link, the file that it leads to is replaced. Permissions stay, and the owner where
/// the system lets us; other hard links keep the old content.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let old = fs::metadata(path)?;
    if !old.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let path = fs::canonicalize(path)?;
    // The folder decides whether a file can be replaced, but a file that is not to be written is not to be replaced.
    OpenOptions::new().write(true).open(&path)?;
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", process::id()));
    let beside = path.with_file_name(name);
    let mut new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    let written = fill(&mut new, content, &old).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        // What went wrong first is what is told.
        let _ = fs::remove_file(&beside);
    }
    written
}

fn fill(new: &mut File, content: &[u8], old: &Metadata) -> io::Result<()> {
    let own = new.metadata()?;
    if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
        // Only root may give files away; who else may write this one gets a copy of his own.
        let _ = fchown(&*new, Some(old.uid()), Some(old.gid()));
    }
    new.set_permissions(old.permissions())?;
    new.write_all(content)?;
    new.sync_all()
}

/// Soon enough for whoever has just saved a file.
const LOOK_EVERY: Duration = Duration::from_millis(200);
