#!/usr/bin/env python3
"""A stand-in LLM provider that answers from recorded fixtures. Python 3.9+, standard library only.

usage: replay_provider.py [--port N] [--fixtures DIR]... [--default-fault SPEC] [--script FILE]

The fixtures are recorded provider traffic, one request and its answer a file; tests/fixtures/README.md tells their
form. It listens on 127.0.0.1 and prints "listening on http://127.0.0.1:PORT" once it is ready.
A request is answered with the fixture that fits it best:
  1. POST /__serve, an x-fixture header, or ?__fixture= names it: "openai/tool-call-stream"
  2. otherwise method and path must fit (a fixture of any provider; --provider narrows), the request
     must ask for streaming exactly when the fixture streams, and among those the one wins whose
     model, messages, tools and options have most in common with what is asked.
With --strict a request that is not the recorded one, JSON for JSON, is answered 404.

Faults come from, in this order: an x-fault header, the next line of --script (one line a
request, "-" for none), --default-fault. A SPEC is a comma list of name=value:
  status=CODE            answer with that status and an error body in the provider's own form
  retry-after=SECONDS    header to go with it (text is sent as is)
  ttft=MS                wait before the first byte of the head
  gap=MS                 wait between body pieces
  jitter=MS              add up to this much to every wait (seeded by --seed)
  pieces=N               send the body in pieces of N bytes, whatever its events
  events=N               send N events a piece (default 1)
  stall=N                send N events, then nothing more; the connection stays open
  reset=N                send N events, then reset the connection (RST)
  truncate=N             send N events, then close cleanly, with no terminating chunk
  end=N                  send N events, then end the body properly, as if that were all
  cut=BYTES              like truncate, after that many body bytes
  error-event=N          send N events, then an error event of the provider's format, then end
  lie-length             content-length longer than the body, then close
  refuse                 close the connection without an answer
Control: GET /__fixtures, GET /__log, POST /__reset, POST /__script with lines as for --script, POST /__serve with the
name of the fixture for every request from now on (none: choose again).
"""
import argparse
import base64
import json
import os
import random
import re
import socket
import struct
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

ERROR_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
               404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error",
               500: "api_error", 503: "service_unavailable", 504: "timeout_error", 529: "overloaded_error"}
GOOGLE_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
                 429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}
AWS_ERRORS = {400: "ValidationException", 403: "AccessDeniedException", 404: "ResourceNotFoundException",
              408: "ModelTimeoutException", 424: "ModelErrorException", 429: "ThrottlingException",
              500: "InternalServerException", 503: "ServiceUnavailableException"}


def load(folders):
    """All fixtures, by "provider/name"."""
    found = {}
    for folder in folders:
        for where, _, names in os.walk(folder):
            for name in sorted(names):
                if name.endswith(".json"):
                    with open(os.path.join(where, name), encoding="utf-8") as handle:
                        fixture = json.load(handle)
                    if isinstance(fixture, dict) and "response" in fixture:
                        found[f"{fixture['provider']}/{fixture['name']}"] = fixture
    return found


def streams(fixture):
    return any(kind in fixture["response"] for kind in ("sse", "eventstream", "ndjson"))


def pieces_of(fixture):
    """The recorded body as a list of byte strings, one for each event where there are events."""
    response = fixture["response"]
    if "eventstream" in response:
        return [base64.b64decode(part) for part in response["eventstream"]]
    for kind in ("sse", "ndjson"):
        if kind in response:
            return [part.encode() for part in response[kind]]
    if "body" in response:
        return [json.dumps(response["body"], ensure_ascii=False, separators=(",", ":")).encode()]
    return [response.get("text", "").encode()]


def plain_path(path):
    """Paths that differ only in a base prefix, or in how a model id is escaped, are the same."""
    path = unquote(path).rstrip("/")
    path = re.sub(r"^/(api|openai)(?=/v\d)", "", path)
    return re.sub(r"^/v1(?=/(chat/completions|responses|embeddings|completions|models)\b)", "", path)


def words(value, prefix=""):
    """The leaves of a JSON value, as a set of path=text, to measure how alike two requests are."""
    if isinstance(value, dict):
        return {w for k, v in value.items() for w in words(v, f"{prefix}.{k}")} | {prefix + "."}
    if isinstance(value, list):
        return {w for i, v in enumerate(value) for w in words(v, f"{prefix}[{i}]")}
    return {f"{prefix}={value!r}"}


def likeness(asked, recorded):
    if recorded is None:
        return 0.0
    mine, theirs = words(asked), words(recorded)
    return len(mine & theirs) / max(1, len(mine | theirs))


def model_in(path):
    found = re.search(r"/models?/([^/:]+(?::\d+)?)|/deployments/([^/]+)", unquote(path))
    return (found.group(1) or found.group(2)) if found else None


