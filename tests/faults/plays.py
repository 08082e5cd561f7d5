"""What providers send, as bytes: answers in OpenAI's format, good and bad. Built by hand, not by any code of the gateway's."""
import json

WORDS = ["one ", "two ", "three ", "four ", "five ", "six"]
HTML = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>ray 7f3c, 203.0.113.9</body></html>"
JSON, SSE = "application/json", "text/event-stream"


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def latin(text):
    """UTF-8 in the form in which plays hold bytes."""
    return text.encode().decode("latin-1")


def head(status=200, content_type=JSON, length=None, more=()):
    lines = [f"HTTP/1.1 {status} Said", *more]
    if content_type:
        lines.append(f"content-type: {content_type}")
    lines.append("transfer-encoding: chunked" if length is None else f"content-length: {length}")
    return "\r\n".join(lines) + "\r\n\r\n"


def chunk(text):
    return f"{len(text):x}\r\n{text}\r\n"


def event(value):
    return f"data: {value if isinstance(value, str) else compact(value)}\n\n"


def delta(delta, finish=None):
    return event({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                  "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


ROLE, FINISH, DONE = delta({"role": "assistant", "content": ""}), delta({}, "stop"), event("[DONE]")


def contents(who):
    return [delta({"content": f"{who} {word}"}) for word in WORDS]


def stream_body(who):
    return ROLE + "".join(contents(who)) + FINISH + DONE


def whole_body(who):
    return compact({"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": f"{who} {''.join(WORDS)}"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 6, "total_tokens": 9}})


def error_body(message="it broke", kind="server_error", code=None):
    return compact({"error": {"message": message, "type": kind, "param": None, "code": code}})


def play(*steps, read="request"):
    return {"read": read, "steps": [step if isinstance(step, list) else ["send", step] for step in steps]}


def reply(status, body, content_type=JSON, more=()):
    """An answer in one piece."""
    return play(head(status, content_type, len(body), more) + body)


def failing(status, message="it broke", kind="server_error", code=None, more=()):
    return reply(status, error_body(message, kind, code), more=more)


def good(stream, who):
    if not stream:
        return reply(200, whole_body(who))
    return play(head(200, SSE), *[chunk(piece) for piece in (ROLE, *contents(who), FINISH, DONE)], "0\r\n\r\n")


def good_body(stream, who):
    return (stream_body(who) if stream else whole_body(who)).encode("latin-1")


def begun(stream, who, *then, gap=60):
    """A stream that has had content, or half of a whole answer; and then `then`. The gap lets the client have the content
    before the fault is there."""
    if stream:
        parts = [chunk(ROLE + contents(who)[0]), ["sleep", gap], chunk(contents(who)[1]), ["sleep", gap]]
        return play(head(200, SSE), *parts, *then)
    body = whole_body(who)
    return play(head(200, JSON, len(body)) + body[:len(body) // 2], ["sleep", gap], *then)


def opened(stream, *then):
    """A success that has said nothing yet: a role, or only a head."""
    if stream:
        return play(head(200, SSE) + chunk(ROLE), *then)
    return play(head(200, JSON, 500), *then)
