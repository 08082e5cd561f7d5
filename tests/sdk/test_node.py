"""The official SDKs of Node as clients: tests/sdk/node, run by node's own test runner. `npm ci` in that folder first."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import CLIENT_KEY, Dialects
from meaning import meaning
from test_dialects import ALL, CHAT, streams

FOLDER = pathlib.Path(__file__).parent / "node"
# OpenAI's recordings are served as a compatible provider's: OpenAI itself would be asked in the client's own format.
FOLDERS = {"anthropic": "anthropic", "gemini": "gemini", "mistral": "mistral", "openai": "openai_compatible"}
# What reaches a client of the provider's own format as the provider sent it, and what an SDK made for another provider does
# not read there. In every other format these are cases like the rest.
FORMATS = {"anthropic": "anthropic", "mistral": "chat", "openai": "chat"}
NOT_READ = {
    "mistral/mistral-hybrid-reasoning-streams-thinking-separately-from-content": "its content is a list of parts",
    "mistral/tool-choice-matrix-tools-plus-output-mistral-1": "its call has no type, which @ai-sdk/openai demands",
}
FILES = sorted(path.name for path in FOLDER.glob("*.test.js"))


def unread_in(name):
    """The format in which SDKs cannot read this recording when it is passed on unchanged, or None."""
    headers = {field.lower() for field in ALL[name]["response"].get("headers") or ()}
    # Recorded without a content type: these SDKs then hand out text.
    unread = name in NOT_READ or "content-type" not in headers
    return FORMATS.get(name.split("/")[0]) if unread else None


def cases():
    """What each recording says. Arguments that were cut off are left out: every helper here refuses them."""
    found = []
    for name in CHAT:
        kind, said = FOLDERS.get(name.split("/")[0]), meaning(ALL[name])
        if kind and all(isinstance(arguments, dict) for _, arguments in said.calls):
            found.append(dict(name=name, kind=kind, stream=streams(ALL[name]), text=said.text, calls=said.calls,
                              unread=unread_in(name)))
    return found


@pytest.fixture(scope="session")
def modules():
    if not shutil.which("node"):
        pytest.skip("node is not here: the SDKs of Node are left out")
    if not (FOLDER / "node_modules").is_dir():
        pytest.fail("the SDKs of Node are not installed: run `npm ci` in tests/sdk/node")


@pytest.fixture(scope="session")
def kinds(tmp_path_factory, all_providers, modules):
    gateway = Dialects(tmp_path_factory.mktemp("node"), all_providers, sorted(FOLDERS.values()))
    yield gateway
    gateway.end()


@pytest.mark.parametrize("file", FILES)
def test_node(file, kinds, providers, tmp_path):
    written = tmp_path / "cases.json"
    written.write_text(json.dumps(cases()), encoding="utf-8")
    environment = {**os.environ, "SWITCHOVER_TEST_GATEWAY": f"http://127.0.0.1:{kinds.port}",
                   "SWITCHOVER_TEST_STAND_IN": providers["first"].url, "SWITCHOVER_TEST_KEY": CLIENT_KEY,
                   "SWITCHOVER_TEST_CASES": str(written)}
    ran = subprocess.run(["node", "--test", "--test-reporter=tap", file], cwd=FOLDER, env=environment, capture_output=True,
                         text=True, timeout=240)
    assert ran.returncode == 0, "\n".join(line for line in ran.stdout.splitlines() if not line.strip().startswith("ok "))
