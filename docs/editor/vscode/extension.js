// Starts `switchover lsp` for policies. Everything that is known of the language is known there.
const { window, workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

// Where the client would only say that it has no server, the reason and what to do about it are said with it.
class Client extends LanguageClient {
  error(message, data, notify) {
    if (notify !== "force" || data === undefined) return super.error(message, data, notify);
    super.error(`${message} ${data.message ?? data}. The setting \`switchover.path\` names the binary.`, undefined, notify);
  }
}

let client;
let outputChannel;

function start() {
  const command = workspace.getConfiguration("switchover").get("path", "switchover");
  client = new Client(
    "switchover",
    "Switchover policies",
    { command, args: ["lsp"] },
    { documentSelector: [{ language: "switchover-policy" }], outputChannel },
  );
  return client.start().catch(() => {}); // the client has said it
}

async function stop() {
  if (client?.needsStop()) await client.stop().catch(() => {});
}

function activate(context) {
  outputChannel = window.createOutputChannel("Switchover policies");
  let turn = start();
  const changed = workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration("switchover.path")) turn = turn.then(stop).then(start);
  });
  context.subscriptions.push(outputChannel, changed);
  return turn;
}

module.exports = { activate, deactivate: stop };
