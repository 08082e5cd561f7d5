//! One answer for each request of the protocol.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cli::lsp::notes::{action, uri_of};
use crate::cli::lsp::position::{Position, Range, byte_of, range};
use crate::cli::lsp::session::{Root, Session};
use crate::cli::models;
use crate::policy::editor::{
    Completion, Kind, Loaded, Named, Sort, Symbols, complete, hints, hover,
};
use crate::policy::{self, Files, Place, Plan};
use crate::sim::trial::{self, Coverage};

/// Why there is no answer.
pub(super) enum Refusal {
    /// There is no such request.
    Unknown,
    /// Its parameters are not what it takes, for people.
    Params(String),
}

/// What a test came to.
#[derive(Clone, Debug)]
pub(super) struct Lens {
    file: u16,
    line: u32,
    title: String,
}

#[derive(Deserialize)]
struct Document {
    uri: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct About {
    text_document: Document,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct At {
    text_document: Document,
    position: Position,
    new_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Within {
    text_document: Document,
    range: Range,
}

pub(super) fn answer(
    session: &mut Session<'_, '_, '_>,
    method: &str,
    params: Value,
) -> Result<Value, Refusal> {
    let found = match method {
        "textDocument/hover" => hovered(session, &read(params)?),
        "textDocument/completion" => completed(session, &read(params)?),
        "textDocument/definition" => defined(session, &read(params)?),
        "textDocument/references" => referred(session, &read(params)?),
        "textDocument/prepareRename" => renamable(session, &read(params)?),
        "textDocument/rename" => renamed(session, &read(params)?)?,
        "textDocument/documentSymbol" => outlined(session, &read(params)?),
        "textDocument/formatting" => formatted(session, &read(params)?),
        "textDocument/codeAction" => actions(session, &read(params)?),
        "textDocument/inlayHint" => hinted(session, &read(params)?),
        "textDocument/codeLens" => lenses(session, &read(params)?),
        _ => return Err(Refusal::Unknown),
    };
    Ok(found.unwrap_or(Value::Null))
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, Refusal> {
    serde_json::from_value(params).map_err(|error| Refusal::Params(error.to_string()))
}

/// A file of a policy, with all that is known of it.
struct Look<'l, 't> {
    root: &'l mut Root<'t>,
    file: u16,
}

impl<'l, 't> Look<'l, 't> {
    fn of(session: &'l mut Session<'_, 't, '_>, uri: &str) -> Option<Self> {
        let (root, file) = session.look(uri)?;
        Some(Self { root, file })
    }

    fn loaded(&self) -> Option<&Loaded> {
        self.root.memory.loaded()
    }

    fn files(&self) -> Option<&Files> {
        Some(&self.loaded()?.diagnostics.files)
    }

    fn symbols(&self) -> &Symbols {
        let all = || Symbols::of(&self.root.memory);
        self.root.symbols.get_or_init(all)
    }

    fn byte(&self, position: Position) -> Option<usize> {
        Some(byte_of(self.files()?.text(self.file), position))
    }

    /// What is named at a place.
    fn named(&self, position: Position) -> Option<&Named> {
        let at = u32::try_from(self.byte(position)?).ok()?;
        self.symbols().at(self.file, at)
    }

    /// The file whose import is at a place.
    fn imported(&self, position: Position) -> Option<u16> {
        let at = u32::try_from(self.byte(position)?).ok()?;
        let holds = |place: Place| {
            place.file == self.file && (place.start..=place.end().start).contains(&at)
        };
        let imports = self.files()?.imports().iter();
        let mut here = imports.filter(|import| holds(import.path));
        here.next().map(|import| import.file)
    }

    fn location(&self, place: Place) -> Option<Value> {
        let files = self.files()?;
        Some(json!({ "uri": uri_of(files, place.file), "range": range(files, place) }))
    }

    fn overlaps(&self, wanted: Range) -> Option<Place> {
        let text = self.files()?.text(self.file);
        let start = byte_of(text, wanted.start);
        let end = byte_of(text, wanted.end).max(start);
        // An empty range is a cursor: it touches what is on both sides of it.
        Some(Place {
            file: self.file,
            start: u32::try_from(start.saturating_sub(1)).ok()?,
            len: u32::try_from(end - start).ok()?.saturating_add(2),
        })
    }
}

fn hovered(session: &mut Session<'_, '_, '_>, at: &At) -> Option<Value> {
    let look = Look::of(session, &at.text_document.uri)?;
    let byte = u32::try_from(look.byte(at.position)?).ok()?;
    let files = look.files()?;
    let policy = look.loaded()?.policy();
    let said = hover(
        &look.root.memory,
        files,
        policy,
        look.symbols(),
        look.file,
        byte,
    )?;
    let mut text = said.text;
    if let (Some((Kind::Model, name)), Some(policy)) = (&said.named, policy) {
        let target = policy
            .targets
            .iter()
            .find(|target| *target.name == **name)?;
        text.push_str("\n\n```text\n");
        text.push_str(&models::of(policy, target));
        text.push_str("```");
    }
    Some(json!({
        "contents": { "kind": "markdown", "value": text },
        "range": range(files, said.place),
    }))
}

fn completed(session: &mut Session<'_, '_, '_>, at: &At) -> Option<Value> {
    let look = Look::of(session, &at.text_document.uri)?;
    let byte = look.byte(at.position)?;
    let files = look.files()?;
    let (start, list) = complete(files.text(look.file), byte, look.symbols());
    let place = Place {
        file: look.file,
        start: u32::try_from(start).ok()?,
        len: u32::try_from(byte - start).ok()?,
    };
    let range = range(files, place);
    let items: Vec<Value> = list.iter().map(|one| item(one, range)).collect();
    Some(json!({ "isIncomplete": false, "items": items }))
}

fn item(completion: &Completion, range: Range) -> Value {
    let kind = match completion.sort {
        Sort::Statement => 14,
        Sort::Field => 5,
        Sort::Word => 12,
        Sort::Name => 6,
        Sort::Fact => 10,
        Sort::Operator => 24,
    };
    json!({
        "label": completion.label,
        "kind": kind,
        "detail": completion.detail,
        "documentation": completion.doc,
        "textEdit": { "range": range, "newText": completion.insert },
    })
}

fn defined(session: &mut Session<'_, '_, '_>, at: &At) -> Option<Value> {
    let look = Look::of(session, &at.text_document.uri)?;
    if let Some(file) = look.imported(at.position) {
        let start = Place {
            file,
            ..Place::default()
        };
        return look.location(start);
    }
    let named = look.named(at.position)?;
    let declaration = look.symbols().declaration(named.kind, &named.name)?;
    look.location(declaration.place)
}

fn referred(session: &mut Session<'_, '_, '_>, at: &At) -> Option<Value> {
    let look = Look::of(session, &at.text_document.uri)?;
    let named = look.named(at.position)?;
    let all = look.symbols().all(named.kind, &named.name);
    Some(all.filter_map(|one| look.location(one.place)).collect())
}

fn renamable(session: &mut Session<'_, '_, '_>, at: &At) -> Option<Value> {
    let look = Look::of(session, &at.text_document.uri)?;
    let named = look.named(at.position)?;
    let files = look.files()?;
    let fixed = (named.kind, &*named.name) == (Kind::Declared("route"), "default");
    let text = files.slice(named.place);
    (!fixed).then(|| json!({ "range": range(files, named.place), "placeholder": text }))
}

fn renamed(session: &mut Session<'_, '_, '_>, at: &At) -> Result<Option<Value>, Refusal> {
    let to = at.new_name.as_deref().unwrap_or_default();
    let Some(look) = Look::of(session, &at.text_document.uri) else {
        return Ok(None);
    };
    let (Some(named), Some(files)) = (look.named(at.position), look.files()) else {
        return Ok(None);
    };
    let symbols = look.symbols();
    let quoted = matches!(named.kind, Kind::Declared("test" | "prove" | "alias"));
    let fits = if quoted {
        !to.is_empty() && !to.contains(['"', '\\', '\n'])
    } else {
        policy::is_name(to)
    };
    if !fits {
        return Err(Refusal::Params(format!(
            "`{to}` is not a name that the policy language has"
        )));
    }
    let full = match (named.kind, named.name.split_once('.')) {
        (Kind::Model, Some((provider, _))) => format!("{provider}.{to}"),
        _ => to.to_owned(),
    };
    if symbols.declaration(named.kind, &full).is_some() {
        return Err(Refusal::Params(format!(
            "there is a {} `{full}` already",
            named.kind.as_str()
        )));
    }
    let mut changes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for one in symbols.all(named.kind, &named.name) {
        let edit = json!({ "range": range(files, one.place), "newText": to });
        changes
            .entry(uri_of(files, one.place.file))
            .or_default()
            .push(edit);
    }
    Ok(Some(json!({ "changes": changes })))
}

fn outlined(session: &mut Session<'_, '_, '_>, about: &About) -> Option<Value> {
    let look = Look::of(session, &about.text_document.uri)?;
    let files = look.files()?;
    let own = look
        .symbols()
        .declared()
        .filter(|named| named.place.file == look.file);
    let list = own.map(|named| {
        let kind = match named.kind {
            Kind::Declared("provider") => 2,
            Kind::Declared("route") => 12,
            Kind::Declared("const") => 14,
            Kind::Model => 8,
            Kind::Declared(_) => 19,
        };
        json!({
            "name": named.name,
            "detail": named.kind.as_str(),
            "kind": kind,
            "range": range(files, named.declares.unwrap_or(named.place)),
            "selectionRange": range(files, named.place),
        })
    });
    Some(list.collect())
}

fn formatted(session: &Session<'_, '_, '_>, about: &About) -> Option<Value> {
    let key = super::document::key_of(&about.text_document.uri);
    let formatted = policy::format(session.documents, &key).ok()?;
    if !formatted.differs() {
        return Some(json!([]));
    }
    // Lines that stay the same are left alone, so that cursors and marks stay with them.
    let (before, after) = (&*formatted.before, &*formatted.after);
    let lines = |text: &str| text.split_inclusive('\n').map(str::len).collect::<Vec<_>>();
    let same = before
        .split_inclusive('\n')
        .zip(after.split_inclusive('\n'))
        .take_while(|(before, after)| before == after)
        .map(|(line, _)| line.len());
    let (first, start) = same.fold((0_u32, 0), |(count, bytes), len| (count + 1, bytes + len));
    let last = Position {
        line: u32::try_from(lines(before).len()).unwrap_or(u32::MAX),
        character: 0,
    };
    let range = Range {
        start: Position {
            line: first,
            character: 0,
        },
        end: last,
    };
    Some(json!([{ "range": range, "newText": after.get(start..).unwrap_or_default() }]))
}

fn actions(session: &mut Session<'_, '_, '_>, within: &Within) -> Option<Value> {
    let look = Look::of(session, &within.text_document.uri)?;
    let stretch = look.overlaps(within.range)?;
    let diagnostics = &look.loaded()?.diagnostics;
    let mut list = Vec::new();
    for diagnostic in &diagnostics.list {
        let touches = diagnostic.labels.iter().any(|label| {
            let place = label.place;
            Place {
                len: place.len.max(1),
                ..place
            }
            .overlaps(stretch)
        });
        if touches {
            let fixes = diagnostic.fixes.iter();
            list.extend(fixes.map(|fix| action(diagnostic, fix, &diagnostics.files)));
        }
    }
    Some(Value::Array(list))
}

fn hinted(session: &mut Session<'_, '_, '_>, within: &Within) -> Option<Value> {
    let look = Look::of(session, &within.text_document.uri)?;
    let stretch = look.overlaps(within.range)?;
    let loaded = look.loaded()?;
    let files = &loaded.diagnostics.files;
    let all = hints(&look.root.memory, files, loaded.policy(), stretch);
    let list = all.iter().map(|hint| {
        let position = range(files, hint.place).end;
        json!({ "position": position, "label": hint.label, "paddingLeft": true })
    });
    Some(list.collect())
}

fn lenses(session: &mut Session<'_, '_, '_>, about: &About) -> Option<Value> {
    let look = Look::of(session, &about.text_document.uri)?;
    if look.root.verdicts.is_none() {
        let verdicts = look.loaded().map(verdicts).unwrap_or_default();
        look.root.verdicts = Some(verdicts);
    }
    let own = look
        .root
        .verdicts
        .iter()
        .flatten()
        .filter(|lens| lens.file == look.file);
    let list = own.map(|lens| {
        let position = Position {
            line: lens.line.saturating_sub(1),
            character: 0,
        };
        json!({
            "range": { "start": position, "end": position },
            "command": { "title": lens.title, "command": "" },
        })
    });
    Some(list.collect())
}

/// Runs the tests of a policy: they are on a virtual clock, and short.
fn verdicts(loaded: &Loaded) -> Vec<Lens> {
    let Some(policy) = loaded.policy().filter(|policy| !policy.trials.is_empty()) else {
        return Vec::new();
    };
    let Ok(plan) = Plan::new(policy.clone()) else {
        return Vec::new();
    };
    let trials = plan.policy.trials.iter().map(|one| {
        let verdict = trial::run(&plan, one, &mut Coverage::default());
        let title = match verdict.failures.first() {
            None => "✓ passes".to_owned(),
            Some(failure) => format!("✗ expected {}, found {}", failure.expected, failure.found),
        };
        Lens {
            file: one.at.file,
            line: one.at.line,
            title,
        }
    });
    trials.collect()
}
