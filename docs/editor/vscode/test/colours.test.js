// The grammar and the language's configuration, by the engine of the editor, over the policies that are shipped.
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { before, test } = require("node:test");

const oniguruma = require("vscode-oniguruma");
const { INITIAL, Registry, parseRawGrammar } = require("vscode-textmate");

const FOLDER = path.join(__dirname, "..");
const POLICIES = path.resolve(FOLDER, "../../../policies");
const manifest = require("../package.json");
const [contributed] = manifest.contributes.grammars;
const configuration = require(path.join(FOLDER, manifest.contributes.languages[0].configuration));
const shipped = fs
  .readdirSync(POLICIES, { recursive: true })
  .filter((name) => name.endsWith(".policy"))
  .map((name) => [name, fs.readFileSync(path.join(POLICIES, name), "utf8").split("\n")]);
let grammar;

before(async () => {
  await oniguruma.loadWASM(fs.readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")));
  const onigLib = Promise.resolve({
    createOnigScanner: (sources) => new oniguruma.OnigScanner(sources),
    createOnigString: (text) => new oniguruma.OnigString(text),
  });
  const file = path.join(FOLDER, contributed.path);
  const loadGrammar = async (scope) => (scope === contributed.scopeName ? parseRawGrammar(fs.readFileSync(file, "utf8"), file) : null);
  grammar = await new Registry({ onigLib, loadGrammar }).loadGrammar(contributed.scopeName);
});

// Pieces of a line with the scope of each; what has no colour has none.
function coloured(line) {
  const { tokens, ruleStack } = grammar.tokenizeLine(line, INITIAL);
  assert.equal(ruleStack.depth, 1, `the line leaves something open: ${line}`);
  const pieces = tokens.map(({ startIndex, endIndex, scopes }) => [line.slice(startIndex, endIndex), scopes[1]]);
  return pieces.filter(([text]) => text.trim() !== "");
}

test("each part of a line has its colour", () => {
  assert.deepEqual(coloured('  route eu when req.model == "a # \\" b" and not key.team in teams {  # why "so"'), [
    ["  route", "keyword.control.policy"],
    ["eu", "variable.other.policy"],
    ["when", "keyword.other.clause.policy"],
    ["req.model", "variable.language.fact.policy"],
    ["==", "keyword.operator.policy"],
    ['"a # \\" b"', "string.quoted.double.policy"],
    ["and", "keyword.operator.word.policy"],
    ["not", "keyword.operator.word.policy"],
    ["key.team", "variable.language.fact.policy"],
    ["in", "keyword.operator.word.policy"],
    ["teams", "variable.other.policy"],
    [" {  ", undefined],
    ['# why "so"', "comment.line.number-sign.policy"],
  ]);
});

test("comments, strings and numbers of all shipped policies have theirs", () => {
  assert.ok(shipped.length > 5);
  const seen = new Map();
  for (const [name, lines] of shipped) {
    for (const line of lines) {
      for (const [text, scope] of coloured(line)) {
        seen.set(scope, (seen.get(scope) ?? 0) + 1);
        if (scope === undefined || !/^(comment|string)/.test(scope)) {
          assert.doesNotMatch(text, /["#]/, `${name}: ${line}`);
        }
        if (scope === undefined) {
          assert.doesNotMatch(text, /(^|[^\w.])\d/, `${name}: ${line}`);
        }
      }
    }
  }
  // Each rule of the grammar is of use somewhere.
  const rules = JSON.parse(fs.readFileSync(path.join(FOLDER, contributed.path), "utf8"));
  const names = [rules.patterns, ...Object.values(rules.repository ?? {}).map((one) => one.patterns ?? [one])].flat();
  for (const { name } of names.filter((one) => one.name)) {
    assert.ok(seen.has(name), `nothing has the colour ${name}`);
  }
});

test("the editor indents as the formatter does", () => {
  const { increaseIndentPattern, decreaseIndentPattern } = configuration.indentationRules;
  const [more, less] = [new RegExp(increaseIndentPattern), new RegExp(decreaseIndentPattern)];
  const depth = (line) => line.length - line.trimStart().length;
  for (const [name, lines] of shipped) {
    const code = lines.filter((line) => line.trim() !== "" && !line.trim().startsWith("#"));
    code.slice(1).forEach((line, at) => {
      const before = code[at];
      const where = `${name}: ${before}\n${line}`;
      if (more.test(before) && !less.test(line)) assert.equal(depth(line), depth(before) + 2, where);
      if (less.test(line) && !more.test(before)) assert.ok(depth(line) < depth(before), where);
    });
  }
});
