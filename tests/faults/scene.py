"""What a case is: a fault, what the client must see of it, and what all three sides must agree on afterwards."""
import dataclasses
import pathlib
import typing

import plays
from rig import KEYS, Gateway, policy, until

ENDINGS = ("answered", "failed", "refused", "client_gone", "shed")
# Words that no client may ever see: keys, and what stands on a page of something in front of a provider.
SECRET = [*KEYS.values(), "203.0.113.9", "Just a moment"]


@dataclasses.dataclass
class Ask:
    """One request, and what its client must see."""
    status: int = 200
    # Who answered, by `x-switchover-target`; None: nobody was asked.
    by: typing.Optional[str] = "second.m"
    attempts: int = 2
    model: str = "m"
    # Whether the answer's framing says that it is whole.
    whole: bool = True
    # None: the good answer of whoever answered.
    body: typing.Optional[str] = None
    # Of an error: its `code`.
    code: typing.Optional[str] = None
    # How the gateway counts it; None: by the status.
    ends: typing.Optional[str] = None
    # Fields that the answer must have; a value of None: any.
    headers: dict = dataclasses.field(default_factory=dict)
    # Text that must, and must not, have been seen.
    has: tuple = ()
    never: tuple = ()
    # Bytes of text in the prompt.
    prompt: int = 2

    def ending(self):
        return self.ends or ("answered" if self.status == 200 and self.whole else "failed")


@dataclasses.dataclass
class Scene:
    """One arrangement of a fault."""
    name: str
    # What the first provider's requests meet, in order; the last one stays.
    first: list = dataclasses.field(default_factory=list)
    # None: good answers.
    second: typing.Optional[list] = None
    asks: list = dataclasses.field(default_factory=lambda: [Ask()])
    # Requests that each provider's log must have. None for the first: as the counters say.
    seen: tuple = (1, 1)
    # Of the policy: see rig.SETTINGS.
    settings: dict = dataclasses.field(default_factory=dict)
    # How the first listener stands: see provider.py.
    kind: str = "serve"
    tls: typing.Any = None
    cycle: bool = False
    # What the first target is left with. Failures in the breaker's window; None where it has opened, and counts anew.
    failures: typing.Optional[int] = 0
    throttled: typing.Union[bool, tuple] = False
    key_out: bool = False
    gone: bool = False
    breaker: str = "closed"
    # All requests on one connection, thus on one core.
    one_connection: bool = False
    # Instead of `asks` one after the other; ends with what `asks` would have counted.
    run: typing.Optional[typing.Callable] = None
    # Of the environment.
    environment: dict = dataclasses.field(default_factory=dict)
    preload: bool = False
    # The first provider has a name; what the resolver says of it when the gateway starts.
    dns: str = ""
    # Seconds: longer ones begin first.
    lasts: float = 1
    # Whose part of the gateway this needs that is not there yet.
    awaits: str = ""


