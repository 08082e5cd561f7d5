//! What could stand at a place: words of the schema, names of the policy, facts and values.

use crate::base::Outcome;
use crate::policy::editor::context::{Context, first_word, row_of};
use crate::policy::editor::symbols::{Kind, Symbols};
use crate::policy::schema::{Block, FACTS, Form, REGIONS, Row, Scope, TOP, Type};
use crate::policy::trial::Staged;

/// What a completion is, for its icon.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sort {
    /// A statement or a block.
    Statement,
    /// A field.
    Field,
    /// A word that a field takes.
    Word,
    /// A name that the policy declares.
    Name,
    /// A fact of the request.
    Fact,
    /// An operator.
    Operator,
}

/// Something that could stand there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Completion {
    /// What is shown and looked for.
    pub label: String,
    /// What it is.
    pub sort: Sort,
    /// How it is written, in a line.
    pub detail: String,
    /// What it does.
    pub doc: String,
    /// What is put in for the word that has been begun.
    pub insert: String,
}

/// Everything that could stand at byte `at` of `text`, whatever has been begun there; and the byte at which that begins.
pub fn complete(text: &str, at: usize, symbols: &Symbols) -> (usize, Vec<Completion>) {
    let context = Context::of(text, at);
    let begun = context.word();
    let mut list = List {
        symbols,
        all: Vec::new(),
    };
    if !context.quoted {
        list.fill(&context, begun);
    }
    (at.saturating_sub(begun.len()), list.all)
}

struct List<'s> {
    symbols: &'s Symbols,
    all: Vec<Completion>,
}

const OPERATORS: [&str; 8] = [
    "and",
    "or",
    "not",
    "in",
    "like",
    "starts_with",
    "ends_with",
    "contains",
];

