#!/usr/bin/env python3
"""How soon a provider hears that the client has left.

A client with a raw socket leaves, by a reset or by ending its direction, while its request is in one of the phases of a request. The
provider, a thread of this script, notes when its own connection ends. Both clocks are the machine's monotonic one, so that the
difference is the time in which a model still works for nobody. A connect that is under way has no provider to ask: that figure ends
when the gateway's process has closed both of the request's sockets, and that of a request that waits for a place when it has closed
the client's.

The gateway has one core for itself and this script another. Where they share two, the script, which looks without a pause for
descriptors to go away, keeps the gateway's thread from the core on which the departure has woken it, for a slice of the scheduler:
what ends so was late by up to 6 ms then, at a gateway that took 0.2 ms.

    cargo build --release
    benches/cancellation.py                   60 departures in each phase, half a minute; writes a record
    benches/cancellation.py --rounds 5        a smoke run, no record
    benches/cancellation.py --limit-ms 5      exit 1 if a 95th percentile is above it

Needs Python 3.9+, standard library only; Linux.
"""
import argparse
import os
import pathlib
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

import cores
import record

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

from ports import free_port  # noqa: E402

FULL = 60
POLICY = """policy 1
server {{ listen = "127.0.0.1:{front}", admin = "127.0.0.1:{admin}", cores = 1 }}
defaults {{ ttft_timeout = 60s, idle_timeout = 60s, deadline = 120s, connect_timeout = 60s }}
provider far {{ kind = openai_compatible, base_url = "http://127.0.0.1:{full}/v1", auth = none, tls = off, model m = "m" }}
provider safe {{ kind = openai_compatible, base_url = "https://127.0.0.1:{mute}/v1", auth = none, model m = "m" }}
provider near {{ kind = openai_compatible, base_url = "http://127.0.0.1:{provider}/v1", auth = none, tls = off, model m = "m", model n = "n" }}
route connecting when req.model == "connecting" {{ tier 1 {{ far.m }} }}
route handshake when req.model == "handshake" {{ tier 1 {{ safe.m }} }}
route hedged when req.model == "hedged" {{ tier 1 {{ near.m }}, hedge after 20ms -> near.n {{ max_extra = 100% }} }}
provider few {{ kind = openai_compatible, base_url = "http://127.0.0.1:{provider}/v1", auth = none, tls = off, capacity {{ max_inflight = 1, max_queue = 1, max_wait = 60s }}, model m = "m" }}
route queued when req.model == "queued" {{ tier 1 {{ few.m }} }}
route default {{ tier 1 {{ near.m }} }}
"""
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def event(delta):
    data = b'data: {"choices":[{"index":0,"delta":{%s},"finish_reason":null}]}\n\n' % delta
    return b"%x\r\n%s\r\n" % (len(data), data)


ROLE, WORD = event(b'"role":"assistant"'), event(b'"content":"well"')
# What the provider sends before it falls silent, or goes on for ever; how many connections it sees end.
PHASES = {
    "queued": (b"", False, 0),
    "connecting": (b"", False, 0),
    "TLS handshake": (b"", False, 1),
    "before the head": (b"", False, 1),
    "before the first content": (HEAD + ROLE, False, 1),
    "between two contents": (HEAD + ROLE + WORD, False, 1),
    "in a flow of contents": (HEAD + ROLE + WORD, True, 1),
    "hedged": (b"", False, 2),
}
MODEL = {"queued": "queued", "connecting": "connecting", "TLS handshake": "handshake", "hedged": "hedged"}


class Provider(threading.Thread):
    """Notes when requests come and when connections end."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.says, self.flows = b"", False
        self.begun, self.ended = threading.Semaphore(0), []
        self.over = threading.Semaphore(0)

    def run(self):
        while True:
            stream, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(stream,), daemon=True).start()

    def serve(self, stream):
        with stream:
            stream.recv(65536)
            try:
                if self.says:
                    stream.sendall(self.says)
                self.begun.release()
                stream.settimeout(0.002 if self.flows else None)
                while True:
                    try:
                        if not stream.recv(65536):
                            break
                    except socket.timeout:
                        stream.sendall(WORD)
            except OSError:
                pass
            self.ended.append(time.monotonic())
            self.over.release()


def full_port():
    """A port whose queue is full: the kernel drops what asks for more, as a dead host would."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    for _ in range(2):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    return listener.getsockname()[1], (listener, fillers)


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def wait(holds, seconds=10):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit("cancellation.py: it did not come to pass")
    return time.monotonic()


def quiet(process):
    """Until the last departure has closed everything that it closes."""
    seen = None
    while seen != (seen := descriptors(process)):
        time.sleep(0.01)


def leave(client, how):
    """Goes, and says when."""
    if how == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    now = time.monotonic()
    client.close()
    return now


