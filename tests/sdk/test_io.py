"""Where the kernel refuses io_uring the gateway says so and serves on epoll, unless it was told to insist."""
import subprocess
import sys
import time

from conftest import ONE_TARGET, PATIENCE_S, ROOT, binary

WITHOUT_IO_URING = [sys.executable, str(ROOT / "tests" / "support" / "without_io_uring.py")]
HELLO = [{"role": "user", "content": "hello"}]


def test_auto_falls_back_to_epoll(start, providers):
    providers["first"].serve("openai/token-counts")
    gateway = start(ONE_TARGET, io="auto", wrapper=WITHOUT_IO_URING)
    # The log line comes after the health that the start waits for.
    deadline = time.monotonic() + PATIENCE_S
    while "epoll (io_uring is not available here)" not in gateway.log_path.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline, gateway.log_path.read_text(encoding="utf-8")
        time.sleep(0.01)
    answer = gateway.client().chat.completions.create(model="x", messages=HELLO)
    assert answer.choices
    assert len(providers["first"].log()) == 1


def test_who_insists_is_told_why(tmp_path):
    policy = tmp_path / "test.policy"
    policy.write_text('policy 1\nserver { listen = "127.0.0.1:0", admin = "127.0.0.1:0" }\n'
                      "provider p { kind = simulated, model m = \"m\" }\nroute default { tier 1 { p.m } }\n")
    command = [*WITHOUT_IO_URING, str(binary()), "serve", str(policy), "--io", "io_uring"]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S)
    assert ended.returncode != 0
    assert "io_uring is not available here" in ended.stderr
    assert "--io auto" in ended.stderr
