//! `discover`: the files that providers' endpoints come from.

use std::fs::File;
use std::io::{self, Read};

use crate::base::ProviderId;
use crate::policy::Policy;

/// Reads the files that `policy` names and lets their endpoints take their places. A provider whose file is no use keeps
/// the endpoints that it has; gives a sentence for each.
pub(super) fn read(policy: &mut Policy) -> Vec<String> {
    let mut errors = Vec::new();
    for place in 0..policy.providers.len() {
        let Some(provider) = policy.providers.get(place) else {
            continue;
        };
        let Some(discover) = &provider.discover else {
            continue;
        };
        let (name, path) = (provider.name.clone(), discover.path.clone());
        let id = ProviderId(u16::try_from(place).unwrap_or(u16::MAX));
        let done = contents(&path)
            .map_err(|error| format!("cannot be read: {error}"))
            .and_then(|json| policy.discovered(id, &json));
        if let Err(why) = done {
            errors.push(format!("the endpoints of provider {name}: `{path}` {why}"));
        }
    }
    errors
}

fn contents(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// 64 addresses of a kilobyte each are a sixteenth of it; what is longer breaks off and is no JSON then.
const FILE_BYTES_MAX: u64 = 1 << 20;
