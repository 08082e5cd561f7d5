"""Faults 9-27: the provider answers, and says that it will not, or says nothing of worth."""
from faults import fault
from plays import DONE, HTML, ROLE, SSE, chunk, compact, error_body, failing, good, head, play, reply
from rig import until
from scene import Ask, Scene

FIRST, ALONE = Ask(by="first.m", attempts=1), Ask(by="first.m", model="alone")
LATER = Ask(attempts=1)
PAUSED = {"retry-after": "7"}


def stopped(status, code=None, **more):
    """The provider's verdict goes back to the client, and nobody else is asked."""
    return Ask(status, "first.m", 1, code=code, **more)


@fault(9, "500")
def s500(stream):
    yield Scene("two providers", [failing(500)], failures=1)
    yield Scene("alone", [failing(500), good(stream, "first")], asks=[ALONE], seen=(2, 0), failures=1)
    # On both cores together: the breaker opens once five have failed, wherever they were.
    yield Scene("again and again", [failing(500)], asks=[Ask()] * 5 + [LATER] * 10, seen=(5, 15), breaker="open",
                settings={"consecutive": 5}, failures=None)


@fault(10, "502, 503, 504, 520-527")
def s5xx(stream):
    statuses = [502, 503, 504, *range(520, 528)]
    yield Scene("JSON", [failing(status) for status in statuses], asks=[Ask()] * 11, seen=(11, 11), failures=11)
    yield Scene("pages", [reply(status, HTML, "text/html") for status in statuses], asks=[Ask()] * 11, seen=(11, 11), failures=11)


@fault(11, "503 with Retry-After")
def s503_pause(stream):
    yield Scene("short", [failing(503, more=["retry-after: 7"])], asks=[Ask(), LATER], seen=(1, 2), failures=1, throttled=(1, 7700))
    yield Scene("beyond the cap", [failing(503, more=["retry-after: 3600"])], asks=[Ask(), LATER], seen=(1, 2), failures=1,
                throttled=(1, 11_000))


@fault(12, "529 overloaded")
def s529(stream):
    answer = failing(529, "Overloaded", "overloaded_error")
    # The model is ill, and its key is not: another model of the provider is asked as ever.
    yield Scene("", [answer, good(stream, "first")], asks=[Ask(), Ask(model="other", by="first.other", attempts=1)],
                seen=(2, 1), failures=1)


@fault(13, "429, Retry-After of a second, alone")
def s429_short(stream):
    yield Scene("waits in place", [failing(429, more=["retry-after: 1"]), good(stream, "first")], asks=[ALONE], seen=(2, 0),
                run=waits_a_second, throttled=False)
    yield Scene("no time for it", [failing(429, more=["retry-after: 2"])], seen=(1, 0), throttled=True, settings={"deadline": "3s"},
                asks=[Ask(429, "first.m", 1, model="alone", code="rate_limit_exceeded", ends="refused",
                          headers={"retry-after": "2"})])
    yield Scene("two providers", [failing(429, more=["retry-after: 1"])], throttled=True)


def waits_a_second(world):
    world.ask(ALONE)
    one, two = world.first.requests()
    assert two["t"] - one["t"] >= 1_000_000_000, "it came back before the second was over"


@fault(14, "429 without Retry-After")
def s429_bare(stream):
    yield Scene("bare", [failing(429)], throttled=(1, 1100))
    yield Scene("the tokens' reset", [failing(429, more=["x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 6s"])],
                throttled=(1100, 6600))
    yield Scene("in words", [failing(429, "Rate limit reached. Please try again in 5.5s.")], throttled=(1100, 6050))
    yield two_keys("another key", failing(429), stream, throttled=False)


def two_keys(name, answer, stream, **left):
    """The provider's other key is asked before anybody else, and goes on being asked."""
    def run(world):
        world.ask(Ask(by="first.m"))
        world.ask(FIRST)
        used = [request["headers"]["authorization"].removeprefix("Bearer ") for request in world.first.requests()]
        assert used[0] != used[1] == used[2], used
    return Scene(name, [answer, good(stream, "first")], run=run, seen=(3, 0),
                 settings={"auth": 'keys(env("FIRST_KEY"), env("FIRST_B_KEY"))'}, **left)


