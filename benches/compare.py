#!/usr/bin/env python3
"""CPU for each request, side by side: nginx, switchover on io_uring, switchover on epoll, and a byte relay as the floor.

Everything (wrk, the proxy, the model server) is pinned to ONE core, so that a figure is work and not the price of waking
another core. The CPU of a proxy is the growth of run time in /proc/PID/task/*/schedstat over a slice, divided by the
requests that wrk counted in it. Slices are interleaved (A B C D, then D C B A); ratios are taken inside a round, and the
median and the quartiles of the rounds are shown, since a shared machine drifts by tens of per cent between rounds.
docs/BENCHMARKS.md says how to read the result.

    cargo build --release && cargo bench --no-run
    benches/compare.py                      everything, about 8 minutes
    benches/compare.py --quick              a smoke run of a minute, no record
    benches/compare.py --only small         one part: small, bodies, sse, syscalls, memory

Needs nginx, wrk and taskset; strace for `syscalls`. Python 3.9+, standard library only.
"""
import argparse
import json
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager

import record

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

from ports import free_port  # noqa: E402

KIB = 1024
EVENT_WIRE_BYTES = 223  # an event of 217 bytes in a chunk of its own: `d9`, CR LF, the event, CR LF
STREAMS = 512
IDLE_CONNECTIONS = 2000
PARTS = ("small", "bodies", "sse", "syscalls", "memory")
NGINX = """
{user}worker_processes 1;
daemon off;
error_log /dev/null crit;
pid {folder}/nginx.pid;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  client_body_buffer_size 256k;
  client_max_body_size 32m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream bench {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://bench;
      proxy_http_version 1.1;
      proxy_buffering {buffering};
      proxy_set_header Connection "";
      proxy_set_header Host "127.0.0.1:{upstream}";
      proxy_set_header Authorization "Bearer sk-provider-0000000000000000000000000000000000";
      add_header x-request-id $request_id;
    }}
  }}
}}
"""


class Trouble(Exception):
    """Something that the person who started the rig must know, in one sentence."""


class Rig:
    """Starts processes, and ends every one of them when it is left, however that happens."""

    def __init__(self, cpu, binaries, loopback, folder):
        self.cpu, self.binaries, self.loopback, self.folder = str(cpu), binaries, loopback, folder

    def __enter__(self):
        self.running = []
        return self

    def __exit__(self, *_):
        for process in reversed(self.running):
            self.end(process)

    def end(self, process):
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process in self.running:
            self.running.remove(process)

    def start(self, port, command, **environment):
        """Runs `command` on the one core and waits until it listens on `port`."""
        with open(os.path.join(self.folder, f"{os.path.basename(command[0])}-{port}.log"), "wb") as log:
            process = subprocess.Popen(["taskset", "-c", self.cpu, *command], stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, env={**os.environ, **environment})
        self.running.append(process)
        for _ in range(500):
            if process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return process
            except OSError:
                time.sleep(0.01)
        self.end(process)
        with open(log.name, encoding="utf-8", errors="replace") as text:
            raise Trouble(f"`{' '.join(command)}` did not come up:\n{text.read()[-2000:]}")

    @contextmanager
    def proxy(self, name, upstream, streaming=False):
        """One proxy in front of the port `upstream`; gives (process, port)."""
        port = free_port()
        process = self.start(port, **self.recipe(name, port, upstream, streaming))
        try:
            yield process, port
        finally:
            self.end(process)

    def recipe(self, name, port, upstream, streaming):
        if name == "relay":
            return {"command": [self.loopback, "relay", str(port), str(upstream)]}
        if name == "nginx":
            folder = tempfile.mkdtemp(prefix="nginx-", dir=self.folder)
            path = os.path.join(folder, "nginx.conf")
            with open(path, "w", encoding="utf-8") as conf:
                conf.write(NGINX.format(folder=folder, port=port, upstream=upstream,
                                        buffering="off" if streaming else "on",
                                        user="user root;\n" if os.geteuid() == 0 else ""))
            return {"command": ["nginx", "-p", folder, "-c", path]}
        io = "epoll" if name.endswith("epoll") else "io_uring"
        return {"command": [self.binaries[name.startswith("before")], "serve", os.path.join(HERE, "bench.policy"), "--cores", "1", "--io", io,
                            "--set", f'upstream="http://127.0.0.1:{upstream}/v1"',
                            "--set", f'front="127.0.0.1:{port}"', "--set", f'backdoor="127.0.0.1:{free_port()}"'],
                "BENCH_KEY": "sk-provider-0000000000000000000000000000000000"}

    def upstream(self, *options):
        port = free_port()
        self.start(port, [self.loopback, "upstream", str(port), *options])
        return port

    def load(self, port, connections, seconds, size, stream=False):
        """One slice of load; gives wrk's counts."""
        command = ["taskset", "-c", self.cpu, "wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout",
                   "10s", "-s", os.path.join(HERE, "wrk.lua"), f"http://127.0.0.1:{port}", "--", str(size)]
        done = subprocess.run(command + ["stream"] * stream, capture_output=True, text=True, timeout=seconds + 60)
        line = re.search(r"^rig (\{.*\})$", done.stdout, re.M)
        if done.returncode or not line:
            raise Trouble(f"wrk failed: {done.stderr or done.stdout}")
        return json.loads(line.group(1))

    def slice(self, process, port, connections, seconds, size, stream=False):
        """One slice of load with the CPU that the proxy burnt in it."""
        before = cpu_ns(process.pid)
        counts = self.load(port, connections, seconds, size, stream)
        counts["cpu_us"] = (cpu_ns(process.pid) - before) / 1000
        if not counts["requests"]:
            raise Trouble("no request was answered in a slice; make --seconds larger")
        if counts["failed"] > counts["requests"] / 100:
            raise Trouble(f"{counts['failed']} of {counts['requests']} requests failed: a figure would mean nothing")
        return counts


