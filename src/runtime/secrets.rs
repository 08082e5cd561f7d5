//! Where secrets come in: environment variables and files that the policy refers to.

use std::fs;
use std::io;

use crate::base::Secret;
use crate::policy::Policy;
use crate::policy::model::{SecretRef, SecretSource};

/// Reads the secret that `reference` names.
///
/// # Errors
/// It is missing, empty or unreadable: the sentence names the variable or file and the policy's line, never a value.
pub(super) fn read(policy: &Policy, reference: &SecretRef) -> Result<Secret, String> {
    let found = match &reference.source {
        SecretSource::Env(name) => read_env(name),
        SecretSource::File(path) => read_file(path).map_err(|error| error.to_string()),
        SecretSource::Placeholder => Ok(Secret::new(PLACEHOLDER.to_vec())),
    };
    let secret = found
        .and_then(|secret| {
            if secret.expose().is_empty() {
                Err("is empty".into())
            } else {
                Ok(secret)
            }
        })
        .map_err(|why| explain(policy, reference, &why))?;
    if secret
        .expose()
        .iter()
        .any(|&byte| byte < b' ' && byte != b'\n' && byte != b'\r')
    {
        return Err(explain(policy, reference, "holds control characters"));
    }
    Ok(secret)
}

/// What stands for a secret where nobody asks for one: no key of anybody.
const PLACEHOLDER: &[u8] = b"placeholder";

fn explain(policy: &Policy, reference: &SecretRef, why: &str) -> String {
    let file = policy
        .files
        .get(usize::from(reference.at.file))
        .map_or("?", |file| &**file);
    let line = reference.at.line;
    match &reference.source {
        SecretSource::Env(name) => format!(
            "the environment variable `{name}` {why} ({file}:{line}); set it before the gateway \
             starts, or change the reference"
        ),
        SecretSource::File(path) => format!(
            "the secret file `{path}`: {why} ({file}:{line}); put the secret there, or change the \
             reference"
        ),
        SecretSource::Placeholder => format!("the placeholder of a secret {why} ({file}:{line})"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is where the environment is read"
)]
fn read_env(name: &str) -> Result<Secret, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Secret::new(value.into_bytes())),
        Err(std::env::VarError::NotPresent) => Err("is not set".to_owned()),
        Err(std::env::VarError::NotUnicode(_)) => Err("is not UTF-8".to_owned()),
    }
}

/// Reads a whole file without the newline that editors put at its end.
///
/// # Errors
/// As the system says.
pub(super) fn read_file(path: &str) -> io::Result<Secret> {
    let mut bytes = fs::read(path)?;
    while matches!(bytes.last(), Some(b'\n' | b'\r')) {
        bytes.pop();
    }
    Ok(Secret::new(bytes))
}
