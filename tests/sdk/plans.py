"""Kinds of provider for plans that fail over between formats, and what each of them says."""
import json

from conftest import recorded
from meaning import events, frames

KINDS = ("openai", "anthropic", "gemini", "bedrock", "cohere")
# A text, in one piece and as a stream.
TEXTS = {
    ("chat", False): "openai/document-as-binary-content-input-with-tool-1",
    ("chat", True): "openai/json-openai-gpt-4o-completions-async-stream-1",
    ("responses", False): "openai-responses/caching-multi-turn-conversation-openai-gpt-4o-responses-1",
    ("responses", True): "openai-responses/structured-output-with-tools-openai-gpt-4o-responses-async-strea-1",
    ("messages", False): "anthropic/call-with-params-anthropic-beta-claude-sonnet-4-0",
    ("messages", True): "anthropic/strict-mode-with-streamed-thinking-anthropic-claude-sonnet-4-5",
    ("gemini", False): "gemini/strict-mode-with-tools-google-gemini-3-pro-preview-1",
    ("gemini", True): "gemini/strict-mode-with-streamed-thinking-google-gemini-3-pro-preview",
    ("converse", False): "bedrock/bedrock-native-output-minimax",
    ("converse", True): "bedrock/bedrock-model-stream",
    ("cohere", False): "cohere/basic-chat-functionality-cohere-command-a-03-2025-replaces-previous-sy",
    ("cohere", True): "cohere/astream",
}
# Calls of tools: two and more at once, and with proofs of the thoughts before them.
CALLS = {
    "chat": ("openai/dbos-agent-with-hitl-tool", "openai/complex-agent-run-in-flow-1"),
    "responses": ("openai-responses/responses-interleaved-reasoning-between-tool-calls-3",
                  "openai-responses/responses-sessions-reasoning-session-two-tool-calls-streaming"),
    "messages": ("anthropic/mixed-tools-native-output", "anthropic/anthropic-tools-streaming-legacy",
                 "anthropic/fixed-version-tool-chain-with-thinking-display-regression"),
    "gemini": ("gemini/toolchoicerequiredwithreasoningparam-followup-response",
               "gemini/streaming-reasoning-with-multiple-tool-calls"),
    "converse": ("bedrock/bedrock-anthropic-tool-with-thinking", "bedrock/converse-stream-no-content-tool-call"),
    "cohere": ("cohere/citations-with-cohere-command-a-plus-05-2026-cites-tool-results-return",
               "cohere/cohere-v2-chat-legacy-with-tool-calls-and-streaming"),
}
# Recorded answers that are a JSON object, and calls whose arguments are taken for one.
OBJECTS = {"chat": "openai/json-openai-gpt-4o-completions-async-stream-1",
           "messages": "anthropic/strict-mode-with-streamed-thinking-anthropic-claude-sonnet-4-5",
           "gemini": "gemini/strict-mode-with-tools-google-gemini-3-pro-preview-1",
           "converse": "bedrock/bedrock-native-output-minimax",
           "cohere": "cohere/with-schema-with-cohere-command-a-03-2025-accepts-a-json-schema-and-re"}
FORCED = {"chat": "openai/toolchoicerequiredwithreasoningparam-followup-response",
          "messages": "anthropic/anthropic-to-google-deferred-capability-history-replay-1",
          "gemini": "gemini/toolchoicerequiredwithreasoningparam-followup-response",
          "converse": "bedrock/bedrock-strict-tool-with-native-output",
          "cohere": "cohere/tool-choice-matrix-tools-plus-output-cohere-1"}
# Events of a stream that say nothing yet.
EMPTY_EVENTS = {"chat": 1, "responses": 2, "messages": 1, "gemini": 0, "converse": 1, "cohere": 2}
ONE_ALPHABET = str.maketrans("-_", "+/")


def format_of(kind, client):
    """In which format a provider of this kind is asked for a client of that format."""
    return {"openai": "responses" if client == "responses" else "chat", "anthropic": "messages", "gemini": "gemini",
            "bedrock": "converse", "cohere": "cohere"}[kind]


def proofs(name):
    """What only the provider that gave this answer can read: proofs of thoughts, and sealed ones."""
    fixture = recorded(name)
    said = [fixture["response"].get("body"), *events(fixture), *(event for _, event in frames(fixture))]
    # Responses seals a thought anew in each event; the whole answer at the end counts.
    whole = [event for event in said if event and event.get("type") == "response.completed"]
    return set(proofs_in(whole or said))


def proofs_in(value):
    if isinstance(value, list):
        for it in value:
            yield from proofs_in(it)
    elif isinstance(value, dict):
        for field, it in value.items():
            if field in ("signature", "thoughtSignature", "encrypted_content", "redactedContent") and it:
                yield it
            yield from proofs_in(it)


def holds(seen, text):
    """Whether a request that a provider got holds a text, in whatever field and in either alphabet of base64."""
    raw = seen["raw"].encode("latin-1").decode()
    return json.dumps(text, ensure_ascii=False)[1:-1].translate(ONE_ALPHABET) in raw.translate(ONE_ALPHABET)
