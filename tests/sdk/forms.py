"""Whether a request is one that its provider takes: held against the provider's own SDK, which knows each field and its type, and
against what its documents say of the order of messages and the names of calls. Nothing here knows how the gateway writes."""
import functools
import inspect
import json
import re
import types as builtin
import typing

import anthropic.types
import botocore.loaders
import botocore.model
import botocore.validate
import openai.types.chat
import pydantic
import typing_extensions
from cohere.v2.client import V2Client
from google.genai import types

NAMES = {"chat": r".{1,40}", "messages": r"[a-zA-Z0-9_-]{1,64}", "converse": r"[a-zA-Z0-9_-]{1,64}", "gemini": r".+",
         "cohere": r".+"}
# In these each call or each result is a message or an item of its own.
APART = ("chat", "responses", "cohere")


class Exchange:
    """What one side says at a time: the calls it makes, the results that it gives, whether there are words."""

    def __init__(self, role):
        self.role, self.calls, self.results, self.words = role, [], [], []


def check(format, body):
    """The conversation that a request holds, read in the format's own words."""
    {"chat": sdk_chat, "messages": sdk_messages, "gemini": sdk_gemini, "converse": sdk_converse, "cohere": sdk_cohere}[format](body)
    exchanges = conversation(format, body)
    for at, it in enumerate(exchanges):
        assert it.words or it.calls or it.results, f"message {at} is empty"
        assert all(re.fullmatch(NAMES[format], id) for id, *_ in [*it.calls, *it.results] if id), f"names of calls: {vars(it)}"
        answered = exchanges[at + 1].results if at + 1 < len(exchanges) else []
        assert [id for id, *_ in it.calls] == [id for id, _ in answered], f"message {at}: each call has its result right after it"
        if at:
            assert it.results == [] or exchanges[at - 1].calls, f"message {at}: results without calls"
        if format not in APART:
            assert it.role == ("assistant" if at % 2 else "user"), f"message {at}: sides alternate"
    return exchanges


def conversation(format, body):
    """As it stands, checked in nothing: of a request that passed, too."""
    found = []
    read = {"chat": of_chat, "messages": of_messages, "gemini": of_gemini, "converse": of_converse, "responses": of_responses,
            "cohere": of_cohere}
    for role, calls, results, words in read[format](body):
        together = format in APART and found and found[-1].role == role and not words and not found[-1].words
        if not together:
            found.append(Exchange(role))
        found[-1].calls += calls
        found[-1].results += results
        found[-1].words += words
    return found


