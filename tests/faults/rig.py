"""The processes of a case, and what each of the three sides saw of it."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

from client import Client

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from ports import free_port  # noqa: E402

PATIENCE_S = 10
KEYS = {"first": "sk-first-canary", "first-b": "sk-first-b-canary", "second": "sk-second-canary"}


def binary():
    named = os.environ.get("SWITCHOVER_BIN")
    builds = [pathlib.Path(named)] if named else [ROOT / "target" / kind / "switchover" for kind in ("release", "debug")]
    for build in builds:
        if os.access(build, os.X_OK):
            return build
    raise SystemExit(f"no gateway at {' or '.join(map(str, builds))}: run `cargo build --release` first")


def end(process):
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()


class ProviderProcess:
    """One process of provider.py; its listeners are the providers."""

    def __init__(self):
        self.lock = threading.Lock()
        self.process = subprocess.Popen([sys.executable, str(HERE / "provider.py")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def command(self, **command):
        with self.lock:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def open(self, plays, kind="serve", **more):
        return Listener(self, self.command(do="open", plays=plays, **{"as": kind}, **more))

    def end(self):
        end(self.process)


class Listener:
    """A provider as the test sees it."""

    def __init__(self, process, opened):
        self.process, self.id, self.port = process, opened["id"], opened["port"]

    def log(self, *what):
        return [entry for entry in self.process.command(do="log", id=self.id)["log"] if not what or entry["what"] in what]

    def requests(self):
        return self.log("request", "touched")

    def play(self, *plays, cycle=False):
        self.process.command(do="play", id=self.id, plays=list(plays), cycle=cycle)

    def until(self, what, count=1):
        """Waits until so many such entries are there."""
        return until(lambda: self.log(what), lambda log: len(log) >= count, f"{count} × {what!r} at the provider")

    def close(self):
        self.process.command(do="close", id=self.id)


def until(look, fits, wanted):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        seen = look()
        if fits(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {wanted}; last seen: {seen}")
        time.sleep(0.02)


class Gateway:
    """The real binary, and how to reach it."""

    def __init__(self, folder, policy, cores, environment=None, wrapper=(), server=""):
        self.port, self.admin, self.log_path = free_port(), free_port(), folder / "gateway.log"
        path = folder / "case.policy"
        path.write_text(f'policy 1\nserver {{ listen = "127.0.0.1:{self.port}", admin = "127.0.0.1:{self.admin}", '
                        f"cores = {cores}{server and ', ' + server} }}\n{policy}")
        keys = {f"{name.upper().replace('-', '_')}_KEY": key for name, key in KEYS.items()}
        command = [*wrapper, str(binary()), "serve", str(path), "--io", os.environ.get("SWITCHOVER_IO", "auto")]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **keys, **(environment or {})})
        try:
            until(self.health, lambda status: status == 200 or self.process.poll() is not None, "a healthy gateway")
            assert self.process.poll() is None, f"the gateway did not start:\n{self.log_text()}"
        except AssertionError:
            end(self.process)
            raise

    def health(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/healthz", None, PATIENCE_S) as answer:
                return answer.status
        except OSError:
            return None

    def status(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/status", None, PATIENCE_S) as answer:
            return json.load(answer)

    def reload(self):
        """Reads its policy again; the status that says what came of it."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.admin}/reload", method="POST")
        try:
            with urllib.request.urlopen(asked, None, PATIENCE_S) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code

    def log_text(self):
        return self.log_path.read_text(errors="replace")

    def descriptors(self):
        """How many it holds."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def client(self):
        return Client(self.port)

    def end(self):
        end(self.process)


POLICY = """
breaker watch {{
  window = 30s, min_requests = {min_requests}
  count = {count}
  open when error_rate > 25%
  open when consecutive >= {consecutive}
  cool_down = {cool_down}
  half_open {{ probes = 1, need = {need}, share = 100% }}
  throttle {{ max = {throttle} }}
}}
defaults {{ breaker = watch, {retries} connect_timeout = {connect}, ttft_timeout = 10s, idle_timeout = 10s, deadline = {deadline} }}
provider first {{
  kind = openai_compatible, base_url = "{first}/v1", auth = {auth}, {tls}
  ttft_timeout = {ttft}, idle_timeout = {idle}
  model m = "model-first", model other = "other-first"
}}
provider second {{
  kind = openai_compatible, base_url = "http://127.0.0.1:{second}/v1", auth = bearer(env("SECOND_KEY")), tls = off
  model m = "model-second"
}}
route other when req.model == "other" {{ tier 1 {{ first.other }}, fallback {{ on any -> next, else -> stop }} }}
route alone when req.model == "alone" {{ tier 1 {{ first.m }}, fallback {{ on any -> next, else -> stop }} }}
route default {{ tier 1 {{ first.m }}, tier 2 {{ second.m }}, fallback {{ {fallback} }} }}
"""
SETTINGS = {
    "min_requests": 1000, "consecutive": 100, "cool_down": "30s..2m", "need": 1, "retries": "", "throttle": "10s", "connect": "2s",
    "deadline": "20s", "auth": 'bearer(env("FIRST_KEY"))', "tls": "tls = off", "ttft": "10s", "idle": "10s",
    "count": "[s5xx, timeout, connect, tls, ttft, stream_abort, overloaded]",
    "fallback": "on any -> next, else -> reject(503)",
}


def policy(**settings):
    """The policy of a case: two providers, one behind the other."""
    return POLICY.format(**{**SETTINGS, **settings})
