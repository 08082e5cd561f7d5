// The official OpenAI SDK of Node: Chat Completions whole, streamed, with its helpers, and Responses.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { ANYTHING, GATEWAY, KEY, answeredBy, casesFor, same, schemaOf, toolNames } from "./support.js";

const client = new OpenAI({ baseURL: `${GATEWAY}/v1`, apiKey: KEY, maxRetries: 0, timeout: 10_000 });
const asChat = casesFor("chat");
const asResponses = casesFor("responses");

function chat(it) {
  return {
    model: it.kind,
    messages: [{ role: "user", content: "hi" }],
    max_tokens: 50,
    tools: toolNames(it).map((name) => ({ type: "function", function: { name, parameters: ANYTHING } })),
  };
}

function responses(it) {
  const tools = toolNames(it).map((name) => ({ type: "function", name, parameters: ANYTHING, strict: false }));
  return { model: it.kind, input: "hi", max_output_tokens: 50, store: false, tools };
}

function sameMessage(it, message) {
  const calls = message.tool_calls ?? [];
  assert.ok(calls.every((call) => call.id));
  same(it, message.content ?? "", calls.map((call) => [call.function.name, JSON.parse(call.function.arguments || "{}")]));
}

function sameResponse(it, answer) {
  const calls = answer.output.filter((item) => item.type === "function_call");
  assert.ok(calls.every((call) => call.call_id));
  same(it, answer.output_text, calls.map((call) => [call.name, JSON.parse(call.arguments)]));
}

for (const it of asChat.whole) {
  test(`chat ${it.name}`, async () => {
    const answer = await answeredBy(it, () => client.chat.completions.create(chat(it)));
    sameMessage(it, answer.choices[0].message);
  });
}

for (const it of asResponses.whole) {
  test(`responses ${it.name}`, async () => {
    sameResponse(it, await answeredBy(it, () => client.responses.create(responses(it))));
  });
}

for (const it of asChat.streamed) {
  test(`chat stream helper ${it.name}`, async () => {
    const answer = await answeredBy(it, () => client.chat.completions.stream(chat(it)).finalChatCompletion());
    sameMessage(it, answer.choices[0].message);
  });
}

for (const it of asResponses.streamed) {
  test(`responses stream helper ${it.name}`, async () => {
    sameResponse(it, await answeredBy(it, () => client.responses.stream(responses(it)).finalResponse()));
  });
}

// What the SDK parses is held against the schema; strings and structure, nothing left out.
for (const it of asChat.objects) {
  test(`chat parse ${it.name}`, async () => {
    const expected = JSON.parse(it.text);
    const answer = await answeredBy(it, () => client.chat.completions.parse({
      model: it.kind,
      messages: [{ role: "user", content: "hi" }],
      response_format: zodResponseFormat(schemaOf(expected), "answer"),
    }));
    assert.deepEqual(answer.choices[0].message.parsed, expected);
  });
}

for (const it of asResponses.objects) {
  test(`responses parse ${it.name}`, async () => {
    const expected = JSON.parse(it.text);
    const answer = await answeredBy(it, () => client.responses.parse({
      model: it.kind,
      input: "hi",
      text: { format: zodTextFormat(schemaOf(expected), "answer") },
    }));
    assert.deepEqual(answer.output_parsed, expected);
  });
}
