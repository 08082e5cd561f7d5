#!/usr/bin/env python3
"""What translation costs: CPU time of the gateway for each request, whose answer is said in another format, beside one that passes.

One gateway on one core, one client, one stand-in provider that answers in whatever format it is asked in. Requests of 1.5 KB go in blocks,
by turns, to a provider of the client's own format and to one of another; the gateway's CPU time (user and system, all its threads) is read
around each block. The ratio is of the medians.

    cargo build --release
    benches/translation.py                  20 rounds of 500 requests, about a minute
    benches/translation.py --rounds 2       a smoke run, no record

Python 3.9+, standard library. SWITCHOVER_BIN names another binary.
"""
import argparse
import http.client
import http.server
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import record

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))

from ports import free_port  # noqa: E402

FULL, BLOCK = 20, 500
POLICY = """policy 1
server {{ listen = "127.0.0.1:{port}", admin = "127.0.0.1:{admin}", cores = 1 }}
provider same {{ kind = openai_compatible, base_url = "http://127.0.0.1:{provider}/v1", auth = none, tls = off, model m = "m" }}
provider anthropic {{ base_url = "http://127.0.0.1:{provider}/v1", auth = none, tls = off, model m = "claude-sonnet-4-5" }}
provider gemini {{ base_url = "http://127.0.0.1:{provider}/v1beta", auth = none, tls = off, model m = "gemini-2.5-flash" }}
route same when req.model == "same" {{ tier 1 {{ same.m }} }}
route anthropic when req.model == "anthropic" {{ tier 1 {{ anthropic.m }} }}
route gemini when req.model == "gemini" {{ tier 1 {{ gemini.m }} }}
route default {{ reject(404) }}
"""
TEXT = "word " * 60
ANSWERS = {
    "chat": {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [
        {"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 300, "completion_tokens": 60, "total_tokens": 360}},
    "messages": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": TEXT}],
                 "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 300, "output_tokens": 60}},
    "gemini": {"candidates": [{"content": {"role": "model", "parts": [{"text": TEXT}]}, "finishReason": "STOP", "index": 0}],
               "usageMetadata": {"promptTokenCount": 300, "candidatesTokenCount": 60, "totalTokenCount": 360}},
}


class Provider(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        form = "messages" if self.path.endswith("/messages") else "gemini" if "generateContent" in self.path else "chat"
        body = json.dumps(ANSWERS[form]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def cpu_ns(pid):
    """User and system time of all threads so far."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


def block(client, pid, model, count):
    body = json.dumps({"model": model, "max_tokens": 100, "messages": [
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "word " * 270}]})
    before = cpu_ns(pid)
    for _ in range(count):
        client.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        answer = client.getresponse()
        said = json.loads(answer.read())
        assert answer.status == 200 and said["choices"][0]["message"]["content"] == TEXT, said
    return (cpu_ns(pid) - before) / count / 1000


def await_health(port):
    deadline = time.monotonic() + 10
    while True:
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", None, 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def measure(binary, rounds):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    ports = dict(port=free_port(), admin=free_port(), provider=server.server_port)
    with tempfile.TemporaryDirectory() as folder:
        policy = pathlib.Path(folder, "translation.policy")
        policy.write_text(POLICY.format(**ports))
        gateway = subprocess.Popen([binary, "serve", str(policy)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            await_health(ports["admin"])
            client = http.client.HTTPConnection("127.0.0.1", ports["port"], timeout=10)
            kinds = ("same", "anthropic", "gemini")
            for kind in kinds:
                block(client, gateway.pid, kind, BLOCK)
            times = {kind: [] for kind in kinds}
            for _ in range(rounds):
                for kind in kinds:
                    times[kind].append(block(client, gateway.pid, kind, BLOCK))
            return {kind: statistics.median(each) for kind, each in times.items()}
        finally:
            gateway.terminate()
            gateway.wait(10)
            server.shutdown()


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=FULL)
    rounds = options.parse_args().rounds
    binary = os.environ.get("SWITCHOVER_BIN", str(ROOT / "target/release/switchover"))
    found = measure(binary, rounds)
    rows = [(kind, f"{time:.1f}", f"{time / found['same']:.2f}") for kind, time in found.items()]
    table = record.table(("provider's format", "CPU us/request", "beside the same format"), *rows)
    print(table)
    if rounds >= FULL:
        record.write("translation", f"benches/translation.py --rounds {rounds}", table)


if __name__ == "__main__":
    main()
