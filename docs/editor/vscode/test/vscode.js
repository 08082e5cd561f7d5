// As much of the module `vscode` as the extension and vscode-languageclient touch, with no editor behind it: documents that tests open and
// change, and the providers that the client registers, which tests ask as the editor would.
const path = require("node:path");

class Disposable {
  constructor(dispose = () => {}) {
    this.dispose = dispose;
  }
}

class EventEmitter {
  listeners = new Set();
  event = (listener, self) => {
    const bound = listener.bind(self);
    this.listeners.add(bound);
    return new Disposable(() => this.listeners.delete(bound));
  };
  async fire(event) {
    for (const listener of this.listeners) await listener(event);
  }
  dispose() {
    this.listeners.clear();
  }
}

class CancellationTokenSource {
  token = { isCancellationRequested: false, onCancellationRequested: () => new Disposable() };
  cancel() {}
  dispose() {}
}

class CancellationError extends Error {}

class Position {
  constructor(line, character) {
    Object.assign(this, { line, character });
  }
}

class Range {
  constructor(...ends) {
    const [startLine, start, endLine, end] = ends;
    this.start = ends.length === 2 ? ends[0] : new Position(startLine, start);
    this.end = ends.length === 2 ? ends[1] : new Position(endLine, end);
  }
}

class Uri {
  constructor(text) {
    const { protocol, pathname } = new URL(text);
    Object.assign(this, { text, scheme: protocol.slice(0, -1), path: decodeURIComponent(pathname) });
    this.fsPath = this.path;
  }
  static parse = (text) => new Uri(text);
  static file = (file) => new Uri(require("node:url").pathToFileURL(file).href);
  toString() {
    return this.text;
  }
}

class Document {
  version = 1;
  isClosed = false;
  constructor(uri, languageId, text) {
    Object.assign(this, { uri, languageId, text, fileName: uri.fsPath });
  }
  getText() {
    return this.text;
  }
  offsetAt({ line, character }) {
    const before = this.text.split("\n").slice(0, line);
    return before.reduce((sum, one) => sum + one.length + 1, character);
  }
  positionAt(offset) {
    const before = this.text.slice(0, offset).split("\n");
    return new Position(before.length - 1, before.at(-1).length);
  }
  // Where a piece of the text begins.
  find(piece) {
    return this.positionAt(this.text.indexOf(piece));
  }
}

/// Values that carry what they are made with, in these fields.
const record = (...fields) =>
  class {
    constructor(...values) {
      fields.forEach((field, at) => values[at] === undefined || (this[field] = values[at]));
    }
  };

class MarkdownString extends record("value") {
  appendMarkdown(text) {
    this.value = (this.value ?? "") + text;
    return this;
  }
}

const enumeration = (...names) => Object.fromEntries(names.map((name, at) => [name, at]));
const kind = (value) => ({ value, append: (more) => kind(`${value}.${more}`) });
const kinds = (...names) => ({
  Empty: kind(""),
  ...Object.fromEntries(names.map((name) => [name, kind(name[0].toLowerCase() + name.slice(1))])),
});

const events = {};
const event = (name) => (events[name] = new EventEmitter()).event;
// What the client has registered, by the name of the call: `registerHoverProvider` and the like.
const providers = {};
const diagnostics = new Map();
const said = new EventEmitter();
const settings = {};
const output = [];

const workspace = {
  textDocuments: [],
  notebookDocuments: [],
  workspaceFolders: undefined,
  getWorkspaceFolder: () => undefined,
  getConfiguration: (section) => ({
    get: (key, otherwise) => settings[section ? `${section}.${key}` : key] ?? otherwise,
  }),
  createFileSystemWatcher: () => new Disposable(),
};
for (const name of [
  "onDidChangeConfiguration", "onDidChangeTextDocument", "onDidChangeWorkspaceFolders", "onDidCloseNotebookDocument",
  "onDidChangeNotebookDocument", "onDidCloseTextDocument", "onDidCreateFiles", "onDidDeleteFiles", "onDidOpenNotebookDocument",
  "onDidOpenTextDocument", "onDidRenameFiles", "onDidSaveNotebookDocument", "onDidSaveTextDocument", "onWillCreateFiles",
  "onWillDeleteFiles", "onWillRenameFiles", "onWillSaveTextDocument",
]) {
  workspace[name] = event(name);
}

const channel = { append: (text) => output.push(text), appendLine: (text) => output.push(`${text}\n`), show() {}, dispose() {} };
const complain = (text) => Promise.reject(new Error(`the extension complains: ${text}`));
const window = {
  activeTextEditor: undefined,
  tabGroups: { all: [], onDidChangeTabs: event("onDidChangeTabs") },
  onDidChangeActiveTextEditor: event("onDidChangeActiveTextEditor"),
  createOutputChannel: () => channel,
  showErrorMessage: complain,
  showWarningMessage: complain,
  showInformationMessage: complain,
};

