"""Every client's SDK over every provider's recordings: what the SDK makes of the answer is what the provider said.

The stand-in answers each request with one recording, whatever is asked; what it was asked is looked at too. The expected
meaning is read from the recording by code of its own (meaning.py).
"""
import json

import anthropic
import openai
import pytest
from google import genai

from clients import CLIENTS
from conftest import CLIENT_KEY, FIXTURES, Dialects, provider_key
from meaning import meaning

# The folder of recordings, and the kind of provider that stands for it.
KINDS = {"anthropic": "anthropic", "gemini": "gemini", "vertex": "vertex", "bedrock": "bedrock", 
         "openai": "openai", "mistral": "mistral", "deepseek": "deepseek", "groq": "groq", "openrouter": "openrouter",
         "xai": "xai", "openai-responses": "openai"}
CHAT_KINDS = ("openai", "mistral", "deepseek", "groq", "openrouter")
ENDPOINTS = ("chat-completions", "messages", "generate-content", "converse", "chat", "responses")
# What only its own format can say.
OWN = ("server-tools", "audio", "refusal", "n", "logprobs")


def recordings():
    found = {}
    for folder in KINDS:
        for path in sorted((FIXTURES / folder).glob("*.json")):
            fixture = json.loads(path.read_text(encoding="utf-8"))
            body = fixture["response"].get("body")
            good = fixture["response"]["status"] == 200 and fixture["endpoint"] in ENDPOINTS
            # Counting tokens, and Gemini's stream without alt=sse, are not asked for.
            counted = isinstance(body, list) or (isinstance(body, dict) and set(body) == {"input_tokens"})
            broken = any('"type":"error"' in event or 'event: error' in event for event in fixture["response"].get("sse", ()))
            if good and not counted and not broken and not set(OWN) & set(fixture["features"]):
                found[f"{folder}/{fixture['name']}"] = fixture
    return found


ALL = recordings()
CHAT = sorted(name for name, it in ALL.items() if it["endpoint"] != "responses")
RESPONSES = sorted(name for name, it in ALL.items() if it["endpoint"] == "responses")
def streams(fixture):
    return "sse" in fixture["response"] or "eventstream" in fixture["response"]


def asked(gateway, client, kind, stream):
    it = CLIENTS[client]
    return it.ask(gateway, kind, it.opening(), stream, passed=client == "openai" and kind in CHAT_KINDS).meaning


@pytest.fixture(scope="session")
def dialects(tmp_path_factory, all_providers):
    gateway = Dialects(tmp_path_factory.mktemp("dialects"), all_providers, sorted({*KINDS.values(), "openai_compatible"}))
    yield gateway
    gateway.end()


@pytest.mark.parametrize("name", CHAT)
@pytest.mark.parametrize("client", CLIENTS)
def test_meaning(client, name, dialects, providers):
    fixture = ALL[name]
    providers["first"].serve(name)
    expected = meaning(fixture)
    kind = KINDS[name.split("/")[0]]
    if client == "responses" and kind == "openai":
        # OpenAI itself would be asked in its other format.
        kind = "openai_compatible"
    found = asked(dialects, client, kind, streams(fixture))
    if client in ("anthropic", "gemini"):
        # An object that was cut off cannot be said as one.
        expected.calls = [call for call in expected.calls if not isinstance(call[1], str)]
        found.calls = [call for call in found.calls if not isinstance(call[1], str)]
    assert found == expected
    [seen] = providers["first"].log()
    assert CLIENT_KEY not in json.dumps(seen)
    assert provider_key("first") in json.dumps(seen["headers"]) or name.startswith("bedrock/")


@pytest.mark.parametrize("name", RESPONSES)
def test_responses_pass(name, dialects, providers):
    """OpenAI's own format at OpenAI."""
    fixture = ALL[name]
    providers["first"].serve(name)
    assert asked(dialects, "responses", KINDS[name.split("/")[0]], streams(fixture)) == meaning(fixture)


@pytest.mark.parametrize("client", CLIENTS)
def test_errors_are_the_clients(client, dialects, providers):
    """Each SDK raises its own error with the provider's sentence."""
    providers["first"].script("status=400")
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError, genai.errors.ClientError)):
        asked(dialects, client, "mistral", False)
