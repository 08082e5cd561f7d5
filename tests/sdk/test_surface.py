"""The rest of what an application asks of an OpenAI endpoint: embeddings, models, errors."""
import concurrent.futures
import json

import openai
import pytest

from conftest import FIXTURES, NAMED_TARGETS, body_bytes, recorded

WHOLE = "openai/token-counts"
HELLO = [{"role": "user", "content": "hello"}]


def embeddings():
    for path in sorted((FIXTURES / "openai").glob("*.json")):
        fixture = json.loads(path.read_text(encoding="utf-8"))
        if fixture["endpoint"] == "embeddings":
            yield f"openai/{fixture['name']}"


@pytest.mark.parametrize("name", list(embeddings()))
def test_embeddings(name, plain, direct, providers):
    fixture = recorded(name)
    providers["first"].serve(name)
    body = fixture["request"]["body"]
    assert plain.client().post("/embeddings", cast_to=bytes, body=body) == body_bytes(fixture)
    assert providers["first"].log()[-1]["body"] == body

    def vectors(client):
        answer = client.embeddings.create(model=body["model"], input=body["input"], extra_body=body)
        return [item.embedding for item in answer.data]

    assert vectors(plain.client()) == vectors(direct)


def test_models(start, providers):
    client = start(NAMED_TARGETS).client()
    ids = [model.id for model in client.models.list()]
    assert ids
    for name in ids:
        model = client.models.retrieve(name)
        assert (model.id, model.object) == (name, "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")
    assert providers["first"].log() == [], "the list is the gateway's own"


def test_the_model_is_the_policys(start, providers):
    providers["first"].serve(WHOLE)
    client = start(NAMED_TARGETS).client()
    answer = client.chat.completions.with_raw_response.create(model="mini", messages=HELLO)
    assert answer.headers["x-switchover-target"] == "first.mini"
    assert answer.headers["x-switchover-route"] == "small"
    [seen] = providers["first"].log()
    assert seen["body"] == {"model": "gpt-5-mini", "messages": HELLO}


def test_request_ids_differ(plain, providers):
    providers["first"].serve(WHOLE)
    client = plain.client()
    ids = {client.chat.completions.create(model="x", messages=HELLO)._request_id for _ in range(5)}
    assert len(ids) == 5 and None not in ids


def test_unknown_path(plain):
    with pytest.raises(openai.NotFoundError) as caught:
        plain.client().post("/no/such/path", cast_to=bytes, body={})
    assert set(caught.value.body) >= {"message", "type", "param", "code"}


@pytest.mark.parametrize("body", [[], "text", {"model": 5, "messages": HELLO}, {"model": ["a"], "messages": HELLO}])
def test_bodies_that_are_no_request(body, plain, providers):
    with pytest.raises(openai.BadRequestError) as caught:
        plain.client().post("/chat/completions", cast_to=bytes, body=body)
    assert set(caught.value.body) >= {"message", "type", "param", "code"}
    assert providers["first"].log() == []


def test_text_of_every_kind(plain, providers):
    """Escapes, other scripts, and characters beyond the basic plane reach the provider as they are."""
    providers["first"].serve(WHOLE)
    text = "quote \" backslash \\ slash / tab \t line \n nul \0 grün \u2028 😀 \ud7ff"
    plain.client().chat.completions.create(model="x", messages=[{"role": "user", "content": text}])
    assert providers["first"].log()[-1]["body"]["messages"][0]["content"] == text


def test_a_large_prompt(plain, providers):
    providers["first"].serve(WHOLE)
    text = "a line of a long prompt\n" * 100_000
    plain.client().chat.completions.create(model="x", messages=[{"role": "user", "content": text}])
    assert providers["first"].log()[-1]["body"]["messages"][0]["content"] == text


def test_many_at_once(plain, providers):
    providers["first"].serve("openai/testa2aserver-invoke")
    body = recorded("openai/testa2aserver-invoke")["request"]["body"]

    def text(_):
        stream = plain.client().chat.completions.create(model="x", messages=body["messages"], stream=True, extra_body=body)
        return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(text, range(64))) == {"4"}
