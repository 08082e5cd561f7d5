"""Every recorded chat interaction, through the gateway: nothing that client or provider said may change."""
import json

import openai
import pytest

from conftest import CLIENT_KEY, ONE_TARGET, body_bytes, provider_key, recorded, recordings

ALL = recordings()
# It answers 200, streams content, and ends with an error event: test_failover.py has such cases.
BROKEN = {"groq/tool-use-failed-error-streaming"}
GOOD = sorted(name for name, fixture in ALL.items() if fixture["response"]["status"] == 200 and name not in BROKEN)
REFUSED = sorted(name for name, fixture in ALL.items() if fixture["response"]["status"] >= 400)
# What a client is told when the provider answered so and no other target is left. A wrong provider key is not the
# client's fault (401 never reaches it), nor is a model that the provider withdrew.
TOLD = {400: {400}, 401: {502, 503}, 404: {404, 502, 503}, 429: {429, 503}}


def test_the_recordings_are_there():
    assert len(GOOD) > 80 and len(REFUSED) > 15


def ask(client, body):
    """The SDK's own transport with exactly this body; gives the answer's bytes."""
    return client.post("/chat/completions", cast_to=bytes, body=body)


@pytest.mark.parametrize("name", GOOD)
def test_bytes(name, plain, providers):
    fixture, provider = ALL[name], providers["first"]
    provider.serve(name)
    assert ask(plain.client(), fixture["request"]["body"]) == body_bytes(fixture)
    [seen] = provider.log()
    assert seen["body"] == fixture["request"]["body"]
    assert seen["headers"]["authorization"] == f"Bearer {provider_key('first')}"
    assert CLIENT_KEY not in json.dumps(seen)


@pytest.mark.parametrize("name", GOOD)
def test_objects(name, plain, direct, providers):
    """What the SDK makes of the answer is what it makes of it without a gateway."""
    body = ALL[name]["request"]["body"]
    providers["first"].serve(name)
    assert objects(plain.client(), body) == objects(direct, body)


def objects(client, body):
    answer = client.chat.completions.create(
        model=body["model"], messages=body["messages"], stream=bool(body.get("stream")), extra_body=body)
    return [chunk.to_dict() for chunk in answer] if body.get("stream") else answer.to_dict()


@pytest.mark.parametrize("name", REFUSED)
def test_errors(name, start, providers):
    fixture = ALL[name]
    providers["first"].serve(name)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(start(ONE_TARGET).client(), fixture["request"]["body"])
    assert caught.value.status_code in TOLD[fixture["response"]["status"]]
    assert set(caught.value.body) >= {"message", "type", "param", "code"}
    assert provider_key("first") not in caught.value.response.text


@pytest.mark.parametrize("pieces", [1, 7])
@pytest.mark.parametrize("name", ["openai/testa2aserver-invoke", "openai/token-counts"])
def test_pieces(pieces, name, plain, providers):
    """The same bytes, however the network cuts them."""
    fixture = recorded(name)
    providers["first"].serve(name)
    providers["first"].script(f"pieces={pieces}")
    assert ask(plain.client(), fixture["request"]["body"]) == body_bytes(fixture)