def ask(ports, body):
    """A request, sent by a client of its own."""
    client = socket.create_connection(("127.0.0.1", ports["front"]))
    client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
                   b"content-length: %d\r\n\r\n%s" % (len(body), body))
    return client


def depart(phase, how, ports, provider, process):
    """One departure; how long it took to be heard, in milliseconds, at the last connection that ends."""
    says, flows, ends = PHASES[phase]
    provider.says, provider.flows, provider.ended = says, flows, []
    idle = descriptors(process)
    body = b'{"model":"%s","stream":true,"messages":[{"role":"user","content":"hello"}]}' % MODEL.get(phase, "m").encode()
    if phase == "queued":
        # Another one has the only place.
        holder = ask(ports, body)
        provider.begun.acquire(timeout=10)
        wait(lambda: descriptors(process) >= idle + 2)
        idle = descriptors(process)
    client = ask(ports, body)
    if phase == "queued":
        wait(lambda: descriptors(process) >= idle + 1)
        time.sleep(0.03)
        left = leave(client, how)
        heard = (wait(lambda: descriptors(process) <= idle) - left) * 1000
        leave(holder, "reset")
        provider.over.acquire(timeout=10)
        return heard
    if phase == "connecting":
        wait(lambda: descriptors(process) >= idle + 2)
        time.sleep(0.03)
        left = leave(client, how)
        return (wait(lambda: descriptors(process) <= idle) - left) * 1000
    for _ in range(ends):
        provider.begun.acquire(timeout=10)
    if WORD in says:
        seen = b""
        while b"well" not in seen:
            seen += client.recv(65536)
    # Longer than a request must last to be watched.
    time.sleep(0.03)
    left = leave(client, how)
    for _ in range(ends):
        if not provider.over.acquire(timeout=10):
            sys.exit(f"cancellation.py: {phase}: the provider goes on")
    return (max(provider.ended) - left) * 1000


def gateway(binary, io, ports):
    policy = tempfile.NamedTemporaryFile("w", suffix=".policy")
    policy.write(POLICY.format(**ports))
    policy.flush()
    log = tempfile.TemporaryFile()
    process = subprocess.Popen([binary, "serve", policy.name, "--io", io], stdout=log, stderr=log)

    def healthy():
        try:
            with socket.create_connection(("127.0.0.1", ports["admin"]), timeout=1) as admin:
                admin.sendall(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
                return b" 200 " in admin.recv(64)
        except OSError:
            if process.poll() is not None:
                log.seek(0)
                sys.exit("cancellation.py: " + log.read().decode())
            return False

    wait(healthy)
    cores.settle_on(cores.GATEWAY, process.pid)
    return process, policy


def measure(binary, io, rounds):
    provider = Provider()
    provider.start()
    settled = cores.settle_on(cores.OTHERS, os.getpid())
    port, kept = full_port()
    ports = {"front": free_port(), "admin": free_port(), "full": port, "mute": provider.port, "provider": provider.port}
    process, _policy = gateway(binary, io, ports)
    times = {phase: [] for phase in PHASES}
    try:
        # What the gateway opens with its first request, it keeps.
        depart("before the head", "close", ports, provider, process)
        quiet(process)
        for turn in range(rounds):
            for phase in PHASES:
                how = ("reset", "close")[turn % 2]
                quiet(process)
                times[phase].append(depart(phase, how, ports, provider, process))
    finally:
        process.kill()
        process.wait()
        del kept
    return times, settled


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--binary", default=ROOT / "target/release/switchover")
    options.add_argument("--rounds", type=int, default=FULL)
    options.add_argument("--limit-ms", type=float)
    asked = options.parse_args()
    rows, late = [], False
    for io in ("io_uring", "epoll"):
        phases, settled = measure(asked.binary, io, asked.rounds)
        for phase, times in phases.items():
            times.sort()
            median, p95 = statistics.median(times), times[int(len(times) * 0.95)]
            late |= asked.limit_ms is not None and p95 > asked.limit_ms
            rows.append((phase, io, f"{median:.2f}", f"{p95:.2f}", f"{times[-1]:.2f}"))
    text = record.table(("phase", "driver", "median ms", "p95 ms", "max ms"), *rows)
    print(text)
    apart = "The gateway has a core of its own." if cores.GATEWAY != cores.OTHERS else "There is one core for all."
    apart += " Real-time priority." if settled else " No real-time priority: it is not allowed here."
    load = pathlib.Path("/proc/loadavg").read_text(encoding="ascii").split()[0]
    if asked.rounds == FULL:
        record.write("cancellation", "benches/cancellation.py",
                     f"{FULL} departures in each phase and with each driver, every second one a reset, the others a close. From the "
                     f"client's system call to the end that the provider reads. {apart} Load average of the machine: {load}.", text)
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
