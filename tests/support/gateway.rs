//! The gateway as a process of its own, on free ports, ended when its guard is dropped.

use std::env;
use std::fs;
use std::io::Read as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rustix::process::Pid;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::Signal;

use super::PATIENCE;
use super::client::Client;

/// The key that every provider of a test policy takes from `env("UPSTREAM_KEY")`.
pub const UPSTREAM_KEY: &str = "sk-upstream-canary";

/// Which system interface the workers use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Io {
    Ring,
    Epoll,
}

impl Io {
    /// Every test of the binary runs with each.
    pub const BOTH: [Self; 2] = [Self::Ring, Self::Epoll];

    const fn word(self) -> &'static str {
        match self {
            Self::Ring => "io_uring",
            Self::Epoll => "epoll",
        }
    }
}

/// A running gateway.
pub struct Gateway {
    child: Child,
    folder: Folder,
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where operators connect.
    pub admin: SocketAddr,
}

impl Gateway {
    /// Starts it with one core and waits until `GET /healthz` at the admin address answers 200.
    ///
    /// `server` are further fields of the `server` block, `policy` is everything after it.
    pub fn start(io: Io, server: &str, policy: &str) -> Self {
        // Another process can take a free port between the look and the bind: then it is tried again.
        for _ in 0..4 {
            if let Some(gateway) = Self::try_start(io, server, policy) {
                return gateway;
            }
        }
        panic!("the gateway did not come up");
    }

    fn try_start(io: Io, server: &str, policy: &str) -> Option<Self> {
        let (address, admin) = (free_address(), free_address());
        let folder = Folder::new();
        let path = folder.write(POLICY, &whole(address, admin, server, policy));
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_switchover"))
            .arg("serve")
            .arg(&path)
            .args(["--io", io.word()])
            .env("UPSTREAM_KEY", UPSTREAM_KEY)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut gateway = Self {
            child,
            folder,
            address,
            admin,
        };
        gateway.await_health().then_some(gateway)
    }

    /// Another policy stands in its file from now on; `server` and `policy` as in [`Gateway::start`].
    pub fn rewrite(&self, server: &str, policy: &str) {
        self.rewrite_whole(&whole(self.address, self.admin, server, policy));
    }

    /// This stands in its policy's file from now on.
    pub fn rewrite_whole(&self, text: &str) {
        self.folder.write(POLICY, text);
    }

    /// What stands in its policy's file.
    pub fn text(&self) -> String {
        fs::read_to_string(self.folder.path().join(POLICY)).unwrap()
    }

    fn await_health(&mut self) -> bool {
        let mut ended = None;
        let up = eventually(|| {
            ended = self.child.try_wait().unwrap();
            ended.is_some() || self.healthy()
        });
        if up && ended.is_none() {
            return true;
        }
        eprintln!("the gateway is not healthy ({ended:?}):\n{}", self.log());
        false
    }

    fn healthy(&self) -> bool {
        let Ok(mut admin) = TcpStream::connect(self.admin) else {
            return false;
        };
        // Asked again if it takes longer.
        admin
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        let asked =
            admin.write_all(b"GET /healthz HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        let mut status = [0; 12];
        asked.is_ok() && admin.read_exact(&mut status).is_ok() && status.ends_with(b" 200")
    }

    /// How many files and sockets it has open.
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        fs::read_dir(folder).unwrap().count()
    }

    /// Lowers the number of descriptors that it may have.
    pub fn limit_descriptors(&self, count: usize) {
        let count = Some(count as u64);
        let limit = Rlimit {
            current: count,
            maximum: count,
        };
        let id = Pid::from_child(&self.child);
        rustix::process::prlimit(Some(id), Resource::Nofile, limit).unwrap();
    }

    /// The CPU time that it has used, to the hundredth of a second.
    pub fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Fields 14 and 15, counted from behind the name, which may hold anything (proc_pid_stat(5)).
        let fields = stat.rsplit_once(')').unwrap().1;
        let ticks = |index| -> u64 {
            fields
                .split_whitespace()
                .nth(index)
                .unwrap()
                .parse()
                .unwrap()
        };
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }

    /// Asks it to end, as a service manager does.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Waits until it has ended by itself; `None` if it does not.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let mut status = None;
        eventually(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status
    }

    /// The page at `path` of the admin address: its status and its body.
    pub fn page(&self, path: &str) -> (u16, String) {
        let ask = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        let answer = Client::connect(self.admin).send(ask).answer();
        (answer.status, answer.text())
    }

    /// Gives it an order at `path` of the admin address: its status and its body.
    pub fn order(&self, path: &str) -> (u16, String) {
        self.order_with(path, "")
    }

    /// The same, with more fields.
    pub fn order_with(&self, path: &str, fields: &str) -> (u16, String) {
        let ask = format!(
            "POST {path} HTTP/1.1\r\nhost: admin\r\n{fields}content-length: 0\r\nconnection: close\r\n\r\n"
        );
        let answer = Client::connect(self.admin).send(ask).answer();
        (answer.status, answer.text())
    }

    /// What it wrote to standard output and standard error so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// The name of the policy's file.
const POLICY: &str = "test.policy";

fn whole(address: SocketAddr, admin: SocketAddr, server: &str, policy: &str) -> String {
    format!(
        "policy 1\n\nserver {{\n  listen = \"{address}\"\n  admin = \"{admin}\"\n  cores = 1\n  {server}\n}}\n{policy}\n"
    )
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended by itself; a zombie is all that is left to fear.
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            eprintln!("--- the gateway said:\n{}---", self.log());
        }
    }
}

/// Asks again and again until something holds; false if it does not within [`PATIENCE`].
#[expect(
    clippy::disallowed_methods,
    reason = "another process cannot wake this one, and must not be waited for without end"
)]
pub fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if holds() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

/// An address that nobody listens on, and that nobody else of this process is given. It lies below the ports that the
/// kernel gives to connections by itself: one of those could be taken before somebody listens there.
pub fn free_address() -> SocketAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    // Another process begins somewhere else.
    let offset = std::process::id().wrapping_mul(997);
    loop {
        let turn = GIVEN.fetch_add(1, Ordering::Relaxed);
        assert!(turn < COUNT, "no port of {COUNT} is free");
        let port = FIRST + offset.wrapping_add(turn) % COUNT;
        let address = SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// A folder of its own for one test, removed with everything in it.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "switchover-it-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
