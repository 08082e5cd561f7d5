"""Faults 1-8: no connection, or none that answers."""
import time

from faults import fault
from plays import begun, good, play
from scene import Ask, Scene

FIRST = Ask(by="first.m", attempts=1)
SHORT = {"connect": "400ms"}
# The gateway asks for names again every 30 s.
RESOLVED_AGAIN_S = 33


@fault(1, "connect refused")
def refused(stream):
    yield Scene("two providers", kind="refuse", seen=(0, 1), failures=1)
    yield Scene("alone", kind="refuse", seen=(0, 0), failures=2, asks=[
        Ask(502, "first.m", model="alone", code="upstream_unreachable", headers={"x-should-retry": "false"})])


@fault(2, "connect black hole")
def black_hole(stream):
    yield Scene("two providers", kind="black hole", seen=(0, 1), settings=SHORT, failures=1)


def names_that_go_bad(bad):
    """A good name, then a bad answer: the addresses that were good stay."""
    def run(world):
        world.ask(FIRST)
        before = len(world.resolve(bad)["asked"])
        time.sleep(RESOLVED_AGAIN_S)
        assert world.host in world.resolve(bad)["asked"][before:], "the name was not asked for again"
        world.first.play(play(["fin"]), good(world.stream, "first"))
        # A fresh connection, since the old one closes.
        world.ask(FIRST)
    return run


@fault(3, "DNS: no such name, failure, no answer")
def dns_fails(stream):
    for answer in ("none", "fail", "late"):
        yield Scene(f"from the start: {answer}", dns=answer, seen=(0, 1), settings=SHORT, failures=1)
    yield Scene("later", dns="127.0.0.1", run=names_that_go_bad("fail"), seen=(3, 0), one_connection=True,
                lasts=RESOLVED_AGAIN_S)


@fault(4, "DNS: an empty answer")
def dns_empty(stream):
    yield Scene("from the start", dns="empty", seen=(0, 1), settings=SHORT, failures=1)
    yield Scene("later", dns="127.0.0.1", run=names_that_go_bad("empty"), seen=(3, 0), one_connection=True,
                lasts=RESOLVED_AGAIN_S)


@fault(5, "DNS: the address changes")
def dns_changes(stream):
    def run(world):
        elsewhere = world.process.open([good(stream, "first")], host="127.0.0.2", port=world.first.port)
        # The pool has a connection to the old address: it may be used until it closes.
        world.ask(FIRST)
        world.resolve("127.0.0.2")
        time.sleep(RESOLVED_AGAIN_S)
        world.first.play(play(["fin"]))
        world.ask(FIRST)
        assert len(elsewhere.requests()) == 1, elsewhere.log()
        elsewhere.close()
    yield Scene("", dns="127.0.0.1", run=run, seen=(2, 0), one_connection=True, lasts=RESOLVED_AGAIN_S)


@fault(6, "TLS: reset, stall, expired, wrong name")
def tls(stream):
    yield Scene("reset in the handshake", tls="reset", seen=(0, 1), failures=1)
    yield Scene("stall in the handshake", tls="stall", seen=(0, 1), settings=SHORT, failures=1)
    # Its log has no request: nothing is sent to who cannot prove who it is.
    for name in ("expired", "wrong name", "unknown authority"):
        yield Scene(name, tls=name, seen=(0, 1), failures=1)
    yield Scene("a valid certificate", tls="valid", seen=(1, 0), asks=[FIRST])


@fault(7, "closed before any byte, new connection")
def closed_at_once(stream):
    yield Scene("reset", [play(["rst"])], failures=1)
    yield Scene("end", [play(["fin"])], failures=1)
    yield Scene("reset with the request unread", [play(["rst"], read="nothing")], failures=1)
    yield Scene("alone", [play(["rst"]), good(stream, "first")], asks=[Ask(model="alone", by="first.m")], seen=(2, 0), failures=1)


@fault(8, "closed before any byte, reused connection")
def closed_reused(stream):
    asks = [FIRST, FIRST]
    for name, last in (("reset", ["rst"]), ("end", ["fin"])):
        yield Scene(f"{name} as the request arrives", [good(stream, "first"), play(last, read="nothing"), good(stream, "first")],
                    asks=asks, seen=(3, 0), one_connection=True)
    idle = good(stream, "first")
    idle["steps"].append(["fin"])
    yield Scene("end while idle", [idle, good(stream, "first")], asks=asks, seen=(2, 0), one_connection=True)
    # For free means once: the fresh connection fails as a new one does.
    yield Scene("and again on the fresh one", [good(stream, "first"), play(["rst"], read="nothing"), play(["rst"])], failures=1,
                asks=[FIRST, Ask()], seen=(3, 1), one_connection=True)


@fault(34, "half-open: the peer is silent for ever")
def half_open(stream):
    # Accepted by the kernel and never read by anybody: what a peer looks like whose packets are all lost.
    yield Scene("before the head", kind="stopped", seen=(0, 1), settings={"ttft": "400ms"}, failures=1)
    yield Scene("alone", kind="stopped", seen=(0, 0), settings={"ttft": "400ms"}, failures=1, asks=[
        Ask(504, "first.m", 1, model="alone", code="upstream_timeout")])
    yield Scene("with a large request", kind="stopped", seen=(0, 1), settings={"ttft": "400ms"}, failures=1, asks=[
        Ask(prompt=8_000_000)])
    if stream:
        yield Scene("after some words", [begun(True, "first", ["hang"])], settings={"idle": "400ms"}, seen=(1, 0), failures=1,
                    asks=[Ask(by="first.m", attempts=1, whole=False, code="upstream_timeout")])
    else:
        yield Scene("in the middle", [begun(False, "first", ["hang"])], settings={"idle": "400ms"}, failures=1)
