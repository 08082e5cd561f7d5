//! Policy files on disk.

use std::fs::File;
use std::io::Read;

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
