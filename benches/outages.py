#!/usr/bin/env python3
"""What clients see while a provider fails: one scene after the other, the gateway on two cores, its breaker as built in unless said.

  killed    500 requests a second and 200 open streams; the primary's process is killed
  brownout  a quarter of the primary's answers is a 503, for a minute at 200 requests a second
  slow      the primary's first content takes ten times as long; `open when p95(ttft) > 250ms`, a window of 10 s
  gone      the primary says that the model does not exist, and has it again ten seconds later
  revoked   two keys, 200 requests a second; the primary refuses one of them
  storm     100,000 clients leave in the middle of their stream, 200 at a time
  reloads   1,000 reloads, each of another policy, every tenth of a faulty one, with 200 requests a second and 40 streams
  rotations the file of a key is replaced every 5 s, 100 times, with 100 requests a second; the provider refuses an old key after 4 s
  overload  `max_requests = 50` and answers that take 200 ms: 250 requests a second go in, four times as many are offered

Providers are a process each (this script), which know nothing of the gateway. What counts is what clients got, what providers
saw, and what the gateway counted. Each figure stands beside the bound that it must keep.

    cargo build --release
    benches/outages.py                      everything, about ten minutes; writes a record
    benches/outages.py --quick              a smoke run of a minute, no record: fails where a bound is not kept
    benches/outages.py --only storm         one scene

SWITCHOVER_BIN names another binary, SWITCHOVER_IO=epoll another driver. Python 3.9+, standard library only.
"""
import argparse
import asyncio
import collections
import itertools
import json
import os
import pathlib
import random
import re
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import time

import record

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "faults"))

import plays  # noqa: E402
from rig import KEYS, Gateway, end  # noqa: E402

RESET = struct.pack("ii", 1, 0)
LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
NUMBER = re.compile(rb'"user":"(\d+)"')
STREAM_HEAD = plays.head(200, plays.SSE).encode() + plays.chunk(plays.ROLE).encode()
EVENT = plays.chunk(plays.delta({"content": "word "})).encode()
STREAM_END = "".join(map(plays.chunk, (plays.FINISH, plays.DONE))).encode() + b"0\r\n\r\n"


# A provider: a process of its own.

class Serving(asyncio.Protocol):
    """One connection. What it does hangs on the process's words, which change with a line on standard input."""

    def __init__(self, says, seen):
        self.says, self.seen, self.rest, self.task, self.number = says, seen, b"", None, None

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self.rest += data
        head, found, body = self.rest.partition(b"\r\n\r\n")
        if found and len(body) >= int(LENGTH.search(head).group(1)):
            self.rest = b""
            self.task = asyncio.ensure_future(self.answer(head, body))

    async def answer(self, head, body):
        says = dict(self.says)
        number = NUMBER.search(body)
        self.number = number and int(number.group(1))
        self.seen["requests"] += 1
        key = re.search(rb"authorization: Bearer (\S+)", head, re.I).group(1).decode()
        if key in says["dead_keys"] or not key.startswith("sk-"):
            self.seen["dead_keys"] += 1
            self.send(plays.failing(401, "no such key", "invalid_request_error", "invalid_api_key"))
        elif says["gone"]:
            self.seen["gone"] += 1
            self.send(plays.failing(404, "no such model", "invalid_request_error", "model_not_found"))
        elif random.random() < says["fail"]:
            self.send(plays.failing(503))
        elif b'"stream":true' in body:
            self.transport.write(STREAM_HEAD)
            await asyncio.sleep(says["ttft"])
            for _ in range(says["events"]):
                self.transport.write(EVENT)
                await asyncio.sleep(says["gap"])
            self.transport.write(STREAM_END)
        else:
            await asyncio.sleep(says["ttft"])
            self.send(plays.good(False, "a"))

    def send(self, play):
        self.transport.write(play["steps"][0][1].encode("latin-1"))

    def connection_lost(self, _):
        if self.task:
            self.task.cancel()
        if self.number is not None:
            self.seen["closed"][self.number] = time.monotonic()


async def be_provider(ports):
    """Serves on so many ports; each line on standard input changes what it says and is answered with what it saw."""
    says = {"ttft": 0.02, "gap": 0.1, "events": 5, "fail": 0.0, "gone": False, "dead_keys": []}
    seen = {"requests": 0, "dead_keys": 0, "gone": 0, "closed": {}}
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda: Serving(says, seen), "127.0.0.1", 0, backlog=4096) for _ in range(ports)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        says.update(json.loads(line))
        print(json.dumps(seen), flush=True)