class World:
    """A running case."""

    def __init__(self, scene, stream, cores, folder, process, tools):
        self.scene, self.stream, self.cores, self.folder = scene, stream, cores, pathlib.Path(folder)
        self.process, self.tools = process, tools
        self.asked, self.clients = [], []
        tls = tools.certificate(scene.tls) if scene.tls in tools.CERTIFICATES else scene.tls
        self.first = process.open(scene.first or [plays.good(stream, "first")], scene.kind, tls=tls, cycle=scene.cycle)
        self.second = process.open(scene.second or [plays.good(stream, "second")])
        settings = dict(scene.settings)
        self.host = f"p{self.first.port}.test" if scene.dns else "127.0.0.1"
        settings["first"] = f"{'https' if scene.tls else 'http'}://{self.host}:{self.first.port}"
        if scene.tls:
            settings.setdefault("tls", f'tls {{ ca = file("{tools.authority()}") }}')
        environment = dict(scene.environment)
        if scene.preload or scene.dns:
            environment["LD_PRELOAD"] = str(tools.shim())
            environment["FAULTS_CLOCK"] = str(self.folder / "clock")
            environment["FAULTS_RESOLVER"] = str(self.resolve(scene.dns)["port"])
        try:
            self.gateway = Gateway(self.folder, policy(**settings, second=self.second.port), cores, environment)
        except BaseException:
            self.close()
            raise

    def resolve(self, answer):
        """What the resolver says from now on of the first provider's name."""
        return self.process.command(do="names", answers={self.host: answer} if answer else {})

    def close(self):
        for client in self.clients:
            client.close()
        if hasattr(self, "gateway"):
            self.gateway.end()
        self.first.close()
        self.second.close()

    def body(self, ask):
        return {"model": ask.model, "stream": self.stream, "messages": [{"role": "user", "content": "x" * ask.prompt}]}

    def client(self):
        """Another connection; with one_connection the same one."""
        if not (self.clients and self.scene.one_connection):
            self.clients.append(self.gateway.client())
        return self.clients[-1]

    def ask(self, ask):
        """Asks, and looks at what the client got."""
        return self.expect(ask, self.client().ask(self.body(ask)))

    def expect(self, ask, answer):
        self.asked.append(ask)
        shown = f"\n  asked {ask}\n  got {answer.head!r}\n  {answer.body[:600]!r}"
        assert answer.status == ask.status, shown
        assert answer.told() == (ask.by, ask.attempts), shown
        assert answer.whole == ask.whole, shown
        self.judge_body(ask, answer, shown)
        for name, value in ask.headers.items():
            assert name in answer.headers and value in (None, answer.headers[name]), (name, shown)
        seen = answer.head + answer.body.decode("utf-8", "replace")
        for text in ask.has:
            assert text in seen, (text, shown)
        for text in (*ask.never, *SECRET):
            assert text not in seen, (text, shown)
        return answer

    def judge_body(self, ask, answer, shown):
        if ask.status != 200:
            error = answer.json()["error"]
            assert set(error) == {"message", "type", "param", "code"}, shown
            assert ask.code is None or error["code"] == ask.code, shown
        elif not ask.whole and self.stream:
            # Told in the client's format, and never ended as if all were well.
            assert "[DONE]" not in answer.events(), shown
            assert answer.error().get("message"), shown
            assert ask.code is None or answer.error()["code"] == ask.code, shown
            assert "second" not in str(answer.events()), shown
        elif ask.whole:
            wanted = ask.body.encode("latin-1") if ask.body is not None else plays.good_body(self.stream, ask.by.split(".")[0])
            assert answer.body == wanted, shown

    def state(self, target="first.m"):
        return next(found for found in self.gateway.status()["targets"] if found["target"] == target)

    def agree(self):
        """The three sides after the case: counters, logs, and what the target is left with."""
        scene = self.scene
        counted = {ending: sum(ask.ending() == ending for ask in self.asked) for ending in ENDINGS}
        counted |= {"requests": len(self.asked), "hedges": 0, "hedges_won": 0}
        counted["attempts"] = sum(ask.attempts for ask in self.asked)
        # `first.other` is the first one tried where it is asked at all.
        counted["failovers"] = sum(ask.ending() == "answered" and ask.by == "second.m" and ask.attempts > 1 for ask in self.asked)
        until(lambda: self.gateway.status()["requests"], lambda seen: seen == counted, f"counters {counted}")
        self.logs_agree()
        targets = {target["target"]: target for target in self.gateway.status()["targets"]}
        assert all(target["inflight"] == 0 for target in targets.values()), targets
        for provider in ("first", "second"):
            answers = sum(ask.ending() == "answered" and ask.by.startswith(provider) for ask in self.asked if ask.by)
            assert answers == sum(target["answered"] for name, target in targets.items() if name.startswith(provider)), targets
        left = targets["first.m"]
        assert left["breaker"] == scene.breaker, left
        assert scene.failures in (None, left["window"]["failures"]), left
        assert (left["key_out_left_ms"] is not None) == scene.key_out, left
        assert (left["model_gone_left_ms"] is not None) == scene.gone, left
        assert (left["throttled_left_ms"] is not None) == bool(scene.throttled), left
        if isinstance(scene.throttled, tuple):
            low, high = scene.throttled
            assert low <= left["throttled_left_ms"] <= high, left
        assert self.gateway.process.poll() is None, self.gateway.log_text()

    def logs_agree(self):
        for listener, wanted, name in zip((self.first, self.second), self.scene.seen, ("first", "second")):
            requests = listener.requests()
            assert wanted is None or len(requests) == wanted, (name, wanted, listener.log())
            for request in requests:
                headers = request.get("headers", {})
                key = headers.get("authorization", "").removeprefix("Bearer ")
                assert not headers or any(key.startswith(own) for it, own in KEYS.items() if it.split("-")[0] == name), request
                assert not headers or request["line"] == "POST /v1/chat/completions HTTP/1.1", request


def play_scene(scene, stream, cores, folder, process, tools):
    """One case from its beginning to its end."""
    world = World(scene, stream, cores, folder, process, tools)
    try:
        if scene.run:
            scene.run(world)
        else:
            for ask in scene.asks:
                world.ask(ask)
        world.agree()
    except AssertionError as failed:
        raise AssertionError(f"{failed}\n  gateway: {world.gateway.log_text()}\n  first: {short(world.first.log())}\n  "
                             f"second: {short(world.second.log())}") from failed
    finally:
        world.close()


def short(log):
    return [{name: value for name, value in entry.items() if name in ("conn", "what", "why", "got", "bytes")} for entry in log][:40]
