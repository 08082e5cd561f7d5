"""Faults 45-50: what only shows over time. The policies have short windows, so that a minute takes a second."""
import email.utils
import threading
import time

from faults import fault
from plays import begun, failing, good, play
from rig import until
from scene import Ask, Scene
from threads import stopped_thread

FIRST, LATER = Ask(by="first.m", attempts=1), Ask(attempts=1)
QUICK = {"consecutive": 5, "cool_down": "1s..8s"}
# Time enough for the requests that must meet an open breaker, on a busy machine.
CALM = {"consecutive": 5, "cool_down": "3s..8s"}


def whichever(world, client=None):
    """A request that must be answered, by whomever; who it was."""
    answer = (client or world.client()).ask(world.body(Ask()))
    by, attempts = answer.told()
    world.expect(Ask(by=by, attempts=attempts), answer)
    return by


def brownout(percent):
    """Of a hundred requests so many fail, spread evenly."""
    def run(world):
        pattern = [failing(503) if turn * percent % 100 < percent else good(world.stream, "first") for turn in range(100)]
        world.first.play(*pattern, cycle=True)
        for _ in range(200):
            whichever(world)
            time.sleep(0.002)
        left = world.state()
        asked = world.first.requests()
        world.scene.failures, world.scene.breaker = left["window"]["failures"], left["breaker"]
        if percent < 25:
            # A few errors close nobody out: the share of errors is what other targets take over, no more.
            assert (left["breaker"], len(asked)) == ("closed", 200), left
            assert left["window"]["failures"] == 200 * percent // 100, left
        elif percent > 25:
            assert left["opened"] >= 1 and len(asked) < 200, (left, len(asked))
    return run


@fault(45, "brownout of 5, 25, 50 %")
def brownouts(stream):
    for percent in (5, 25, 50):
        # No client sees an error; the counters and logs agree on every single attempt.
        yield Scene(f"{percent} %", run=brownout(percent), seen=(None, None), one_connection=True, lasts=5,
                    settings={"min_requests": 20})


@fault(46, "flapping")
def flapping(stream):
    def run(world):
        flaps = 0
        for _ in range(6):
            for answers in (failing(503), good(world.stream, "first")):
                world.first.play(answers)
                phase = time.monotonic() + 0.5
                while time.monotonic() < phase:
                    whichever(world)
                    time.sleep(0.01)
            flaps += 1
        left = world.state()
        world.scene.failures, world.scene.breaker = left["window"]["failures"], left["breaker"]
        # The open time grows, so that the breaker does not follow each flap.
        assert 1 <= left["opened"] < flaps, left
    yield Scene("", run=run, seen=(None, None), lasts=7, settings=QUICK)


def recovers(world):
    """An outage, and the way back: one probe at a time, and then everything."""
    world.first.play(failing(503))
    for _ in range(20):
        whichever(world)
    assert len(world.first.requests()) == 5, "wasted attempts beyond the threshold"
    world.first.play(good(world.stream, "first"))
    healed = time.monotonic()
    while whichever(world) != "first.m":
        assert time.monotonic() < healed + 10, "it is well again, and nobody asks it"
        time.sleep(0.01)
    until(world.state, lambda state: state["breaker"] == "closed", "a breaker that is closed")
    for _ in range(10):
        assert whichever(world) == "first.m"
    world.scene.failures = world.state()["window"]["failures"]


def steps(world):
    """After the probe the target gets its part of the requests in steps: 1, 5, 25 % and all."""
    world.first.play(failing(503))
    for _ in range(5):
        whichever(world)
    world.first.play(good(world.stream, "first"))
    until(world.state, lambda state: state["breaker"] == "half_open", "a breaker that is half open")
    asked, client = {}, world.client()
    deadline = time.monotonic() + 10
    while True:
        before = world.state()
        if before["breaker"] == "closed":
            break
        assert time.monotonic() < deadline, before
        some = [whichever(world, client) for _ in range(10)]
        # What was asked while a step ended says nothing about either.
        if before["breaker"] == "ramp" and world.state()["ramp_percent"] == before["ramp_percent"]:
            asked.setdefault(before["ramp_percent"], []).extend(some)
    # It has everything from the end of the last step, and is closed a tick later.
    asked.pop(100, None)
    assert list(asked) == [1, 5, 25], list(asked)
    for percent, answers in asked.items():
        mean = len(answers) * percent / 100
        # Six standard deviations.
        assert abs(answers.count("first.m") - mean) <= 6 * (mean + 1) ** 0.5, (percent, len(answers), answers.count("first.m"))
    for _ in range(10):
        assert whichever(world) == "first.m"
    world.scene.failures = world.state()["window"]["failures"]


@fault(47, "recovery after an outage")
def recovery(stream):
    yield Scene("back on the primary", run=recovers, seen=(None, None), lasts=5, settings=CALM)
    yield Scene("one probe at a time", run=probes_alone, seen=(None, None), lasts=4, breaker="ramp", settings={**QUICK, "need": "1, step = 1m"})
    yield Scene("in steps", run=steps, seen=(None, None), lasts=7, settings={**QUICK, "need": "1, ramp = [1%, 5%, 25%, 100%], step = 1s"})


