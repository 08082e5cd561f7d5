//! `switchover lsp`: what an editor needs to know of policies, by the Language Server Protocol 3.17 over standard input and output.
//!
//! One thread looks at policies, in one loop: messages are taken as they come, changes that wait are made before anything is looked at, and what is
//! said of a policy is looked up once for all of them. Nothing here knows the language: that is `policy::editor`.

mod answer;
mod document;
mod notes;
mod position;
mod session;

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use lsp_server::{Connection, Message};
use serde_json::{Value, json};

use crate::cli::Exit;
use crate::cli::terminal::Terminal;
use crate::policy::editor::Texts;

use self::document::Documents;
use self::session::{Next, Session};

/// Messages that may wait; with more, the editor does.
const WAITING_MAX: usize = 1024;

/// Serves one editor until it leaves.
pub(super) fn run(terminal: &mut Terminal) -> Exit {
    let (connection, threads) = Connection::stdio();
    let exit = match greet(&connection) {
        Ok(()) => serve(connection),
        Err(error) => {
            drop(connection);
            terminal.tell(&format!("switchover: no editor speaks here: {error}\n"));
            return Exit::Usage;
        }
    };
    // The writer ends with the last sender, the reader with standard input.
    match threads.join() {
        Ok(()) => exit,
        Err(error) => {
            terminal.tell(&format!("switchover: the editor is gone: {error}\n"));
            exit.max(Exit::Findings)
        }
    }
}

fn greet(connection: &Connection) -> Result<(), lsp_server::ProtocolError> {
    let (id, _) = connection.initialize_start()?;
    let result = json!({
        "capabilities": capabilities(),
        "serverInfo": { "name": "switchover", "version": env!("CARGO_PKG_VERSION") },
    });
    connection.initialize_finish(id, result)
}

fn capabilities() -> Value {
    json!({
        "positionEncoding": "utf-16",
        "textDocumentSync": { "openClose": true, "change": 2 },
        "hoverProvider": true,
        "completionProvider": { "triggerCharacters": [".", "{", "=", ">", " "] },
        "definitionProvider": true,
        "referencesProvider": true,
        "renameProvider": { "prepareProvider": true },
        "documentSymbolProvider": true,
        "documentFormattingProvider": true,
        "codeActionProvider": { "codeActionKinds": ["quickfix"] },
        "inlayHintProvider": true,
        "codeLensProvider": { "resolveProvider": false },
    })
}

/// The connection hands over one message at a time. They wait here instead, so that the loop sees all that there are.
fn serve(connection: Connection) -> Exit {
    let Connection { sender, receiver } = connection;
    let (queue, messages) = sync_channel(WAITING_MAX);
    let fetcher = thread::spawn(move || {
        for message in receiver {
            if queue.send(message).is_err() {
                return;
            }
        }
    });
    // An editor that is gone is noticed where its messages end.
    let asked = sessions(&messages, &|message| drop(sender.send(message)));
    drop(messages);
    // It cannot panic, and ends with its channel.
    let _ = fetcher.join();
    if asked { Exit::Fine } else { Exit::Findings }
}

/// A session remembers parsed items in texts that only grow; when most of those are of no use any more, the next one begins. Whether
/// the editor asked for the end.
fn sessions(messages: &Receiver<Message>, send: &dyn Fn(Message)) -> bool {
    let mut documents = Documents::default();
    loop {
        let texts = Texts::new();
        match Session::new(messages, send, &texts, &mut documents).run() {
            Next::Renew => {}
            Next::End { asked } => return asked,
        }
    }
}
