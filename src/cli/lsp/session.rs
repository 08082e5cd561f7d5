//! What is open, what is known of it, and the loop that answers.

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::lsp::document::{Change, Documents, key_of};
use crate::cli::lsp::{answer, notes};
use crate::policy::Files;
use crate::policy::editor::{Memory, Symbols, Texts};

/// Texts of no use any more, in bytes, above which a new session begins.
const WASTE_MAX: usize = 32 * 1024 * 1024;

/// Policies of up to so many bytes are looked at as a whole with each change: that takes less time than anybody notices. Larger ones are
/// glanced at, and looked at when nothing has come for a [`PAUSE`].
const AT_ONCE_MAX: usize = 256 * 1024;

/// How long an editor is silent when its author stops to think.
const PAUSE: Duration = Duration::from_millis(200);

/// Why a session is over.
pub(super) enum Next {
    /// Another one goes on.
    Renew,
    /// The editor leaves; `asked` if it said so before, as it must.
    End {
        /// Whether it has asked for it.
        asked: bool,
    },
}

/// A policy that is open, with all that it imports.
pub(super) struct Root<'t> {
    pub(super) memory: Memory<'t>,
    /// Whether its text has changed since.
    stale: bool,
    /// Whether the whole of it was looked at, rather than its items.
    whole: bool,
    /// Of what is loaded, once they are asked for.
    pub(super) symbols: OnceCell<Symbols>,
    /// What its tests came to: the line, and what is said of it.
    pub(super) verdicts: Option<Vec<answer::Lens>>,
    /// The paths of its files.
    covers: Vec<String>,
}

pub(super) struct Session<'c, 't, 'd> {
    messages: &'c Receiver<Message>,
    send: &'c dyn Fn(Message),
    texts: &'t Texts,
    pub(super) documents: &'d mut Documents,
    roots: BTreeMap<String, Root<'t>>,
    /// What was said last, by path.
    published: BTreeMap<String, Vec<Value>>,
    /// Whether there is something that was not said yet.
    news: bool,
    leaving: bool,
}

#[derive(Deserialize)]
struct TextDocument {
    uri: String,
    text: Option<String>,
    version: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DocumentParams {
    text_document: TextDocument,
    #[serde(default)]
    content_changes: Vec<Change>,
}

impl<'c, 't, 'd> Session<'c, 't, 'd> {
    pub(super) fn new(
        messages: &'c Receiver<Message>,
        send: &'c dyn Fn(Message),
        texts: &'t Texts,
        documents: &'d mut Documents,
    ) -> Self {
        let mut session = Self {
            messages,
            send,
            texts,
            documents,
            roots: BTreeMap::new(),
            published: BTreeMap::new(),
            news: false,
            leaving: false,
        };
        for key in session.documents.keys() {
            session.root(key);
        }
        session
    }

    /// Until the editor leaves, or the texts are to be renewed.
    pub(super) fn run(mut self) -> Next {
        let mut waiting = VecDeque::new();
        self.publish();
        loop {
            if !self.wait(&mut waiting) {
                return Next::End {
                    asked: self.leaving,
                };
            }
            let cancelled = cancelled(&waiting);
            while let Some(message) = waiting.pop_front() {
                match message {
                    Message::Request(request) => {
                        let stale = is_stale(&request, &waiting);
                        self.request(request, &cancelled, stale);
                    }
                    Message::Notification(note) if note.method == "exit" => {
                        return Next::End {
                            asked: self.leaving,
                        };
                    }
                    Message::Notification(note) => self.notified(note),
                    Message::Response(_) => {}
                }
            }
            self.publish();
            let live: usize = self.roots.values().map(|root| root.memory.live()).sum();
            if !self.leaving && self.texts.bytes() > 2 * live + WASTE_MAX {
                return Next::Renew;
            }
        }
    }

