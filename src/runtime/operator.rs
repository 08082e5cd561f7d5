//! The operator's side of the admin address: one order, one answer, on a connection of its own. For commands.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};

use crate::base::Span;
use crate::wire::h1::{Fields, response};

/// Sends an order to `path` at the admin address of a running gateway; gives the status and the body.
///
/// # Errors
/// Nobody is there, or what answers is no gateway.
pub fn order(admin: &str, path: &str) -> io::Result<(u16, Vec<u8>)> {
    ask(admin, "POST", path)
}

/// Reads the page at `path` of the admin address; gives the status and the body.
///
/// # Errors
/// As [`order`].
pub fn page(admin: &str, path: &str) -> io::Result<(u16, Vec<u8>)> {
    ask(admin, "GET", path)
}

fn ask(admin: &str, method: &str, path: &str) -> io::Result<(u16, Vec<u8>)> {
    let not_found = || io::Error::other("it is not an address with a port");
    let address = admin.to_socket_addrs()?.next().ok_or_else(not_found)?;
    let mut stream = TcpStream::connect_timeout(&address, CONNECT.as_std())?;
    stream.set_read_timeout(Some(PATIENCE.as_std()))?;
    stream.set_write_timeout(Some(PATIENCE.as_std()))?;
    let order = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(order.as_bytes())?;
    let mut bytes = Vec::new();
    // It closes behind its answer.
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
    let mut fields = Fields::default();
    match response::parse(&bytes, &mut fields) {
        Ok(Some(head)) => {
            let body = bytes.split_off(head.len as usize);
            Ok((head.status, body))
        }
        _ => Err(io::Error::other("what answers there is no gateway")),
    }
}

/// The admin address is a loopback address.
const CONNECT: Span = Span::from_secs(5);
/// A reload reads files and resolves no names.
const PATIENCE: Span = Span::from_secs(60);
/// All diagnostics of a policy fit.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
