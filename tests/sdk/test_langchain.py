"""LangChain's chat models over providers of other formats: whole and streamed answers, tools there and back, and answers by a
schema. LangChain keeps of an answer what it knows and builds the next request itself, so that it is a client of its own."""
import json

import pydantic
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI

import forms
from conftest import CLIENT_KEY, PATIENCE_S, Dialects, recorded
from meaning import Meaning, meaning
from plans import CALLS, FORCED, KINDS, OBJECTS, TEXTS, format_of
from test_dialects import streams

MODELS = {"chat": ChatOpenAI, "responses": ChatOpenAI, "messages": ChatAnthropic, "gemini": ChatGoogleGenerativeAI}
# Other formats than the client's: its own passes as it is, which other tests show.
PAIRS = [(client, kind) for client in MODELS for kind in KINDS if format_of(kind, client) != client]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, all_providers):
    gateway = Dialects(tmp_path_factory.mktemp("langchain"), all_providers, KINDS)
    yield gateway
    gateway.end()


@pytest.fixture(scope="module")
def model(gateway):
    """A model of the client's class that asks for this kind of provider; made once, as it takes longer than a test."""
    made = {}

    def of(client, kind):
        if (client, kind) not in made:
            made[client, kind] = make(gateway, client, kind)
        return made[client, kind]

    return of


def make(gateway, client, kind):
    url = f"http://127.0.0.1:{gateway.port}"
    if client == "gemini":
        return ChatGoogleGenerativeAI(model=kind, base_url=url, google_api_key=CLIENT_KEY, max_retries=0, timeout=PATIENCE_S)
    if client == "messages":
        return ChatAnthropic(model=kind, base_url=url, api_key=CLIENT_KEY, max_retries=0, timeout=PATIENCE_S, max_tokens=50)
    return ChatOpenAI(model=kind, base_url=f"{url}/v1", api_key=CLIENT_KEY, max_retries=0, timeout=PATIENCE_S, stream_usage=True,
                      use_responses_api=client == "responses")


def look_up(what: str) -> str:
    """Looks something up."""
    raise NotImplementedError("no test calls it")


def said(client, answer):
    """What LangChain made of it, whoever answered."""
    found = Meaning()
    found.text = answer.text
    for call in answer.tool_calls:
        found.call(call["name"], call["args"])
    metadata = answer.response_metadata
    if client == "responses":
        # It tells the status, and calls are in no other word.
        found.ended(metadata["status"])
    else:
        found.ended(metadata.get("finish_reason") or metadata["stop_reason"])
    assert answer.usage_metadata["total_tokens"] >= answer.usage_metadata["output_tokens"] > 0
    return found


def ask(chat, history, stream):
    """Whole, or the sum of the pieces."""
    if not stream:
        return chat.invoke(history)
    first, *rest = chat.stream(history)
    assert rest, "in pieces"
    return sum(rest, first)


@pytest.mark.parametrize("stream", [False, True], ids=["invoke", "stream"])
@pytest.mark.parametrize("client, kind", PAIRS)
def test_text(client, kind, stream, model, providers):
    name = TEXTS[format_of(kind, client), stream]
    providers["first"].serve(name)
    assert said(client, ask(model(client, kind), "hi", stream)) == meaning(recorded(name))
    [seen] = providers["first"].log()
    assert CLIENT_KEY not in json.dumps(seen)


# Of an answer with calls, and what it is followed by.
CONVERSATIONS = [(client, kind, name) for client, kind in PAIRS for name in CALLS[format_of(kind, client)]]


@pytest.mark.parametrize("client, kind, name", CONVERSATIONS)
def test_tools(client, kind, name, model, providers):
    """`bind_tools`, calls, their results, and the answer to them."""
    format, stream = format_of(kind, client), streams(recorded(name))
    expected, chat = meaning(recorded(name)), model(client, kind).bind_tools([look_up])
    providers["first"].serve(name)
    called = ask(chat, "hi", stream)
    assert said(client, called) == expected and expected.calls
    texts = [f"result {at}" for at in range(len(expected.calls))]
    results = [ToolMessage(text, tool_call_id=call["id"]) for text, call in zip(texts, called.tool_calls, strict=True)]
    providers["first"].reset()
    providers["first"].serve(TEXTS[format, stream])
    for _ in range(2):
        answer = ask(chat, [HumanMessage("hi"), called, *results], stream)
        assert said(client, answer) == meaning(recorded(TEXTS[format, stream]))
    seen, again = providers["first"].log()
    assert seen["raw"] == again["raw"]
    assert look_up.__doc__ in seen["raw"]
    exchanges = forms.check(format, seen["body"])
    calls, results = ([it for exchange in exchanges for it in getattr(exchange, what)] for what in ("calls", "results"))
    assert [(tool, arguments) for _, tool, arguments in calls] == expected.calls
    assert [text for _, text in results] == texts


def schema_of(title, value):
    return pydantic.create_model(title, **{field: (type(it), ...) for field, it in value.items()})


@pytest.mark.parametrize("client, kind", PAIRS)
def test_an_answer_by_a_schema(client, kind, model, providers):
    name = OBJECTS[format_of(kind, client)]
    expected = json.loads(meaning(recorded(name)).text)
    chat = model(client, kind).with_structured_output(schema_of("Answer", expected), method="json_schema")
    providers["first"].serve(name)
    answer = list(chat.stream("hi"))[-1] if streams(recorded(name)) else chat.invoke("hi")
    assert answer.model_dump() == expected
    [seen] = providers["first"].log()
    assert all(field in seen["raw"] for field in expected), "the provider is told the schema"


@pytest.mark.parametrize("client, kind", PAIRS)
def test_an_answer_by_a_forced_tool(client, kind, model, providers):
    name = FORCED[format_of(kind, client)]
    [(tool, arguments)] = meaning(recorded(name)).calls
    chat = model(client, kind).with_structured_output(schema_of(tool, arguments), method="function_calling")
    providers["first"].serve(name)
    assert chat.invoke("hi").model_dump() == arguments
    [seen] = providers["first"].log()
    assert forms.forces(format_of(kind, client), seen["body"], tool)
