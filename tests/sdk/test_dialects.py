"""Every client's SDK over every provider's recordings: what the SDK makes of the answer is what the provider said.

The stand-in answers each request with one recording, whatever is asked; what it was asked is looked at too. The expected
meaning is read from the recording by code of its own (meaning.py).
"""
import json

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from conftest import CLIENT_KEY, FIXTURES, Dialects, provider_key
from meaning import Meaning, meaning, words

# The folder of recordings, and the kind of provider that stands for it.
KINDS = {"anthropic": "anthropic", "gemini": "gemini", "vertex": "vertex", "bedrock": "bedrock", "cohere": "cohere",
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
TOOL = {"name": "look_up", "description": "Looks something up.",
        "schema": {"type": "object", "properties": {"what": {"type": "string"}}}}


def streams(fixture):
    return "sse" in fixture["response"] or "eventstream" in fixture["response"]


def by_openai(gateway, model, stream):
    client = gateway.client()
    tools = [{"type": "function", "function": {"name": TOOL["name"], "description": TOOL["description"],
                                               "parameters": TOOL["schema"]}}]
    asked = dict(model=model, messages=[{"role": "user", "content": "hi"}], tools=tools, max_tokens=50)
    found = Meaning()
    if not stream:
        answer = client.chat.completions.create(**asked)
        message = answer.choices[0].message
        assert answer.usage is None or answer.usage.total_tokens >= answer.usage.completion_tokens
        found.text = words(message.content)
        calls = message.tool_calls or []
        finish = answer.choices[0].finish_reason
    else:
        # The raw chunks: the helper refuses arguments that were cut off.
        text, parts, finish, usage, reasons = "", {}, None, [], 0
        for chunk in client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **asked):
            usage += [chunk.usage] if chunk.usage else []
            for choice in chunk.choices:
                text += words(choice.delta.content)
                for call in choice.delta.tool_calls or ():
                    part = parts.setdefault(call.index, [call.id, call.function.name, ""])
                    part[2] += call.function.arguments or ""
                reasons += bool(choice.finish_reason)
                finish = finish or choice.finish_reason
        assert sorted(parts) == list(range(len(parts))) and all(id and name for id, name, _ in parts.values())
        # In their own format providers may say both twice, and the gateway passes that on.
        assert model in CHAT_KINDS or (len(usage) == 1 and reasons == 1)
        found.text = text
        for _, name, arguments in parts.values():
            found.call(name, arguments)
        calls = []
    for call in calls:
        assert call.id
        found.call(call.function.name, call.function.arguments)
    found.ended(finish)
    return found


def by_responses(gateway, model, stream):
    client = gateway.client()
    tools = [{"type": "function", "name": TOOL["name"], "description": TOOL["description"], "parameters": TOOL["schema"],
              "strict": False}]
    asked = dict(model=model, input="hi", tools=tools, max_output_tokens=50, store=False)
    if stream:
        last, text = None, ""
        for number, event in enumerate(client.responses.create(stream=True, **asked)):
            assert event.sequence_number == number
            if event.type == "response.output_text.delta":
                text += event.delta
            last = event
        assert last.type in ("response.completed", "response.incomplete"), last
        answer = last.response
        assert answer.output_text == text
    else:
        answer = client.responses.create(**asked)
    found = Meaning()
    found.text = answer.output_text
    for item in answer.output:
        if item.type == "function_call":
            found.call(item.name, item.arguments)
    if answer.incomplete_details:
        found.ended({"max_output_tokens": "length", "content_filter": "content_filter"}[answer.incomplete_details.reason])
    else:
        found.ended(answer.status)
    return found


def by_anthropic(gateway, model, stream):
    client = gateway.anthropic()
    tools = [{"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["schema"]}]
    asked = dict(model=model, max_tokens=50, messages=[{"role": "user", "content": "hi"}], tools=tools)
    if stream:
        found, calls, word = Meaning(), {}, None
        with client.messages.create(stream=True, **asked) as answer:
            begun = []
            for event in answer:
                begun.append(event.type)
                if event.type == "content_block_start":
                    assert event.index == begun.count("content_block_start") - 1, "dense from nothing"
                    if event.content_block.type == "tool_use":
                        assert event.content_block.id
                        calls[event.index] = [event.content_block.name, ""]
                elif event.type == "content_block_delta":
                    if event.delta.type == "text_delta":
                        found.text += event.delta.text
                    elif event.delta.type == "input_json_delta":
                        calls[event.index][1] += event.delta.partial_json
                elif event.type == "message_delta":
                    word = event.delta.stop_reason
        assert begun[0] == "message_start" and begun[-1] == "message_stop", begun
        assert begun.count("content_block_start") == begun.count("content_block_stop")
        for name, text in calls.values():
            found.call(name, text)
        found.ended(word)
        return found
    answer = client.messages.create(**asked)
    found = Meaning()
    for block in answer.content:
        if block.type == "text":
            assert block.text
            found.text += block.text
        elif block.type == "tool_use":
            assert block.id
            found.call(block.name, block.input)
    found.ended(answer.stop_reason)
    return found


def by_gemini(gateway, model, stream):
    client = gateway.genai()
    declared = types.FunctionDeclaration(name=TOOL["name"], description=TOOL["description"],
                                         parameters_json_schema=TOOL["schema"])
    config = types.GenerateContentConfig(
        max_output_tokens=50, tools=[types.Tool(function_declarations=[declared])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))
    asked = dict(model=model, contents="hi", config=config)
    answers = list(client.models.generate_content_stream(**asked)) if stream else [client.models.generate_content(**asked)]
    found, word = Meaning(), None
    for answer in answers:
        for candidate in answer.candidates or ():
            for part in (candidate.content.parts if candidate.content else None) or ():
                if part.function_call:
                    found.call(part.function_call.name, part.function_call.args)
                elif part.text and not part.thought:
                    found.text += part.text
            word = candidate.finish_reason or word
    found.ended(word.value)
    return found


CLIENTS = {"openai": by_openai, "responses": by_responses, "anthropic": by_anthropic, "gemini": by_gemini}


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
    found = CLIENTS[client](dialects, kind, streams(fixture))
    if client in ("anthropic", "gemini"):
        # An object that was cut off cannot be said as one.
        expected.calls = [call for call in expected.calls if not isinstance(call[1], str)]
        found.calls = [call for call in found.calls if not isinstance(call[1], str)]
    assert found == expected
    [asked] = providers["first"].log()
    assert CLIENT_KEY not in json.dumps(asked)
    assert provider_key("first") in json.dumps(asked["headers"]) or name.startswith("bedrock/")


@pytest.mark.parametrize("name", RESPONSES)
def test_responses_pass(name, dialects, providers):
    """OpenAI's own format at OpenAI."""
    fixture = ALL[name]
    providers["first"].serve(name)
    assert by_responses(dialects, KINDS[name.split("/")[0]], streams(fixture)) == meaning(fixture)


@pytest.mark.parametrize("client", CLIENTS)
def test_errors_are_the_clients(client, dialects, providers):
    """Each SDK raises its own error with the provider's sentence."""
    providers["first"].script("status=400")
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError, genai.errors.ClientError)):
        CLIENTS[client](dialects, "mistral", False)
