"""Faults 28-44: what goes wrong inside of an answer. Asked in one piece, the same befalls its body."""
from faults import fault
from plays import (DONE, FINISH, JSON, ROLE, SSE, begun, chunk, compact, contents, delta, error_body, event, good, head,
                   latin, opened, play, reply, stream_body, whole_body)
from scene import Ask, Scene

FIRST = Ask(by="first.m", attempts=1)
IDLE, TTFT = {"idle": "400ms", "ttft": "10s"}, {"ttft": "400ms"}


def broken(code):
    """A stream that broke after its first content: told, and never ended as if all were well."""
    return Ask(by="first.m", attempts=1, whole=False, code=code, has=("first one",))


def inside(stream, name, then, code, **more):
    """After the first content a stream breaks for its client; in one piece nothing was sent yet, and the second answers."""
    if stream:
        return Scene(name, [begun(True, "first", *then)], asks=[broken(code)], seen=(1, 0), failures=1, **more)
    return Scene(name, [begun(False, "first", *then)], failures=1, **more)


@fault(28, "a stream whose first event is an error")
def error_first(stream):
    # Asked in one piece and answered as a stream all the same: nobody is misled.
    answer = play(head(200, SSE), chunk((ROLE if stream else "") + event(error_body())), ["hang"])
    yield Scene("server error", [answer], failures=1)
    limit = play(head(200, SSE), chunk(event(error_body("slow down", "rate_limit_error"))), "0\r\n\r\n")
    yield Scene("rate limit", [limit], throttled=True)
    yield Scene("alone", [answer], seen=(2, 0), failures=2, asks=[Ask(502, "first.m", model="alone", code="upstream_error")])


@fault(29, "an error event after some content")
def error_later(stream):
    if stream:
        yield inside(True, "server error", [chunk(event(error_body())), ["hang"]], "upstream_error")
        named = "event: error\n" + event(error_body("Overloaded", "overloaded_error"))
        yield inside(True, "overloaded, and a clean end", [chunk(named) + "0\r\n\r\n"], "overloaded")
    else:
        both = whole_body("first")[:-1] + ',"error":{"message":"it broke","type":"server_error"}}'
        yield Scene("an answer with an error beside it", [reply(200, both)], failures=1)


@fault(30, "the head is late")
def head_late(stream):
    yield Scene("two providers", [play(["hang"])], settings=TTFT, failures=1, run=cancels)
    yield Scene("both", [play(["hang"])], [play(["hang"])], settings={**TTFT, "deadline": "1500ms"}, failures=1, asks=[
        Ask(504, "second.m", code="deadline_exceeded")])


def cancels(world):
    world.ask(Ask())
    # The provider must not go on working for nobody.
    world.first.until("peer closed")


@fault(31, "the first content is late")
def content_late(stream):
    yield Scene("silence", [opened(stream, ["hang"])], settings={"ttft": "500ms", "idle": "400ms"}, failures=1, run=cancels)


@fault(32, "a stall inside an answer")
def stall(stream):
    yield inside(stream, "silence", [["hang"]], "upstream_timeout", settings=IDLE)


@fault(33, "a stall behind comments, pings and empty deltas")
def masked(stream):
    if stream:
        for name, noise in (("comments", ": keep-alive\n\n"), ("pings", "event: ping\ndata: {}\n\n"), ("empty deltas", delta({}))):
            yield Scene(f"{name}, before content", [opened(True, ["loop", chunk(noise), 40])], settings=TTFT, failures=1)
            yield inside(True, f"{name}, after content", [["loop", chunk(noise), 40]], "upstream_timeout", settings=IDLE)
    else:
        # Empty lines before the answer, as one provider documents them: they are patience's to end, with time for the second.
        yield Scene("empty lines", [play(head(200), ["loop", chunk("\n"), 40])], settings={"deadline": "1500ms"}, failures=1)


