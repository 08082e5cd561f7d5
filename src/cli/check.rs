//! `switchover check`: everything that is wrong with policies, before anything runs.

use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

use crate::cli::terminal::Terminal;
use crate::cli::{CheckArgs, Deny, Exit, borrowed, models};
use crate::policy::{self, Diagnostics, Made, Plan, Policy, Severity};
use crate::runtime::{Disk, replace, unresolved};

/// How findings are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Form {
    /// For people
    Text,
    /// For programs
    Json,
    /// For code hosts and dashboards: one SARIF 2.1.0 log
    Sarif,
    /// For workflows of GitHub Actions: annotations
    Github,
}

/// What was found in one policy and what it imports.
struct Checked {
    file: String,
    /// How many providers, targets and routes it has, where it loads.
    size: Option<[usize; 3]>,
    diagnostics: Diagnostics,
    /// What `--fix` did.
    made: Vec<Made>,
    /// What keeps it from running beside its text: references that lead nowhere, files that cannot be written.
    errors: Vec<String>,
    exit: Exit,
}

/// Checks every file; the worst decides the exit.
pub(super) fn run(args: &CheckArgs, terminal: &mut Terminal) -> Exit {
    let mut exit = Exit::Fine;
    let mut all = Vec::new();
    for file in &args.files {
        if !Path::new(file).exists() {
            terminal.tell(&format!("switchover: `{file}` does not exist\n"));
            exit = exit.max(Exit::Usage);
            continue;
        }
        let checked = one(file, args, terminal);
        exit = exit.max(checked.exit);
        match args.format {
            Form::Text => checked.tell(terminal),
            Form::Github => terminal.print(&checked.annotations()),
            Form::Json | Form::Sarif => {}
        }
        all.push(checked);
    }
    match args.format {
        Form::Json => terminal.print(&json(&all)),
        Form::Sarif => {
            for error in all.iter().flat_map(|checked| &checked.errors) {
                terminal.tell(&format!("error: {error}\n"));
            }
            let found: Vec<Diagnostics> = all.into_iter().map(|one| one.diagnostics).collect();
            terminal.print(&format!("{}\n", Diagnostics::to_sarif(&found)));
        }
        Form::Text | Form::Github => {}
    }
    exit
}

fn one(file: &str, args: &CheckArgs, terminal: &mut Terminal) -> Checked {
    let sets = borrowed(&args.sets);
    let (mut made, mut errors) = (Vec::new(), Vec::new());
    let mut exit = Exit::Fine;
    let outcome = if args.fix {
        let repair = policy::repair(&Disk, file, &sets);
        for changed in &repair.changed {
            let path = &changed.path;
            if let Err(error) = replace(Path::new(path), changed.text.as_bytes()) {
                errors.push(format!("`{path}` cannot be written: {error}"));
                exit = Exit::Usage;
            }
        }
        made = repair.made;
        repair.outcome
    } else {
        policy::load(&Disk, file, &sets)
    };
    let (policy, diagnostics) = match outcome {
        Ok((policy, diagnostics)) => (Some(policy), diagnostics),
        Err(diagnostics) => (None, diagnostics),
    };
    let warned = diagnostics.count(Severity::Warning) > 0;
    if policy.is_none() || warned && args.deny == Some(Deny::Warnings) {
        exit = exit.max(Exit::Findings);
    }
    if let Some(policy) = &policy {
        if args.models {
            terminal.print(&models::show(policy));
        }
        if args.env {
            errors.extend(unresolved(policy));
        }
    }
    let size = policy.as_ref().map(size);
    if let Some(Err(too_complex)) = policy.map(Plan::new) {
        errors.push(too_complex.to_string());
    }
    if !errors.is_empty() {
        exit = exit.max(Exit::Findings);
    }
    Checked {
        file: file.to_owned(),
        size,
        diagnostics,
        made,
        errors,
        exit,
    }
}

fn size(policy: &Policy) -> [usize; 3] {
    [
        policy.providers.len(),
        policy.targets.len(),
        policy.routes.len(),
    ]
}

impl Checked {
    fn tell(&self, terminal: &mut Terminal) {
        for fix in &self.made {
            let Made {
                code,
                path,
                line,
                title,
            } = fix;
            terminal.tell(&format!("fixed {code} at {path}:{line}: {title}\n"));
        }
        terminal.tell(&self.diagnostics.render(terminal.colours_told()));
        for error in &self.errors {
            terminal.tell(&format!("error: {error}\n"));
        }
        let size = self.size.map(|[providers, targets, routes]| {
            format!("{providers} providers, {targets} targets, {routes} routes, ")
        });
        terminal.tell(&format!(
            "{}: {}{} errors, {} warnings\n",
            self.file,
            size.unwrap_or_default(),
            self.diagnostics.count(Severity::Error) + self.errors.len(),
            self.diagnostics.count(Severity::Warning),
        ));
    }

    /// Errors that no place in the text has are lines without one.
    fn annotations(&self) -> String {
        let mut out = self.diagnostics.to_github();
        for error in &self.errors {
            out.push_str("::error::");
            out.push_str(&policy::workflow_text(error));
            out.push('\n');
        }
        out
    }

    fn report(&self) -> Report<'_> {
        let diagnostics = serde_json::from_str(&self.diagnostics.to_json());
        Report {
            file: &self.file,
            loads: self.size.is_some(),
            providers: self.size.map(|[providers, ..]| providers),
            targets: self.size.map(|[_, targets, _]| targets),
            routes: self.size.map(|[.., routes]| routes),
            diagnostics: diagnostics.unwrap_or_else(|_| Value::Array(Vec::new())),
            errors: &self.errors,
            fixed: self.made.iter().map(fixed).collect(),
        }
    }
}

/// What programs are told of a policy.
#[derive(Serialize)]
struct Report<'c> {
    file: &'c str,
    loads: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    providers: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routes: Option<usize>,
    diagnostics: Value,
    errors: &'c [String],
    fixed: Vec<Fixed<'c>>,
}

#[derive(Serialize)]
struct Fixed<'c> {
    code: &'static str,
    file: &'c str,
    line: u32,
    title: &'c str,
}

#[derive(Serialize)]
struct Whole<'c> {
    schema: &'static str,
    policies: Vec<Report<'c>>,
}

fn fixed(made: &Made) -> Fixed<'_> {
    Fixed {
        code: made.code.as_str(),
        file: &made.path,
        line: made.line,
        title: &made.title,
    }
}

fn json(all: &[Checked]) -> String {
    let whole = Whole {
        schema: "switchover.check/1",
        policies: all.iter().map(Checked::report).collect(),
    };
    // Only maps with odd keys and failing writers can fail here, and there are none.
    let json = serde_json::to_string_pretty(&whole).unwrap_or_default();
    format!("{json}\n")
}
