// The bundle that is shipped, in a stand-in for the editor, with vscode-languageclient and the real server: SWITCHOVER_BIN, or the release build.
const assert = require("node:assert/strict");
const { Module } = require("node:module");
const path = require("node:path");
const { after, before, test } = require("node:test");

const vscode = require("./vscode.js");
const manifest = require("../package.json");

const load = Module._load;
Module._load = (name, ...rest) => (name === "vscode" ? vscode : load(name, ...rest));
const extension = require(path.join(__dirname, "..", manifest.main));

const { stand } = vscode;
const { providers, token } = stand;
const [language] = manifest.contributes.languages;
const TEXT = `policy 1
provider openai { model mini = "gpt-5-mini", model big = "gpt-5" }
route chat when req.modle == "é𝄞" {
  tier 1 { openai.mini weight 3, openai.big }
}
route default { tier 1 { openai.mini } }
test "chat is asked" {
  given { req.model = "é𝄞" }
  expect { route = chat }
}
`;
let document;

before(async () => {
  const repository = path.resolve(__dirname, "../../../..");
  stand.settings["switchover.path"] = path.resolve(process.env.SWITCHOVER_BIN ?? path.join(repository, "target/release/switchover"));
  assert.ok(manifest.activationEvents.includes(`onLanguage:${language.id}`));
  assert.equal(manifest.contributes.grammars[0].language, language.id);
  await extension.activate({ subscriptions: [] });
  document = await stand.open("plan.policy", TEXT, language.id);
});

after(async () => {
  await extension.deactivate();
  assert.deepEqual(stand.output, [], "the server has written to its standard error");
});

test("a mistake is said, and its fix cures it", async () => {
  const [found] = await stand.said(document, (list) => list.length > 0);
  assert.equal(found.code, "P1002");
  assert.equal(found.severity, vscode.DiagnosticSeverity.Error);
  assert.deepEqual(found.range.start, document.find("req.modle"));
  const context = { diagnostics: [found], triggerKind: vscode.CodeActionTriggerKind.Invoke };
  const actions = await providers.registerCodeActionsProvider.provideCodeActions(document, found.range, context, token);
  const [[uri, [edit]]] = actions[0].edit.edits;
  assert.equal(uri, document.uri.toString());
  assert.equal(edit.newText, "req.model");
  await stand.replace(document, "req.modle", edit.newText);
  await stand.said(document, (list) => list.length === 0);
});

test("what stands somewhere is explained and found", async () => {
  const hover = await providers.registerHoverProvider.provideHover(document, document.find("mini weight"), token);
  assert.match([hover.contents].flat().map((one) => one.value).join(), /model `openai\.mini`/);
  const definition = await providers.registerDefinitionProvider.provideDefinition(document, document.find("mini weight"), token);
  assert.deepEqual([definition].flat()[0].range.start, document.find("mini = "));
  const symbols = await providers.registerDocumentSymbolProvider.provideDocumentSymbols(document, token);
  assert.ok(symbols.some((one) => one.name === "chat"));
});

test("hints and verdicts stand in the text", async () => {
  const all = new vscode.Range(0, 0, 99, 0);
  const hints = await providers.registerInlayHintsProvider.provideInlayHints(document, all, token);
  assert.deepEqual(hints.map((one) => one.label), ["up to 3 attempts", "75 %", "25 %", "up to 2 attempts"]);
  const lenses = await providers.registerCodeLensProvider.provideCodeLenses(document, token);
  assert.deepEqual(lenses.map((one) => one.command.title), ["✓ passes"]);
});

test("what fits is offered, and the one style is given", async () => {
  await stand.replace(document, "req.model ==", "req. ==");
  const at = document.positionAt(document.getText().indexOf("req. ==") + 4);
  const context = { triggerKind: vscode.CompletionTriggerKind.TriggerCharacter, triggerCharacter: "." };
  const list = await providers.registerCompletionItemProvider.provideCompletionItems(document, at, token, context);
  assert.ok(list.items.some((one) => one.label === "req.tokens_in"));
  await stand.replace(document, "req. ==", "req.model   ==");
  const options = { tabSize: 2, insertSpaces: true };
  const edits = await providers.registerDocumentFormattingEditProvider.provideDocumentFormattingEdits(document, options, token);
  assert.match(edits[0].newText, /req\.model == "é𝄞"/);
});