    /// Takes all messages that are there, and waits for one. Where none comes for a while, what was only glanced at is looked at, and there
    /// may be none. False if the editor is gone.
    fn wait(&mut self, waiting: &mut VecDeque<Message>) -> bool {
        let settled = self.roots.values().all(|root| root.whole);
        let first = if settled {
            self.messages.recv().map_err(RecvTimeoutError::from)
        } else {
            self.messages.recv_timeout(PAUSE)
        };
        match first {
            Ok(message) => waiting.push_back(message),
            Err(RecvTimeoutError::Timeout) => waiting.extend(self.settle()),
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        waiting.extend(self.messages.try_iter());
        true
    }

    /// Looks at the whole of what was only glanced at, until a message comes.
    fn settle(&mut self) -> Option<Message> {
        let came = Cell::new(None);
        let stop = || match self.messages.try_recv() {
            Ok(message) => {
                came.set(Some(message));
                true
            }
            Err(_) => false,
        };
        for (key, root) in &mut self.roots {
            if root.whole {
                continue;
            }
            root.whole = root.memory.look(self.documents, key, &stop);
            if !root.whole {
                break;
            }
            self.news = true;
        }
        came.take()
    }

    fn request(&mut self, request: Request, cancelled: &BTreeSet<RequestId>, stale: bool) {
        let Request { id, method, params } = request;
        let refuse =
            |code: ErrorCode, why: &str| Response::new_err(id.clone(), code as i32, why.to_owned());
        let response = if cancelled.contains(&id) {
            refuse(ErrorCode::RequestCanceled, "cancelled")
        } else if self.leaving {
            refuse(ErrorCode::InvalidRequest, "the session is over")
        } else if method == "shutdown" {
            self.leaving = true;
            Response::new_ok(id, Value::Null)
        } else if stale {
            refuse(ErrorCode::ContentModified, "the text has changed meanwhile")
        } else {
            match answer::answer(self, &method, params) {
                Ok(result) => Response::new_ok(id, result),
                Err(answer::Refusal::Unknown) => refuse(
                    ErrorCode::MethodNotFound,
                    &format!("no such request: {method}"),
                ),
                Err(answer::Refusal::Params(why)) => refuse(ErrorCode::InvalidParams, &why),
            }
        };
        (self.send)(response.into());
    }

    fn notified(&mut self, note: Notification) {
        let Ok(params) = serde_json::from_value::<DocumentParams>(note.params) else {
            return;
        };
        let TextDocument { uri, text, version } = params.text_document;
        let key = key_of(&uri);
        match &*note.method {
            "textDocument/didOpen" => {
                self.documents.open(&uri, text.unwrap_or_default(), version);
                self.root(key.clone());
            }
            "textDocument/didChange" => {
                self.documents.change(&key, params.content_changes, version);
            }
            "textDocument/didClose" => {
                self.documents.close(&key);
                self.roots.remove(&key);
            }
            _ => return,
        }
        for (name, root) in &mut self.roots {
            if *name == key || root.covers.contains(&key) || note.method == "textDocument/didOpen" {
                root.stale = true;
            }
        }
        // What was published of a policy that is closed is taken back with the next look.
        self.published.entry(key).or_default();
    }

    fn root(&mut self, key: String) {
        let root = Root {
            memory: Memory::new(self.texts),
            stale: true,
            whole: false,
            symbols: OnceCell::new(),
            verdicts: None,
            covers: Vec::new(),
        };
        self.roots.insert(key, root);
    }

    /// The policy that a file belongs to: another one that imports it, or itself.
    fn owner(&self, key: &str) -> Option<String> {
        let others = self.roots.iter().filter(|(name, _)| *name != key);
        let imports = |(_, root): &(&String, &Root<'t>)| root.covers.iter().any(|path| path == key);
        let owner = others.into_iter().find(imports).map(|(name, _)| name);
        owner
            .or_else(|| self.roots.get_key_value(key).map(|(name, _)| name))
            .cloned()
    }

    /// All that is known of the policy that a file belongs to, and the file's number in it.
    pub(super) fn look(&mut self, uri: &str) -> Option<(&mut Root<'t>, u16)> {
        let key = key_of(uri);
        self.reload();
        let owner = self.owner(&key)?;
        let root = self.roots.get_mut(&owner)?;
        let files = &root.memory.loaded()?.diagnostics.files;
        let file = (0..u16::try_from(files.len()).ok()?).find(|file| files.name(*file) == key)?;
        Some((root, file))
    }

    /// Loads what has changed.
    fn reload(&mut self) {
        for (key, root) in &mut self.roots {
            if !root.stale {
                continue;
            }
            let large = root.memory.live() > AT_ONCE_MAX && root.memory.loaded().is_some();
            root.whole = !large && root.memory.look(self.documents, key, &|| false);
            if !root.whole {
                root.memory.glance(self.documents, key);
            }
            let files = root.memory.loaded().map(|loaded| &loaded.diagnostics.files);
            root.covers = files.map(Files::names).unwrap_or_default();
            root.stale = false;
            root.symbols = OnceCell::new();
            root.verdicts = None;
            self.news = true;
        }
    }

    /// Says of each file what is new to say.
    fn publish(&mut self) {
        let stale: Vec<String> = self.published.keys().cloned().collect();
        self.reload();
        if !std::mem::take(&mut self.news) && stale.iter().all(|key| self.roots.contains_key(key)) {
            return;
        }
        let mut now: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for (key, root) in &self.roots {
            let Some(loaded) = root.memory.loaded() else {
                continue;
            };
            let part = !Symbols::has_route(&root.memory);
            for (path, found) in notes::by_file(&loaded.diagnostics, part) {
                if path == *key && self.owner(key).is_some_and(|owner| owner != *key) {
                    continue;
                }
                let list = now.entry(path).or_default();
                list.extend(found);
            }
        }
        if self.roots.len() > 1 {
            // Two policies that import a file say the same of it.
            for list in now.values_mut() {
                let mut seen = BTreeSet::new();
                list.retain(|note| seen.insert(note.to_string()));
            }
        }
        for key in self.roots.keys() {
            now.entry(key.clone()).or_default();
        }
        for key in stale {
            now.entry(key).or_default();
        }
        for (path, found) in &now {
            if self.published.get(path) == Some(found)
                && self.roots.contains_key(path)
                && !found.is_empty()
            {
                continue;
            }
            let document = self.documents.get(path);
            let uri =
                document.map_or_else(|| notes::uri_of_path(path), |document| document.uri.clone());
            let params = json!({
                "uri": uri,
                "version": document.and_then(|document| document.version),
                "diagnostics": found,
            });
            let note = Notification::new("textDocument/publishDiagnostics".to_owned(), params);
            (self.send)(note.into());
        }
        // Files that are closed and of which nothing is left to say are forgotten.
        let roots = &self.roots;
        now.retain(|path, found| roots.contains_key(path) || !found.is_empty());
        self.published = now;
    }
}

/// The requests that the editor has taken back.
fn cancelled(waiting: &VecDeque<Message>) -> BTreeSet<RequestId> {
    let ids = waiting.iter().filter_map(|message| match message {
        Message::Notification(note) if note.method == "$/cancelRequest" => {
            serde_json::from_value(note.params.get("id")?.clone()).ok()
        }
        _ => None,
    });
    ids.collect()
}

/// Whether the text that a request is about changes before it could be answered: the answer would be about another one.
fn is_stale(request: &Request, waiting: &VecDeque<Message>) -> bool {
    let uri = |params: &Value| params.pointer("/textDocument/uri").cloned();
    let Some(about) = uri(&request.params) else {
        return false;
    };
    waiting.iter().any(|message| match message {
        Message::Notification(note) => {
            note.method == "textDocument/didChange" && uri(&note.params).as_ref() == Some(&about)
        }
        _ => false,
    })
}
