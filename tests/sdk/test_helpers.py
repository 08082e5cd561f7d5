"""What the official SDKs of Python do for an application beyond asking: they put streams together, parse answers by a schema, and
run tools themselves until there is an answer. Over providers of other formats; clients.py has the plain calls."""
import inspect
import json

import pydantic
import pytest
from anthropic import beta_tool
from google.genai import types

import forms
from clients import MAX_TOKENS, TOOL
from conftest import CLIENT_KEY, Dialects, recorded
from meaning import Meaning, meaning
from plans import CALLS, FORCED, KINDS, OBJECTS, TEXTS, format_of
from test_dialects import streams

HELLO = [{"role": "user", "content": "hi"}]
RESULT = "green"
PAIRS = [(client, kind) for client in ("chat", "responses", "messages", "gemini") for kind in KINDS
         if format_of(kind, client) != client]
# Google's SDK hands out pieces and puts nothing together.
STREAMS = [(client, kind, name) for client, kind in PAIRS if client != "gemini"
           for name in (TEXTS[format_of(kind, client), True], *CALLS[format_of(kind, client)]) if streams(recorded(name))]
# Anthropic's runner, over others, begins a conversation that they are to keep and is told that they do not: test_threads.py.
RUNNERS = [(client, kind) for client, kind in PAIRS if client in ("messages", "gemini")]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, all_providers):
    gateway = Dialects(tmp_path_factory.mktemp("helpers"), all_providers, KINDS)
    yield gateway
    gateway.end()


def chat_stream(gateway, kind, **more):
    with gateway.client().chat.completions.stream(model=kind, messages=HELLO, max_tokens=MAX_TOKENS, **more) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
    choice = stream.get_final_completion().choices[0]
    calls = [(call.function.name, call.function.arguments) for call in choice.message.tool_calls or ()]
    assert text == (choice.message.content or "")
    return choice.message, said(text, calls, choice.finish_reason)


def responses_stream(gateway, kind, **more):
    with gateway.client().responses.stream(model=kind, input=HELLO, max_output_tokens=MAX_TOKENS, **more) as stream:
        text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
    answer = stream.get_final_response()
    assert text == answer.output_text
    return answer, said(text, [(it.name, it.arguments) for it in answer.output if it.type == "function_call"], answer.status)


def messages_stream(gateway, kind, **more):
    with gateway.anthropic().messages.stream(model=kind, messages=HELLO, max_tokens=MAX_TOKENS, **more) as stream:
        text = "".join(stream.text_stream)
    answer = stream.get_final_message()
    assert text == "".join(it.text for it in answer.content if it.type == "text")
    return answer, said(text, [(it.name, it.input) for it in answer.content if it.type == "tool_use"], answer.stop_reason)


STREAM = {"chat": chat_stream, "responses": responses_stream, "messages": messages_stream}
TOOLS = {
    "chat": [{"type": "function", "function": {"name": TOOL["name"], "parameters": TOOL["schema"]}}],
    "responses": [{"type": "function", "name": TOOL["name"], "parameters": TOOL["schema"], "strict": False}],
    "messages": [{"name": TOOL["name"], "input_schema": TOOL["schema"]}],
}


def said(text, calls, word):
    found = Meaning()
    found.text = text
    for name, arguments in calls:
        found.call(name, arguments)
    found.ended(word)
    return found


@pytest.mark.parametrize("client, kind, name", STREAMS)
def test_a_stream_put_together(client, kind, name, gateway, providers):
    providers["first"].serve(name)
    _, found = STREAM[client](gateway, kind, tools=TOOLS[client])
    assert found == meaning(recorded(name))


@pytest.mark.parametrize("client, kind", PAIRS)
def test_an_answer_parsed(client, kind, gateway, providers):
    """By a class of the application, of which the provider gets the schema."""
    name = OBJECTS[format_of(kind, client)]
    expected = json.loads(meaning(recorded(name)).text)
    form = pydantic.create_model("Answer", **{field: (type(it), ...) for field, it in expected.items()})
    providers["first"].serve(name)
    answer = PARSED[client, streams(recorded(name))](gateway, kind, form)
    assert answer == form(**expected)
    [seen] = providers["first"].log()
    assert all(field in seen["raw"] for field in expected)
    assert CLIENT_KEY not in json.dumps(seen)


def of_gemini(gateway, kind, form, stream):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=form)
    asked = dict(model=kind, contents="hi", config=config)
    if not stream:
        return gateway.genai().models.generate_content(**asked).parsed
    return form.model_validate_json("".join(it.text or "" for it in gateway.genai().models.generate_content_stream(**asked)))


PARSED = {
    ("chat", False): lambda gateway, kind, form: gateway.client().chat.completions.parse(
        model=kind, messages=HELLO, response_format=form).choices[0].message.parsed,
    ("chat", True): lambda gateway, kind, form: chat_stream(gateway, kind, response_format=form)[0].parsed,
    ("responses", False): lambda gateway, kind, form: gateway.client().responses.parse(
        model=kind, input=HELLO, text_format=form).output_parsed,
    ("responses", True): lambda gateway, kind, form: responses_stream(gateway, kind, text_format=form)[0].output_parsed,
    ("messages", False): lambda gateway, kind, form: gateway.anthropic().messages.parse(
        model=kind, messages=HELLO, max_tokens=MAX_TOKENS, output_format=form).parsed_output,
    ("messages", True): lambda gateway, kind, form: messages_stream(gateway, kind, output_format=form)[0].parsed_output,
    ("gemini", False): lambda gateway, kind, form: of_gemini(gateway, kind, form, False),
    ("gemini", True): lambda gateway, kind, form: of_gemini(gateway, kind, form, True),
}


@pytest.mark.parametrize("client, kind", RUNNERS)
def test_tools_run_by_the_sdk(client, kind, gateway, providers):
    """The SDK calls the function and asks again with what it gave."""
    format = format_of(kind, client)
    [(tool, arguments)] = meaning(recorded(FORCED[format])).calls
    providers["first"].serve(FORCED[format])
    then, called = TEXTS[format, False], []

    def function(**given):
        called.append(given)
        providers["first"].serve(then)
        return RESULT

    text = {"messages": run_by_anthropic, "gemini": run_by_google}[client](gateway, kind, declared(function, tool, arguments))
    assert called == [arguments]
    assert text == meaning(recorded(then)).text
    _, seen = providers["first"].log()
    exchanges = forms.check(format, seen["body"])
    [call], [result] = ([it for exchange in exchanges for it in getattr(exchange, what)] for what in ("calls", "results"))
    assert (call[1:], result) == ((tool, arguments), (call[0], RESULT))


def declared(function, name, arguments):
    """A function as an application would have written it."""
    kinds = {field: type(it) for field, it in arguments.items()}
    function.__name__, function.__doc__, function.__annotations__ = name, "Looks something up.", {**kinds, "return": str}
    function.__signature__ = inspect.Signature(
        [inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, annotation=kind) for field, kind in kinds.items()],
        return_annotation=str)
    return function


def run_by_anthropic(gateway, kind, function):
    runner = gateway.anthropic().beta.messages.tool_runner(model=kind, max_tokens=MAX_TOKENS, messages=HELLO,
                                                           tools=[beta_tool(function)])
    return "".join(it.text for it in runner.until_done().content if it.type == "text")


def run_by_google(gateway, kind, function):
    conversation = gateway.genai().chats.create(model=kind, config=types.GenerateContentConfig(tools=[function]))
    return conversation.send_message("hi").text
