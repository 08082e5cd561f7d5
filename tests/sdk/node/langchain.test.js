// LangChain's chat models over providers of other formats: whole and streamed answers, tools there and back, and answers by a
// schema. tests/sdk/test_langchain_js.py has the cases, and judges what the providers were asked.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatAnthropic } from "@langchain/anthropic";
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatGoogleGenerativeAI } from "@langchain/google-genai";
import { ChatOpenAI } from "@langchain/openai";
import { z } from "zod";
import { CASES, GATEWAY, KEY, report, same, schemaOf, seenBy } from "./support.js";

const usual = { apiKey: KEY, maxRetries: 0 };
const ofOpenAI = { ...usual, timeout: 10_000, configuration: { baseURL: `${GATEWAY}/v1` } };
const MODELS = {
  chat: (model) => new ChatOpenAI({ ...ofOpenAI, model, streamUsage: true }),
  responses: (model) => new ChatOpenAI({ ...ofOpenAI, model, useResponsesApi: true }),
  messages: (model) => new ChatAnthropic({ ...usual, model, anthropicApiUrl: GATEWAY, maxTokens: 50 }),
  gemini: (model) => new ChatGoogleGenerativeAI({ ...usual, model, baseUrl: GATEWAY }),
};

function lookUp(description) {
  const unused = () => assert.fail("no test calls it");
  return tool(unused, { name: "look_up", description, schema: z.object({ what: z.string() }) });
}

/** Whole, or the sum of the pieces. */
async function ask(model, it, history) {
  if (!it.stream) return model.invoke(history);
  let sum;
  let count = 0;
  for await (const piece of await model.stream(history)) {
    sum = sum === undefined ? piece : sum.concat(piece);
    count += 1;
  }
  // Gemini has no pieces of a call.
  assert.ok(count > 1 || it.text === "", "in pieces");
  return sum;
}

/** An answer by a schema, whole, or as far as it came each time. */
async function parsed(chat, it) {
  if (!it.stream) return chat.invoke("hi");
  let last;
  for await (const value of await chat.stream("hi")) last = value;
  return last;
}

/** What LangChain made of it, whoever answered; gives the word for how it ended. */
function read(it, answer) {
  same(it, answer.text, answer.tool_calls.map((call) => [call.name, call.args]));
  assert.ok(answer.tool_calls.every((call) => call.id));
  const used = answer.usage_metadata;
  assert.ok(used.total_tokens >= used.output_tokens && used.output_tokens > 0, JSON.stringify(used));
  const told = answer.response_metadata;
  return told.finish_reason ?? told.finishReason ?? told.stop_reason ?? answer.additional_kwargs.stop_reason ?? told.status;
}

const ASKED = {
  async text(it, model) {
    const [answer, seen] = await seenBy(it.name, () => ask(model, it, "hi"));
    report({ number: it.number, ended: [read(it, answer)], seen });
  },
  /** `bindTools`, calls, their results, and the answer to them, twice. */
  async tools(it, model) {
    const chat = model.bindTools([lookUp(it.description)]);
    const [called] = await seenBy(it.name, () => ask(chat, it, "hi"));
    const ended = [read(it, called)];
    const results = called.tool_calls.map((call, at) => new ToolMessage({ content: it.results[at], tool_call_id: call.id }));
    const [, seen] = await seenBy(it.then.name, async () => {
      for (let time = 0; time < 2; time += 1) {
        ended.push(read(it.then, await ask(chat, it.then, [new HumanMessage("hi"), called, ...results])));
      }
    });
    report({ number: it.number, ended, seen });
  },
  async schema(it, model) {
    const chat = model.withStructuredOutput(schemaOf(it.object), { name: "answer", method: "jsonSchema" });
    const [answer, seen] = await seenBy(it.name, () => parsed(chat, it));
    assert.deepEqual(answer, it.object);
    report({ number: it.number, ended: [], seen });
  },
  async forced(it, model) {
    const chat = model.withStructuredOutput(schemaOf(it.object), { name: it.tool, method: "functionCalling" });
    const [answer, seen] = await seenBy(it.name, () => parsed(chat, it));
    assert.deepEqual(answer, it.object);
    report({ number: it.number, ended: [], seen });
  },
};

CASES.forEach((it, number) => {
  test(`${it.what} ${it.client} ${it.kind} ${it.name}`, () => ASKED[it.what]({ ...it, number }, MODELS[it.client](it.kind)));
});
