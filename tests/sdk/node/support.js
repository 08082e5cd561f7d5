// What the tests share: where the gateway and the stand-in provider are, and what each recording says. tests/sdk/test_node.py
// starts both and writes the cases, so that the expected meaning is read by the same code as for the Python SDKs.
import assert from "node:assert/strict";
import { appendFileSync, readFileSync } from "node:fs";
import { z } from "zod";

function needed(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run these tests with pytest tests/sdk/test_node.py`);
  return value;
}

export const GATEWAY = needed("SWITCHOVER_TEST_GATEWAY");
export const KEY = needed("SWITCHOVER_TEST_KEY");
const STAND_IN = needed("SWITCHOVER_TEST_STAND_IN");
export const CASES = JSON.parse(readFileSync(needed("SWITCHOVER_TEST_CASES"), "utf8"));

/** The cases for a client of this format: whole answers, streamed ones, and whole ones that are a JSON object. */
export function casesFor(format) {
  const read = CASES.filter((it) => it.unread !== format);
  const whole = read.filter((it) => !it.stream);
  const streamed = read.filter((it) => it.stream);
  const objects = whole.filter((it) => it.calls.length === 0 && isObject(it.text));
  assert.ok(whole.length > 10 && streamed.length > 10 && objects.length > 0, "too few recordings");
  return { whole, streamed, objects };
}

function isObject(text) {
  try {
    const value = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

async function control(path, body) {
  const answer = await fetch(STAND_IN + path, body === undefined ? {} : { method: "POST", body });
  assert.equal(answer.status, 200);
  return answer.json();
}

/** Answers everything with this recording, runs `ask`, and gives what it found and what the provider was asked. */
export async function seenBy(name, ask) {
  await control("/__reset", "");
  await control("/__serve", name);
  const found = await ask();
  return [found, await control("/__log")];
}

/** Answers everything with this recording, and runs `ask`; the provider must have been asked exactly once. */
export async function answeredBy(it, ask) {
  const [found, seen] = await seenBy(it.name, ask);
  assert.equal(seen.length, 1, "one attempt");
  return found;
}

/** For the Python side, which knows how each provider's requests are read. */
export function report(value) {
  appendFileSync(needed("SWITCHOVER_TEST_REPORT"), `${JSON.stringify(value)}\n`);
}

/** The names of the tools that the recorded answer calls, and one more: an SDK checks calls against them. */
export function toolNames(it) {
  return [...new Set(["look_up", ...it.calls.map(([name]) => name)])];
}

export const ANYTHING = { type: "object", properties: { what: { type: "string" } } };

export function same(it, text, calls) {
  assert.equal(text, it.text);
  assert.deepEqual(calls, it.calls);
}

/** The schema that an application would have written for such an answer: these fields, of these types. */
export function schemaOf(value) {
  if (Array.isArray(value)) return z.array(schemaOf(value[0]));
  if (typeof value !== "object") return { string: z.string(), number: z.number(), boolean: z.boolean() }[typeof value];
  return z.object(Object.fromEntries(Object.entries(value).map(([field, it]) => [field, schemaOf(it)])));
}
