#!/usr/bin/env python3
"""What `hedge` does to the time to the first content, with a provider that is slow once in a while.

The provider (this script, in a process of its own) answers streams after 40 to 80 ms, and in three of a hundred requests after
1.5 to 3 s, drawn for each request from a seed. One gateway serves three routes to it: without a hedge, with a hedge after a fixed
time, and with a hedge after `p95`. Their requests are interleaved, so that all three meet the same moments of the machine. Shown are
percentiles of the time from sending a request to its first content at the client, and the second attempts as a part of
the requests, as the provider counted them. Gateway, provider and client are pinned to a core each, as far as there are.

    cargo build --release
    benches/hedging.py                      2,000 requests for each route, about two minutes; writes a record
    benches/hedging.py --requests 300       a smoke run, no record

Needs Python 3.9+, standard library only.
"""
import argparse
import asyncio
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import record

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

from ports import free_port  # noqa: E402

SLOW_SHARE = 0.03
FULL = 2000
ROUTES = ("plain", "fixed", "p95")
POLICY = """policy 1
server {{ listen = "127.0.0.1:{front}", admin = "127.0.0.1:{admin}", cores = 1 }}
provider tail {{
  kind = openai_compatible, base_url = "http://127.0.0.1:{provider}/v1", auth = none, tls = off
  model plain = "plain"
  model fixed = "fixed", model fixed_second = "fixed-second"
  model p95 = "p95", model p95_second = "p95-second"
}}
route plain when req.model == "plain" {{ tier 1 {{ tail.plain }} }}
route fixed when req.model == "fixed" {{ tier 1 {{ tail.fixed }}, hedge after 150ms -> tail.fixed_second }}
route p95 when req.model == "p95" {{ tier 1 {{ tail.p95 }}, hedge after p95 -> tail.p95_second }}
route default {{ reject(404) }}
"""
HEAD = (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")


class Trouble(Exception):
    """Something that the person who started the script must know, in one sentence."""


def event(delta, finish="null"):
    data = b'data: {"choices":[{"index":0,"delta":{%s},"finish_reason":%s}]}\n\n' % (delta.encode(), finish.encode())
    return b"%x\r\n%s\r\n" % (len(data), data)


BEGIN = HEAD + event('"role":"assistant"')
REST = event('"content":"well"') + event("", '"stop"') + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


async def read_request(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head, re.I).group(1)) if b"POST" in head else 0
    return head, await reader.readexactly(length)


async def provider(port, seed):
    """Serves streams, and `GET /counts`: how many requests each model got."""
    chance, counts = random.Random(seed), {}

    async def serve(reader, writer):
        try:
            while True:
                head, body = await read_request(reader)
                if head.startswith(b"GET"):
                    answer = json.dumps(counts).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(answer), answer))
                    continue
                model = json.loads(body)["model"]
                counts[model] = counts.get(model, 0) + 1
                slow = chance.random() < SLOW_SHARE
                wait = chance.uniform(1.5, 3.0) if slow else chance.uniform(0.04, 0.08)
                writer.write(BEGIN)
                await asyncio.sleep(wait)
                writer.write(REST)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


async def ask(reader, writer, model):
    """Seconds to the first content of one stream."""
    body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "hello"}]}).encode()
    begun = time.perf_counter()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
                 b"content-length: %d\r\n\r\n%s" % (len(body), body))
    first, seen = None, b""
    while not seen.endswith(b"0\r\n\r\n"):
        more = await reader.read(65536)
        if not more:
            raise Trouble(f"the gateway closed a stream: {seen[:300]!r}")
        seen += more
        if first is None and b'"content"' in seen:
            first = time.perf_counter() - begun
        if not seen.startswith(b"HTTP/1.1 200"):
            raise Trouble(f"a request failed: {seen[:300]!r}")
    return first, b"_second\r\n" in seen


