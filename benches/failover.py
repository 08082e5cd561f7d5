#!/usr/bin/env python3
"""What failing over costs: time added to a request, attempts wasted on a provider that is down, time until it is back in use.

Added time: one client, one request after the other. Provider A writes down when it begins to send its failure, provider B when
it has read the first bytes of the same request, both on CLOCK_MONOTONIC. In between are two ways through the kernel's
loopback and the waking of B's process, which the gateway answers for here although it cannot help them. The gateway is
pinned to one core, all others to another, and where that is allowed (as root) all of them have real-time priority: what else
the machine does is not what is measured. `floor` is the same with a forwarder of ten lines in the gateway's place.

Outage: an open loop of requests; A resets every connection for a time and is well again. Wasted attempts are those that the
gateway counts beyond one a request; A may have seen more requests, because one on a kept connection that turns out closed is
sent again. Those that began before the fifth had failed are told apart: the breaker opens by it, and what is under way by then,
at most one for each client, nobody can take back. Recovery is from A's first good moment to its first answer, and to the point from which it has all.

    cargo build --release
    benches/failover.py                     everything, about 5 minutes
    benches/failover.py --quick             a smoke run of 20 seconds, no record

Needs two cores. SWITCHOVER_BIN names another binary, SWITCHOVER_IO=epoll another driver. Python 3.9+, standard library.
"""
import argparse
import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "faults"))

import cores  # noqa: E402
import plays  # noqa: E402
import record  # noqa: E402
from client import Client  # noqa: E402
from rig import KEYS, Gateway, ProviderProcess, end, policy, until  # noqa: E402

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
FAILURE = plays.failing(500)["steps"][0][1].encode("latin-1")
GOOD = plays.good(False, "second")["steps"][0][1].encode("latin-1")
RESET = struct.pack("ii", 1, 0)
# What the gateway itself leaves out: the breaker must stay closed while every request fails.
NEVER = {"consecutive": 1_000_000, "min_requests": 1_000_000, "retries": "retries { max = 0 },"}


# Providers and forwarder for the added time: each a process of its own, as plain as can be.

def read_request(sock):
    """The moment at which its first bytes were there, or None at the end."""
    there = sock.recv(65536)
    first = time.monotonic_ns()
    while there and b"\r\n\r\n" not in there:
        there += sock.recv(65536)
    head, _, body = there.partition(b"\r\n\r\n")
    if not there:
        return None
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length:
        body += sock.recv(65536)
    return first


def be_provider(kind):
    """Serves one connection at a time until standard input ends; then tells its moments."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    print(listener.getsockname()[1], flush=True)
    moments = []
    threading.Thread(target=tell_at_the_end, args=(moments,), daemon=True).start()
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (first := read_request(sock)) is not None:
            if kind == "good":
                moments.append(first)
                sock.sendall(GOOD)
                continue
            moments.append(time.monotonic_ns())
            if kind == "reset":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                break
            sock.sendall(FAILURE)
        sock.close()


def tell_at_the_end(moments):
    sys.stdin.read()
    print(json.dumps(moments), flush=True)
    os._exit(0)


def be_floor(kind, first, second):
    """The least that a forwarder does: read the failure, send the request to the other."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    print(listener.getsockname()[1], flush=True)
    client, _ = listener.accept()
    to = {port: socket.create_connection(("127.0.0.1", port)) for port in (first, second)}
    for sock in (client, *to.values()):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        request = client.recv(65536)
        if not request:
            return
        if kind == "reset":
            to[first].close()
            to[first] = socket.create_connection(("127.0.0.1", first))
        to[first].sendall(request)
        try:
            to[first].recv(65536)
        except ConnectionError:
            pass
        to[second].sendall(request)
        client.sendall(to[second].recv(65536))


