// The official Anthropic SDK of TypeScript: messages whole, and its stream helper.
import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { ANYTHING, GATEWAY, KEY, answeredBy, casesFor, same, schemaOf, toolNames } from "./support.js";

const client = new Anthropic({ baseURL: GATEWAY, apiKey: KEY, maxRetries: 0, timeout: 10_000 });
const { whole, streamed, objects } = casesFor("anthropic");

function asked(it) {
  const tools = toolNames(it).map((name) => ({ name, input_schema: ANYTHING }));
  return { model: it.kind, max_tokens: 50, messages: [{ role: "user", content: "hi" }], tools };
}

function sameMessage(it, message) {
  const text = message.content.filter((block) => block.type === "text").map((block) => block.text).join("");
  const calls = message.content.filter((block) => block.type === "tool_use");
  assert.ok(calls.every((call) => call.id));
  same(it, text, calls.map((call) => [call.name, call.input]));
}

for (const it of whole) {
  test(`messages ${it.name}`, async () => {
    sameMessage(it, await answeredBy(it, () => client.messages.create(asked(it))));
  });
}

for (const it of streamed) {
  test(`messages stream helper ${it.name}`, async () => {
    sameMessage(it, await answeredBy(it, () => client.messages.stream(asked(it)).finalMessage()));
  });
}

for (const it of objects) {
  test(`messages parse ${it.name}`, async () => {
    const expected = JSON.parse(it.text);
    const answer = await answeredBy(it, () => client.messages.parse({
      model: it.kind,
      max_tokens: 50,
      messages: [{ role: "user", content: "hi" }],
      output_config: { format: zodOutputFormat(schemaOf(expected)) },
    }));
    assert.deepEqual(answer.parsed_output, expected);
  });
}