@fault(35, "an answer that is cut")
def cut(stream):
    size = "9\r\ndata: {\"i"
    yield inside(stream, "chunks end", [["fin"]], "upstream_aborted")
    yield inside(stream, "reset", [["rst"]], "upstream_aborted")
    if stream:
        yield inside(True, "inside a chunk", [size, ["fin"]], "upstream_aborted")
        yield inside(True, "a chunk that is none", ["xyz\r\n"], "upstream_aborted")
        for name, last in (("end", ["fin"]), ("reset", ["rst"])):
            yield Scene(f"before content: {name}", [opened(True, last)], failures=1)
        whole = stream_body("first")
        yield Scene("shorter than it said", [play(head(200, SSE, 9999) + whole[:100], ["fin"])], failures=1)
    else:
        yield Scene("shorter than it said", [play(head(200, JSON, 9999) + whole_body("first"), ["fin"])], failures=1)
        yield Scene("no last chunk", [play(head(200) + chunk(whole_body("first")), ["fin"])], failures=1)
        yield Scene("a chunk that is none", [play(head(200), "zz\r\n")], failures=1)


@fault(36, "a clean end, and not all was said")
def clean_end(stream):
    if stream:
        yield inside(True, "after content", ["0\r\n\r\n"], "upstream_aborted")
        yield Scene("before content", [opened(True, "0\r\n\r\n")], failures=1)
    else:
        half, counted = whole_body("first")[:100], {"count": "[bad_output]"}
        unframed = f"HTTP/1.1 200 OK\r\ncontent-type: {JSON}\r\n\r\n{half}"
        yield Scene("half of it, by closing", [play(unframed, ["fin"])], settings=counted, failures=1)
        yield Scene("half of it, well framed", [reply(200, half)], settings=counted, failures=1)


@fault(37, "broken JSON in an event")
def broken_json(stream):
    if stream:
        body = ROLE + contents("first")[0] + 'data: {"choices":[{"delta":\n\n' + contents("first")[1] + FINISH + DONE
        yield Scene("passes", [play(head(200, SSE), *map(chunk, body.split("\0")), "0\r\n\r\n")], seen=(1, 0),
                    asks=[Ask(by="first.m", attempts=1, body=body)])
    else:
        yield Scene("", [reply(200, whole_body("first")[:-3] + "!!}")], settings={"count": "[bad_output]"}, failures=1)


@fault(38, "huge events, split characters, odd line ends")
def huge(stream):
    if not stream:
        body = compact({"choices": [{"message": {"role": "assistant", "content": "x" * 9_000_000}, "finish_reason": "stop"}]})
        start, end = body.split("x" * 9_000_000)
        yield Scene("9 MB in one piece", [play(head(200, JSON, len(body)) + start, ["repeat", "x", 9_000_000], end)], seen=(1, 0),
                    asks=[Ask(by="first.m", attempts=1, body=body)])
        text = latin(whole_body("first").replace("one", "wörld 😀"))
        yield Scene("split characters", [play(head(200, JSON, len(text)), ["drip", text, 0.2])], seen=(1, 0),
                    asks=[Ask(by="first.m", attempts=1, body=text)])
        return
    for size, name in ((6_000_000, "6 MB"), (9_000_000, "over the bound")):
        start, end = contents("first")[0].split("one ")
        wire = [f"{len(start) + size + len(end):x}\r\n{start}", ["repeat", "x", size], f"{end}\r\n"]
        whole = ROLE + start + "x" * size + end + FINISH + DONE
        if size < 8_000_000:
            yield Scene(name, [play(head(200, SSE) + chunk(ROLE), *wire, chunk(FINISH + DONE) + "0\r\n\r\n")], seen=(1, 0),
                        asks=[Ask(by="first.m", attempts=1, body=whole)])
        else:
            yield Scene(f"{name}, before content", [opened(True, *wire)])
            yield Scene(f"{name}, after content", [begun(True, "first", *wire)], seen=(1, 0), asks=[broken("upstream_bad_output")])
    odd = "\xef\xbb\xbf" + ROLE.replace("\n", "\r\n") + latin(delta({"content": "wörld 😀"})).replace("\n", "\r")
    odd += contents("first")[0] + FINISH.replace("\n", "\r\n") + DONE
    yield Scene("BOM, CR, CR LF, byte by byte", [play(head(200, SSE, len(odd)), ["drip", odd, 0.2])], seen=(1, 0),
                asks=[Ask(by="first.m", attempts=1, body=odd)])


