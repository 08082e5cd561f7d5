"""Runs a file of tests/sdk/node, by node's own test runner: it is told where the gateway and the stand-in are, and its cases."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import CLIENT_KEY

FOLDER = pathlib.Path(__file__).parent / "node"
LONGEST_S = 240
# In the form of TAP: a test and what is told of it.
FAILURE = re.compile(r"^ *not ok .*?^ *\.\.\.$", re.DOTALL | re.MULTILINE)


def demand():
    if not shutil.which("node"):
        pytest.skip("node is not here: the SDKs of Node are left out")
    if not (FOLDER / "node_modules").is_dir():
        pytest.fail("the SDKs of Node are not installed: run `npm ci` in tests/sdk/node")


def run(file, gateway, provider, cases, folder):
    """Gives what the file reported beside its verdicts: a JSON value a line."""
    written, report = folder / "cases.json", folder / "report.jsonl"
    written.write_text(json.dumps(cases), encoding="utf-8")
    report.touch()
    environment = {**os.environ, "SWITCHOVER_TEST_GATEWAY": f"http://127.0.0.1:{gateway.port}",
                   "SWITCHOVER_TEST_STAND_IN": provider.url, "SWITCHOVER_TEST_KEY": CLIENT_KEY,
                   "SWITCHOVER_TEST_CASES": str(written), "SWITCHOVER_TEST_REPORT": str(report)}
    # Not by `node --test`, which starts a second process for the file.
    ran = subprocess.run(["node", "--test-reporter=tap", file], cwd=FOLDER, env=environment, capture_output=True,
                         text=True, timeout=LONGEST_S)
    assert ran.returncode == 0, "\n".join(FAILURE.findall(ran.stdout)) + ran.stderr
    return [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