def choose(fixtures, method, path, body, accept, strict):
    """(key, fixture) for a request, or None."""
    asked_stream = bool(isinstance(body, dict) and body.get("stream")) or "stream" in path or "event" in accept
    bare = re.sub(r"/models?/[^/]+?(?=[:/][a-zA-Z-]+$)|/deployments/[^/]+", "/*", plain_path(path))
    best, score = None, -1.0
    for key, fixture in fixtures.items():
        request = fixture["request"]
        if request["method"] != method:
            continue
        theirs = re.sub(r"/models?/[^/]+?(?=[:/][a-zA-Z-]+$)|/deployments/[^/]+", "/*", plain_path(request["path"]))
        if theirs != bare:
            continue
        if strict and request["body"] != body:
            continue
        # an error that was recorded for a streaming request has no stream to serve
        if streams(fixture) != asked_stream and fixture["response"]["status"] < 400:
            continue
        now = likeness(body, request["body"])
        now += 0.5 * (model_in(path) is not None and model_in(path) == model_in(request["path"]))
        if fixture["response"]["status"] >= 400 and request["body"] != body:
            now -= 1.0
        if now > score:
            best, score = (key, fixture), now
    return best


def provider_of(path, headers):
    """Which error form a client of this path expects."""
    if "/v1/messages" in path or "anthropic-version" in headers:
        return "anthropic"
    if "generateContent" in path or "GenerateContent" in path or "x-goog-api-key" in headers:
        return "gemini"
    if "/converse" in path or "/invoke" in path:
        return "bedrock"
    return "cohere" if path.endswith("/v2/chat") else "openai"


def error_body(provider, status, text):
    kind = ERROR_TYPES.get(status, "api_error")
    if provider == "anthropic":
        return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_fixture"}
    if provider == "gemini":
        return {"error": {"code": status, "message": text, "status": GOOGLE_STATUS.get(status, "UNKNOWN")}}
    if provider == "bedrock":
        return {"message": text}
    if provider == "cohere":
        return {"id": "fixture", "message": text}
    code = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}.get(status)
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}


def error_event(provider):
    """An error in the middle of a stream, framed as the provider would."""
    body = error_body(provider, 529 if provider == "anthropic" else 503, "overloaded while streaming")
    if provider == "bedrock":
        head = b""
        for name, value in ((":exception-type", "throttlingException"), (":content-type", "application/json"),
                            (":message-type", "exception")):
            head += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        payload = json.dumps(body).encode()
        lead = struct.pack(">II", 16 + len(head) + len(payload), len(head))
        message = lead + struct.pack(">I", zlib.crc32(lead)) + head + payload
        return message + struct.pack(">I", zlib.crc32(message))
    return (("event: error\n" if provider == "anthropic" else "") + "data: " + json.dumps(body) + "\n\n").encode()


def parse_fault(spec):
    fault = {}
    for part in filter(None, (p.strip() for p in (spec or "").split(","))):
        name, _, value = part.partition("=")
        fault[name] = value if name == "retry-after" else int(value) if value else True
    return fault