@fault(39, "good content, wrong content type")
def wrong_type(stream):
    body = stream_body("first") if stream else whole_body("first")
    for content_type in ("application/octet-stream", "", "text/plain"):
        yield Scene(content_type or "none", [reply(200, body, content_type)], asks=[FIRST], seen=(1, 0))


@fault(40, "compressed, although nobody asked")
def compressed(stream):
    for coding in ("gzip", "br"):
        answer = reply(200, "\x1f\x8b\x08\x00" + "\x00" * 60, SSE if stream else JSON, [f"content-encoding: {coding}"])
        yield Scene(coding, [answer])


@fault(41, "100, 103, 101, 204, 3xx")
def odd_statuses(stream):
    plain = good(stream, "first")
    early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    yield Scene("100 and 103 first", [{**plain, "steps": [["send", early], *plain["steps"]]}], asks=[FIRST], seen=(1, 0))
    yield Scene("101", [play("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", ["hang"])])
    yield Scene("204", [play("HTTP/1.1 204 No Content\r\n\r\n")])
    for status in (301, 302, 307, 308):
        yield Scene(str(status), run=redirects(status))


def redirects(status):
    def run(world):
        # The key would follow a redirect, to whoever asks for it.
        trap = world.process.open([good(world.stream, "trap")])
        location = f"location: http://127.0.0.1:{trap.port}/v1/chat/completions"
        world.first.play(reply(status, "", more=[location]))
        world.ask(Ask(never=("location",)))
        assert trap.log() == [], trap.log()
        trap.close()
    return run


@fault(42, "an answer before our body is sent")
def early_answer(stream):
    big = {"prompt": 16_000_000}
    for name, then in (("the rest is read", ["hang"]), ("the connection is reset", ["rst"]), ("read no more", ["deaf"])):
        refusal = play(head(413, JSON, len(error_body())) + error_body(), ["sleep", 200], then, read="head")
        yield Scene(f"413, {name}", [refusal], seen=(1, 0), asks=[Ask(413, "first.m", 1, ends="refused", **big)])
    # The next request must not be sent on a connection whose request was never read.
    for name, last in (("reset", ["rst"]), ("read no more", ["deaf"])):
        overload = play(head(503, JSON, len(error_body())) + error_body(), ["sleep", 200], last, read="head")
        yield Scene(f"503, {name}", [overload, good(stream, "first")], asks=[Ask(**big), FIRST], seen=(2, 1), failures=1,
                    one_connection=True, run=not_reused, settings={"ttft": "1s"})


def not_reused(world):
    for ask in world.scene.asks:
        world.ask(ask)
    assert len({entry["conn"] for entry in world.first.requests()}) == 2, world.first.log()


@fault(43, "one request for each connection")
def no_keep_alive(stream):
    def closing():
        answer = good(stream, "first")
        answer["steps"][0] = ["send", answer["steps"][0][1].replace("\r\n", "\r\nconnection: close\r\n", 1)]
        return {**answer, "steps": [*answer["steps"], ["fin"]]}

    def run(world):
        held = []
        for _ in range(6):
            world.ask(FIRST)
            held.append(world.gateway.descriptors())
        assert max(held) <= held[0] + 1, f"descriptors leak: {held}"
        assert len({entry["conn"] for entry in world.first.requests()}) == 6, world.first.log()
    yield Scene("said so", [closing()], run=run, seen=(6, 0), one_connection=True)
    unsaid = good(stream, "first")
    unsaid["steps"].append(["fin"])
    yield Scene("not said", [unsaid], run=run, seen=(6, 0), one_connection=True)


@fault(44, "heads that drip, that never end, that are huge")
def heads(stream):
    line = "HTTP/1.1 200 OK\r\n"
    yield Scene("drip", [play(["drip", line + "x-slow: " + "a" * 2000, 30], ["hang"])], settings=TTFT, failures=1)
    yield Scene("endless", [play(line, ["loop", "x-more: and more\r\n" * 50, 2])])
    yield Scene("1 MiB", [play(line + "x-large: ", ["repeat", "a", 1 << 20], "\r\n\r\n", ["hang"])])
    yield Scene("not HTTP", [play("SSH-2.0-OpenSSH_9.6\r\n\r\n", ["hang"])])
