//! `switchover lsp` as an editor meets it: the binary over standard input and output, driven by a client of its own.

mod editor;

use std::fmt::Write as _;

use serde_json::json;

use crate::support::gateway::Folder;

use self::editor::{Editor, edited, position, uri};

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

/// A policy so large that it is glanced at while its author writes: what each item says is said at once, what only a look at the whole can tell
/// when he pauses. Until then what was said of the whole before is carried along.
#[test]
fn large_policies_are_glanced_at_first() {
    let folder = Folder::new();
    let uri = uri(&folder.path().join("plan.policy"));
    let mut text =
        "policy 1\nconst spare = 5s\nprovider openai { model mini = \"gpt-5-mini\" }\n".to_owned();
    let padding = "No. ".repeat(12_000);
    for number in 0..6 {
        let _ = writeln!(
            text,
            "route r{number} when req.model == \"m{number}\" {{ reject(404, \"{padding}\") }}"
        );
    }
    text.push_str(
        "route first when req.stream and req.model == \"m\" { tier 1 { openai.mini } }\n\
         route last when req.stream { tier 1 { openai.mini } }\nroute default { tier 1 { openai.mini } }\n",
    );
    let mut editor = Editor::start();
    editor.open(&uri, &text);
    let (codes, note) = editor.said(&uri);
    assert_eq!(codes, ["P1010"], "{note}");
    let (line, character) = position(&text, "{ tier 1 { openai.mini } }\nroute default");
    let at = |character: u32| json!({ "line": line, "character": character });
    let put = |editor: &mut Editor, version: i64, end: u32, new: &str| {
        let range = json!({ "start": at(character), "end": at(end) });
        editor.tell(
            "textDocument/didChange",
            &json!({
                "textDocument": { "uri": uri, "version": version },
                "contentChanges": [{ "range": range, "text": new }],
            }),
        );
    };
    // A mistake of the item that is written; the unused const of before is not forgotten.
    put(&mut editor, 2, character, "and req.modle == \"x\" ");
    let (codes, note) = editor.said(&uri);
    assert_eq!(codes, ["P1010", "P1002"], "{note}");
    // With a mistake somewhere nothing is called unused.
    assert_eq!(editor.said(&uri).0, ["P1002"]);
    let wrong = u32::try_from("and req.modle == \"x\" ".len()).unwrap();
    put(&mut editor, 3, character + wrong, "and req.model == \"m\" ");
    assert!(editor.said(&uri).0.is_empty());
    // `first` has all that this route wants: only the whole policy can tell.
    let (codes, note) = editor.said(&uri);
    assert_eq!(codes, ["P1010", "P2004"], "{note}");
    assert_eq!(note["version"], 3);
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
