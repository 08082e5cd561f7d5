//! `switchover lsp` as an editor meets it: the binary over standard input and output, driven by a client of its own.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::{Value, json};

use crate::support::PATIENCE;
use crate::support::gateway::Folder;

/// An editor, as far as the protocol is concerned.
struct Editor {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// Notifications that came while an answer was awaited.
    notes: VecDeque<Value>,
    last: i64,
}

impl Editor {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_switchover"))
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        thread::spawn(move || {
            while let Some(message) = message(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut editor = Self {
            input: child.stdin.take(),
            child,
            messages,
            notes: VecDeque::new(),
            last: 0,
        };
        let result = editor.ask(
            "initialize",
            &json!({ "capabilities": {}, "processId": null, "rootUri": null }),
        );
        assert_eq!(result["capabilities"]["positionEncoding"], "utf-16");
        editor.tell("initialized", &json!({}));
        editor
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let input = self.input.as_mut().unwrap();
        write!(input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        input.flush().unwrap();
    }

    fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    fn request(&mut self, method: &str, params: &Value) -> i64 {
        self.last += 1;
        let id = self.last;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    fn answer(&mut self, id: i64) -> Value {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("no answer");
            if message["id"] == id {
                return message;
            }
            self.notes.push_back(message);
        }
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.request(method, params);
        let answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// What is said next of a text: the codes, and the whole notification.
    fn said(&mut self, uri: &str) -> (Vec<String>, Value) {
        loop {
            let note = match self.notes.pop_front() {
                Some(note) => note,
                None => self
                    .messages
                    .recv_timeout(PATIENCE)
                    .expect("nothing is said"),
            };
            let is_it =
                note["method"] == "textDocument/publishDiagnostics" && note["params"]["uri"] == uri;
            if is_it {
                let list = note["params"]["diagnostics"].as_array().unwrap();
                let codes = list
                    .iter()
                    .map(|one| one["code"].as_str().unwrap().to_owned());
                return (codes.collect(), note["params"].clone());
            }
        }
    }

    fn open(&mut self, uri: &str, text: &str) {
        let document =
            json!({ "uri": uri, "languageId": "switchover", "version": 1, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }));
    }

    fn replace(&mut self, uri: &str, version: i64, text: &str) {
        self.tell(
            "textDocument/didChange",
            &json!({ "textDocument": { "uri": uri, "version": version }, "contentChanges": [{ "text": text }] }),
        );
    }

    fn at(&mut self, method: &str, uri: &str, line: u32, character: u32) -> Value {
        self.ask(
            method,
            &json!({
                "textDocument": { "uri": uri },
                "position": { "line": line, "character": character },
                "context": { "includeDeclaration": true },
            }),
        )
    }

    fn leave(mut self) {
        assert_eq!(self.ask("shutdown", &Value::Null), Value::Null);
        self.tell("exit", &Value::Null);
        drop(self.input.take());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

/// A test that fails leaves no process behind.
impl Drop for Editor {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn message(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", value)) => length = value.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.to_str().unwrap())
}

fn position(text: &str, found: &str) -> (u32, u32) {
    let at = text.find(found).unwrap_or_else(|| panic!("no `{found}`"));
    let before = text.get(..at).unwrap();
    let line = before.matches('\n').count();
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let character = before.get(start..).unwrap().encode_utf16().count();
    (
        u32::try_from(line).unwrap(),
        u32::try_from(character).unwrap(),
    )
}

/// A text with the edits of a workspace edit or a list of them.
fn edited(text: &str, edits: &Value) -> String {
    let byte = |position: &Value| {
        let line = usize::try_from(position["line"].as_u64().unwrap()).unwrap();
        let character = position["character"].as_u64().unwrap();
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let mut units = 0;
        let within = text.get(start..).unwrap().char_indices().find(|(_, char)| {
            let here = units >= character || *char == '\n';
            units += char.len_utf16() as u64;
            here
        });
        start + within.map_or(text.len() - start, |(at, _)| at)
    };
    let mut list: Vec<(usize, usize, &str)> = edits
        .as_array()
        .unwrap()
        .iter()
        .map(|edit| {
            let range = &edit["range"];
            (
                byte(&range["start"]),
                byte(&range["end"]),
                edit["newText"].as_str().unwrap(),
            )
        })
        .collect();
    list.sort_unstable();
    let mut text = text.to_owned();
    for (start, end, with) in list.into_iter().rev() {
        text.replace_range(start..end, with);
    }
    text
}

const PLAN: &str = "policy 1\n\n# The main one: “é𝄞”.\nprovider openai { model mini = \"gpt-5-mini\", model big = \"gpt-5\" }\n\
    provider mistral { model small = \"mistral-small-latest\" }\n\
    retries calm { max = 0 }\ndefaults { retries = calm, deadline = 70s }\n\
    route chat when req.header[\"𝄞\"] == \"é\" and req.stream { tier 1 { openai.mini weight 70, openai.big weight 30 }, tier 2 { mistral.small } }\n\
    route default { tier 1 { openai.mini }, tier 2 { mistral.small } }\n\n\
    test \"chat is asked\" {\n  given { req.header[\"𝄞\"] = \"é\", req.stream = true }\n  expect { route = chat }\n}\n\n\
    test \"this one fails\" { expect { target = mistral.small } }\n";

#[test]
fn mistakes_are_said_while_typing_and_cured_by_their_fixes() {
    let folder = Folder::new();
    let uri = uri(&folder.path().join("plan.policy"));
    let mut editor = Editor::start();
    let broken = "policy 1\nprovider openai { model m = \"m\" }\nroute first when req.header[\"𝄞\"] == \"𝄞\" and req.model = \"x\" { tier 1 { openai.m } }\nroute default { reject(404) }\n";
    editor.open(&uri, broken);
    let (codes, note) = editor.said(&uri);
    assert_eq!(codes, ["P0005"]);
    let (line, character) = position(broken, "= \"x\"");
    let start = json!({ "line": line, "character": character });
    assert_eq!(note["diagnostics"][0]["range"]["start"], start);

    let range = json!({ "start": start, "end": start });
    let actions = editor.ask(
        "textDocument/codeAction",
        &json!({ "textDocument": { "uri": uri }, "range": range, "context": { "diagnostics": [] } }),
    );
    assert_eq!(actions[0]["title"], "P0005: write `==`");
    assert_eq!(actions[0]["isPreferred"], true);
    let cured = edited(broken, &actions[0]["edit"]["changes"][&uri]);
    editor.replace(&uri, 2, &cured);
    let (codes, note) = editor.said(&uri);
    assert!(codes.is_empty(), "{note}");
    assert_eq!(note["version"], 2);

    // One keystroke, as a range: behind two units of UTF-16 for one character.
    let (line, character) = position(&cured, "\" and req");
    let here = json!({ "line": line, "character": character });
    editor.tell(
        "textDocument/didChange",
        &json!({
            "textDocument": { "uri": uri, "version": 3 },
            "contentChanges": [{ "range": { "start": here, "end": here }, "text": "\" or req.stream == \"" }],
        }),
    );
    let (codes, _) = editor.said(&uri);
    assert!(codes.contains(&"P1005".to_owned()), "{codes:?}");
    editor.leave();
}

#[test]
fn names_and_words_are_explained() {
    let folder = Folder::new();
    let uri = uri(&folder.path().join("plan.policy"));
    let mut editor = Editor::start();
    editor.open(&uri, PLAN);
    let (codes, note) = editor.said(&uri);
    assert!(codes.is_empty(), "{note}");

    let (line, character) = position(PLAN, "mini weight");
    let hover = editor.at("textDocument/hover", &uri, line, character);
    let text = hover["contents"]["value"].as_str().unwrap();
    assert!(
        text.contains("model `openai.mini`") && text.contains("input") && text.contains("/Mtok"),
        "{text}"
    );
    let (line, character) = position(PLAN, "deadline");
    let hover = editor.at("textDocument/hover", &uri, line, character);
    assert!(
        hover["contents"]["value"]
            .as_str()
            .unwrap()
            .contains("the whole request"),
        "{hover}"
    );
    let (line, character) = position(PLAN, "chat when");
    let hover = editor.at("textDocument/hover", &uri, line, character);
    let text = hover["contents"]["value"].as_str().unwrap();
    assert!(
        text.contains("| `deadline` | `70s` | defaults, line 7 |"),
        "{text}"
    );
    let (line, character) = position(PLAN, "openai { model");
    let hover = editor.at("textDocument/hover", &uri, line, character);
    assert!(
        hover["contents"]["value"]
            .as_str()
            .unwrap()
            .contains("The main one: “é𝄞”."),
        "{hover}"
    );
    let (line, character) = position(PLAN, "req.stream {");
    let hover = editor.at("textDocument/hover", &uri, line, character);
    assert!(
        hover["contents"]["value"]
            .as_str()
            .unwrap()
            .contains("streamed"),
        "{hover}"
    );

    editor.leave();
}

#[test]
fn names_are_found_and_renamed() {
    let folder = Folder::new();
    let uri = uri(&folder.path().join("plan.policy"));
    let mut editor = Editor::start();
    editor.open(&uri, PLAN);
    assert!(editor.said(&uri).0.is_empty());
    let (line, character) = position(PLAN, "mini weight");
    let place = editor.at("textDocument/definition", &uri, line, character);
    let (line, character) = position(PLAN, "mini = ");
    assert_eq!(
        place["range"]["start"],
        json!({ "line": line, "character": character })
    );
    let all = editor.at("textDocument/references", &uri, line, character);
    assert_eq!(all.as_array().unwrap().len(), 3, "{all}");

    let prepared = editor.at("textDocument/prepareRename", &uri, line, character);
    assert_eq!(prepared["placeholder"], "mini");
    let params = |name: &str| json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character }, "newName": name });
    let edit = editor.ask("textDocument/rename", &params("tiny"));
    let renamed = edited(PLAN, &edit["changes"][&uri]);
    assert_eq!(renamed.matches("openai.tiny").count(), 2, "{renamed}");
    assert!(
        renamed.contains("model tiny = \"gpt-5-mini\"") && !renamed.contains("openai.mini"),
        "{renamed}"
    );
    for wrong in ["big", "no name", "when", ""] {
        let id = editor.request("textDocument/rename", &params(wrong));
        assert!(editor.answer(id)["error"]["message"].is_string(), "{wrong}");
    }
    editor.replace(&uri, 2, &renamed);
    let (codes, _) = editor.said(&uri);
    assert!(codes.is_empty(), "{codes:?}");

    let symbols = editor.ask(
        "textDocument/documentSymbol",
        &json!({ "textDocument": { "uri": uri } }),
    );
    let names: Vec<&str> = symbols
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert!(
        names.contains(&"openai.tiny") && names.contains(&"chat"),
        "{names:?}"
    );
    editor.leave();
}

/// The labels that are offered where `|` stands.
fn offered(editor: &mut Editor, uri: &str, version: i64, text: &str) -> Vec<String> {
    let (line, character) = position(text, "|");
    editor.replace(uri, version, &text.replace('|', ""));
    let list = editor.at("textDocument/completion", uri, line, character);
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| item["label"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn what_fits_is_offered() {
    let folder = Folder::new();
    let uri = uri(&folder.path().join("plan.policy"));
    let mut editor = Editor::start();
    editor.open(&uri, "policy 1\n");
    let base = "policy 1\nprovider openai { model mini = \"gpt-5-mini\" }\nretries calm { max = 0 }\nconst teams = [\"a\"]\npool spare { tier 1 { openai.mini } }\n";
    for (version, text, wanted, unwanted) in [
        (2, "ro|", "route", "tier"),
        (3, "route a when re|", "req.model", "target.region"),
        (4, "forbid a when tar|", "target.region", "tier"),
        (5, "route a { ti|", "tier", "provider"),
        (6, "route a { tier 1 { op|", "openai.mini", "deadline"),
        (7, "route a { mid_stream = |", "continue", "route"),
        (8, "defaults { retries = |", "calm", "max"),
        (9, "route a { fallback { on |", "s429", "next"),
        (10, "route a { fallback { on any -> |", "next", "s429"),
        (11, "route a { use |", "pool.spare", "openai.mini"),
        (12, "route a when key.team in |", "teams", "route"),
        (13, "test \"x\" { state { openai = |", "half_open", "tier"),
        (14, "test \"x\" { given { |", "req.model", "tier"),
    ] {
        let labels = offered(&mut editor, &uri, version, &format!("{base}{text}"));
        assert!(
            labels.iter().any(|label| label == wanted),
            "{text}: {labels:?}"
        );
        assert!(
            labels.iter().all(|label| label != unwanted),
            "{text}: {labels:?}"
        );
    }
    assert!(offered(&mut editor, &uri, 20, "policy 1\nalias \"a|").is_empty());
    editor.leave();
}

#[test]
fn texts_are_formatted_and_hinted_and_their_tests_run() {
    let folder = Folder::new();
    let uri = uri(&folder.path().join("plan.policy"));
    let mut editor = Editor::start();
    editor.open(&uri, PLAN);
    let about = json!({ "textDocument": { "uri": uri } });
    let edits = editor.ask("textDocument/formatting", &about);
    let formatted = edited(PLAN, &edits);
    editor.replace(&uri, 2, &formatted);
    assert_eq!(editor.ask("textDocument/formatting", &about), json!([]));

    let whole =
        json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } });
    let hints = editor.ask(
        "textDocument/inlayHint",
        &json!({ "textDocument": { "uri": uri }, "range": whole }),
    );
    let labels: Vec<&str> = hints
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["label"].as_str().unwrap())
        .collect();
    assert_eq!(
        labels,
        ["up to 3 attempts", "70 %", "30 %", "up to 2 attempts"]
    );

    let lenses = editor.ask("textDocument/codeLens", &about);
    let titles: Vec<&str> = lenses
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["command"]["title"].as_str().unwrap())
        .collect();
    assert_eq!(titles.len(), 2);
    assert_eq!(titles[0], "✓ passes");
    assert!(titles[1].starts_with("✗ expected target"), "{titles:?}");
    editor.leave();
}