def of_chat(body):
    for message in body["messages"]:
        if message["role"] in ("system", "developer"):
            continue
        if message["role"] == "tool":
            yield "tool", [], [(message["tool_call_id"], text_of(message["content"]))], []
            continue
        calls = [(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
                 for call in message.get("tool_calls") or ()]
        yield message["role"], calls, [], [message["content"]] if message.get("content") else []


def of_responses(body):
    for item in body["input"]:
        if item.get("type") == "function_call":
            yield "assistant", [(item["call_id"], item["name"], json.loads(item["arguments"]))], [], []
        elif item.get("type") == "function_call_output":
            yield "tool", [], [(item["call_id"], text_of(item["output"]))], []
        elif item.get("type", "message") == "message":
            yield item["role"], [], [], [item["content"]]


def of_messages(body):
    for message in body["messages"]:
        content = message["content"]
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        kinds = [block["type"] for block in content]
        assert kinds == sorted(kinds, key=lambda kind: kind != "tool_result"), "results stand in front"
        assert all(block["text"].strip() for block in content if block["type"] == "text"), "Anthropic refuses blank texts"
        yield (message["role"], [(it["id"], it["name"], it["input"]) for it in content if it["type"] == "tool_use"],
               [(it["tool_use_id"], text_of(it.get("content"))) for it in content if it["type"] == "tool_result"],
               [it["text"] for it in content if it["type"] == "text"])


def of_gemini(body):
    for content in body["contents"]:
        parts = content["parts"]
        calls = [it["functionCall"] for it in parts if "functionCall" in it]
        results = [it["functionResponse"] for it in parts if "functionResponse" in it]
        # Where calls have no names, a result is told by the function and the order.
        yield ({"model": "assistant", "user": "user"}[content["role"]],
               [(it.get("id") or it["name"], it["name"], it.get("args", {})) for it in calls],
               [(it.get("id") or it["name"], it["response"].get("result")) for it in results],
               [it["text"] for it in parts if it.get("text") and not it.get("thought")])


def of_converse(body):
    for message in body["messages"]:
        content = message["content"]
        assert all(block["text"].strip() for block in content if "text" in block), "Bedrock refuses blank texts"
        calls = [it["toolUse"] for it in content if "toolUse" in it]
        results = [it["toolResult"] for it in content if "toolResult" in it]
        yield (message["role"], [(it["toolUseId"], it["name"], it["input"]) for it in calls],
               [(it["toolUseId"], "".join(part.get("text", "") for part in it["content"])) for it in results],
               [it["text"] for it in content if "text" in it])


def of_cohere(body):
    for message in body["messages"]:
        if message["role"] == "system":
            continue
        if message["role"] == "tool":
            yield "tool", [], [(message["tool_call_id"], text_of(message["content"]))], []
            continue
        content = message.get("content") or []
        # An empty text beside calls says nothing.
        says = text_of(content) or any(part["type"] != "text" for part in content)
        calls = [(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
                 for call in message.get("tool_calls") or ()]
        yield message["role"], calls, [], [it for it in (message.get("tool_plan"), says and content) if it]


def text_of(content):
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content or ())


def sdk_chat(body):
    of_type(body, openai.types.chat.CompletionCreateParams, "request")


def sdk_messages(body):
    # What older models take and the newest refuse has no field in newer SDKs.
    assert 0 <= body.get("temperature", 0) <= 1
    of_type({field: value for field, value in body.items() if field != "temperature"}, anthropic.types.MessageCreateParams, "request")


def sdk_gemini(body):
    """Google's models take no field that they do not know."""
    parts = {"contents": list[types.Content], "systemInstruction": types.Content, "tools": list[types.Tool],
             "toolConfig": types.ToolConfig, "generationConfig": types.GenerationConfig}
    for field, value in body.items():
        pydantic.TypeAdapter(parts[field]).validate_json(json.dumps(value))


@functools.cache
def converse_shape():
    description = botocore.loaders.Loader().load_service_model("bedrock-runtime", "service-2")
    return botocore.model.ServiceModel(description).operation_model("Converse").input_shape


def sdk_converse(body):
    report = botocore.validate.ParamValidator().validate({"modelId": "m", **body}, converse_shape())
    assert not report.has_errors(), report.generate_report()


def sdk_cohere(body):
    """The request is the arguments of a method, which says by another one that it wants a stream."""
    hints, arguments = hints_of(V2Client.chat), inspect.signature(V2Client.chat).parameters
    needed = {name for name, it in arguments.items() if it.default is it.empty and name != "self"}
    fields = {field: value for field, value in body.items() if field != "stream"}
    assert isinstance(body.get("stream", False), bool)
    complaint = misfit_of_fields(fields, hints, needed, "request")
    assert complaint is None, complaint


@functools.cache
def hints_of(kind):
    return typing_extensions.get_type_hints(kind, include_extras=True)


def of_type(value, kind, at):
    """`value` is of the type that the SDK declares for it; no more fields than that."""
    complaint = misfit(value, kind, at)
    assert complaint is None, complaint


def misfit(value, kind, at):
    """Why it is not, or None. Of a union's, that of the member which comes furthest"""
    origin, members = typing_extensions.get_origin(kind), typing_extensions.get_args(kind)
    if origin in (typing_extensions.Required, typing_extensions.NotRequired, typing.Annotated):
        return misfit(value, members[0], at)
    if origin in (typing.Union, builtin.UnionType):
        # Cohere's SDK lets pass what its next version may know.
        complaints = [misfit(value, member, at) for member in members if member is not typing.Any]
        return None if None in complaints else max(complaints, key=furthest)
    if origin is typing.Literal:
        return None if value in members else f"{at}: {value!r} is none of {members}"
    if typing_extensions.is_typeddict(kind):
        hints = hints_of(kind)
        needed = {field for field, hint in hints.items() if typing_extensions.get_origin(hint) is typing_extensions.Required}
        return misfit_of_fields(value, hints, needed, at)
    if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
        fields = {it.alias or name: it for name, it in kind.model_fields.items()}
        needed = {field for field, it in fields.items() if it.is_required()}
        return misfit_of_fields(value, {field: it.annotation for field, it in fields.items()}, needed, at)
    if origin is dict:
        return None if isinstance(value, dict) else f"{at}: is no object"
    if isinstance(origin, type) and issubclass(list, origin):
        if not isinstance(value, list):
            return f"{at}: is no list"
        return next(filter(None, (misfit(it, members[0], f"{at}.{place}") for place, it in enumerate(value))), None)
    if kind in (object, typing.Any):
        return None
    simple = {float: (int, float), type(None): type(None)}.get(kind, kind if kind in (int, str, bool) else ())
    right = isinstance(value, simple) and (kind is bool or not isinstance(value, bool))
    return None if right else f"{at}: {value!r} is no {kind}"


def furthest(complaint):
    """A field that is too much says more than a value that another member would take."""
    return "is unknown" in complaint, complaint.split(":")[0].count(".")


def misfit_of_fields(value, hints, needed, at):
    if not isinstance(value, dict):
        return f"{at}: is no object"
    for field in needed:
        if field not in value:
            return f"{at}: has no {field}"
    for field, it in value.items():
        if field not in hints:
            return f"{at}: {field} is unknown"
        complaint = misfit(it, hints[field], f"{at}.{field}")
        if complaint:
            return complaint
    return None


def forces(format, body, tool):
    """Whether this tool has to be called, as the format says that."""
    if format == "chat":
        return body["tool_choice"] == {"type": "function", "function": {"name": tool}}
    if format == "messages":
        choice = body["tool_choice"]
        return (choice["type"], choice["name"]) == ("tool", tool)
    if format == "gemini":
        calling = body["toolConfig"]["functionCallingConfig"]
        return (calling["mode"], calling["allowedFunctionNames"]) == ("ANY", [tool])
    if format == "cohere":
        return (body["tool_choice"], [it["function"]["name"] for it in body["tools"]]) == ("REQUIRED", [tool])
    return body["toolConfig"]["toolChoice"] == {"tool": {"name": tool}}
