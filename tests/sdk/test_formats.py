"""What the gateway answers itself in each client's format, and what it tells of what was lost between two."""
import json

import anthropic
import botocore.auth
import botocore.awsrequest
import botocore.credentials
import openai
import pytest

from conftest import Dialects, provider_key

KINDS = ("anthropic", "deepseek", "gemini", "mistral", "openai")
HELLO = [{"role": "user", "content": "Hello there, how are you today?"}]


# The key stands for an access key id without a secret: the signature is made all the same.
SIGNED = """provider signed {{ kind = bedrock, base_url = "{url}", auth = sigv4(env("FIRST_KEY")), tls = off, model m = "the:model" }}
route signed when req.model == "signed" {{ tier 1 {{ signed.m }} }}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, all_providers):
    gateway = Dialects(tmp_path_factory.mktemp("formats"), all_providers, KINDS,
                       extra=SIGNED.format(url=all_providers["first"].url) +
                       'route strict when req.model == "strict" { tier 1 { p_mistral.m }, strict = true }\n')
    yield gateway
    gateway.end()


def test_lists_of_models(gateway):
    """Each SDK reads the list in its own form, at the same path."""
    by_openai = {model.id for model in gateway.client().models.list()}
    assert by_openai >= {"the-model"} or by_openai, by_openai
    assert {model.id for model in gateway.anthropic().models.list()} == by_openai
    assert {model.name.removeprefix("models/") for model in gateway.genai().models.list()} == by_openai
    one = sorted(by_openai)[0]
    assert gateway.client().models.retrieve(one).id == one
    assert gateway.anthropic().models.retrieve(one).id == one


def test_tokens_are_estimated_where_nobody_counts(gateway, providers):
    counted = gateway.anthropic().messages.count_tokens(model="mistral", messages=HELLO)
    assert 5 <= counted.input_tokens <= 20
    assert providers["first"].log() == []


def test_anthropic_counts_itself(gateway, providers):
    providers["first"].serve("anthropic/testtokencounts-test-anthropic")
    gateway.anthropic().messages.with_raw_response.count_tokens(model="anthropic", messages=HELLO)
    [asked] = providers["first"].log()
    assert asked["path"] == "/v1/messages/count_tokens"
    assert asked["headers"]["anthropic-version"]


def test_what_is_dropped_is_told(gateway, providers):
    providers["first"].serve("anthropic/mixed-tools-native-output")
    answer = gateway.client().chat.completions.with_raw_response.create(
        model="anthropic", messages=HELLO, seed=7, logit_bias={"1": 2}, max_tokens=9)
    assert answer.headers["x-switchover-dropped"] == "logit_bias, seed"
    [asked] = providers["first"].log()
    assert asked["headers"]["anthropic-version"] == "2023-06-01"
    assert asked["body"] == {"model": "the-model", "max_tokens": 9, "messages": asked["body"]["messages"]}


def test_what_cannot_be_said_is_refused_by_name(gateway, providers):
    with pytest.raises(openai.BadRequestError) as caught:
        gateway.client().chat.completions.create(model="anthropic", messages=HELLO, n=2)
    assert caught.value.param == "n"
    assert caught.value.code == "unsupported_by_provider"
    assert providers["first"].log() == []


def test_a_strict_route_drops_nothing(gateway, providers):
    with pytest.raises(anthropic.BadRequestError) as caught:
        gateway.anthropic().messages.create(model="strict", messages=HELLO, max_tokens=9, extra_body={"top_k": 3})
    assert "`top_k`" in caught.value.message and "strict" in caught.value.message
    assert providers["first"].log() == []


def test_unsigned_thoughts_do_not_go_back(gateway, providers):
    """Thoughts of another provider stand in the conversation without a signature, and Anthropic would refuse them."""
    providers["first"].serve("anthropic/image-prompt")
    history = [*HELLO, {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "hm", "signature": ""}, {"type": "text", "text": "Fine."}]}, *HELLO]
    gateway.anthropic().messages.create(model="anthropic", messages=history, max_tokens=9)
    [asked] = providers["first"].log()
    assert "thinking" not in json.dumps(asked["body"])


@pytest.mark.parametrize("kind, takes", [("deepseek", True), ("mistral", False), ("openai", False)])
def test_thoughts_go_back_where_they_are_known(kind, takes, gateway, providers):
    """Mistral and others refuse the member that SDKs keep of another provider's answer."""
    providers["first"].serve("openai/document-as-binary-content-input-with-tool-1")
    answer = {"role": "assistant", "content": "Fine."}
    history = [*HELLO, {**answer, "reasoning_content": "hm"}, *HELLO]
    gateway.client().chat.completions.create(model=kind, messages=history)
    [asked] = providers["first"].log()
    assert asked["body"]["messages"] == (history if takes else [*HELLO, answer, *HELLO])


def test_same_format_passes_as_it_is(gateway, providers):
    """Fields that nobody has heard of ride along."""
    providers["first"].serve("anthropic/image-prompt")
    gateway.anthropic().messages.create(model="anthropic", messages=HELLO, max_tokens=9,
                                        extra_body={"invented": {"a": [1, 2.50]}}, extra_headers={"anthropic-beta": "x-1"})
    [asked] = providers["first"].log()
    assert asked["body"] == {"model": "the-model", "messages": HELLO, "max_tokens": 9, "invented": {"a": [1, 2.5]}}
    assert asked["headers"]["anthropic-beta"] == "x-1"


def test_signatures_are_amazons(gateway, providers):
    """Amazon's own SDK signs the request that the provider saw in the same way."""
    providers["first"].serve("bedrock/bedrock-native-output-minimax")
    gateway.client().chat.completions.create(model="signed", messages=HELLO)
    [asked] = providers["first"].log()
    assert asked["path"] == "/model/the%3Amodel/converse"
    headers, key = asked["headers"], provider_key("first")
    request = botocore.awsrequest.AWSRequest(
        "POST", f"http://{headers['host']}{asked['path']}", data=json.dumps(asked["body"], separators=(",", ":"), ensure_ascii=False).encode(),
        headers={"host": headers["host"], "x-amz-date": headers["x-amz-date"]})
    request.context["timestamp"] = headers["x-amz-date"]
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, "", None), "bedrock", "us-east-1")
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    assert headers["authorization"] == (
        f"AWS4-HMAC-SHA256 Credential={key}/{headers['x-amz-date'][:8]}/us-east-1/bedrock/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}")
