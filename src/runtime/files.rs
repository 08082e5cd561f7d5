//! Policy files on disk.

use std::fs::File;
use std::io::Read;
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

/// Soon enough for whoever has just saved a file.
const LOOK_EVERY: Duration = Duration::from_millis(200);
