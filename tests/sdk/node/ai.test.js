// Vercel's AI SDK over each of its providers that speaks a format of the gateway's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, jsonSchema, streamText, tool } from "ai";
import { ANYTHING, GATEWAY, KEY, answeredBy, casesFor, same, schemaOf, toolNames } from "./support.js";

const at = { baseURL: `${GATEWAY}/v1`, apiKey: KEY };
const openai = createOpenAI(at);
const MODELS = {
  responses: (kind) => openai(kind),
  chat: (kind) => openai.chat(kind),
  anthropic: createAnthropic(at),
  compatible: createOpenAICompatible({ name: "switchover", ...at }),
};

function asked(model, it) {
  const tools = Object.fromEntries(toolNames(it).map((name) => [name, tool({ inputSchema: jsonSchema(ANYTHING) })]));
  return { model: model(it.kind), prompt: "hi", maxOutputTokens: 50, maxRetries: 0, tools };
}

function calls(found) {
  return found.map((call) => [call.toolName, call.input]);
}

for (const [format, model] of Object.entries(MODELS)) {
  const { whole, streamed, objects } = casesFor(format === "compatible" ? "chat" : format);
  for (const it of whole) {
    test(`generateText ${format} ${it.name}`, async () => {
      const answer = await answeredBy(it, () => generateText(asked(model, it)));
      same(it, answer.text, calls(answer.toolCalls));
    });
  }
  for (const it of streamed) {
    test(`streamText ${format} ${it.name}`, async () => {
      const [text, found] = await answeredBy(it, () => {
        const answer = streamText({ ...asked(model, it), onError() {} });
        return Promise.all([answer.text, answer.toolCalls]);
      });
      same(it, text, calls(found));
    });
  }
  for (const it of objects) {
    test(`generateObject ${format} ${it.name}`, async () => {
      const expected = JSON.parse(it.text);
      const answer = await answeredBy(it, () =>
        generateObject({ model: model(it.kind), prompt: "hi", maxRetries: 0, schema: schemaOf(expected) }));
      assert.deepEqual(answer.object, expected);
    });
  }
}