class State:
    """What the handlers share."""

    def __init__(self, args):
        self.args = args
        self.fixtures = {k: f for k, f in load(args.fixtures).items() if not args.provider or f["provider"] in args.provider}
        self.lock, self.random = threading.Lock(), random.Random(args.seed)
        self.log, self.script, self.pinned = [], [], None
        if args.script:
            with open(args.script, encoding="utf-8") as handle:
                self.script = handle.read().splitlines()

    def fault(self, header):
        with self.lock:
            scripted = self.script.pop(0).strip() if self.script else ""
        return parse_fault(header or (scripted if scripted not in ("", "-") else "" if scripted else self.args.default_fault))

    def wait(self, fault, name):
        jitter = self.random.uniform(0, fault.get("jitter", 0)) if fault.get(name) is not None else 0
        if fault.get(name, 0) or jitter:
            time.sleep((fault.get(name, 0) + jitter) / 1000)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = None

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def answer(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in dict({"content-type": "application/json"}, **dict(headers)).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def read_body(self):
        if "chunked" in self.headers.get("transfer-encoding", ""):
            out = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                data = self.rfile.read(size + 2)[:-2] if size else b""
                if not size:
                    while self.rfile.readline().strip():
                        pass
                    return out
                out += data
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def control(self, path, raw):
        state = self.state
        if path == "/__fixtures":
            self.answer(200, {k: {"path": f["request"]["path"], "status": f["response"]["status"], "features": f["features"]}
                              for k, f in sorted(state.fixtures.items())})
        elif path == "/__log":
            self.answer(200, state.log)
        elif path == "/__serve":
            state.pinned = raw.decode() or None
            self.answer(200 if state.pinned is None or state.pinned in state.fixtures else 404, {})
        else:
            with state.lock:
                state.script = raw.decode().splitlines() if path == "/__script" else []
                if path == "/__reset":
                    state.log.clear()
                    state.pinned = None
            self.answer(200, {})

    def serve(self):
        state, split, raw = self.state, urlsplit(self.path), self.read_body()
        if split.path in ("/__fixtures", "/__log", "/__reset", "/__script", "/__serve"):
            return self.control(split.path, raw)
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw.decode("latin-1")
        headers = {k.lower(): v for k, v in self.headers.items()}
        query = dict(parse_qsl(split.query))
        fault = state.fault(headers.get("x-fault"))
        provider = provider_of(split.path, headers)
        wanted = state.pinned or headers.get("x-fixture") or query.get("__fixture")
        if wanted:
            hit = (wanted, state.fixtures[wanted]) if wanted in state.fixtures else None
        else:
            hit = choose(state.fixtures, self.command, split.path, body, headers.get("accept", ""), state.args.strict)
        with state.lock:
            state.log.append({"time": time.time(), "method": self.command, "path": self.path, "headers": headers,
                              "body": body, "raw": raw.decode("latin-1"), "fixture": hit and hit[0], "fault": fault})
        if "refuse" in fault:
            return self.reset()
        state.wait(fault, "ttft")
        if "status" in fault:
            extra = {"retry-after": fault["retry-after"]} if "retry-after" in fault else {}
            if provider == "bedrock":
                extra["x-amzn-errortype"] = AWS_ERRORS.get(fault["status"], "InternalServerException")
            return self.answer(fault["status"], error_body(provider, fault["status"], "injected fault"), extra)
        if hit is None:
            return self.answer(404, error_body(provider, 404, f"no fixture for {self.command} {split.path}"))
        self.replay(hit[1], fault, error_event(provider))

    do_POST = do_GET = do_DELETE = do_PUT = do_HEAD = serve

    def replay(self, fixture, fault, broken):
        response, parts = fixture["response"], pieces_of(fixture)
        limit = min((fault[n] for n in ("stall", "reset", "truncate", "error-event", "end") if n in fault), default=len(parts))
        parts = parts[:limit]
        if "error-event" in fault:
            parts.append(broken)
        if "events" in fault:
            parts = [b"".join(parts[i:i + fault["events"]]) for i in range(0, len(parts), fault["events"])]
        if "cut" in fault:
            parts = [b"".join(parts)[:fault["cut"]]]
        if "pieces" in fault:
            data = b"".join(parts)
            parts = [data[i:i + fault["pieces"]] for i in range(0, len(data), fault["pieces"])]
        chunked = streams(fixture)
        self.send_response(response["status"])
        for name, value in response["headers"].items():
            self.send_header(name, value)
        self.send_header("x-fixture-served", f"{fixture['provider']}/{fixture['name']}")
        if chunked:
            self.send_header("transfer-encoding", "chunked")
        else:
            short = "lie-length" in fault or "cut" in fault or "stall" in fault
            self.send_header("content-length", str(sum(map(len, pieces_of(fixture) if short else parts)) + 100 * ("lie-length" in fault)))
        self.end_headers()
        for i, part in enumerate(parts):
            if i:
                self.state.wait(fault, "gap")
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
            self.wfile.flush()
        if "stall" in fault:
            self.close_connection = True
            self.connection.settimeout(600)
            try:
                self.rfile.read(1)
            except OSError:
                pass
        elif "reset" in fault:
            self.reset()
        elif {"truncate", "cut", "lie-length"} & set(fault):
            self.close_connection = True
        elif chunked:
            self.wfile.write(b"0\r\n\r\n")

    def reset(self):
        """Close so that the peer sees RST, not FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.wfile.flush()
        self.connection.close()

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, ValueError, OSError):
            self.close_connection = True

    def finish(self):
        try:
            super().finish()
        except (OSError, ValueError):
            pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def shutdown_request(self, request):
        try:
            super().shutdown_request(request)
        except OSError:
            pass


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fixtures", action="append", help="a folder; may be given more than once")
    parser.add_argument("--provider", action="append", help="serve only this provider's fixtures")
    parser.add_argument("--default-fault", default="", metavar="SPEC")
    parser.add_argument("--script", metavar="FILE", help="one fault a request, in order")
    parser.add_argument("--strict", action="store_true", help="404 unless the request is the recorded one")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.fixtures = args.fixtures or [os.path.join(here, "..", "fixtures")]
    Handler.state = State(args)
    if not Handler.state.fixtures:
        sys.exit("no fixtures found in " + ", ".join(args.fixtures))
    server = Server(("127.0.0.1", args.port), Handler)
    print(f"listening on http://127.0.0.1:{server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