@fault(15, "429, Retry-After that lies")
def s429_lies(stream):
    for name, value in (("a day", "86400"), ("-1", "-1"), ("zero", "0"), ("a date", "Fri, 31 Dec 2100 23:59:59 GMT"),
                        ("a past date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("junk", "soon")):
        yield Scene(name, [failing(429, more=[f"retry-after: {value}"])], asks=[Ask()], throttled=(1, 11_000))


@fault(16, "quota used up, spend cap, 402")
def quota(stream):
    answers = {
        "insufficient_quota": failing(429, "You exceeded your current quota.", "insufficient_quota", "insufficient_quota"),
        "spend cap": failing(429, "You have reached your spend limit until next month.", "rate_limit_error",
                             "enforced_spend_limit_reached"),
        "402": failing(402, "Payment required", "billing_error"),
        "400 spend limit": failing(400, "You have reached your specified spend limit.", "invalid_request_error"),
    }
    for name, answer in answers.items():
        # Nobody asks with that key again.
        yield Scene(name, [answer], asks=[Ask(), LATER], seen=(1, 2), key_out=True)
    yield two_keys("another key", answers["insufficient_quota"], stream)


@fault(17, "401 invalid key")
def s401(stream):
    answer = failing(401, "Incorrect API key provided: sk-fir*nary", "invalid_request_error", "invalid_api_key")
    yield Scene("two providers", [answer], asks=[Ask(), LATER], seen=(1, 2), key_out=True)
    # The client would take a 401 for its own key's.
    yield Scene("alone", [answer], seen=(1, 0), key_out=True, asks=[Ask(502, "first.m", 1, model="alone", code="upstream_auth")])
    yield two_keys("another key", answer, stream)


@fault(18, "403 for one model")
def s403(stream):
    answer = failing(403, "Your project has no access to model `m`.", "permission_error", "permission_denied")
    yield Scene("two providers", [answer], key_out=True)
    yield Scene("another model", [answer, good(stream, "first")], asks=[Ask(), Ask(model="other", by="first.other", attempts=1)],
                seen=(2, 1), key_out=True)


@fault(19, "403 or 503 with a challenge page")
def challenge(stream):
    for status in (403, 503):
        yield Scene(str(status), [reply(status, HTML, "text/html; charset=utf-8")], failures=1)


@fault(20, "404, the model is gone")
def model_gone(stream):
    answer = failing(404, "The model `m` does not exist.", "invalid_request_error", "model_not_found")
    other = Ask(model="other", by="first.other", attempts=1)
    yield Scene("removed", [answer, good(stream, "first")], asks=[Ask(), LATER, other], seen=(2, 2), gone=True)
    # The words of 2026-06-13.
    words = failing(404, "model m is not available. Please use another model; it was not found.", "not_found_error")
    yield Scene("disabled overnight", [words], gone=True)


@fault(21, "404, wrong path")
def wrong_path(stream):
    def run(world):
        for _ in range(2):
            world.ask(stopped(502, "upstream_not_found"))
        until(world.gateway.log_text, lambda log: log.count("its provider has no such path") == 1, "one line in the log")
    yield Scene("JSON", [failing(404, "Not Found", "not_found")], seen=(2, 0), run=run)
    yield Scene("text", [reply(404, "404 page not found", "text/plain")], asks=[stopped(502, "upstream_not_found")], seen=(1, 0))


@fault(22, "400, 413, 422: the request is at fault")
def bad_request(stream):
    words = "Invalid value for key sk-abcdefghijklmnopqrstuvwxyz0123456789"
    asked = {"ends": "refused", "never": ("sk-abcdef",)}
    yield Scene("400", [failing(400, words, "invalid_request_error", "invalid_value")], seen=(1, 0),
                asks=[stopped(400, "invalid_value", **asked)])
    yield Scene("413", [failing(413, "too large", "request_too_large")], seen=(1, 0), asks=[stopped(413, **asked)])
    yield Scene("422", [failing(422, "unprocessable", "invalid_request_error")], seen=(1, 0), asks=[stopped(422, **asked)])
    long = failing(400, "This model's maximum context length is 8192 tokens.", "invalid_request_error", "context_length_exceeded")
    yield Scene("too long", [long], seen=(1, 0), asks=[stopped(400, "context_length_exceeded", **asked)])
    yield Scene("too long, and a policy that knows where to", [long],
                settings={"fallback": "on context_exceeded -> next, else -> stop"})


@fault(23, "400, content policy")
def content_policy(stream):
    answer = failing(400, "The response was filtered.", "invalid_request_error", "content_policy_violation")
    yield Scene("stops", [answer], seen=(1, 0), asks=[stopped(400, "content_filter", ends="refused")])
    yield Scene("a policy that goes on", [answer], settings={"fallback": "on content_filter -> next, else -> stop"})


@fault(24, "408, 409")
def again(stream):
    for status in (408, 409):
        yield Scene(f"{status}, alone", [failing(status), good(stream, "first")], asks=[ALONE], seen=(2, 0), failures=1)
        yield Scene(f"{status}, two providers", [failing(status)], failures=1)


@fault(25, "200 with a page")
def page(stream):
    counted = {"count": "[s5xx, bad_output]"}
    yield Scene("text/html", [reply(200, HTML, "text/html")], settings=counted, failures=1)
    yield Scene("said to be right", [reply(200, HTML, SSE if stream else "application/json")], failures=1,
                settings={"count": "[stream_abort, bad_output]"})
    yield Scene("not counted unless the policy says so", [reply(200, HTML, "text/html")], failures=0)


@fault(26, "200 with an error object")
def error_in_200(stream):
    yield Scene("server error", [reply(200, error_body())], failures=1)
    limit = error_body("Rate limit reached", "rate_limit_error", "rate_limit_exceeded")
    yield Scene("rate limit", [reply(200, limit)], throttled=True)
    yield Scene("a key", [reply(200, error_body("bad key", "authentication_error", "invalid_api_key"))], key_out=True)
    yield Scene("in a choice", [reply(200, compact({"choices": [{"error": {"code": 502, "message": "down"}}]}))], failures=1)


@fault(27, "200 with nothing in it")
def empty(stream):
    nothing = [("no body", reply(200, "", SSE if stream else "application/json"))]
    if stream:
        nothing += [("[DONE] alone", play(head(200, SSE), chunk(ROLE + DONE), "0\r\n\r\n"))]
    else:
        nothing += [("no choices", reply(200, compact({"id": "c1", "object": "chat.completion", "choices": []})))]
        nothing += [("null", reply(200, "null"))]
    for name, answer in nothing:
        yield Scene(name, [answer], settings={"count": "[bad_output]"}, failures=1)
    code = Ask(502, "second.m", code="upstream_bad_output")
    yield Scene("everywhere", [nothing[0][1]], [nothing[0][1]], asks=[code], settings={"fallback": "on any -> next, else -> stop"})