def probes_alone(world):
    """Many clients at once, over all cores, while the target is half open and slow."""
    world.first.play(failing(503))
    for _ in range(5):
        whichever(world)
    slow = good(world.stream, "first")
    world.first.play({**slow, "steps": [["sleep", 1000], *slow["steps"]]})
    before = len(world.first.requests())
    until(world.state, lambda state: state["breaker"] == "half_open", "a breaker that is half open")
    answered = []
    crowd = [threading.Thread(target=lambda: answered.append(whichever(world, world.gateway.client()))) for _ in range(24)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    probes = len(world.first.requests()) - before
    assert len(answered) == 24 and answered.count("first.m") == probes == 1, (answered, probes)
    world.scene.failures = world.state()["window"]["failures"]


@fault(48, "all providers down")
def all_down(stream):
    def run(world):
        for _ in range(5):
            world.ask(Ask(503, "second.m"))
        # Nobody is asked any more, and the client is told when to come back.
        for _ in range(10):
            answer = world.ask(Ask(503, None, 0, code="no_target_available", headers={"retry-after": None,
                                                                                     "x-switchover-reason": "breaker_open"}))
            assert 1 <= int(answer.headers["retry-after"]) <= 33, answer.head
        assert world.state("second.m")["breaker"] == "open"
    yield Scene("answers", [failing(503)], [failing(503)], run=run, seen=(5, 5), failures=None, breaker="open",
                settings={"consecutive": 5, "retries": "retries { max = 0 },"})
    yield Scene("connections", [play(["rst"])], [play(["rst"])], run=run, seen=(5, 5), failures=None, breaker="open",
                settings={"consecutive": 5, "retries": "retries { max = 0 },"})


@fault(49, "the client leaves")
def client_leaves(stream):
    def leaves(world, when):
        client = world.client()
        client.send(world.body(Ask()))
        when(world, client)
        client.close()
        left = time.monotonic_ns()
        [seen] = world.first.until("peer closed")
        assert seen["t"] - left < 1_000_000_000, "the provider went on for longer than a second"
        world.asked.append(Ask(0, "first.m", 1, ends="client_gone"))

    def asked(world, client):
        world.first.until("request")

    def reading(world, client):
        assert client.until(b"first two") if world.stream else world.first.until("sent")

    def connecting(world):
        client = world.client()
        client.send(world.body(Ask()))
        until(world.state, lambda state: state["inflight"] == 1, "an attempt under way")
        client.close()
        world.asked.append(Ask(0, "first.m", 1, ends="client_gone"))

    yield Scene("while connecting", kind="black hole", run=connecting, seen=(0, 0))
    yield Scene("before the head", [play(["hang"])], run=lambda world: leaves(world, asked), seen=(1, 0))
    yield Scene("in the middle", [begun(stream, "first", ["hang"])], run=lambda world: leaves(world, reading), seen=(1, 0))


@fault(50, "a clock that jumps, a core that stands still")
def clocks(stream):
    def jump(world):
        client = world.client()
        client.send(world.body(Ask()))
        world.first.until("sent")
        (world.folder / "clock").touch()
        # The wall clock is read once a second; timers must not know of it.
        world.expect(FIRST, client.receive())
        # It has jumped: a date that is half an hour off lies in the past for the gateway, and says nothing.
        date = email.utils.formatdate(time.time() + 1800, usegmt=True)
        world.first.play(failing(429, more=[f"retry-after: {date}"]))
        world.ask(Ask())

    slow = good(stream, "first")
    steps = [slow["steps"][0], ["sleep", 1500], *slow["steps"][1:]]
    if not stream:
        text = slow["steps"][0][1]
        steps = [["send", text[:200]], ["sleep", 1500], ["send", text[200:]]]
    yield Scene("an hour ahead in the middle", [{**slow, "steps": steps}], run=jump, seen=(2, 1), preload=True, lasts=3,
                settings={"idle": "4s", "ttft": "4s"}, throttled=(1, 1100))
    yield Scene("a core stands still for two seconds", run=one_core_stands, seen=(16, 0), lasts=4)


def one_core_stands(world):
    """A worker is stopped where it is. Clients of another core do not notice; its own are answered when it goes on."""
    answers = []

    def one():
        answer = world.gateway.client().ask(world.body(Ask()))
        answers.append((time.monotonic(), answer))

    with stopped_thread(world.gateway.process.pid, "worker-0"):
        begun_at = time.monotonic()
        crowd = [threading.Thread(target=one) for _ in range(16)]
        for each in crowd:
            each.start()
        time.sleep(2)
        meanwhile = len(answers)
        stopped_until = time.monotonic()
    for each in crowd:
        each.join()
    for _, answer in answers:
        world.expect(FIRST, answer)
    # Connections fall to cores by their ports: of sixteen, all on one core is one run in 32,768.
    assert meanwhile == 0 if world.cores == 1 else 0 < meanwhile < 16, meanwhile
    assert stopped_until - begun_at < 3
