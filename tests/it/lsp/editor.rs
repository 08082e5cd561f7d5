//! A client of the language server, as editors are: it sends what they send, and reads places as they count them.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::{Value, json};

use crate::support::PATIENCE;

/// An editor, as far as the protocol is concerned.
pub(super) struct Editor {
    pub(super) child: Child,
    pub(super) input: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// Notifications that came while an answer was awaited.
    pub(super) notes: VecDeque<Value>,
    last: i64,
}

impl Editor {
    pub(super) fn start() -> Self {
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

    pub(super) fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let input = self.input.as_mut().unwrap();
        write!(input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        input.flush().unwrap();
    }

    pub(super) fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    pub(super) fn request(&mut self, method: &str, params: &Value) -> i64 {
        self.last += 1;
        let id = self.last;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    pub(super) fn answer(&mut self, id: i64) -> Value {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("no answer");
            if message["id"] == id {
                return message;
            }
            self.notes.push_back(message);
        }
    }

    pub(super) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.request(method, params);
        let answer = self.answer(id);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// What is said next of a text: the codes, and the whole notification.
    pub(super) fn said(&mut self, uri: &str) -> (Vec<String>, Value) {
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

    pub(super) fn open(&mut self, uri: &str, text: &str) {
        let document =
            json!({ "uri": uri, "languageId": "switchover", "version": 1, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }));
    }

    pub(super) fn replace(&mut self, uri: &str, version: i64, text: &str) {
        self.tell(
            "textDocument/didChange",
            &json!({ "textDocument": { "uri": uri, "version": version }, "contentChanges": [{ "text": text }] }),
        );
    }

    pub(super) fn at(&mut self, method: &str, uri: &str, line: u32, character: u32) -> Value {
        self.ask(
            method,
            &json!({
                "textDocument": { "uri": uri },
                "position": { "line": line, "character": character },
                "context": { "includeDeclaration": true },
            }),
        )
    }

    pub(super) fn leave(mut self) {
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

pub(super) fn uri(path: &Path) -> String {
    format!("file://{}", path.to_str().unwrap())
}

pub(super) fn position(text: &str, found: &str) -> (u32, u32) {
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
pub(super) fn edited(text: &str, edits: &Value) -> String {
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