/// An import is read as it is on the screen, else as it is on the disk; a part of a policy is no policy without routes.
#[test]
fn imports_are_read_from_the_screen_first() {
    let folder = Folder::new();
    let shared = folder.write(
        "shared.policy",
        "policy 1\nprovider openai { model mini = \"m\" }\n",
    );
    let main = folder.write(
        "main.policy",
        "policy 1\nimport \"shared.policy\"\nroute default { tier 1 { openai.tiny } }\n",
    );
    let (shared_uri, main_uri) = (uri(&shared), uri(&main));
    let mut editor = Editor::start();
    editor.open(&main_uri, &std::fs::read_to_string(&main).unwrap());
    assert_eq!(editor.said(&main_uri).0, ["P1002"]);

    let typed = "policy 1\nprovider openai { model tiny = \"m\" }\n";
    editor.open(&shared_uri, typed);
    assert!(editor.said(&main_uri).0.is_empty());
    assert!(editor.said(&shared_uri).0.is_empty());
    let (line, character) = position(typed, "tiny");
    let all = editor.at("textDocument/references", &shared_uri, line, character);
    assert_eq!(all.as_array().unwrap().len(), 2, "{all}");

    editor.replace(
        &shared_uri,
        2,
        "policy 1\nprovider openai { model tiny = }\n",
    );
    assert_eq!(editor.said(&shared_uri).0, ["P0008"]);
    editor.tell(
        "textDocument/didClose",
        &json!({ "textDocument": { "uri": shared_uri } }),
    );
    assert_eq!(editor.said(&main_uri).0, ["P1002"]);

    // Alone on the screen, it still is a part of others.
    editor.tell(
        "textDocument/didClose",
        &json!({ "textDocument": { "uri": main_uri } }),
    );
    assert!(editor.said(&main_uri).0.is_empty());
    editor.open(&shared_uri, typed);
    assert!(editor.said(&shared_uri).0.is_empty());
    editor.leave();
}