async def load(port, requests, clients):
    """The routes in turn, by each of some clients one after the other; a warm-up is not counted."""
    rows = []

    async def client(number):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for turn in range(-10, requests // clients):
            order = ROUTES if (turn + number) % 2 == 0 else ROUTES[::-1]
            for route in order:
                seconds, hedged = await ask(reader, writer, route)
                if turn >= 0:
                    rows.append({"route": route, "turn": turn, "ms": round(seconds * 1000, 2), "hedge_won": int(hedged)})
        writer.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return rows


def await_port(process, port):
    for _ in range(500):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise Trouble(f"`{' '.join(process.args)}` did not come up")


def counts_of(port):
    with socket.create_connection(("127.0.0.1", port), 5) as wire:
        wire.sendall(b"GET /counts HTTP/1.1\r\nhost: bench\r\n\r\n")
        answer = b""
        while b"}" not in answer:
            answer += wire.recv(65536)
    return json.loads(answer.split(b"\r\n\r\n")[1])


def measure(settings):
    cores = sorted(os.sched_getaffinity(0))
    pin = lambda index: lambda: os.sched_setaffinity(0, {cores[index % len(cores)]})
    front, admin, behind = free_port(), free_port(), free_port()
    running = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "hedging.policy")
        with open(path, "w", encoding="utf-8") as policy:
            policy.write(POLICY.format(front=front, admin=admin, provider=behind))
        log = open(os.path.join(folder, "log"), "wb")
        try:
            for index, port, command in (
                    (1, behind, [sys.executable, os.path.abspath(__file__), "--provider", str(behind)]),
                    (0, front, [settings.binary, "serve", path])):
                running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                preexec_fn=pin(index)))
                await_port(running[-1], port)
            pin(2)()
            rows = asyncio.run(load(front, settings.requests, settings.clients))
            return rows, counts_of(behind)
        finally:
            log.close()
            for process in reversed(running):
                process.terminate()
                process.wait(10)


def table_of(rows, counts):
    table = []
    base = None
    for route in ROUTES:
        times = [row["ms"] for row in rows if row["route"] == route]
        cut = statistics.quantiles(times, n=100, method="inclusive")
        base = base or cut[98]
        won = sum(row["hedge_won"] for row in rows if row["route"] == route)
        extra = counts.get(f"{route}-second", 0) / counts[route]
        table.append([{"plain": "no hedge", "fixed": "hedge after 150ms", "p95": "hedge after p95"}[route], f"{len(times):,}",
                      f"{cut[49]:.0f}", f"{cut[94]:.0f}", f"{cut[98]:.0f}", f"{cut[98] / base - 1:+.0%}", f"{won}",
                      f"{extra:.1%}"])
    head = ["route", "requests", "p50 ms", "p95 ms", "p99 ms", "p99 against none", "answered by the hedge", "extra requests"]
    return record.table(head, *table)


def write_record(settings, rows, table):
    said = (f"Time to the first content at the client. The provider needs 40 to 80 ms, and in {SLOW_SHARE:.0%} of the requests "
            "1.5 to 3 s.")
    command = f"benches/hedging.py --requests {settings.requests} --clients {settings.clients}"
    record.csv_beside(record.write("hedging", command, said, table), rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=FULL, help="for each route")
    parser.add_argument("--clients", type=int, default=10, help="connections, one request at a time each")
    parser.add_argument("--binary", default=os.path.join(ROOT, "target", "release", "switchover"))
    parser.add_argument("--provider", type=int, help=argparse.SUPPRESS)
    settings = parser.parse_args()
    if settings.provider:
        asyncio.run(provider(settings.provider, seed=1))
        return
    try:
        rows, counts = measure(settings)
    except Trouble as trouble:
        sys.exit(f"hedging.py: {trouble}")
    table = table_of(rows, counts)
    print(table)
    if settings.requests >= FULL:
        write_record(settings, rows, table)


if __name__ == "__main__":
    main()
