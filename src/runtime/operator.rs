//! An operator's side of the admin address, for commands: one question, one answer, with an end to the waiting.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};

use serde_json::Value;

use crate::base::Span;
use crate::engine::Order;

/// What the gateway said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// It is done: each target with the order that held before.
    Done(Vec<(String, String)>),
    /// It refused, and why.
    Refused(String),
}

/// Gives a running gateway an order about a target or a provider.
///
/// # Errors
/// Nobody answers at `admin`, or not like a gateway: a sentence that names the address.
pub fn order(admin: &str, target: &str, order: Order) -> Result<Reply, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.*".contains(&byte);
    if target.is_empty() || !target.bytes().all(plain) {
        return Ok(Reply::Refused(format!("`{target}` is no name of a target")));
    }
    let order = order.as_str();
    let ask = format!(
        "POST /targets/{target}/{order} HTTP/1.1\r\nhost: {admin}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    let answer = exchange(admin, &ask).map_err(|error| format!("{admin}: {error}"))?;
    let understood = understand(&answer);
    understood
        .ok_or_else(|| format!("{admin}: whoever answers there is no gateway of this version"))
}

fn exchange(admin: &str, ask: &str) -> std::io::Result<String> {
    let addresses: Vec<SocketAddr> = admin.to_socket_addrs()?.collect();
    let mut last = std::io::Error::other("the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE.as_std()) {
            Ok(stream) => return converse(stream, ask),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn converse(mut stream: TcpStream, ask: &str) -> std::io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE.as_std()))?;
    stream.set_write_timeout(Some(PATIENCE.as_std()))?;
    stream.write_all(ask.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

fn understand(answer: &str) -> Option<Reply> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let body: Value = serde_json::from_str(body).ok()?;
    if head.split(' ').nth(1)? != "200" {
        let why = body.get("error")?.as_str()?;
        return Some(Reply::Refused(why.to_owned()));
    }
    let targets = body.get("targets")?.as_array()?;
    let targets = targets.iter().map(|target| {
        let text = |key| Some(target.get(key)?.as_str()?.to_owned());
        Some((text("target")?, text("before")?))
    });
    targets.collect::<Option<Vec<_>>>().map(Reply::Done)
}

/// For the connection, and for each read and write: the gateway answers at once or not at all.
const PATIENCE: Span = Span::from_secs(5);
/// Some ten thousand targets.
const ANSWER_MAX: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::{Reply, understand};

    #[test]
    fn only_a_gateways_answers_are_understood() {
        let done = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"targets\":[{\"target\":\"a.m\",\"before\":\"auto\"}]}";
        let wanted = vec![("a.m".to_owned(), "auto".to_owned())];
        assert_eq!(understand(done), Some(Reply::Done(wanted)));
        let refused = "HTTP/1.1 404 Not Found\r\n\r\n{\"error\":\"no\"}";
        assert_eq!(understand(refused), Some(Reply::Refused("no".to_owned())));
        for other in ["", "HTTP/1.1 200 OK\r\n\r\nhello", "SSH-2.0\r\n\r\n{}"] {
            assert_eq!(understand(other), None, "{other}");
        }
    }
}
