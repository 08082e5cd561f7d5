"""Providers that fail in every scripted way, as an application with the official SDK lives through it."""
import openai
import pytest

from conftest import TWO_TARGETS, body_bytes, provider_key, recorded

WHOLE = "openai/token-counts"
STREAM = "openai/json-openai-gpt-4o-completions-async-stream-1"
# Faults before the first content. The stream's first event has only a role.
BEFORE_WHOLE = ["status=500", "status=502", "status=503,retry-after=9", "status=529", "status=429", "status=429,retry-after=86400",
                "status=401", "status=402", "refuse", "cut=20", "lie-length", "ttft=5000", "stall=0"]
BEFORE_STREAM = ["status=500", "status=503", "status=429,retry-after=2", "status=401", "refuse", "ttft=5000", "stall=0", "stall=1",
                 "reset=0", "reset=1", "truncate=0", "truncate=1", "end=0", "end=1", "error-event=0", "error-event=1", "cut=9"]
# With a gap, so that the client has its first content before the fault is there.
AFTER = [fault + ",gap=20" for fault in ("stall=5", "reset=5", "truncate=5", "end=5", "error-event=5", "cut=2500")]


def both_serve(providers, name, fault):
    for provider in providers.values():
        provider.serve(name)
    # Again and again, so that a repeat at the same provider would fail, too.
    providers["first"].script(*[fault] * 4)


def create(client, name):
    """The answer's head and what the SDK makes of its body."""
    body = recorded(name)["request"]["body"]
    return client.chat.completions.with_raw_response.create(
        model=body["model"], messages=body["messages"], stream=bool(body.get("stream")), extra_body=body)


@pytest.mark.parametrize("fault", BEFORE_WHOLE)
def test_whole_answers_come_from_the_second(fault, start, providers):
    both_serve(providers, WHOLE, fault)
    answer = create(start(TWO_TARGETS, ttft="400ms", idle="400ms").client(), WHOLE)
    assert answer.headers["x-switchover-target"] == "second.*"
    assert answer.headers["x-switchover-attempts"] == "2"
    assert answer.headers["x-switchover-route"] == "default"
    assert answer.content == body_bytes(recorded(WHOLE))
    [seen] = providers["second"].log()
    assert seen["headers"]["authorization"] == f"Bearer {provider_key('second')}"
    assert provider_key("first") not in str(seen)


@pytest.mark.parametrize("fault", BEFORE_STREAM)
def test_streams_come_from_the_second(fault, start, providers, direct):
    both_serve(providers, STREAM, "-")
    wanted = [chunk.to_dict() for chunk in create(direct, STREAM).parse()]
    both_serve(providers, STREAM, fault)
    answer = create(start(TWO_TARGETS, ttft="400ms", idle="400ms").client(), STREAM)
    assert answer.headers["x-switchover-target"] == "second.*"
    assert [chunk.to_dict() for chunk in answer.parse()] == wanted


@pytest.mark.parametrize("fault", AFTER)
def test_streams_that_break_after_content_raise(fault, start, providers):
    """Never a clean end, and never another provider's text behind the first one's."""
    both_serve(providers, STREAM, fault)
    answer = create(start(TWO_TARGETS, ttft="400ms", idle="400ms").client(), STREAM)
    assert answer.headers["x-switchover-target"] == "first.*"
    chunks = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in answer.parse():
            chunks.append(chunk)
    assert not isinstance(caught.value, openai.APIConnectionError), "the error must be told, not only the connection cut"
    assert any(choice.delta.content for chunk in chunks for choice in chunk.choices)
    assert not any(choice.finish_reason for chunk in chunks for choice in chunk.choices)
    assert providers["second"].log() == []


def test_every_target_down(start, providers):
    for provider in providers.values():
        provider.serve(WHOLE)
        provider.script(*["status=500"] * 4)
    with pytest.raises(openai.InternalServerError) as caught:
        create(start(TWO_TARGETS).client(), WHOLE)
    assert caught.value.status_code == 503
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert set(caught.value.body) >= {"message", "type", "param", "code"}


def test_a_bad_request_stays(start, providers):
    both_serve(providers, "openai/call-with-params-openai-gpt-5-mini-completions", "-")
    routes = TWO_TARGETS.replace("reject(503)", "stop")
    with pytest.raises(openai.BadRequestError) as caught:
        create(start(routes).client(), WHOLE)
    assert caught.value.code == "unsupported_parameter"
    assert providers["second"].log() == []


def test_a_stream_that_ends_with_an_error_raises(start, providers):
    """A recording in which the provider itself ended a stream with an error."""
    name = "groq/tool-use-failed-error-streaming"
    both_serve(providers, name, "-")
    with pytest.raises(openai.APIError):
        list(create(start(TWO_TARGETS).client(), name).parse())


def test_the_sdk_gives_up_first(start, providers):
    both_serve(providers, STREAM, "stall=5")
    client = start(TWO_TARGETS).client().with_options(timeout=0.5)
    with pytest.raises((openai.APITimeoutError, openai.APIConnectionError)):
        list(create(client, STREAM).parse())
    both_serve(providers, WHOLE, "-")
    assert create(client.with_options(timeout=10), WHOLE).headers["x-switchover-attempts"]
