"""The judge of requests, judged: it lets pass what providers took, and complains of what they refuse."""
import copy
import json

import pytest

import forms
from conftest import recorded

# Recorded requests with results of tools that their providers answered.
TAKEN = {
    "chat": "openai/complex-agent-run-in-flow-1",
    "messages": "anthropic/structured-output-with-tools-anthropic-claude-sonnet-4-0-async-s-1",
    "gemini": "gemini/structured-output-with-tools-google-gemini-2-5-flash-async-strea-1",
    "converse": "bedrock/function-calling-bedrock-amazon-nova-2-lite-v1-0-can-use-tools-w-2",
    "cohere": "cohere/function-calling-cohere-command-a-03-2025-can-use-tools-without--2",
}
LISTS = {"gemini": "contents"}


def taken(format):
    body = copy.deepcopy(recorded(TAKEN[format])["request"]["body"])
    return body, body[LISTS.get(format, "messages")]


@pytest.mark.parametrize("format", TAKEN)
def test_what_a_provider_took_passes(format):
    exchanges = forms.check(format, taken(format)[0])
    [call], [result] = ([it for exchange in exchanges for it in getattr(exchange, kind)] for kind in ("calls", "results"))
    assert call[0] == result[0]


@pytest.mark.parametrize("format", TAKEN)
def test_a_result_that_is_missing_is_seen(format):
    body, messages = taken(format)
    at = next(at for at, it in enumerate(forms.conversation(format, body)) if it.results)
    at += sum(it["role"] in ("system", "developer") for it in messages[:at + 1])
    del messages[at:]
    with pytest.raises(AssertionError, match="each call has its result"):
        forms.check(format, body)


@pytest.mark.parametrize("format", TAKEN)
@pytest.mark.parametrize("inner", [False, True], ids=["of the request", "of a message"])
def test_an_unknown_field_is_seen(format, inner):
    body, messages = taken(format)
    (messages[0] if inner else body)["reasoning_details"] = []
    with pytest.raises((AssertionError, KeyError, ValueError)) as caught:
        forms.check(format, body)
    assert "reasoning_details" in str(caught.value)


@pytest.mark.parametrize("format", TAKEN)
def test_a_wrong_type_is_seen(format):
    body, messages = taken(format)
    messages[0]["role"] = 7
    with pytest.raises((AssertionError, KeyError, ValueError)):
        forms.check(format, body)


@pytest.mark.parametrize("format", ["messages", "converse", "gemini"])
def test_one_side_twice_is_seen(format):
    body, messages = taken(format)
    messages.insert(0, messages[0])
    with pytest.raises(AssertionError, match="sides alternate"):
        forms.check(format, body)


def test_a_name_of_a_call_that_is_too_long_is_seen():
    body, messages = taken("chat")
    id = next(message["tool_call_id"] for message in messages if message["role"] == "tool")
    body["messages"] = json.loads(json.dumps(messages).replace(id, "x" * 41))
    with pytest.raises(AssertionError, match="names of calls"):
        forms.check("chat", body)