class Provider:
    """Its process, as the scenes see it."""

    def __init__(self, ports=1, **says):
        self.process = subprocess.Popen([sys.executable, __file__, "--be-provider", str(ports)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.ports = json.loads(self.process.stdout.readline())
        self.tell(**says)

    def tell(self, **says):
        """Changes what it says from now on; what it saw until now."""
        self.process.stdin.write(json.dumps(says) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def kill(self):
        end(self.process)


# Clients.

class Seen:
    """What one client saw."""

    def __init__(self, due):
        self.due, self.begun, self.done, self.first = due, time.monotonic(), None, None
        self.status, self.target, self.whole, self.error = 0, None, False, False


async def ask(wire, stream, due, number=None, leave=False):
    """One request on a connection of one's own; `leave` resets it at the first content."""
    reader, writer = wire
    seen = Seen(due)
    body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    if number is not None:
        body["user"] = str(number)
    data = json.dumps(body, separators=(",", ":")).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
                 b"content-length: %d\r\n\r\n%s" % (len(data), data))
    text = b""
    try:
        while not text.endswith(b"0\r\n\r\n") if stream else not is_whole(text):
            more = await reader.read(65536)
            if not more:
                break
            text += more
            if stream and not seen.first and b"word" in text:
                seen.first = time.monotonic()
                if leave:
                    break
    except ConnectionError:
        pass
    seen.done = time.monotonic()
    if text:
        head = text.partition(b"\r\n\r\n")[0].decode("latin-1")
        seen.status = int(head.split(" ")[1])
        target = re.search(r"x-switchover-target: (\S+)", head)
        seen.target = target and target.group(1)
    seen.whole = b"[DONE]" in text if stream else is_whole(text)
    seen.error = b'"error":' in text
    return seen


def is_whole(text):
    head, found, body = text.partition(b"\r\n\r\n")
    return bool(found) and len(body) >= int(LENGTH.search(head).group(1))


async def load(port, rate, seconds, stream=False, stop=None):
    """An open loop: requests begin at their times, whatever became of those before; for so long, or until told to stop."""
    idle, running, began = [], [], time.monotonic()

    def at_rest():
        while idle:
            wire = idle.pop()
            # The gateway closes what has rested for more than a minute, as any client must expect.
            if not wire[0].at_eof():
                return wire
            wire[1].close()

    async def one(due):
        wire = at_rest() or await asyncio.open_connection("127.0.0.1", port)
        seen = await ask(wire, stream, due)
        if seen.whole and seen.status == 200:
            idle.append(wire)
        else:
            wire[1].close()
        return seen

    for turn in itertools.count():
        due = began + turn / rate
        if turn >= rate * seconds or (stop and stop.is_set()):
            break
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        running.append(asyncio.ensure_future(one(due)))
    done = await asyncio.gather(*running)
    for _, writer in idle:
        writer.close()
    return done


def failed(all_seen):
    return sum(seen.status != 200 or not seen.whole for seen in all_seen)


def share(part, whole):
    return len(part) / max(1, len(whole))


# Scenes. Each gives rows of (figure, measured, bound, kept).

POLICY = """
{more}
provider first {{
  kind = openai_compatible, auth = {auth}, tls = off
  endpoints = [{first}]
  model m = "model-first"
}}
provider second {{
  kind = openai_compatible, auth = bearer(env("SECOND_KEY")), tls = off
  endpoints = [{second}]
  model m = "model-second"
}}
route default {{ tier 1 {{ first.m }}, tier 2 {{ second.m }}, deadline = 5m }}
"""


class Stage:
    """A gateway between two providers."""

    def __init__(self, folder, more="", auth='bearer(env("FIRST_KEY"))', ports=1, server="", **says):
        self.first, self.second = Provider(ports, **says), Provider(1, **says)
        urls = lambda provider: ", ".join(f'"http://127.0.0.1:{port}/v1"' for port in provider.ports)
        policy = POLICY.format(more=more, auth=auth, first=urls(self.first), second=urls(self.second))
        self.gateway = Gateway(folder, policy, 2, server=server)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for what in (self.gateway, self.first, self.second):
            (what.end if what is self.gateway else what.kill)()

    def target(self, name="first.m"):
        return next(target for target in self.gateway.status()["targets"] if target["target"] == name)

    def rss(self):
        status = pathlib.Path(f"/proc/{self.gateway.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"^RssAnon:\s+(\d+)", status, re.M).group(1)) / 1024


async def killed(folder, quick):
    rate, streams, before, after = (100, 40, 1, 3) if quick else (500, 200, 4, 6)
    with Stage(folder, gap=0.1, events=10_000) as stage:
        wires = [await asyncio.open_connection("127.0.0.1", stage.gateway.port) for _ in range(streams)]
        open_streams = [asyncio.ensure_future(ask(wire, True, time.monotonic())) for wire in wires]
        whole = asyncio.ensure_future(load(stage.gateway.port, rate, before + after))
        await asyncio.sleep(before)
        down = time.monotonic()
        stage.first.process.kill()
        whole = await whole
        ended = await asyncio.wait_for(asyncio.gather(*open_streams), 10)
        late = [seen for seen in whole if seen.due >= down + 1]
        moved = share([seen for seen in late if seen.target == "second.m"], late)
        told = sum(seen.error and not seen.whole for seen in ended)
        yield "whole requests that failed", f"{failed(whole)} of {len(whole):,}", "0", failed(whole) == 0
        yield "open streams that ended with an error in them", f"{told} of {streams}", "all", told == streams
        yield "on the fallback from 1 s after", f"{moved:.2%}", "≥ 99 %", moved >= 0.99
        slowest = max(seen.done - seen.due for seen in whole if seen.due >= down)
        yield "slowest request after it", f"{slowest * 1000:.0f} ms", "", True


async def brownout(folder, quick):
    rate, seconds = (200, 5) if quick else (200, 60)
    with Stage(folder) as stage:
        stage.first.tell(fail=0.25)
        seen = await load(stage.gateway.port, rate, seconds)
        counted = stage.gateway.status()["requests"]
        errors, ratio = failed(seen) / len(seen), counted["attempts"] / counted["requests"]
        opened = stage.target()["opened"]
        yield "client errors", f"{failed(seen)} of {len(seen):,}", "≤ 0.1 %", errors <= 0.001
        yield "attempts for each request", f"{ratio:.3f}", "≤ 1.35", ratio <= 1.35
        yield "times the breaker opened", str(opened), "≤ 3 a minute", opened <= 3


async def slow(folder, quick):
    rate, before, after = (40, 2, 8) if quick else (50, 12, 40)
    window = 3 if quick else 10
    more = (f"breaker brisk {{ window = {window}s, min_requests = 20, open when p95(ttft) > 250ms, cool_down = 15s..2m }}\n"
            "defaults { breaker = brisk }")
    with Stage(folder, more, ttft=0.05, gap=0.01) as stage:
        running = asyncio.ensure_future(load(stage.gateway.port, rate, before + after, stream=True))
        await asyncio.sleep(before)
        stage.first.tell(ttft=0.5)
        since = time.monotonic()
        seen = await running
        at_first = [one.due for one in seen if one.target == "first.m" and one.due > since]
        late = [one for one in seen if one.due > since + 2 * window]
        moved = share([one for one in late if one.target == "second.m"], late)
        run = next((due for due, following in zip(at_first, [*at_first[1:], float("inf")]) if following - due > 1), since)
        yield "requests that failed", f"{failed(seen)} of {len(seen):,}", "0", failed(seen) == 0
        yield "shifted after", f"{run - since:.1f} s", f"≤ {2 * window} s", run - since <= 2 * window
        yield "on the fallback from then on", f"{moved:.2%}", "≥ 95 %", moved >= 0.95


async def gone(folder, quick):
    rate, seconds = (10, 4) if quick else (2, 330)
    with Stage(folder) as stage:
        running = asyncio.ensure_future(load(stage.gateway.port, rate, seconds))
        await asyncio.sleep(1)
        stage.first.tell(gone=True)
        since = time.monotonic()
        await asyncio.sleep(2 if quick else 10)
        stage.first.tell(gone=False)
        seen = await running
        asked = stage.first.tell()["gone"]
        yield "requests that failed", f"{failed(seen)} of {len(seen):,}", "0", failed(seen) == 0
        yield "requests that met it", str(asked), "1", asked == 1
        if not quick:
            back = next((one.due - since for one in seen if one.due > since + 1 and one.target == "first.m"), float("inf"))
            yield "back after", f"{back:.1f} s", "≤ 300 s and one request", back <= 302


async def revoked(folder, quick):
    rate, before, after = (200, 1, 2) if quick else (200, 3, 12)
    auth = 'keys(env("FIRST_KEY"), env("FIRST_B_KEY"), pick = round_robin)'
    with Stage(folder, auth=auth) as stage:
        running = asyncio.ensure_future(load(stage.gateway.port, rate, before + after))
        await asyncio.sleep(before)
        stage.first.tell(dead_keys=[KEYS["first"]])
        seen = await running
        met = stage.first.tell()["dead_keys"]
        elsewhere = sum(one.target != "first.m" for one in seen)
        yield "client errors", f"{failed(seen)} of {len(seen):,}", "0", failed(seen) == 0
        yield "answered by the other provider", str(elsewhere), "0", elsewhere == 0
        yield "requests that met the refused key", str(met), "", True


async def storm(folder, quick):
    clients, at_once = (2_000, 100) if quick else (100_000, 200)
    with Stage(folder, ports=16, gap=0.05, events=10_000) as stage:
        left = {}

        async def leave(numbers):
            for number in numbers:
                reader, writer = await asyncio.open_connection("127.0.0.1", stage.gateway.port)
                seen = await ask((reader, writer), True, time.monotonic(), number, leave=True)
                assert seen.first, f"no content: status {seen.status}"
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                left[number] = time.monotonic()
                writer.transport.abort()

        async def crowd(numbers):
            await asyncio.gather(*(leave(numbers[turn::at_once]) for turn in range(at_once)))

        # A first crowd fills what is kept for the next one: buffers, the journals, pages of the allocator.
        await crowd(range(-4_000, 0))
        await asyncio.sleep(1)
        files, memory = stage.gateway.descriptors(), stage.rss()
        left.clear()
        began = time.monotonic()
        await crowd(range(clients))
        took = time.monotonic() - began
        await asyncio.sleep(1.5)
        closed = {int(number): at for number, at in stage.first.tell()["closed"].items()}
        waits = sorted(closed.get(number, float("inf")) - at for number, at in left.items())
        more_files, more_memory = stage.gateway.descriptors() - files, stage.rss() - memory
        yield "clients that left", f"{len(left):,} in {took:.0f} s", "", len(left) == clients
        shown = f"p50 {waits[len(waits) // 2] * 1e3:.1f} ms, longest {waits[-1] * 1e3:.0f} ms"
        yield "provider's side closed after", shown, "≤ 1 s", waits[-1] <= 1
        yield "descriptors more than before", str(more_files), "0", more_files <= 0
        yield "memory more than before", f"{more_memory:.1f} MiB", "≤ 2 MiB", more_memory <= 2
        inflight = stage.target()["inflight"]
        yield "attempts under way", str(inflight), "0", inflight == 0


async def reloads(folder, quick):
    rate, streams, times = (100, 10, 40) if quick else (200, 40, 1_000)
    with Stage(folder, gap=0.1, events=10_000) as stage:
        path, port = folder / "case.policy", stage.gateway.port
        text = path.read_text(encoding="utf-8")
        wires = [await asyncio.open_connection("127.0.0.1", port) for _ in range(streams)]
        open_streams = [asyncio.ensure_future(ask(wire, True, time.monotonic())) for wire in wires]
        stop = asyncio.Event()
        running = asyncio.ensure_future(load(port, rate, float("inf"), stop=stop))
        took, wrong = [], 0
        for turn in range(times):
            faulty = turn % 10 == 9
            replace(path, text[:len(text) // 2] if faulty else f"{text}# {turn}\n")
            begun = time.monotonic()
            status = await asyncio.to_thread(stage.gateway.reload)
            took.append(time.monotonic() - begun)
            wrong += (status == 200) == faulty
        stop.set()
        seen = await running
        cut = sum(stream.done() for stream in open_streams)
        generation = stage.gateway.status()["generation"]
        for stream in open_streams:
            stream.cancel()
        took.sort()
        yield "reloads that came out wrong", f"{wrong} of {times:,}", "0", wrong == 0
        yield "the last generation", f"{generation}", f"{times - times // 10 + 1}", generation == times - times // 10 + 1
        yield "requests that failed", f"{failed(seen)} of {len(seen):,}", "0", failed(seen) == 0
        yield "streams that were cut", f"{cut} of {streams}", "0", cut == 0
        yield "a reload took", f"p50 {took[len(took) // 2] * 1e3:.0f} ms, longest {took[-1] * 1e3:.0f} ms", "", True


async def rotations(folder, quick):
    rate, times = 100, 2 if quick else 100
    key = folder / "key"
    names = [f"sk-rotated-{turn:03}" for turn in range(times + 1)]
    replace(key, names[0])
    with Stage(folder, auth=f'bearer(file("{key}"))') as stage:
        stop = asyncio.Event()
        running = asyncio.ensure_future(load(stage.gateway.port, rate, float("inf"), stop=stop))
        for turn, name in enumerate(names[1:], 1):
            replace(key, name)
            await asyncio.sleep(4)
            stage.first.tell(dead_keys=names[:turn])
            await asyncio.sleep(1)
        stop.set()
        seen = await running
        met = stage.first.tell()["dead_keys"]
        elsewhere = sum(one.target != "first.m" for one in seen)
        yield "rotations", str(times), "", True
        yield "client errors", f"{failed(seen)} of {len(seen):,}", "0", failed(seen) == 0
        yield "requests with a refused or a mixed key", str(met), "0", met == 0
        yield "answered by the other provider", str(elsewhere), "0", elsewhere == 0


async def overload(folder, quick):
    places, takes, seconds = 50, 0.2, 4 if quick else 20
    peak = places / takes
    with Stage(folder, server=f"max_requests = {places}", ttft=takes) as stage:
        seen = await load(stage.gateway.port, peak, seconds)
        most = good(seen) / seconds
        before = stage.rss()
        seen = await load(stage.gateway.port, 4 * peak, seconds)
        shed = sorted(one.done - one.begun for one in seen if one.status == 503)
        goodput, more = good(seen) / seconds, stage.rss() - before
        other = len(seen) - good(seen) - len(shed)
        late = shed[len(shed) * 99 // 100]
        yield "goodput", f"{goodput:.0f}/s of {most:.0f}/s without overload", "≥ 90 %", goodput >= 0.9 * most
        yield "turned away", f"{len(shed):,} of {len(seen):,}", "", bool(shed)
        yield "neither answered nor told", str(other), "0", other == 0
        shown = f"p50 {shed[len(shed) // 2] * 1e3:.1f} ms, p99 {late * 1e3:.1f} ms"
        yield "told after", shown, "p99 ≤ 10 ms", late <= 0.010
        yield "memory more than before", f"{more:.1f} MiB", "≤ 8 MiB", more <= 8


def good(all_seen):
    return len(all_seen) - failed(all_seen)


def replace(path, text):
    """At once, as an editor or a secrets agent does it."""
    beside = path.with_suffix(".new")
    beside.write_text(text, encoding="utf-8")
    beside.rename(path)


SCENES = {scene.__name__: scene for scene in (killed, brownout, slow, gone, revoked, storm, reloads, rotations, overload)}


async def play(name, quick, places, rows):
    begun = time.monotonic()
    async for figure, measured, bound, kept in SCENES[name](next(places), quick):
        rows[name].append((name, figure, measured, bound, "yes" if kept else "**no**"))
        print("|", " | ".join(rows[name][-1]), "|", flush=True)
    print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)


async def measure(names, quick, places):
    rows = collections.defaultdict(list)
    # These wait for minutes with few requests: they cost next to nothing and run beside the others.
    patient = [name for name in names if name in ("gone", "rotations")]
    waiting = [asyncio.ensure_future(play(name, quick, places, rows)) for name in patient]
    for name in names:
        if name not in patient:
            await play(name, quick, places, rows)
    await asyncio.gather(*waiting)
    return [row for name in names for row in rows[name]]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="a smoke run, no record")
    arguments.add_argument("--only", nargs="+", choices=SCENES, help="some scenes, no record")
    arguments.add_argument("--be-provider", type=int, help=argparse.SUPPRESS)
    asked = arguments.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if asked.be_provider:
        asyncio.run(be_provider(asked.be_provider))
        return
    with tempfile.TemporaryDirectory() as folder:
        def folders():
            for number in range(len(SCENES)):
                path = pathlib.Path(folder) / str(number)
                path.mkdir()
                yield path
        rows = asyncio.run(measure(asked.only or list(SCENES), asked.quick, folders()))
    if not asked.quick and not asked.only:
        shown = record.table(("scene", "figure", "measured", "bound", "kept"), *rows)
        record.write("outages", f"SWITCHOVER_IO={os.environ.get('SWITCHOVER_IO', 'auto')} benches/outages.py", shown)
    if any(row[-1] != "yes" for row in rows):
        sys.exit("a bound is not kept")


if __name__ == "__main__":
    main()
