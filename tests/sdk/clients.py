"""The official SDKs as applications use them: ask, read what was answered, whole or as it comes, and go on with the results of
tools. An entry of a history is whatever the SDK takes for one."""
import base64
import json

from google.genai import types

from meaning import Meaning, words

TOOL = {"name": "look_up", "description": "Looks something up.",
        "schema": {"type": "object", "properties": {"what": {"type": "string"}}}}
MAX_TOKENS = 50


class Answer:
    """What the SDK made of an answer."""

    def __init__(self, headers):
        self.headers, self.meaning = headers, Meaning()
        # Of the calls, in order; and what an application appends to its history.
        self.ids, self.said = [], []


class Past:
    """A question, a thought, a call that came of it, and its result, for a history; the next question."""

    def __init__(self, id, thought, proof):
        self.id, self.thought, self.proof = id, thought, proof
        self.question, self.arguments, self.result, self.next = "hi", {"what": "tea"}, "green", "and now?"


class Chat:
    """OpenAI's SDK with Chat Completions."""
    format = "chat"

    @staticmethod
    def opening(text="hi"):
        return [{"role": "user", "content": text}]

    @staticmethod
    def past(it):
        call = {"id": it.id, "type": "function", "function": {"name": TOOL["name"], "arguments": json.dumps(it.arguments)}}
        return [*Chat.opening(it.question),
                {"role": "assistant", "content": None, "reasoning_content": it.thought, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": it.id, "content": it.result}, *Chat.opening(it.next)]

    @staticmethod
    def results(answer, texts):
        return [{"role": "tool", "tool_call_id": id, "content": text} for id, text in zip(answer.ids, texts, strict=True)]

    @staticmethod
    def ask(gateway, model, history, stream=False, passed=False):
        """`passed`: the provider's own format, in which it may say usage and finish twice."""
        tools = [{"type": "function", "function": {"name": TOOL["name"], "description": TOOL["description"],
                                                   "parameters": TOOL["schema"]}}]
        asked = dict(model=model, messages=history, tools=tools, max_tokens=MAX_TOKENS)
        create = gateway.client().chat.completions.with_raw_response.create
        return Chat.streamed(create, asked, passed) if stream else Chat.whole(create, asked)

    @staticmethod
    def whole(create, asked):
        raw = create(**asked)
        found, answer = Answer(raw.headers), raw.parse()
        message = answer.choices[0].message
        assert answer.usage is None or answer.usage.total_tokens >= answer.usage.completion_tokens
        found.meaning.text = words(message.content)
        for call in message.tool_calls or ():
            found.meaning.call(call.function.name, call.function.arguments)
            found.ids.append(call.id)
        assert all(found.ids)
        found.meaning.ended(answer.choices[0].finish_reason)
        found.said = [message]
        return found

    @staticmethod
    def streamed(create, asked, passed):
        # The raw chunks: the helper refuses arguments that were cut off.
        raw = create(stream=True, stream_options={"include_usage": True}, **asked)
        found, parts, finish, usage, reasons = Answer(raw.headers), {}, None, [], 0
        for chunk in raw.parse():
            usage += [chunk.usage] if chunk.usage else []
            for choice in chunk.choices:
                found.meaning.text += words(choice.delta.content)
                for call in choice.delta.tool_calls or ():
                    part = parts.setdefault(call.index, [call.id, call.function.name, ""])
                    part[2] += call.function.arguments or ""
                reasons += bool(choice.finish_reason)
                finish = finish or choice.finish_reason
        assert sorted(parts) == list(range(len(parts))) and all(id and name for id, name, _ in parts.values())
        assert passed or (len(usage) == 1 and reasons == 1)
        for id, name, arguments in parts.values():
            found.meaning.call(name, arguments)
            found.ids.append(id)
        found.meaning.ended(finish)
        calls = [{"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
                 for id, name, arguments in parts.values()]
        found.said = [{"role": "assistant", "content": found.meaning.text or None, **({"tool_calls": calls} if calls else {})}]
        return found


class Responses:
    """OpenAI's SDK with Responses."""
    format = "responses"
    opening = Chat.opening

    @staticmethod
    def past(it):
        return [*Chat.opening(it.question),
                {"type": "reasoning", "id": "rs_0f", "summary": [{"type": "summary_text", "text": it.thought}],
                 "encrypted_content": it.proof},
                {"type": "function_call", "call_id": it.id, "name": TOOL["name"], "arguments": json.dumps(it.arguments)},
                {"type": "function_call_output", "call_id": it.id, "output": it.result}, *Chat.opening(it.next)]

    @staticmethod
    def results(answer, texts):
        return [{"type": "function_call_output", "call_id": id, "output": text}
                for id, text in zip(answer.ids, texts, strict=True)]

    @staticmethod
    def ask(gateway, model, history, stream=False, passed=False):
        tools = [{"type": "function", "name": TOOL["name"], "description": TOOL["description"], "parameters": TOOL["schema"],
                  "strict": False}]
        asked = dict(model=model, input=history, tools=tools, max_output_tokens=MAX_TOKENS, store=False)
        raw = gateway.client().responses.with_raw_response.create(stream=stream, **asked)
        found, answer = Answer(raw.headers), raw.parse()
        if stream:
            last, text = None, ""
            for number, event in enumerate(answer):
                assert event.sequence_number == number
                if event.type == "response.output_text.delta":
                    text += event.delta
                last = event
            assert last.type in ("response.completed", "response.incomplete"), last
            answer = last.response
            assert answer.output_text == text
        found.meaning.text = answer.output_text
        for item in answer.output:
            if item.type == "function_call":
                found.meaning.call(item.name, item.arguments)
                found.ids.append(item.call_id)
        assert all(found.ids)
        if answer.incomplete_details:
            reason = answer.incomplete_details.reason
            found.meaning.ended({"max_output_tokens": "length", "content_filter": "content_filter"}[reason])
        else:
            found.meaning.ended(answer.status)
        found.said = list(answer.output)
        return found


class Anthropic:
    """Anthropic's SDK."""
    format = "messages"
    opening = Chat.opening

    @staticmethod
    def past(it):
        thought = {"type": "thinking", "thinking": it.thought, "signature": it.proof}
        call = {"type": "tool_use", "id": it.id, "name": TOOL["name"], "input": it.arguments}
        result = {"type": "tool_result", "tool_use_id": it.id, "content": it.result}
        return [*Chat.opening(it.question), {"role": "assistant", "content": [thought, call]},
                {"role": "user", "content": [result, {"type": "text", "text": it.next}]}]

    @staticmethod
    def results(answer, texts):
        return [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}
                                             for id, text in zip(answer.ids, texts, strict=True)]}]

    @staticmethod
    def ask(gateway, model, history, stream=False, passed=False):
        tools = [{"name": TOOL["name"], "description": TOOL["description"], "input_schema": TOOL["schema"]}]
        raw = gateway.anthropic().messages.with_raw_response.create(
            model=model, max_tokens=MAX_TOKENS, messages=history, tools=tools, stream=stream)
        found, answer = Answer(raw.headers), raw.parse()
        if stream:
            blocks, word = Anthropic.blocks(answer)
        else:
            blocks, word = [block.model_dump(exclude_unset=True) for block in answer.content], answer.stop_reason
            assert all(block["text"] for block in blocks if block["type"] == "text")
        for block in blocks:
            if block["type"] == "text":
                found.meaning.text += block["text"]
            elif block["type"] == "tool_use":
                found.meaning.call(block["name"], block["input"])
                found.ids.append(block["id"])
        assert all(found.ids)
        found.meaning.ended(word)
        found.said = [{"role": "assistant", "content": blocks}]
        return found

    @staticmethod
    def blocks(events):
        """The raw events put together: the helper refuses arguments that were cut off."""
        begun, blocks, word = [], [], None
        for event in events:
            begun.append(event.type)
            if event.type == "content_block_start":
                assert event.index == len(blocks), "dense from nothing"
                blocks.append(event.content_block.model_dump(exclude_unset=True))
                if blocks[-1]["type"] == "tool_use":
                    blocks[-1]["input"] = ""
            elif event.type == "content_block_delta":
                block, delta = blocks[event.index], event.delta
                grown = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature",
                         "input_json_delta": "input"}.get(delta.type)
                if grown and block["type"] in ("text", "thinking", "tool_use"):
                    block[grown] += delta.partial_json if grown == "input" else getattr(delta, grown)
            elif event.type == "message_delta":
                word = event.delta.stop_reason
        assert begun[0] == "message_start" and begun[-1] == "message_stop", begun
        assert begun.count("content_block_start") == begun.count("content_block_stop")
        for block in blocks:
            if block["type"] == "tool_use":
                try:
                    block["input"] = json.loads(block["input"] or "{}")
                except ValueError:
                    pass  # cut off by the length
        return blocks, word


