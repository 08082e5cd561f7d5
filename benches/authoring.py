#!/usr/bin/env python3
"""What the author of a policy waits for: a letter in one rule of a large policy, as an editor sends it, and `switchover check`.

The language server gets one letter after the other, each when the answer to the one before is there; what counts is the CPU time of all of its
threads from the change to what is said of it, so that neighbours on the machine count less than they would by the clock. `check` counts by the
CPU time beyond that of `--version`, the cost of starting the binary. With `--against` another build runs in the same rounds, by turns.

    cargo build --release
    benches/authoring.py                             about a minute; writes a record
    benches/authoring.py --rounds 1                  a smoke run, no record
    benches/authoring.py --against OTHER_BINARY

Python 3.9+, standard library, Linux. SWITCHOVER_BIN names another binary than the release build.
"""
import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess

import record

ROOT = pathlib.Path(__file__).resolve().parents[1]
FULL, LETTERS, CHECKS = 4, 20, 40
SIZES = (1_000, 10_000)
CHECKED = "policies/enterprise.policy"


def policy_of(routes):
    """A policy in which each route has a team, a bound and weights of its own."""
    head = ('policy 1\n\nprovider openai { model mini = "gpt-5-mini", model big = "gpt-5" }\n'
            'provider mistral { model small = "mistral-small-latest" }\n\n')
    route = ('route r{0} when req.header["x-team"] == "team-{0}" and req.tokens_in <= {1} {{\n'
             '  tier 1 {{ openai.mini weight {2}, openai.big }}\n  tier 2 {{ mistral.small }}\n}}\n\n')
    return head + "".join(route.format(at, 1_000 + at, 1 + at % 5) for at in range(routes)) + "route default { reject(404) }\n"


class Server:
    """`switchover lsp`, and an editor's end of it."""

    def __init__(self, binary):
        self.process = subprocess.Popen([binary, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.send({"id": 1, "method": "initialize", "params": {"capabilities": {}}})
        self.receive()
        self.send({"method": "initialized", "params": {}})

    def send(self, message):
        text = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(text), text))
        self.process.stdin.flush()

    def receive(self):
        length = 0
        while line := self.process.stdout.readline().strip():
            name, value = line.split(b": ")
            length = int(value) if name == b"Content-Length" else length
        return json.loads(self.process.stdout.read(length))

    def said(self, version):
        """What is said of this version of the text."""
        while True:
            params = self.receive().get("params", {})
            if params.get("version") == version:
                return params["diagnostics"]

    def cpu_ms(self):
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def keystrokes(binary, routes):
    """CPU milliseconds of each letter in the middle rule."""
    text = policy_of(routes)
    before = text[:text.index(f'"team-{routes // 2}"') + 1]
    here = {"line": before.count("\n"), "character": len(before) - before.rindex("\n") - 1}
    about = {"uri": "file:///authoring/plan.policy"}
    server = Server(binary)
    try:
        opened = {**about, "version": 1, "text": text, "languageId": "switchover"}
        server.send({"method": "textDocument/didOpen", "params": {"textDocument": opened}})
        assert server.said(1) == []
        taken = []
        for version in range(2, LETTERS + 2):
            start = server.cpu_ms()
            change = {"range": {"start": here, "end": here}, "text": "x"}
            server.send({"method": "textDocument/didChange",
                         "params": {"textDocument": {**about, "version": version}, "contentChanges": [change]}})
            assert server.said(version) == []
            taken.append(server.cpu_ms() - start)
        return taken
    finally:
        server.end()


def check(binary):
    """CPU milliseconds of one check beyond an empty start."""
    def mean_ms(*arguments):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(CHECKS):
            subprocess.run([binary, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / CHECKS * 1e3
    return [mean_ms("check", CHECKED) - mean_ms("--version")]


def shown(values):
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return f"{middle:.1f} ({low:.1f}–{high:.1f})"


def lines_checked():
    files = [ROOT / CHECKED, ROOT / "policies/shared/providers.policy"]
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=FULL)
    options.add_argument("--against", help="another build")
    options = options.parse_args()
    binaries = {"now": os.environ.get("SWITCHOVER_BIN", str(ROOT / "target/release/switchover"))}
    if options.against:
        binaries["before"] = options.against
    cases = {f"a letter among {routes:,} routes": lambda binary, routes=routes: keystrokes(binary, routes) for routes in SIZES}
    cases[f"check of {lines_checked()} lines"] = check
    found = {case: {name: [] for name in binaries} for case in cases}
    for turn in range(options.rounds):
        for case, measure in cases.items():
            for name in list(binaries)[::1 if turn % 2 == 0 else -1]:
                found[case][name] += measure(binaries[name])
    rows = [(case, *map(shown, by_name.values())) for case, by_name in found.items()]
    shape = record.table(("CPU ms, median (quartiles)", *binaries), *rows)
    print(shape)
    if options.rounds >= FULL:
        record.write("authoring", f"benches/authoring.py --rounds {options.rounds}", shape)


if __name__ == "__main__":
    main()
