"""LangChain of JavaScript over providers of other formats, as test_langchain.py has that of Python: whole and streamed answers,
tools there and back, answers by a schema. Node asks and reads (node/langchain.test.js); what the providers were asked is judged
here."""
import json

import pytest

import forms
import nodejs
from conftest import CLIENT_KEY, Dialects, recorded
from meaning import Meaning, meaning
from plans import FORCED, KINDS, OBJECTS, TEXTS, format_of
from test_dialects import streams
from test_langchain import CONVERSATIONS, PAIRS

DESCRIPTION = "Looks something up."


def said(name):
    """What this recording says, for node."""
    expected = meaning(recorded(name))
    return dict(name=name, stream=streams(recorded(name)), text=expected.text, calls=expected.calls)


def cases():
    for client, kind in PAIRS:
        it, format = dict(client=client, kind=kind), format_of(kind, client)
        for stream in (False, True):
            yield dict(**it, what="text", **said(TEXTS[format, stream]))
        yield dict(**it, what="schema", object=json.loads(said(OBJECTS[format])["text"]), **said(OBJECTS[format]))
        [(tool, arguments)] = said(FORCED[format])["calls"]
        yield dict(**it, what="forced", tool=tool, object=arguments, **said(FORCED[format]))
    for client, kind, name in CONVERSATIONS:
        called = said(name)
        then = said(TEXTS[format_of(kind, client), called["stream"]])
        results = [f"result {at}" for at in range(len(called["calls"]))]
        yield dict(client=client, kind=kind, what="tools", description=DESCRIPTION, results=results, then=then, **called)


CASES = list(cases())


@pytest.fixture(scope="module")
def reports(tmp_path_factory, all_providers):
    """What each case's provider was asked, and in which word each answer ended."""
    nodejs.demand()
    gateway = Dialects(tmp_path_factory.mktemp("langchain_js"), all_providers, KINDS)
    try:
        told = nodejs.run("langchain.test.js", gateway, all_providers["first"], CASES, tmp_path_factory.mktemp("cases"))
    finally:
        gateway.end()
    return {it["number"]: it for it in told}


def name_of(case):
    return "-".join([case["what"], case["client"], case["kind"], case["name"].split("/")[1]])


@pytest.mark.parametrize("number", range(len(CASES)), ids=map(name_of, CASES))
def test_langchain_js(number, reports):
    case, report = CASES[number], reports[number]
    assert CLIENT_KEY not in json.dumps(report["seen"])
    {"text": judge_text, "tools": judge_tools, "schema": judge_schema, "forced": judge_forced}[case["what"]](case, report)


def judge_text(case, report):
    assert len(report["seen"]) == 1
    ended_as(report["ended"], [case])


def judge_tools(case, report):
    """Each call, in order, and its result under the same name; the same conversation is the same bytes."""
    seen, again = report["seen"]
    assert seen["raw"] == again["raw"]
    assert DESCRIPTION in seen["raw"]
    ended_as(report["ended"], [case, case["then"], case["then"]])
    exchanges = forms.check(format_of(case["kind"], case["client"]), seen["body"])
    calls, results = ([it for exchange in exchanges for it in getattr(exchange, what)] for what in ("calls", "results"))
    assert [(tool, arguments) for _, tool, arguments in calls] == case["calls"]
    assert [text for _, text in results] == case["results"]


def judge_schema(case, report):
    [seen] = report["seen"]
    assert all(field in seen["raw"] for field in case["object"]), "the provider is told the schema"


def judge_forced(case, report):
    [seen] = report["seen"]
    assert forms.forces(format_of(case["kind"], case["client"]), seen["body"], case["tool"])


def ended_as(words, answers):
    """LangChain's words for how answers ended mean what the recordings say."""
    for word, answer in zip(words, answers, strict=True):
        found, expected = Meaning(), meaning(recorded(answer["name"]))
        found.calls = expected.calls
        found.ended(word)
        assert found.finish == expected.finish
