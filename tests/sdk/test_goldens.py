"""Whole requests as each provider gets them (tests/corpus/dialects), held against the providers' own SDKs: a person reads what they
say, this reads whether they may say it so."""
import json

import pytest

import forms
from conftest import ROOT

FILES = sorted((ROOT / "tests" / "corpus" / "dialects").glob("*/*.jsonc"))
FORMATS = {"anthropic": "messages", "gemini": "gemini", "vertex": "gemini", "bedrock": "converse", "cohere": "cohere"}
# What providers add to OpenAI's format, of which its SDK knows nothing.
OWN = {"mistral": {"random_seed"}, "deepseek": {"thinking", "reasoning_content"},
       "openrouter": {"reasoning", "top_k", "cache_control", "reasoning_content"},
       "perplexity": {"top_k"}, "together": {"top_k"}, "fireworks": {"top_k"}, "vllm": {"top_k"}}
# And in its parts.
OWN_PARTS = {"mistral": {"document_url", "input_audio"}}


def without(value, fields, parts):
    if isinstance(value, list):
        return [without(it, fields, parts) for it in value if not (isinstance(it, dict) and it.get("type") in parts)]
    if isinstance(value, dict):
        return {field: without(it, fields, parts) for field, it in value.items() if field not in fields}
    return value


def as_openai_has_it(body):
    """Mistral's word for a choice, and its tools' messages, which say what was called."""
    if body.get("tool_choice") == "any":
        body["tool_choice"] = "required"
    for message in body["messages"]:
        if message["role"] == "tool":
            assert message.pop("name")


def test_they_are_there():
    assert len(FILES) > 200


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_the_provider_would_take_it(file):
    text = "".join(line for line in file.read_text(encoding="utf-8").splitlines(True) if not line.startswith("//"))
    if text:
        kind = file.stem.split("-")[0]
        body = without(json.loads(text), OWN.get(kind, set()), OWN_PARTS.get(kind, set()))
        if kind == "mistral":
            as_openai_has_it(body)
        forms.check(FORMATS.get(kind, "chat"), body)
    else:
        assert "// refused: `" in file.read_text(encoding="utf-8")
