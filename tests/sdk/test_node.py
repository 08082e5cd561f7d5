"""The official SDKs of Node as clients: tests/sdk/node. `npm ci` in that folder first."""
import pytest

import nodejs
from conftest import Dialects
from meaning import meaning
from test_dialects import ALL, CHAT, streams

# OpenAI's recordings are served as a compatible provider's: OpenAI itself would be asked in the client's own format.
FOLDERS = {"anthropic": "anthropic", "gemini": "gemini", "mistral": "mistral", "openai": "openai_compatible"}
# What reaches a client of the provider's own format as the provider sent it, and what an SDK made for another provider does
# not read there. In every other format these are cases like the rest.
FORMATS = {"anthropic": "anthropic", "mistral": "chat", "openai": "chat"}
NOT_READ = {
    "mistral/mistral-hybrid-reasoning-streams-thinking-separately-from-content": "its content is a list of parts",
    "mistral/tool-choice-matrix-tools-plus-output-mistral-1": "its call has no type, which @ai-sdk/openai demands",
}
FILES = ("ai.test.js", "anthropic.test.js", "openai.test.js")


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


@pytest.fixture(scope="module")
def kinds(tmp_path_factory, all_providers):
    nodejs.demand()
    gateway = Dialects(tmp_path_factory.mktemp("node"), all_providers, sorted(FOLDERS.values()))
    yield gateway
    gateway.end()


@pytest.mark.parametrize("file", FILES)
def test_node(file, kinds, providers, tmp_path):
    nodejs.run(file, kinds, providers["first"], cases(), tmp_path)