class Gemini:
    """Google's SDK."""
    format = "gemini"

    @staticmethod
    def opening(text="hi"):
        return [types.Content(role="user", parts=[types.Part(text=text)])]

    @staticmethod
    def past(it):
        proof = base64.b64decode(it.proof)
        call = types.FunctionCall(id=it.id, name=TOOL["name"], args=it.arguments)
        result = types.FunctionResponse(id=it.id, name=TOOL["name"], response={"result": it.result})
        return [*Gemini.opening(it.question),
                types.Content(role="model", parts=[types.Part(thought=True, text=it.thought),
                                                   types.Part(function_call=call, thought_signature=proof)]),
                types.Content(role="user", parts=[types.Part(function_response=result)]), *Gemini.opening(it.next)]

    @staticmethod
    def results(answer, texts):
        calls = [part.function_call for entry in answer.said for part in entry.parts if part.function_call]
        return [types.Content(role="user", parts=[
            types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": text}))
            for call, text in zip(calls, texts, strict=True)])]

    @staticmethod
    def ask(gateway, model, history, stream=False, passed=False):
        declared = types.FunctionDeclaration(name=TOOL["name"], description=TOOL["description"],
                                             parameters_json_schema=TOOL["schema"])
        config = types.GenerateContentConfig(
            max_output_tokens=MAX_TOKENS, tools=[types.Tool(function_declarations=[declared])],
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))
        models, asked = gateway.genai().models, dict(model=model, contents=history, config=config)
        answers = list(models.generate_content_stream(**asked)) if stream else [models.generate_content(**asked)]
        found, parts, word = Answer(answers[0].sdk_http_response.headers), [], None
        for answer in answers:
            for candidate in answer.candidates or ():
                parts += (candidate.content.parts if candidate.content else None) or ()
                word = candidate.finish_reason or word
        for part in parts:
            if part.function_call:
                found.meaning.call(part.function_call.name, part.function_call.args)
                found.ids.append(part.function_call.id)
            elif part.text and not part.thought:
                found.meaning.text += part.text
        found.meaning.ended(word.value)
        found.said = [types.Content(role="model", parts=parts)]
        return found


CLIENTS = {"openai": Chat, "responses": Responses, "anthropic": Anthropic, "gemini": Gemini}
