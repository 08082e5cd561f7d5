"""The official SDKs → the real gateway → a stand-in provider that answers from recorded traffic.

    cargo build --release
    python3 -m venv target/venv && target/venv/bin/pip install -r tests/sdk/requirements.txt
    target/venv/bin/pytest tests/sdk

SWITCHOVER_BIN names another binary, SWITCHOVER_IO=epoll another driver, SWITCHOVER_FIXTURES another folder of recordings.
"""
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.request

import anthropic
import openai
import pytest
from google import genai

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from ports import free_port  # noqa: E402

FIXTURES = pathlib.Path(os.environ.get("SWITCHOVER_FIXTURES", ROOT / "tests" / "fixtures"))
CLIENT_KEY = "sk-client-canary"
PROVIDERS = ("first", "second")
PATIENCE_S = 10


def provider_key(name):
    return f"sk-{name}-canary"


def recordings():
    """Every recorded chat interaction in OpenAI's format, by "provider/name". Azure has paths of its own."""
    found = {}
    for path in sorted(FIXTURES.glob("*/*.json")):
        fixture = json.loads(path.read_text(encoding="utf-8"))
        if fixture.get("endpoint") == "chat-completions" and fixture["provider"] != "azure" and fixture["request"]["body"]:
            found[f"{fixture['provider']}/{fixture['name']}"] = fixture
    return found


def recorded(name):
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))


def body_bytes(fixture):
    """The recorded answer as the stand-in provider sends it."""
    response = fixture["response"]
    if "sse" in response:
        return "".join(response["sse"]).encode()
    if "body" in response:
        return json.dumps(response["body"], ensure_ascii=False, separators=(",", ":")).encode()
    return response.get("text", "").encode()


def binary():
    named = os.environ.get("SWITCHOVER_BIN")
    builds = [pathlib.Path(named)] if named else [ROOT / "target" / kind / "switchover" for kind in ("release", "debug")]
    for build in builds:
        if os.access(build, os.X_OK):
            return build
    pytest.exit(f"no gateway at {' or '.join(map(str, builds))}: run `cargo build --release` first", returncode=2)


class Provider:
    """A running stand-in provider."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "support" / "replay_provider.py"), "--fixtures", str(FIXTURES)],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), f"the stand-in provider did not start: {line!r}"
        self.url = line.split()[-1]

    def control(self, path, body=None):
        data = None if body is None else body.encode()
        with urllib.request.urlopen(self.url + path, data, PATIENCE_S) as answer:
            return json.load(answer)

    def serve(self, name):
        """Answers everything with this recording from now on."""
        self.control("/__serve", name)

    def script(self, *faults):
        """One fault a request, in order; "-" is none."""
        self.control("/__script", "\n".join(faults))

    def log(self):
        return self.control("/__log")

    def reset(self):
        self.control("/__reset", "")


def end(process):
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


POLICY = """policy 1

server {{ listen = "127.0.0.1:{port}", admin = "127.0.0.1:{admin}", cores = 1 }}
retries calm {{ max = 0 }}
defaults {{
  retries = calm, connect_timeout = 1s, ttft_timeout = {ttft}, idle_timeout = {idle}, deadline = 20s
}}
provider first {{
  kind = openai_compatible, base_url = "{first}/v1", auth = bearer(env("FIRST_KEY")), tls = off
  model mini = "gpt-5-mini"
}}
provider second {{
  kind = openai_compatible, base_url = "{second}/v1", auth = bearer(env("SECOND_KEY")), tls = off
  model mini = "gpt-5-mini"
}}
{routes}
"""
ONE_TARGET = "route default { tier 1 { first.* }, fallback { on any -> next, else -> stop } }"
TWO_TARGETS = "route default { tier 1 { first.* }, tier 2 { second.* }, fallback { on any -> next, else -> reject(503) } }"
NAMED_TARGETS = """
route small when req.model == "mini" { tier 1 { first.mini }, tier 2 { second.mini } }
route default { tier 1 { first.* }, tier 2 { second.* } }
"""


# A provider of each kind, all at the same stand-in. Its model is asked for by the kind's name.
BY_KIND = """policy 1

