// Starts `switchover lsp` for policies. Everything that is known of the language is known there.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function activate() {
  const command = workspace.getConfiguration("switchover").get("path", "switchover");
  client = new LanguageClient(
    "switchover",
    "Switchover policies",
    { command, args: ["lsp"] },
    { documentSelector: [{ language: "switchover-policy" }] },
  );
  return client.start();
}

function deactivate() {
  return client?.stop();
}

module.exports = { activate, deactivate };
