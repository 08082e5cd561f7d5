"""Failing over from one format to another: the first provider of a plan breaks, the second speaks another format, and the
official SDK reads one whole answer in its own. The stand-ins answer from recordings; what the second one was asked is held
against its own SDK (forms.py)."""
import itertools
import json

import anthropic
import openai
import pytest
from google import genai

import forms
from clients import CLIENTS, MAX_TOKENS, TOOL, Past
from conftest import CLIENT_KEY, Plans, recorded
from meaning import meaning
from plans import EMPTY_EVENTS, KINDS, TEXTS, format_of, holds

# Of a name that most formats do not take, with a thought that one provider signed.
PAST = Past(id="call:" + "x" * 45, thought="a thought of somebody else", proof="c2lnbmVkIGJ5IHNvbWVib2R5IGVsc2Uh")
# "@" stands for the events of the first provider's format that say nothing yet.
FAULTS = {False: ("status=500", "status=503,retry-after=9", "status=429", "status=401", "refuse", "cut=20", "stall=0"),
          True: ("status=500", "status=529", "status=429", "refuse", "reset=@", "truncate=@", "end=@", "error-event=@", "stall=@")}


def cases():
    """Every client with every second provider, whole and streamed, through every fault; the kinds of the first take turns."""
    turns = {kind: itertools.cycle([first for first in KINDS if first != kind]) for kind in KINDS}
    for client, second, stream in itertools.product(CLIENTS, KINDS, FAULTS):
        for fault in FAULTS[stream]:
            yield client, next(turns[second]), second, stream, fault


CASES = {f"plan_{number}": case for number, case in enumerate(cases())}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, all_providers):
    pairs = {name: (first, second) for name, (_, first, second, _, _) in CASES.items()}
    gateway = Plans(tmp_path_factory.mktemp("failover"), all_providers, {**pairs, **AFTER_CONTENT})
    yield gateway
    gateway.end()


def scripted(fault, format):
    return fault.replace("@", str(EMPTY_EVENTS[format]))


# Of what speaks Chat Completions, who refuses names of calls that others make.
NARROW = ("openai", "azure_openai", "mistral")


@pytest.mark.parametrize("plan", CASES, ids=["-".join(map(str, case)) for case in CASES.values()])
def test_the_second_answers_in_its_own_format(plan, gateway, providers):
    """Failures before the first content, inside a 200, too: litellm #6957, #26067, #38153, #38606, #38610, portkey #741."""
    client, first, second, stream, fault = CASES[plan]
    it = CLIENTS[client]
    formats = [format_of(kind, it.format) for kind in (first, second)]
    for provider, format in zip(providers.values(), formats, strict=True):
        provider.serve(TEXTS[format, stream])
    providers["first"].script(scripted(fault, formats[0]))
    passed = formats[1] == it.format
    answer = it.ask(gateway, plan, it.past(PAST), stream, passed)
    assert answer.meaning == meaning(recorded(TEXTS[formats[1], stream]))
    assert answer.headers["x-switchover-attempts"] == "2"
    assert answer.headers["x-switchover-target"] == f"{plan}_second.m"
    [asked], [seen] = [provider.log() for provider in providers.values()]
    assert CLIENT_KEY not in json.dumps([asked, seen])
    if formats[0] != it.format:
        is_said(asked, formats[0])
    if passed and second in NARROW and it.format == "chat":
        # A name of a call that such a provider refuses is replaced, and that in the call and in its result alike.
        assert not holds(seen, PAST.id)
        is_said(seen, formats[1])
    elif passed:
        assert holds(seen, PAST.id)
        # Its own thoughts go back to a provider; those in Chat Completions are never OpenAI's.
        assert [holds(seen, text) for text in (PAST.proof, PAST.thought)] == [it.format != "chat"] * 2
    else:
        is_said(seen, formats[1])


def is_said(seen, format):
    """The client's conversation, as a request of that format; nothing in it that only somebody else could read."""
    question, call, result, further = flat(forms.check(format, seen["body"]))
    assert (question, further) == (PAST.question, PAST.next)
    assert call[1:] == (TOOL["name"], PAST.arguments)
    assert result == (call[0], PAST.result)
    assert not holds(seen, PAST.proof) and not holds(seen, PAST.thought)
    assert str(MAX_TOKENS) in seen["raw"] and TOOL["description"] in seen["raw"]


def flat(exchanges):
    for exchange in exchanges:
        yield from [*exchange.calls, *exchange.results, *exchange.words]


# One for each client; the second would answer.
AFTER_CONTENT = {f"after_{client}": (first, second) for client, first, second in (
    ("openai", "anthropic", "gemini"), ("responses", "gemini", "bedrock"), ("anthropic", "bedrock", "openai"),
    ("gemini", "openai", "anthropic"))}


@pytest.mark.parametrize("fault", ["reset", "error-event"])
@pytest.mark.parametrize("client", CLIENTS)
def test_after_content_the_error_is_told(client, fault, gateway, providers):
    """Never another format's answer behind the beginning of the first one's (litellm #32835), and never a clean end."""
    it, plan = CLIENTS[client], f"after_{client}"
    first, second = (format_of(kind, it.format) for kind in AFTER_CONTENT[plan])
    providers["first"].serve(TEXTS[first, True])
    providers["second"].serve(TEXTS[second, True])
    events = {"gemini": 2, "messages": 8, "chat": 8, "converse": 6}[first]
    providers["first"].script(f"{fault}={events},gap=20")
    with pytest.raises((openai.APIError, anthropic.APIError, genai.errors.APIError)):
        it.ask(gateway, plan, it.opening(), stream=True)
    assert len(providers["first"].log()) == 1
    assert providers["second"].log() == []