/// What waits is looked at once: of many keystrokes only the last text is checked, and what is asked of an older one is not answered.
#[test]
fn changes_that_wait_are_taken_together() {
    let folder = Folder::new();
    let uri = uri(&folder.path().join("plan.policy"));
    let mut editor = Editor::start();
    let mut text = "policy 1\nprovider openai { model m = \"m\" }\n".to_owned();
    for route in 0..300 {
        writeln!(
            text,
            "route r{route} when req.header[\"x\"] == \"{route}\" {{ tier 1 {{ openai.m }} }}"
        )
        .unwrap();
    }
    text.push_str("route default { tier 1 { openai.m } }\n");
    editor.open(&uri, &text);
    assert!(editor.said(&uri).0.is_empty());
    for version in 2..40 {
        editor.replace(&uri, version, &format!("{text}# {version}\n"));
    }
    let id = editor.request(
        "textDocument/hover",
        &json!({ "textDocument": { "uri": uri }, "position": { "line": 1, "character": 10 } }),
    );
    let answer = editor.answer(id);
    assert!(answer["result"]["contents"].is_object(), "{answer}");
    let about = editor
        .notes
        .iter()
        .filter(|note| note["method"] == "textDocument/publishDiagnostics");
    assert!(about.count() < 38);

    let id = editor.request("textDocument/nothing", &json!({}));
    assert_eq!(editor.answer(id)["error"]["code"], -32601);
    let id = editor.request("textDocument/hover", &json!({ "textDocument": 1 }));
    assert_eq!(editor.answer(id)["error"]["code"], -32602);
    editor.leave();
}

#[test]
fn an_editor_that_dies_ends_the_server() {
    let mut editor = Editor::start();
    drop(editor.input.take());
    assert_eq!(editor.child.wait().unwrap().code(), Some(1));
}