const matches = (filter, document) =>
  [filter].flat().some((one) => one === document.languageId || one.language === document.languageId);

const languages = new Proxy(
  {
    match: (filter, document) => (matches(filter, document) ? 10 : 0),
    createDiagnosticCollection: () => ({
      set(uri, list) {
        diagnostics.set(uri.toString(), list ?? []);
        said.fire(uri.toString());
      },
      delete: (uri) => diagnostics.delete(uri.toString()),
      clear: () => diagnostics.clear(),
      dispose() {},
    }),
  },
  {
    get: (own, name) =>
      own[name] ??
      ((selector, provider) => {
        providers[name] = provider;
        return new Disposable(() => delete providers[name]);
      }),
  },
);

module.exports = {
  version: "1.82.0",
  Disposable, EventEmitter, CancellationTokenSource, CancellationError, Position, Range, Uri, MarkdownString,
  Diagnostic: record("range", "message", "severity"),
  DiagnosticRelatedInformation: record("location", "message"),
  Location: record("uri", "range"),
  Hover: record("contents", "range"),
  CompletionItem: record("label", "kind"),
  CompletionList: record("items", "isIncomplete"),
  SnippetString: record("value"),
  TextEdit: class extends record("range", "newText") {
    static replace = (range, text) => new this(range, text);
  },
  CodeAction: record("title", "kind"),
  CodeLens: record("range", "command"),
  InlayHint: record("position", "label", "kind"),
  InlayHintLabelPart: record("value"),
  DocumentLink: record("range", "target"),
  DocumentSymbol: record("name", "detail", "kind", "range", "selectionRange"),
  SymbolInformation: record("name", "kind", "containerName", "location"),
  CallHierarchyItem: record("kind", "name"),
  TypeHierarchyItem: record("kind", "name"),
  WorkspaceEdit: class {
    edits = [];
    set(uri, edits) {
      this.edits.push([uri.toString(), edits]);
    }
  },
  DiagnosticSeverity: enumeration("Error", "Warning", "Information", "Hint"),
  DiagnosticTag: { Unnecessary: 1, Deprecated: 2 },
  CompletionItemKind: enumeration("Text", "Method"),
  CompletionItemTag: { Deprecated: 1 },
  CompletionTriggerKind: enumeration("Invoke", "TriggerCharacter", "TriggerForIncompleteCompletions"),
  CodeActionTriggerKind: { Invoke: 1, Automatic: 2 },
  SignatureHelpTriggerKind: { Invoke: 1, TriggerCharacter: 2, ContentChange: 3 },
  TextDocumentSaveReason: { Manual: 1, AfterDelay: 2, FocusOut: 3 },
  SymbolKind: enumeration("File", "Module"),
  SymbolTag: { Deprecated: 1 },
  DocumentHighlightKind: enumeration("Text", "Read", "Write"),
  FileType: enumeration("Unknown", "File", "Directory"),
  ProgressLocation: { SourceControl: 1, Window: 10, Notification: 15 },
  FoldingRangeKind: kinds("Comment", "Imports", "Region"),
  CodeActionKind: kinds("QuickFix", "Refactor", "RefactorExtract", "RefactorInline", "RefactorRewrite", "Source", "SourceOrganizeImports"),
  env: { appName: "a stand-in", language: "en", openExternal: complain },
  commands: { registerCommand: () => new Disposable() },
  extensions: { getExtension: () => undefined, all: [] },
  workspace,
  window,
  languages,

  /// What tests have beside what extensions see.
  stand: {
    settings,
    providers,
    output,
    token: new CancellationTokenSource().token,
    async open(file, text, language) {
      const document = new Document(Uri.file(path.resolve(file)), language, text);
      workspace.textDocuments.push(document);
      await events.onDidOpenTextDocument.fire(document);
      return document;
    },
    async replace(document, piece, text) {
      const start = document.find(piece);
      const range = new Range(start, document.positionAt(document.offsetAt(start) + piece.length));
      document.text = document.text.replace(piece, () => text);
      document.version += 1;
      const contentChanges = [{ range, rangeLength: piece.length, text }];
      await events.onDidChangeTextDocument.fire({ document, contentChanges, reason: undefined });
    },
    // What is said of a document, once it is so.
    said: (document, holds) =>
      new Promise((resolve) => {
        const look = () => {
          const list = diagnostics.get(document.uri.toString());
          if (list !== undefined && holds(list)) {
            listening.dispose();
            resolve(list);
          }
        };
        const listening = said.event(look);
        look();
      }),
  },
};
