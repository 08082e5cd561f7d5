//! `switchover fmt`: policies in the one style.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;

use crate::cli::terminal::Terminal;
use crate::cli::{Exit, FmtArgs, Format};
use crate::policy::{self, Diagnostics, Formatted, Sources, Unformatted};
use crate::runtime::{Disk, replace};

/// How standard input is called.
const INPUT: &str = "<stdin>";
/// The search for the smallest difference ends then; what is found is right, and may be longer than need be.
const DIFF_TIME_MAX: Duration = Duration::from_secs(5);

/// Formats every file, or standard input; the worst decides the exit.
pub(super) fn run(args: &FmtArgs, terminal: &mut Terminal) -> Exit {
    if args.stdin {
        return input(args, terminal);
    }
    let mut exit = Exit::Fine;
    for file in &args.files {
        exit = exit.max(one(file, args, terminal));
    }
    exit
}

fn one(file: &str, args: &FmtArgs, terminal: &mut Terminal) -> Exit {
    if !Path::new(file).exists() {
        terminal.tell(&format!("switchover: `{file}` does not exist\n"));
        return Exit::Usage;
    }
    let mut fate = fate(file, policy::format(&Disk, file), args);
    if let Fate::Wanted(formatted) = &fate {
        fate = match replace(Path::new(file), formatted.after.as_bytes()) {
            Ok(()) => Fate::Rewritten,
            Err(error) => Fate::Unwritten(error.to_string()),
        };
    }
    fate.tell(file, args.format, terminal);
    fate.exit()
}

/// From standard input to standard output. `--check` and `--diff` say of it what they say of a file.
fn input(args: &FmtArgs, terminal: &mut Terminal) -> Exit {
    let input = Input(terminal.read());
    let fate = match fate(INPUT, policy::format(&input, INPUT), args) {
        Fate::Unchanged(formatted) | Fate::Wanted(formatted) if !(args.check || args.diff) => {
            terminal.print(&formatted.after);
            return Exit::Fine;
        }
        fate => fate,
    };
    fate.tell(INPUT, args.format, terminal);
    fate.exit()
}

/// What was read from standard input, or why it was not.
struct Input(Result<Vec<u8>, String>);

impl Sources for Input {
    fn read(&self, _: &str) -> Result<Vec<u8>, String> {
        self.0.clone()
    }
}

/// What becomes of a file.
enum Fate {
    /// It is in the style.
    Unchanged(Formatted),
    /// It is not, and was only to be looked at.
    Differs {
        /// The difference, if that was asked for.
        diff: Option<String>,
    },
    /// It is not, and shall be rewritten.
    Wanted(Formatted),
    /// It has been.
    Rewritten,
    /// It cannot be, says the system.
    Unwritten(String),
    /// It cannot be formatted.
    Unformatted(Unformatted),
}

fn fate(file: &str, formatted: Result<Formatted, Unformatted>, args: &FmtArgs) -> Fate {
    match formatted {
        Err(why) => Fate::Unformatted(why),
        Ok(formatted) if !formatted.differs() => Fate::Unchanged(formatted),
        Ok(formatted) if args.diff => Fate::Differs {
            diff: Some(diff(file, &formatted)),
        },
        Ok(_) if args.check => Fate::Differs { diff: None },
        Ok(formatted) => Fate::Wanted(formatted),
    }
}

/// What is said of a file to programs.
#[derive(Serialize)]
struct Report<'r> {
    schema: &'static str,
    file: &'r str,
    /// `unchanged`, `differs`, `rewritten` or `failed`
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    diagnostics: Value,
}

impl Fate {
    fn exit(&self) -> Exit {
        match self {
            Self::Unchanged(_) | Self::Wanted(_) | Self::Rewritten => Exit::Fine,
            Self::Unformatted(Unformatted::Changed) => Exit::Internal,
            Self::Differs { .. } | Self::Unformatted(_) => Exit::Findings,
            Self::Unwritten(_) => Exit::Usage,
        }
    }

    /// Why nothing was written, where diagnostics do not say it.
    fn error(&self) -> Option<String> {
        match self {
            Self::Unwritten(error) => Some(format!("it cannot be written: {error}")),
            Self::Unformatted(Unformatted::Broken(_)) => None,
            Self::Unformatted(why) => Some(why.to_string()),
            _ => None,
        }
    }

    fn diagnostics(&self) -> Option<&Diagnostics> {
        match self {
            Self::Unformatted(Unformatted::Broken(diagnostics)) => Some(diagnostics),
            _ => None,
        }
    }

    fn tell(&self, file: &str, format: Format, terminal: &mut Terminal) {
        match format {
            Format::Text => self.tell_people(file, terminal),
            Format::Json => {
                // Only maps with odd keys and failing writers can fail here, and there are none.
                let report = serde_json::to_string(&self.report(file)).unwrap_or_default();
                terminal.print(&format!("{report}\n"));
            }
        }
    }

    fn tell_people(&self, file: &str, terminal: &mut Terminal) {
        match self {
            Self::Unchanged(_) | Self::Wanted(_) => {}
            Self::Differs { diff: Some(diff) } => terminal.print(diff),
            Self::Differs { diff: None } => terminal.print(&format!("{file}\n")),
            Self::Rewritten => terminal.tell(&format!("{file}: formatted\n")),
            Self::Unwritten(_) | Self::Unformatted(_) => {
                if let Some(diagnostics) = self.diagnostics() {
                    terminal.tell(&diagnostics.render(terminal.colours_told()));
                }
                let why = self
                    .error()
                    .unwrap_or_else(|| "it does not parse".to_owned());
                terminal.tell(&format!("{file}: left as it is: {why}\n"));
            }
        }
    }

    fn report<'r>(&'r self, file: &'r str) -> Report<'r> {
        let state = match self {
            Self::Unchanged(_) => "unchanged",
            Self::Differs { .. } => "differs",
            Self::Wanted(_) | Self::Rewritten => "rewritten",
            Self::Unwritten(_) | Self::Unformatted(_) => "failed",
        };
        let diff = match self {
            Self::Differs { diff } => diff.as_deref(),
            _ => None,
        };
        let diagnostics = self.diagnostics().map(Diagnostics::to_json);
        let diagnostics = diagnostics.and_then(|list| serde_json::from_str(&list).ok());
        Report {
            schema: "switchover.fmt/1",
            file,
            state,
            diff,
            error: self.error(),
            diagnostics: diagnostics.unwrap_or_else(|| Value::Array(Vec::new())),
        }
    }
}

fn diff(file: &str, formatted: &Formatted) -> String {
    let before = policy::masked(&formatted.before);
    let after = policy::masked(&formatted.after);
    TextDiff::configure()
        .timeout(DIFF_TIME_MAX)
        .diff_lines(&before, &after)
        .unified_diff()
        .context_radius(3)
        .header(file, file)
        .to_string()
}