def start(core, *role):
    process = subprocess.Popen([sys.executable, __file__, "--be", *map(str, role)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
    port = int(process.stdout.readline())
    cores.settle_on(core, process.pid)
    return process, port


def added_time(kind, through, requests, folder):
    """Nanoseconds from A's failure to B's first bytes, request by request."""
    running = []
    try:
        (first, first_port), (second, second_port) = start(cores.OTHERS, kind), start(cores.OTHERS, "good")
        running += [first, second]
        if through == "floor":
            process, port = start(cores.GATEWAY, "floor", kind, first_port, second_port)
            running.append(process)
        else:
            gateway = Gateway(folder, policy(first=f"http://127.0.0.1:{first_port}", second=second_port, **NEVER), 1)
            running.append(gateway.process)
            cores.settle_on(cores.GATEWAY, gateway.process.pid)
            port = gateway.port
        client = Client(port)
        for _ in range(requests + WARM_UP):
            answer = client.ask(BODY)
            assert answer.status == 200 and b"second" in answer.body, (answer.head, answer.body)
        client.close()
        moments = []
        for process in (first, second):
            process.stdin.close()
            process.stdin = None
            moments.append(json.loads(process.stdout.readline()))
        # The order is the requests': one at a time.
        assert len(moments[0]) == len(moments[1]) == requests + WARM_UP, [len(each) for each in moments]
        return [there - failed for failed, there in zip(*moments)][WARM_UP:]
    finally:
        for process in running:
            end(process)


WARM_UP = 200


# The outage.

class Load:
    """An open loop: requests begin at their times, whatever became of those before."""

    def __init__(self, port, rate, clients):
        self.port, self.rate, self.began = port, rate, time.monotonic()
        self.lock, self.turn, self.over, self.seen = threading.Lock(), 0, False, []
        self.threads = [threading.Thread(target=self.work) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def work(self):
        client = Client(self.port)
        while True:
            with self.lock:
                due = self.began + self.turn / self.rate
                self.turn += 1
            while time.monotonic() < due:
                if self.over:
                    client.close()
                    return
                time.sleep(max(0.0, min(0.2, due - time.monotonic())))
            if self.over:
                client.close()
                return
            answer = client.ask(BODY)
            self.seen.append((due, time.monotonic(), answer.status, answer.headers.get("x-switchover-target")))

    def end(self):
        self.over = True
        for thread in self.threads:
            thread.join()
        return sorted(self.seen)


def outage(rate, seconds, settle, breaker, folder):
    """One outage of so many seconds at so many requests a second, and the way back."""
    provider = ProviderProcess()
    gateway = None
    try:
        good = plays.good(False, "first")
        first, second = provider.open([good]), provider.open([plays.good(False, "second")])
        gateway = Gateway(folder, POLICY.format(first=first.port, second=second.port, breaker=breaker), 2)
        load = Load(gateway.port, rate, 16 if rate > 10 else 2)
        time.sleep(2 / min(rate, 1))
        first.play(plays.play(["rst"]))
        down = time.monotonic()
        time.sleep(max(0.0, down + seconds - time.monotonic()))
        first.play(good)
        up = time.monotonic()
        time.sleep(settle)
        seen = load.end()
        asked = [entry["t"] / 1e9 for entry in first.requests()]
        counted = until(lambda: gateway.status()["requests"], lambda all: all["requests"] == len(seen), f"{len(seen)} requests")
        back = [began for began, _, _, target in seen if target == "first.m" and began >= up]
        others = [began for began, _, _, target in seen if target == "second.m" and began >= up]
        wasted, unknown = until(lambda: failures(gateway), lambda all: all[0] == counted["attempts"] - counted["requests"],
                                "as many failures in the log as the gateway counts")
        return {
            "requests": len(seen),
            "failed": sum(status != 200 for _, _, status, _ in seen),
            "wasted": wasted,
            "unknown": unknown,
            "asked": sum(down <= moment < up for moment in asked),
            "back_s": back[0] - up if back else None,
            "all_back_s": others[-1] - up if others else 0.0,
            "late_ms": max(done - due for due, done, _, _ in seen) * 1000,
        }
    finally:
        if gateway:
            gateway.end()
        provider.end()


def failures(gateway):
    """Attempts that failed, and how many of them began before the fifth was over: before anybody could know."""
    tries = []
    for line in gateway.log_text().splitlines():
        if line.startswith("{"):
            request = json.loads(line)
            begun = datetime.fromisoformat(request["time"].replace("Z", "+00:00")).timestamp() * 1000
            tries += [(begun + tried["started_ms"], begun + tried["ended_ms"]) for tried in request["attempts"]
                      if tried["outcome"] != "ok"]
    fifth = sorted(ended for _, ended in tries)[4:5]
    return len(tries), sum(started <= fifth[0] for started, _ in tries) if fifth else len(tries)


POLICY = """
telemetry {{ access_log = json, sample = 100% }}
{breaker}
provider first {{
  kind = openai_compatible, base_url = "http://127.0.0.1:{first}/v1", auth = bearer(env("FIRST_KEY")), tls = off
  model m = "model-first"
}}
provider second {{
  kind = openai_compatible, base_url = "http://127.0.0.1:{second}/v1", auth = bearer(env("SECOND_KEY")), tls = off
  model m = "model-second"
}}
route default {{ tier 1 {{ first.m }}, tier 2 {{ second.m }} }}
"""
# By name: the breaker as built in, and one that probes with one request at a time.
BREAKERS = {
    "built in": "",
    "one probe": "breaker one {{ open when consecutive >= 5, open when error_rate > 25%, cool_down = {cool_down}, "
                 "half_open {{ probes = 1, need = 1 }} }}\ndefaults {{ breaker = one }}",
}
QUICK = "breaker quick { open when consecutive >= 5, cool_down = 1500ms..12s }\ndefaults { breaker = quick }"


# Tables.

def micros(values):
    ordered = sorted(values)
    pick = lambda share: ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1000
    return [f"{pick(0.5):.0f}", f"{pick(0.99):.0f}", f"{pick(1):.0f}"]


def measure_added(requests, folders):
    allowed = os.sched_getaffinity(0)
    settled = cores.settle_on(cores.OTHERS, os.getpid())
    rows = []
    for kind, name in (("500", "500 on a kept connection"), ("reset", "reset, a new connection each time")):
        for through in ("switchover", "floor"):
            rows.append([name, through, *micros(added_time(kind, through, requests, next(folders)))])
            print("|", " | ".join(rows[-1]), "|", flush=True)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.sched_setaffinity(0, allowed)
    priority = "Real-time priority." if settled else "No real-time priority: it is not allowed here."
    return f"{record.table(['failure', 'through', 'p50 µs', 'p99 µs', 'longest µs'], *rows)}\n\n{requests:,} requests a row. {priority}"


def measure_outages(quick, folders):
    if quick:
        cases = [("quick", QUICK, 200, 6, 6)]
    else:
        cases = [(name, breaker.format(cool_down="15s..2m"), rate, 60, settle) for name, breaker in BREAKERS.items()
                 for rate, settle in ((1000, 62), (0.25, 170))]
    rows, lock, running = [], threading.Lock(), []

    def one(case, folder):
        name, breaker, rate, seconds, settle = case
        seen = outage(rate, seconds, settle, breaker, folder)
        back = "never" if seen["back_s"] is None else f"{seen['back_s']:.1f}"
        row = [name, f"{rate:g}", seconds, seen["requests"], seen["failed"], seen["wasted"], seen["unknown"], seen["asked"],
               back, f"{seen['all_back_s']:.1f}", f"{seen['late_ms']:.0f}"]
        with lock:
            rows.append((cases.index(case), row))
        print("|", " | ".join(map(str, row)), "|", flush=True)

    # Slow ones cost nothing: they run beside the fast ones, of which there is one at a time.
    for case in (case for case in cases if case[2] <= 10):
        running.append(threading.Thread(target=one, args=(case, next(folders))))
        running[-1].start()
    for case in (case for case in cases if case[2] > 10):
        one(case, next(folders))
    for thread in running:
        thread.join()
    head = ["breaker", "requests/s", "outage s", "requests", "failed", "wasted attempts", "of them before the fifth failed", "requests at A",
            "first answer after s", "all of it after s", "slowest ms"]
    return record.table(head, *(row for _, row in sorted(rows)))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="a smoke run, no record")
    arguments.add_argument("--be", nargs="+", help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    if asked.be:
        role, *more = asked.be
        return be_floor(more[0], int(more[1]), int(more[2])) if role == "floor" else be_provider(role)
    assert KEYS and len(os.sched_getaffinity(0)) > 1, "two cores are needed"
    with tempfile.TemporaryDirectory() as folder:
        def folders():
            for number in range(1000):
                path = pathlib.Path(folder) / str(number)
                path.mkdir()
                yield path
        places = folders()
        added = measure_added(300 if asked.quick else 5000, places)
        outages = measure_outages(asked.quick, places)
    if asked.quick:
        return None
    command = f"SWITCHOVER_IO={os.environ.get('SWITCHOVER_IO', 'auto')} benches/failover.py"
    record.write("failover", command, "## Added to a request that fails over", added, "## An outage", outages)
    return None


if __name__ == "__main__":
    main()
