"""Conversations with tools over two requests: the SDK sends a question with tools, a provider of another format answers with
calls, the SDK sends what they gave. The second request goes to the same provider, or — the first one is down by then — to one of a
third format. Calls and results stay together, and the same conversation is the same bytes."""
import itertools

import pytest

import forms
from clients import CLIENTS
from conftest import CLIENT_KEY, Plans, recorded
from meaning import meaning
from plans import CALLS, KINDS, TEXTS, format_of, holds, proofs
from test_dialects import streams

PLANS = {f"{first}_{second}": (first, second) for first, second in itertools.product(KINDS, KINDS)}


def cases():
    for client, (plan, (first, _)) in itertools.product(CLIENTS, PLANS.items()):
        for name in CALLS[format_of(first, CLIENTS[client].format)]:
            yield client, plan, name


CASES = list(cases())

@pytest.fixture(scope="module")
def plans(tmp_path_factory, all_providers):
    numbered = {plan_of(number): PLANS[plan] for number, (_, plan, _) in enumerate(CASES)}
    gateway = Plans(tmp_path_factory.mktemp("conversations"), all_providers, numbered)
    yield gateway
    gateway.end()


def plan_of(number):
    return f"plan_{number}"


@pytest.mark.parametrize("number", range(len(CASES)), ids=["-".join(case) for case in CASES])
def test_a_conversation_goes_on(number, plans, providers):
    client, pair, name = CASES[number]
    first, second = PLANS[pair]
    stays, it, stream = first == second, CLIENTS[client], streams(recorded(name))
    formats = [format_of(kind, it.format) for kind in (first, second)]
    # The question, and the calls that answer it.
    providers["first"].serve(name)
    called = it.ask(plans, plan_of(number), it.opening(), stream, passed=formats[0] == it.format)
    expected = meaning(recorded(name))
    assert called.meaning == expected and expected.calls
    # What they gave, twice.
    texts = [f"result {at}" for at in range(len(expected.calls))]
    history = [*it.opening(), *called.said, *it.results(called, texts)]
    target = providers["first" if stays else "second"]
    for provider in providers.values():
        provider.reset()
    target.serve(TEXTS[formats[1], stream])
    if not stays:
        providers["first"].script("status=500", "status=500")
    for _ in range(2):
        answer = it.ask(plans, plan_of(number), history, stream, passed=formats[1] == it.format)
        assert answer.meaning == meaning(recorded(TEXTS[formats[1], stream]))
        assert answer.headers["x-switchover-attempts"] == ("1" if stays else "2")
    seen, again = target.log()
    assert seen["raw"] == again["raw"], "the same conversation is the same bytes"
    assert CLIENT_KEY not in str(seen)
    is_said(seen, formats[1], it.format, expected, texts)
    own = proofs(name) if is_kept(formats, it.format) else set()
    assert {proof for proof in proofs(name) if holds(seen, proof)} == own


def is_kept(formats, client):
    """Proofs go back to who gave them, in their own format. Claude's are good at Anthropic whoever served it."""
    return formats == [client, client] or (formats == ["converse", "messages"] and client == "messages")


def is_said(seen, format, client, expected, texts):
    """Each call, in order, and its result under the same name."""
    exchanges = forms.conversation(format, seen["body"]) if format == client else forms.check(format, seen["body"])
    calls = [call for exchange in exchanges for call in exchange.calls]
    results = [result for exchange in exchanges for result in exchange.results]
    assert [(name, arguments) for _, name, arguments in calls] == expected.calls
    assert [text for _, text in results] == texts
    assert [id for id, *_ in calls] == [id for id, _ in results]
    same_names = format == "gemini" and all(id == name for id, name, _ in calls)
    assert same_names or len({id for id, *_ in calls}) == len(calls), "one name each"
