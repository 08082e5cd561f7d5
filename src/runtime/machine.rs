//! What the machine, or the container, lets the process have; and the bounds that follow where the policy says none.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::engine::Bounds;
use crate::policy::model::Server;

/// The bounds of a gateway with this `server` block.
pub(super) fn bounds(server: &Server) -> Bounds {
    let memory = memory();
    let connections = server.bounds.connections.map_or_else(
        || connections(raise_descriptors(), memory),
        |connections| {
            raise_descriptors();
            u64::from(connections)
        },
    );
    let body_memory = (memory / BODY_MEMORY_PART).max(server.body_max);
    Bounds {
        connections,
        requests: server.bounds.requests.map_or(connections, u64::from),
        body_memory: server.bounds.body_memory.unwrap_or(body_memory),
    }
}

/// As many clients as there are descriptors for, each with a provider's connection, and memory.
fn connections(descriptors: u64, memory: u64) -> u64 {
    let pairs = descriptors.saturating_sub(OWN_DESCRIPTORS) / 2;
    pairs.min(memory / CONNECTION_BYTES).max(CONNECTIONS_MIN)
}

/// Raises the number of descriptors that the process may have to what it may raise it to; tells it. The lower one is for
/// programs that use `select`, which this one does not.
fn raise_descriptors() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let now = current.unwrap_or(DESCRIPTORS_MAX);
    let wanted = maximum.map_or(DESCRIPTORS_MAX, |maximum| maximum.min(DESCRIPTORS_MAX));
    let raised = Rlimit {
        current: Some(wanted),
        maximum,
    };
    if wanted > now && setrlimit(Resource::Nofile, raised).is_ok() {
        wanted
    } else {
        now
    }
}

/// Bytes of memory that the process may use: its cgroup's bound, or all that the machine has.
fn memory() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let machine = total_of(&machine).unwrap_or(MEMORY_UNKNOWN);
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    cgroup_paths(&own)
        .filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok())
        .fold(machine, u64::min)
}

/// `MemTotal:       24576000 kB`
fn total_of(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The files that may hold a bound on the memory of the process, by its `/proc/self/cgroup`: version 2, then version 1.
/// Inside a container the path is the root's.
fn cgroup_paths(own: &str) -> impl Iterator<Item = String> {
    own.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let path = path.trim_end_matches('/');
        if controllers.is_empty() {
            Some(format!("/sys/fs/cgroup{path}/memory.max"))
        } else if controllers.split(',').any(|name| name == "memory") {
            Some(format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"))
        } else {
            None
        }
    })
}

/// Listeners, rings, pipes, files: some dozens with many cores.
const OWN_DESCRIPTORS: u64 = 128;
/// The most that is asked for, as kernels allow it by default (`fs.nr_open`).
const DESCRIPTORS_MAX: u64 = 1 << 20;
/// What a connection with a request takes in the process and in the kernel, bodies aside: buffers of 20 KiB, its task,
/// two sockets with what lies in them.
const CONNECTION_BYTES: u64 = 64 * 1024;
/// However little there is.
const CONNECTIONS_MIN: u64 = 16;
/// A quarter is for bodies, by default.
const BODY_MEMORY_PART: u64 = 4;
/// Where nobody tells.
const MEMORY_UNKNOWN: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::{CONNECTIONS_MIN, cgroup_paths, connections, memory, total_of};

    #[test]
    fn descriptors_and_memory_bound_connections() {
        assert_eq!(connections(1024, 1 << 34), (1024 - 128) / 2);
        assert_eq!(connections(1 << 20, 1 << 30), 16_384);
        assert_eq!(connections(10, 1 << 30), CONNECTIONS_MIN);
    }

    #[test]
    fn memory_is_read_as_kernels_tell_it() {
        let text = "MemTotal:       24576000 kB\nMemFree:          100 kB\n";
        assert_eq!(total_of(text), Some(24_576_000 * 1024));
        assert_eq!(total_of("MemFree: 1 kB"), None);
        assert!(memory() > 1 << 20);
    }

    #[test]
    fn bounds_of_containers_are_found() {
        let paths: Vec<_> = cgroup_paths("0::/system.slice/gateway.service\n").collect();
        assert_eq!(
            paths,
            ["/sys/fs/cgroup/system.slice/gateway.service/memory.max"]
        );
        let paths: Vec<_> = cgroup_paths("0::/").collect();
        assert_eq!(paths, ["/sys/fs/cgroup/memory.max"]);
        let paths: Vec<_> = cgroup_paths("5:cpu,cpuacct:/a\n4:memory:/docker/x\n").collect();
        assert_eq!(
            paths,
            ["/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes"]
        );
    }
}
