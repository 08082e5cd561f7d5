"""What a recorded answer says, read from the provider's own bytes: text, calls of tools, and why it ended. Written against the
providers' documents and on purpose without a look at how the gateway reads them."""
import base64
import json
import struct

FINISH = {
    "stop": "stop", "end_turn": "stop", "STOP": "stop", "COMPLETE": "stop", "stop_sequence": "stop", "STOP_SEQUENCE": "stop",
    "pause_turn": "stop", "completed": "stop", "eos": "stop",
    "length": "length", "max_tokens": "length", "MAX_TOKENS": "length", "model_context_window_exceeded": "length",
    "incomplete": "length",
    "tool_calls": "tools", "tool_use": "tools", "TOOL_CALL": "tools",
    "content_filter": "filter", "refusal": "filter", "SAFETY": "filter", "content_filtered": "filter",
    "guardrail_intervened": "filter",
}


class Meaning:
    """Comparable, and readable where it differs."""

    def __init__(self):
        self.text, self.calls, self.finish = "", [], None

    def call(self, name, arguments):
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments or "{}")
            except ValueError:
                pass  # cut off by the length
        self.calls.append((name, {} if arguments is None else arguments))

    def ended(self, word):
        """Calls decide, whatever the word is; a call that was cut off is not one to run."""
        self.finish = FINISH[word]
        if self.calls and self.finish == "stop":
            self.finish = "tools"

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __repr__(self):
        return f"<{self.finish}: {self.text!r} {self.calls}>"


def events(fixture):
    """The data of each event of a stream."""
    for event in fixture["response"].get("sse", ()):
        lines = [line[5:].strip() for line in event.splitlines() if line.startswith("data:")]
        data = "\n".join(lines)
        if data.startswith("{"):
            yield json.loads(data)


def frames(fixture):
    """Name and payload of each message of Amazon's event stream."""
    for frame in fixture["response"].get("eventstream", ()):
        raw = base64.b64decode(frame)
        total, head = struct.unpack(">II", raw[:8])
        at, fields = 12, {}
        while at < 12 + head:
            length = raw[at]
            name = raw[at + 1:at + 1 + length].decode()
            at += 1 + length
            assert raw[at] == 7, "a string"
            size, = struct.unpack(">H", raw[at + 1:at + 3])
            fields[name] = raw[at + 3:at + 3 + size].decode()
            at += 3 + size
        yield fields.get(":event-type"), json.loads(raw[12 + head:total - 4])


def meaning(fixture):
    kind = {"chat-completions": chat, "messages": messages, "generate-content": gemini, "converse": converse,
            "chat": cohere, "responses": responses}[fixture["endpoint"]]
    found = Meaning()
    kind(found, fixture, fixture["response"].get("body"))
    return found


def words(content):
    """Mistral's content may be a list of thoughts and texts."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part["type"] == "text")
    return content or ""


def chat(found, fixture, body):
    if body:
        choice = body["choices"][0]
        message = choice["message"]
        found.text = words(message.get("content"))
        for call in message.get("tool_calls") or ():
            found.call(call["function"]["name"], call["function"]["arguments"])
        return found.ended(choice["finish_reason"])
    calls, word = {}, None
    for chunk in events(fixture):
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue
            delta = choice.get("delta") or {}
            found.text += words(delta.get("content"))
            for call in delta.get("tool_calls") or ():
                name_and_text = calls.setdefault(call.get("index", len(calls)), ["", ""])
                name_and_text[0] = name_and_text[0] or call["function"].get("name") or ""
                name_and_text[1] += call["function"].get("arguments") or ""
            word = word or choice.get("finish_reason")
    for name, text in calls.values():
        found.call(name, text)
    found.ended(word)


def messages(found, fixture, body):
    if body:
        for block in body["content"]:
            if block["type"] == "text":
                found.text += block["text"]
            elif block["type"] == "tool_use":
                found.call(block["name"], block["input"])
        return found.ended(body["stop_reason"])
    calls, word = {}, None
    for event in events(fixture):
        if event["type"] == "content_block_start" and event["content_block"]["type"] == "tool_use":
            calls[event["index"]] = [event["content_block"]["name"], ""]
        elif event["type"] == "content_block_delta":
            if event["delta"]["type"] == "text_delta":
                found.text += event["delta"]["text"]
            elif event["delta"]["type"] == "input_json_delta" and event["index"] in calls:
                calls[event["index"]][1] += event["delta"]["partial_json"]
        elif event["type"] == "message_delta":
            word = event["delta"]["stop_reason"]
    for name, text in calls.values():
        found.call(name, text)
    found.ended(word)


def gemini(found, fixture, body):
    chunks = list(events(fixture))
    if body is not None:
        chunks = body if isinstance(body, list) else [body]
    word = None
    for chunk in chunks:
        for candidate in chunk.get("candidates") or ():
            for part in (candidate.get("content") or {}).get("parts") or ():
                if "functionCall" in part:
                    found.call(part["functionCall"]["name"], part["functionCall"].get("args"))
                elif "text" in part and not part.get("thought"):
                    found.text += part["text"]
            word = candidate.get("finishReason") or word
    found.ended(word)


def converse(found, fixture, body):
    if body:
        for block in body["output"]["message"]["content"]:
            if "text" in block:
                found.text += block["text"]
            elif "citationsContent" in block:
                found.text += "".join(part["text"] for part in block["citationsContent"]["content"])
            elif "toolUse" in block:
                found.call(block["toolUse"]["name"], block["toolUse"]["input"])
        return found.ended(body["stopReason"])
    calls, word = {}, None
    for name, event in frames(fixture):
        if name == "contentBlockStart" and "toolUse" in event["start"]:
            calls[event["contentBlockIndex"]] = [event["start"]["toolUse"]["name"], ""]
        elif name == "contentBlockDelta":
            found.text += event["delta"].get("text", "")
            if "toolUse" in event["delta"] and event["contentBlockIndex"] in calls:
                calls[event["contentBlockIndex"]][1] += event["delta"]["toolUse"]["input"]
        elif name == "messageStop":
            word = event["stopReason"]
    for name, text in calls.values():
        found.call(name, text)
    found.ended(word)


def cohere(found, fixture, body):
    if body:
        message = body["message"]
        found.text = message.get("tool_plan", "") + "".join(part["text"] for part in message.get("content") or () if part["type"] == "text")
        for call in message.get("tool_calls") or ():
            found.call(call["function"]["name"], call["function"]["arguments"])
        return found.ended(body["finish_reason"])
    calls, word = {}, None
    for event in events(fixture):
        delta = event.get("delta") or {}
        message = delta.get("message") or {}
        if event["type"] == "content-delta":
            found.text += message["content"].get("text", "")
        elif event["type"] == "tool-plan-delta":
            found.text += message["tool_plan"]
        elif event["type"] == "tool-call-start":
            function = message["tool_calls"]["function"]
            calls[event["index"]] = [function["name"], function.get("arguments") or ""]
        elif event["type"] == "tool-call-delta":
            calls[event["index"]][1] += message["tool_calls"]["function"]["arguments"]
        elif event["type"] == "message-end":
            word = delta["finish_reason"]
    for name, text in calls.values():
        found.call(name, text)
    found.ended(word)


def responses(found, fixture, body):
    for event in events(fixture):
        if event["type"] in ("response.completed", "response.incomplete"):
            body = event["response"]
    for item in body["output"]:
        if item["type"] == "message":
            found.text += "".join(part["text"] for part in item["content"] if part["type"] == "output_text")
        elif item["type"] == "function_call":
            found.call(item["name"], item["arguments"])
    found.ended(body["status"])
