"""Conversations that Anthropic keeps (platform.claude.com, *Message threads*): requests hold only what is new in them. Anthropic's SDK
and Claude Code use them by themselves. Nobody else keeps them, and no answer may come of half a conversation."""
import http.server
import json
import threading

import pytest

from conftest import CLIENT_KEY, Gateway, recorded
from meaning import meaning
from plans import TEXTS

POLICY = """policy 1

server {{ listen = "127.0.0.1:{port}", admin = "127.0.0.1:{admin}", cores = 1 }}
retries calm {{ max = 0 }}
defaults {{ retries = calm, deadline = 20s }}
provider claude {{ kind = anthropic, base_url = "{claude}/v1", auth = none, tls = off, model m = "claude-sonnet-5-5" }}
provider gpt {{ kind = openai, base_url = "{first}/v1", auth = none, tls = off, model m = "gpt-5" }}
route claude when req.model == "claude" {{ tier 1 {{ claude.m }} }}
route gpt when req.model == "gpt" {{ tier 1 {{ gpt.m }} }}
route default {{ tier 1 {{ claude.m }}, tier 2 {{ gpt.m }}, fallback {{ on any -> next, else -> reject(503) }} }}
"""


class Keeper(http.server.BaseHTTPRequestHandler):
    """Answers how many messages it knows of the conversation, as Anthropic would that keeps it."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        kept, body = self.server.kept, json.loads(self.rfile.read(int(self.headers["content-length"])))
        thread = body.get("thread") or {}
        self.server.asked.append(thread.get("type"))
        before = kept.get(thread.get("previous_message_id"), 0)
        if self.server.down:
            return self.answer(529, {"type": "overloaded_error", "message": "Overloaded"})
        if thread.get("type") == "continue" and not before:
            details = {"error_code": "thread_not_found"}
            return self.answer(404, {"type": "not_found_error", "message": "No thread state was found.", "details": details})
        known, id = before + len(body["messages"]), f"msg_{len(self.server.asked)}"
        # And its own answer.
        kept[id] = known + 1
        self.answer(200, None, {
            "id": id, "type": "message", "role": "assistant", "model": body["model"], "stop_reason": "end_turn", "stop_sequence": None,
            "content": [{"type": "text", "text": str(known)}], "usage": {"input_tokens": 9, "output_tokens": 1}})

    def answer(self, status, error, body=None):
        text = json.dumps(body or {"type": "error", "error": error, "request_id": "req_1"}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def keeper():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keeper)
    server.daemon_threads = True
    server.kept, server.asked, server.down = {}, [], False
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield server
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture
def talk(tmp_path, keeper, all_providers, providers):
    """A conversation as the SDK keeps it, with this model."""
    gateway = Gateway.of(tmp_path, POLICY, dict(claude=f"http://127.0.0.1:{keeper.server_port}", first=all_providers["first"].url))
    providers["first"].serve(TEXTS["chat", False])
    yield lambda model: gateway.anthropic().beta.messages.thread(
        model=model, max_tokens=99, system="Count.", unsupported_request_behavior="continue_unthreaded")
    gateway.end()


def say(conversation, text):
    return conversation.send({"role": "user", "content": text}).content[0].text


def words(body):
    return [message["content"] for message in body["messages"] if message["role"] == "user"]


def test_anthropic_keeps_them(talk, keeper):
    conversation = talk("claude")
    assert [say(conversation, text) for text in ("a", "b", "c")] == ["1", "3", "5"]
    assert keeper.asked == ["create", "continue", "continue"]


def test_one_that_is_gone_is_sent_whole(talk, keeper):
    """After some minutes of rest, by design. The code reaches the SDK, which goes by it."""
    conversation = talk("claude")
    say(conversation, "a")
    keeper.kept.clear()
    assert say(conversation, "b") == "3"
    assert keeper.asked == ["create", "continue", "create"]


def test_nobody_else_answers_half_of_one(talk, providers):
    conversation, text = talk("gpt"), meaning(recorded(TEXTS["chat", False])).text
    assert [say(conversation, it) for it in ("a", "b", "c")] == [text] * 3
    # The second was refused before anybody was asked, and then sent whole; so is all that follows.
    assert [words(seen["body"]) for seen in providers["first"].log()] == [["a"], ["a", "b"], ["a", "b", "c"]]
    assert CLIENT_KEY not in str(providers["first"].log())


def test_one_goes_on_elsewhere(talk, keeper, providers):
    conversation, text = talk("any"), meaning(recorded(TEXTS["chat", False])).text
    assert say(conversation, "a") == "1"
    keeper.down = True
    assert say(conversation, "b") == text
    assert [words(seen["body"]) for seen in providers["first"].log()] == [["a", "b"]]
    keeper.down = False
    assert say(conversation, "c") == "5"