impl List<'_> {
    fn fill(&mut self, context: &Context<'_>, begun: &str) {
        let statement = context.statement;
        let first = first_word(statement);
        let alone = statement.len() == begun.len();
        let before = statement
            .strip_suffix(begun)
            .unwrap_or(statement)
            .trim_end();
        let block = context.block();
        match block {
            None if alone && context.heads.is_empty() => self.top(),
            _ if has_word(before, "when") => self.condition(block, first),
            _ if before.ends_with("->") => self.actions(first),
            _ if has_word(before, "on") => self.outcomes(),
            _ if before.ends_with("use") => self.names(Kind::Declared("pool"), "pool."),
            Some(_) if first == "compare" => self.names(Kind::Declared("route"), "route."),
            Some(block) if alone => self.statements(block, context),
            Some(block) => match row_of(block, first).map(|row| &row.form) {
                Some(Form::Field(of, _) | Form::Either(of, _)) if before.contains('=') => {
                    self.values(of);
                }
                _ => self.targets(),
            },
            // A block of a test: facts in `given`, targets and what they are in the others.
            None => self.trial(context, before),
        }
    }

    fn add(&mut self, label: &str, sort: Sort, detail: &str, doc: &str, insert: String) {
        self.all.push(Completion {
            label: label.to_owned(),
            sort,
            detail: detail.to_owned(),
            doc: doc.to_owned(),
            insert,
        });
    }

    fn plain(&mut self, label: &str, sort: Sort, doc: &str) {
        self.add(label, sort, "", doc, label.to_owned());
    }

    fn top(&mut self) {
        for entry in TOP {
            let insert = format!("{} ", entry.word);
            self.add(entry.word, Sort::Statement, entry.shape, entry.doc, insert);
        }
        for (word, shape, doc) in [
            (
                "policy",
                "policy 1",
                "which version of the language this is",
            ),
            (
                "import",
                "import \"file.policy\"",
                "another file, beside or below this one",
            ),
            ("const", "const NAME = <value>", "a value with a name"),
        ] {
            self.add(word, Sort::Statement, shape, doc, format!("{word} "));
        }
    }

    fn statements(&mut self, block: &'static Block, context: &Context<'_>) {
        if block.word == "tier" {
            self.targets();
            return;
        }
        let is_default = context
            .heads
            .last()
            .is_some_and(|head| head.starts_with("route default"));
        for row in block.rows {
            if !(is_default && row.word == "guard") {
                self.row(row);
            }
        }
    }

    fn row(&mut self, row: &'static Row) {
        let (sort, insert) = match &row.form {
            Form::Field(..) => (Sort::Field, format!("{} = ", row.word)),
            Form::Either(..) => (Sort::Field, format!("{} ", row.word)),
            Form::Block(_) => (Sort::Statement, format!("{} {{ ", row.word)),
            Form::Free(_) => (Sort::Statement, format!("{} ", row.word)),
        };
        let shape = row.form.shape(row.word);
        self.add(row.word, sort, &shape, row.doc, insert);
    }

    fn condition(&mut self, block: Option<&'static Block>, first: &str) {
        if first == "open" {
            for word in [
                "error_rate",
                "consecutive",
                "p95(ttft)",
                "p99(gap)",
                "slow(ttft > 10s)",
            ] {
                self.plain(word, Sort::Fact, "what the breaker looks at");
            }
            return;
        }
        let forbids = first == "forbid" || block.is_some_and(|block| block.word == "forbid");
        for fact in FACTS {
            if fact.scope == Scope::Request || forbids {
                let detail = fact.read.describe();
                self.add(
                    fact.word,
                    Sort::Fact,
                    detail,
                    fact.doc,
                    fact.word.to_owned(),
                );
            }
        }
        self.names(Kind::Declared("const"), "");
        for word in OPERATORS {
            self.plain(word, Sort::Operator, "");
        }
        self.add(
            "has",
            Sort::Fact,
            "has(req.header[\"…\"])",
            "whether it is there",
            "has(".to_owned(),
        );
        let share = "a part of the values of a fact, always the same ones";
        self.add(
            "hash_pct",
            Sort::Fact,
            "hash_pct(key.id) < 5%",
            share,
            "hash_pct(".to_owned(),
        );
    }

    fn actions(&mut self, first: &str) {
        if matches!(first, "on" | "else") {
            if first == "on" {
                self.plain(
                    "next",
                    Sort::Word,
                    "the next candidate: of this tier, then of the next one",
                );
            }
            self.plain("stop", Sort::Word, "the answer as it is");
        }
        self.add(
            "reject",
            Sort::Word,
            "reject(503)",
            "an answer of the gateway's own",
            "reject(503)".to_owned(),
        );
        self.targets();
    }

    fn outcomes(&mut self) {
        self.plain(
            "any",
            Sort::Word,
            "every outcome that another target may cure",
        );
        for outcome in Outcome::ALL {
            self.plain(outcome.as_str(), Sort::Word, "outcome");
        }
    }

    fn targets(&mut self) {
        self.names(Kind::Model, "");
        self.names(Kind::Declared("const"), "");
        self.names(Kind::Declared("pool"), "pool.");
    }

    fn names(&mut self, kind: Kind, prefix: &str) {
        let names: Vec<String> = self
            .symbols
            .names(kind)
            .map(|name| format!("{prefix}{name}"))
            .collect();
        for name in names {
            self.add(&name, Sort::Name, kind.as_str(), "", name.clone());
        }
    }

    fn values(&mut self, of: &Type) {
        match of {
            Type::Bool => self.words(&["true", "false"]),
            Type::Cores => self.words(&["all"]),
            Type::Word(words) => self.words(words),
            Type::Region => self.words(&REGIONS),
            Type::List(of) => self.values(of),
            Type::Secret => self.calls(&["env(\"", "file(\""]),
            Type::Auth => {
                self.words(&["none"]);
                self.calls(&[
                    "bearer(env(\"",
                    "api_key(env(\"",
                    "header(\"",
                    "keys(env(\"",
                ]);
            }
            Type::Roots => {
                self.words(&["bundled", "system"]);
                self.calls(&["file(\""]);
            }
            Type::Discover => self.calls(&["file(\""]),
            Type::Inflight => {
                self.words(&["auto"]);
                self.calls(&["auto("]);
            }
            Type::Pick => {
                self.words(&["weighted", "round_robin", "least_busy", "least_latency"]);
                self.calls(&["hash("]);
            }
            Type::Sticky => self.calls(&["hash("]),
            Type::Outcomes => self.outcomes(),
            Type::Name(space) => {
                let names: Vec<String> = self.symbols.names_of(*space).map(str::to_owned).collect();
                for name in names {
                    self.add(&name, Sort::Name, space.as_str(), "", name.clone());
                }
            }
            Type::Call(names) => {
                for name in *names {
                    self.calls(&[&format!("{name}(")]);
                }
            }
            _ => {}
        }
        self.names(Kind::Declared("const"), "");
    }

    fn words(&mut self, words: &[&str]) {
        for word in words {
            self.plain(word, Sort::Word, "");
        }
    }

    fn calls(&mut self, calls: &[&str]) {
        for call in calls {
            let name = first_word(call);
            self.add(
                name,
                Sort::Word,
                &format!("{name}(…)"),
                "",
                (*call).to_owned(),
            );
        }
    }

    fn trial(&mut self, context: &Context<'_>, before: &str) {
        let within = context.heads.last().map_or("", |head| first_word(head));
        match (within, before.ends_with('=')) {
            ("given", false) => {
                for fact in FACTS.iter().filter(|fact| fact.scope == Scope::Request) {
                    self.add(
                        fact.word,
                        Sort::Fact,
                        fact.read.describe(),
                        fact.doc,
                        format!("{} = ", fact.word),
                    );
                }
                self.plain("seed", Sort::Word, "another one is another request");
            }
            ("state", true) => {
                for state in Staged::ALL {
                    self.plain(state.as_str(), Sort::Word, "");
                }
            }
            ("script", true) => self.outcomes(),
            ("expect", false) => {
                self.words(&[
                    "route", "target", "chain", "status", "attempts", "reject", "never", "same",
                    "share",
                ]);
                self.targets();
            }
            ("expect", true) => {
                let routes: Vec<String> = self
                    .symbols
                    .names(Kind::Declared("route"))
                    .map(str::to_owned)
                    .collect();
                for name in routes {
                    self.add(&name, Sort::Name, "route", "", name.clone());
                }
                self.targets();
            }
            _ => {
                self.names(Kind::Declared("provider"), "");
                self.targets();
            }
        }
    }
}

/// Whether a statement has this word, and what follows it is still open.
fn has_word(statement: &str, word: &str) -> bool {
    let mut words = statement.split(|char: char| !char.is_ascii_alphanumeric() && char != '_');
    words.any(|one| one == word) && !statement.contains("->")
}