server {{ listen = "127.0.0.1:{port}", admin = "127.0.0.1:{admin}", cores = 1 }}
retries calm {{ max = 0 }}
defaults {{ retries = calm, deadline = 20s }}
{providers}
{routes}
route default {{ reject(404) }}
"""
KIND = """provider {name} {{
  kind = {kind}, base_url = "{url}{path}", auth = {auth}, tls = off
  model m = "the-model"
}}
"""
PATHS = {"gemini": "/v1beta", "vertex": "/v1/projects/p/locations/l/publishers/google", "cohere": "/v2", "bedrock": "",
         "deepseek": ""}
STYLES = {"anthropic": "header(\"x-api-key\", {key})", "gemini": "header(\"x-goog-api-key\", {key})"}


class Gateway:
    """A running gateway. `io` overrules SWITCHOVER_IO; `wrapper` is a command that runs the gateway's."""

    def __init__(self, folder, providers, routes, ttft="5s", idle="5s", io=None, wrapper=()):
        urls = {name: provider.url for name, provider in providers.items()}
        self.begin(folder, POLICY, dict(routes=routes, ttft=ttft, idle=idle, **urls), io, wrapper)

    @classmethod
    def of(cls, folder, template, values):
        """One with a policy of its own."""
        gateway = cls.__new__(cls)
        gateway.begin(folder, template, values)
        return gateway

    def begin(self, folder, template, values, io=None, wrapper=()):
        self.port, self.admin, self.log_path = free_port(), free_port(), folder / "gateway.log"
        self.clients = {}
        policy = folder / "test.policy"
        policy.write_text(template.format(port=self.port, admin=self.admin, **values))
        environment = {**os.environ, **{f"{name.upper()}_KEY": provider_key(name) for name in PROVIDERS}}
        io = io or os.environ.get("SWITCHOVER_IO", "auto")
        command = [*wrapper, str(binary()), "serve", str(policy), "--io", io]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self.await_health()

    def await_health(self):
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/healthz", None, PATIENCE_S) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.01)
        end(self.process)
        pytest.fail(f"the gateway did not come up:\n{self.log_path.read_text(errors='replace')}")

    def kept(self, name, make):
        """One client of a kind for all tests: to make one takes longer than most tests."""
        if name not in self.clients:
            self.clients[name] = make()
        return self.clients[name]

    def client(self):
        return self.kept("openai", lambda: openai.OpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key=CLIENT_KEY,
                                                         max_retries=0, timeout=PATIENCE_S))

    def anthropic(self):
        return self.kept("anthropic", lambda: anthropic.Anthropic(base_url=f"http://127.0.0.1:{self.port}", api_key=CLIENT_KEY,
                                                                  max_retries=0, timeout=PATIENCE_S))

    def genai(self):
        options = genai.types.HttpOptions(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE_S * 1000)
        return self.kept("genai", lambda: genai.Client(api_key=CLIENT_KEY, http_options=options))

    def end(self):
        for client in self.clients.values():
            client.close()
        end(self.process)


def of_kind(name, kind, url):
    """A provider of this kind at a stand-in."""
    auth = STYLES.get(kind, "bearer({key})").format(key="env(\"FIRST_KEY\")")
    return KIND.format(name=name, kind=kind, url=url, path=PATHS.get(kind, "/v1"), auth=auth)


class Dialects(Gateway):
    """A running gateway with a provider of each of these kinds."""

    def __init__(self, folder, providers, kinds, extra=""):
        written = [of_kind(f"p_{kind}", kind, providers["first"].url) for kind in kinds]
        routes = [f"route {kind} when req.model == \"{kind}\" {{ tier 1 {{ p_{kind}.m }}, fallback {{ else -> stop }} }}"
                  for kind in kinds]
        self.begin(folder, BY_KIND, dict(providers="".join(written), routes="\n".join([*routes, extra])))


class Plans(Gateway):
    """A running gateway with a plan for each pair of kinds, under the name that is asked for as the model: first a provider of
    the one kind, at the first stand-in, then one of the other kind, at the second. No plan shares a provider with another, so
    that none of them rests for what happened in another test."""

    TIMERS = "ttft_timeout = 500ms, idle_timeout = 500ms"

    def __init__(self, folder, providers, pairs):
        written, routes = [], []
        for name, kinds in pairs.items():
            written += [of_kind(f"{name}_{stand_in}", kind, providers[stand_in].url)
                        for stand_in, kind in zip(PROVIDERS, kinds, strict=True)]
            routes.append(f"route {name} when req.model == \"{name}\" {{ {self.TIMERS}, "
                          f"tier 1 {{ {name}_first.m }}, tier 2 {{ {name}_second.m }} }}")
        self.begin(folder, BY_KIND, dict(providers="".join(written), routes="\n".join(routes)))


@pytest.fixture(scope="session")
def all_providers():
    running = {}
    try:
        for name in PROVIDERS:
            running[name] = Provider()
        yield running
    finally:
        for provider in running.values():
            end(provider.process)
            provider.process.stdout.close()


@pytest.fixture
def providers(all_providers):
    """The stand-in providers, with nothing in their logs and no script."""
    for provider in all_providers.values():
        provider.reset()
    return all_providers


@pytest.fixture
def start(tmp_path, all_providers):
    """Starts a gateway for one test: breakers and pauses of another test are not its own."""
    running = []

    def begin(routes, **options):
        folder = tmp_path / str(len(running))
        folder.mkdir()
        running.append(Gateway(folder, all_providers, routes, **options))
        return running[-1]

    yield begin
    for gateway in running:
        gateway.end()


@pytest.fixture(scope="session")
def plain(tmp_path_factory, all_providers):
    """One gateway with one target, for tests in which nothing fails."""
    gateway = Gateway(tmp_path_factory.mktemp("plain"), all_providers, ONE_TARGET)
    yield gateway
    gateway.end()


@pytest.fixture
def direct(providers):
    """The SDK without a gateway: what an answer looks like when nothing is in between."""
    with openai.OpenAI(base_url=providers["first"].url + "/v1", api_key=provider_key("first"), max_retries=0,
                       timeout=PATIENCE_S) as client:
        yield client