def family(pid):
    """The process and its children: nginx works in a child."""
    found, parents = [pid], {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                parents.setdefault(int(stat.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
        except OSError:
            continue
    for parent in found:
        found.extend(parents.get(parent, ()))
    return found


def cpu_ns(pid):
    total = 0
    for member in family(pid):
        for task in os.listdir(f"/proc/{member}/task"):
            with open(f"/proc/{member}/task/{task}/schedstat", encoding="ascii") as stat:
                total += int(stat.read().split()[0])
    return total


def memory_kib(pid, field):
    total = 0
    for member in family(pid):
        with open(f"/proc/{member}/status", encoding="ascii", errors="replace") as status:
            total += int(re.search(rf"^{field}:\s+(\d+)", status.read(), re.M).group(1))
    return total


def rounds(rig, names, upstream, settings, case, **load):
    """Interleaved slices of one case: {name: [counts, ...]}, one for each round."""
    seen = {name: [] for name in names}
    streaming = load.get("stream", False)
    with ExitStack() as stack:
        proxies = {name: stack.enter_context(rig.proxy(name, upstream, streaming)) for name in names}
        for name in names:
            rig.load(proxies[name][1], load["connections"], 1, load["size"], streaming)
        for turn in range(settings.rounds):
            for name in names if turn % 2 == 0 else reversed(names):
                counts = rig.slice(*proxies[name], seconds=settings.seconds, **load)
                seen[name].append(counts)
                settings.slices.append({"case": case, "proxy": name, "round": turn, **counts})
            print(".", end="", file=sys.stderr, flush=True)
    return seen


def spread(values):
    """median (first quartile to third quartile)"""
    if len(values) < 2:
        return f"{values[0]:.2f}"
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{statistics.median(values):.2f} ({low:.2f}–{high:.2f})"


def report(table, case, seen, unit):
    """Adds a line for each proxy. `unit` gives what a slice's CPU is divided by."""
    cost = {name: [c["cpu_us"] / unit(c) for c in counts] for name, counts in seen.items()}
    for name, counts in seen.items():
        ratio = spread_of_ratios(cost, name, "nginx")
        middle = {key: statistics.median(c[key] for c in counts) for key in ("p50", "p99")}
        rate = statistics.median(c["requests"] * 1e6 / c["microseconds"] for c in counts)
        failed = sum(c["failed"] for c in counts)
        table.append([case, name, f"{statistics.median(cost[name]):.2f}", ratio, f"{rate:,.0f}",
                      f"{middle['p50']:,.0f} / {middle['p99']:,.0f}", str(failed)])
        if "before" in seen:
            table[-1].append(spread_of_ratios(cost, name, name.replace("switchover", "before")))


def spread_of_ratios(cost, name, base):
    """Inside each round."""
    return spread([mine / theirs for mine, theirs in zip(cost[name], cost[base])]) if base in cost else "–"


def heads(unit, rate, settings):
    head = ["case", "proxy", f"CPU µs/{unit}", "ratio to nginx", f"{rate}/s", "p50 / p99 µs", "failed"]
    return head + ["ratio to before"] * bool(settings.against)


def measure_requests(rig, settings, sizes, connections):
    table = [heads("request", "requests", settings)]
    upstream = rig.upstream()
    for size in sizes:
        for count in connections:
            case = f"{size / KIB:g} KiB, {count} connections"
            print(f"{case} ", end="", file=sys.stderr, flush=True)
            seen = rounds(rig, settings.names, upstream, settings, case, connections=count, size=size)
            report(table, case, seen, lambda counts: counts["requests"])
            print(file=sys.stderr)
    return table


def measure_sse(rig, settings):
    table = [heads("event", "streams", settings)]
    case = f"{STREAMS} streams, an event of 217 B every 20 ms"
    print(f"{case} ", end="", file=sys.stderr, flush=True)
    # A stream lasts a second: long slices, so that few streams are cut by a slice's ends.
    seconds, settings.seconds = settings.seconds, max(4, settings.seconds)
    seen = rounds(rig, settings.names, rig.upstream("--stream", "--gap", "20ms"), settings, case, connections=STREAMS,
                  size=1536, stream=True)
    settings.seconds = seconds
    report(table, case, seen, lambda counts: counts["bytes"] / EVENT_WIRE_BYTES)
    print(file=sys.stderr)
    return table


def measure_syscalls(rig, settings):
    """strace slows what it watches tenfold, so this is a run of its own; only the count of calls is used."""
    table = [["connections", "proxy", "system calls/request", "the most frequent"]]
    upstream = rig.upstream()
    for connections in (1, 32):
        for name in settings.names:
            with rig.proxy(name, upstream) as (process, port):
                rig.load(port, connections, 1, 1536)
                calls, requests = traced(rig, process, port, connections, settings.seconds)
            top = sorted(((n, c) for c, n in calls.items()), reverse=True)[:4]
            shown = ", ".join(f"{call} {count / requests:.2f}" for count, call in top)
            table.append([str(connections), name, f"{sum(calls.values()) / requests:.2f}", shown])
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return table


def traced(rig, process, port, connections, seconds):
    path = os.path.join(rig.folder, "strace.txt")
    pids = [word for pid in family(process.pid) for word in ("-p", str(pid))]
    # --seccomp-bpf cannot be used with -p; -qq keeps attach messages away.
    tracer = subprocess.Popen(["strace", "-c", "-f", "-qq", "-o", path, *pids], stderr=subprocess.PIPE, text=True)
    rig.running.append(tracer)
    wait_traced(process.pid, tracer)
    counts = rig.load(port, connections, seconds, 1536)
    tracer.send_signal(signal.SIGINT)
    tracer.wait(10)
    rig.end(tracer)
    calls = {}
    with open(path, encoding="utf-8") as summary:
        for line in summary:
            # % time, seconds, usecs/call, calls, [errors,] syscall
            cells = line.split()
            if len(cells) >= 5 and cells[3].isdigit() and cells[-1] != "total":
                calls[cells[-1]] = int(cells[3])
    return calls, counts["requests"]


def wait_traced(pid, tracer):
    for _ in range(300):
        if tracer.poll() is not None:
            raise Trouble(f"strace may not attach: {tracer.stderr.read().strip()}")
        with open(f"/proc/{family(pid)[-1]}/status", encoding="ascii", errors="replace") as status:
            if not re.search(r"^TracerPid:\s+0$", status.read(), re.M):
                return
        time.sleep(0.01)
    raise Trouble("strace did not attach within 3 s")


def measure_memory(rig, settings):
    table = [["proxy", "resident when started, MiB", f"user KiB/idle connection ({IDLE_CONNECTIONS:,} of them)"]]
    upstream = rig.upstream()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE_CONNECTIONS + 200
    if hard != resource.RLIM_INFINITY and hard < 2 * wanted:
        raise Trouble(f"needs {2 * wanted} open files, the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * wanted), hard))
    for name in settings.names:
        with rig.proxy(name, upstream) as (process, port), ExitStack() as stack:
            fresh = memory_kib(process.pid, "VmRSS")
            # The first connections warm pools and tables up, and are not counted.
            open_idle(stack, port, 100)
            before = memory_kib(process.pid, "RssAnon")
            open_idle(stack, port, IDLE_CONNECTIONS)
            time.sleep(0.5)
            grown = memory_kib(process.pid, "RssAnon") - before
        table.append([name, f"{fresh / 1024:.1f}", f"{grown / IDLE_CONNECTIONS:.2f}"])
        settings.slices.append({"case": "memory", "proxy": name, "resident_kib": fresh, "grown_kib": grown})
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return table


def open_idle(stack, port, count):
    """Connections that have done one request each, one after another, so that upstream connections stay few."""
    body = b'{"model":"bench-small","messages":[{"role":"user","content":"hello"}]}'
    ask = (b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
           b"content-length: %d\r\n\r\n%s" % (len(body), body))
    for _ in range(count):
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port), 5))
        client.sendall(ask)
        answer = b""
        while b'"service_tier"' not in answer:
            more = client.recv(65536)
            if not more:
                raise Trouble(f"a connection was closed after {answer[:200]!r}")
            answer += more


def version(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    first = (done.stdout + done.stderr).splitlines()[0]
    return re.sub(r"^nginx version: |\s*\[.*|\s*Copyright.*", "", first).strip()


def write_record(settings, parts):
    said = f"{version('nginx', '-v')}; {version('wrk', '-v')}. Ratios are medians of ratios inside a round, with quartiles."
    command = f"benches/compare.py --rounds {settings.rounds} --seconds {settings.seconds}"
    shown = (f"## {title}\n\n{record.table(*table)}" for title, table in parts)
    record.csv_beside(record.write(settings.record, command, said, *shown), settings.slices)


def newest_loopback():
    """Cargo names bench binaries with a hash; the newest one is the one just built."""
    folder = os.path.join(ROOT, "target", "release", "deps")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    found = [os.path.join(folder, n) for n in names if re.fullmatch(r"loopback-[0-9a-f]+", n)]
    if not found:
        raise Trouble("the rig's own ends are not built: run `cargo bench --no-run` first")
    return max(found, key=os.path.getmtime)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6, help="interleaved rounds of each case (6)")
    parser.add_argument("--seconds", type=int, default=2, help="length of a slice (2)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32, 256])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--proxies", nargs="+", default=["nginx", "switchover", "switchover epoll", "relay"],
                        choices=["nginx", "switchover", "switchover epoll", "relay"])
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 s; shows that the rig works, not a figure")
    parser.add_argument("--cpu", type=int, help="the core for everything (the last one that is allowed)")
    parser.add_argument("--binary", default=os.path.join(ROOT, "target", "release", "switchover"))
    parser.add_argument("--against", metavar="BINARY", help="another build of switchover, as `before` in the same rounds")
    parser.add_argument("--record", metavar="WHAT", help="name of the record, `compare` or the parts of --only")
    parser.add_argument("--no-record", action="store_true")
    settings = parser.parse_args()
    if settings.quick:
        settings.rounds, settings.seconds = 2, 1
        settings.no_record |= settings.record is None
    settings.record = settings.record or ("compare" if len(settings.only) == len(PARTS) else "-".join(settings.only))
    settings.names, settings.slices = settings.proxies + ["before", "before epoll"] * bool(settings.against), []
    return settings


def check_tools(settings):
    missing = [tool for tool in ("wrk", "taskset") if not shutil.which(tool)]
    if "nginx" in settings.names and not shutil.which("nginx"):
        missing.append("nginx")
    if missing:
        raise Trouble(f"{', '.join(missing)} not found; on Debian: apt-get install nginx-light wrk util-linux")
    if any(name.startswith("switchover") for name in settings.names) and not os.access(settings.binary, os.X_OK):
        raise Trouble(f"{settings.binary} is not there: run `cargo build --release` first")
    if "syscalls" in settings.only and not shutil.which("strace"):
        print("strace not found: no counts of system calls", file=sys.stderr)
        settings.only.remove("syscalls")


def run(settings):
    check_tools(settings)
    cpu = max(os.sched_getaffinity(0)) if settings.cpu is None else settings.cpu
    sizes = {"small": [1536], "bodies": [16 * KIB, 128 * KIB]}
    connections = settings.connections
    jobs = {
        "small": ("Small request (1.5 KiB in, 589 B out)", lambda rig: measure_requests(rig, settings, sizes["small"], connections)),
        "bodies": ("Larger bodies", lambda rig: measure_requests(rig, settings, sizes["bodies"], connections)),
        "sse": ("Streams", lambda rig: measure_sse(rig, settings)),
        "syscalls": ("System calls", lambda rig: measure_syscalls(rig, settings)),
        "memory": ("Memory", lambda rig: measure_memory(rig, settings)),
    }
    parts = []
    with tempfile.TemporaryDirectory(prefix="switchover-bench-") as folder:
        for part in PARTS:
            if part in settings.only:
                title, job = jobs[part]
                with Rig(cpu, (settings.binary, settings.against), newest_loopback(), folder) as rig:
                    parts.append((title, job(rig)))
                print(f"\n## {title}\n\n{record.table(*parts[-1][1])}\n", flush=True)
    if not settings.no_record:
        write_record(settings, parts)


def main():
    # An ended shell ends the rig's processes too: `with` runs on SystemExit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run(parse())
    except Trouble as trouble:
        sys.exit(f"compare: {trouble}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
