//! Layer 6: the commands. Exit codes everywhere: 0 fine, 1 findings, 2 changes (`diff`), 3 usage or file not found, 4 internal
//! error, 5 a drill that a condition of its own ended.

mod apply;
mod check;
mod demo;
mod diff;
mod drill;
mod explain;
mod fmt;
mod graph;
mod help;
mod lsp;
mod markup;
mod models;
mod order;
mod reload;
mod replay;
mod serve;
mod simulate;
mod terminal;
mod test;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::base::Span;
use crate::engine::Order;
use crate::policy::model::LogForm;
use crate::runtime::Io;

use self::terminal::Terminal;

/// An AI gateway that keeps answering while providers fail, by a policy that is checked before it runs.
#[derive(Debug, Parser)]
#[command(
    name = "switchover",
    version,
    about,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway by a policy
    Serve(ServeArgs),
    /// Check policies without running them
    Check(CheckArgs),
    /// Write policies in the one style
    Fmt(FmtArgs),
    /// Run the tests that policies hold
    Test(TestArgs),
    /// Run the drills that policies hold: outages, on a virtual clock or on a running gateway
    Drill(DrillArgs),
    /// See how a policy fares under load and faults, on a virtual clock
    Simulate(SimulateArgs),
    /// Tell why a request goes where it goes, and where settings come from
    Explain(ExplainArgs),
    /// Explain a finding by its code, such as `P2004`, or a command
    Help(HelpArgs),
    /// Serve an editor on standard input and output, by the Language Server Protocol
    Lsp,
    /// Make recorded decisions again: do they come out as recorded, and what would another policy change?
    Replay(ReplayArgs),
    /// Say what two policies do differently with requests; 2 is the exit code where they do
    Diff(DiffArgs),
    /// Draw a policy: routes, tiers, fallbacks; or show who can reach which provider
    Graph(GraphArgs),
    /// Let a running gateway read its policy again
    Reload(ReloadArgs),
    /// Let a running gateway serve another plan: checked, tested, compared, then swapped as a whole
    Apply(ApplyArgs),
    /// Let a running gateway serve the plan before again
    Rollback(RollbackArgs),
    /// Watch a failover: simulated providers, a gateway, traffic and an outage, all in this process
    Demo(DemoArgs),
    /// Send a target of a running gateway no new requests; those under way are finished
    Drain(OrderArgs),
    /// Let no request to a target of a running gateway, as if its breaker were open
    Open(OrderArgs),
    /// Let all requests to a target of a running gateway, as if its breaker were closed
    Close(OrderArgs),
    /// Take such an order back: the breaker decides again
    Auto(OrderArgs),
    /// Let a guarded route of a running gateway match no request, whatever its guard says
    Withdraw(RouteArgs),
    /// Let a withdrawn route serve again; its guard judges what comes from now on
    Resume(RouteArgs),
}

#[derive(Args, Debug)]
struct ServeArgs {
    /// The policy
    file: String,
    /// Where clients connect, over what the policy says
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where operators connect, over what the policy says
    #[arg(long, value_name = "ADDRESS:PORT")]
    admin: Option<String>,
    /// Workers, over what the policy says
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    cores: Option<u16>,
    /// The kernel interface
    #[arg(long, value_enum, default_value_t = IoArg::Auto)]
    io: IoArg,
    /// One line for each request on standard output, over what the policy says
    #[arg(long, value_enum, value_name = "FORM")]
    access_log: Option<LogArg>,
    /// The value of a `const` that is declared as `param(…)`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    sets: Vec<(String, String)>,
}

#[derive(Args, Debug)]
struct CheckArgs {
    /// The policies
    #[arg(required = true)]
    files: Vec<String>,
    /// How findings are written
    #[arg(long, value_enum, default_value_t = check::Form::Text)]
    format: check::Form,
    /// Findings that make the command fail
    #[arg(long, value_enum, value_name = "SEVERITY")]
    deny: Option<Deny>,
    /// Make the edits that findings carry where nothing else can have been meant, and write the files
    #[arg(long)]
    fix: bool,
    /// Look whether each `env(…)` and `file(…)` leads to something that can be used; no value is shown
    #[arg(long)]
    env: bool,
    /// Print what is known of each model, and whether the policy or the catalogue says it
    #[arg(long, conflicts_with = "format")]
    models: bool,
    /// The value of a `const` that is declared as `param(…)`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    sets: Vec<(String, String)>,
}

#[derive(Args, Debug)]
struct FmtArgs {
    /// The policies, which are rewritten in place
    #[arg(required_unless_present = "stdin")]
    files: Vec<String>,
    /// Rewrite nothing; name the files that are not in the style, and fail if there are any
    #[arg(long)]
    check: bool,
    /// Rewrite nothing; show what would change, and fail if anything would
    #[arg(long, conflicts_with = "check")]
    diff: bool,
    /// Read a policy from standard input and write it to standard output
    #[arg(long, conflicts_with_all = ["files", "format"])]
    stdin: bool,
    /// How it is told what became of each file
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Args, Debug)]
struct TestArgs {
    /// The policies
    #[arg(required = true)]
    files: Vec<String>,
    /// Only the tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    run: Option<String>,
    /// How results are written
    #[arg(long, value_enum, default_value_t = test::Form::Text)]
    format: test::Form,
    /// Name the routes and fallback lines that no test goes through
    #[arg(long)]
    coverage: bool,
    /// Fail if the tests go through less than this part of the routes and fallback lines, rounded down
    #[arg(long, value_name = "PERCENT", value_parser = test::percent)]
    fail_under: Option<u32>,
    /// Run again whenever a file changes, until interrupted
    #[arg(long)]
    watch: bool,
    /// The value of a `const` that is declared as `param(…)`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    sets: Vec<(String, String)>,
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true))]
struct ExplainArgs {
    /// The policy
    file: String,
    /// A request: as it is sent (request line, header, body), or a JSON file with its facts, states of targets and scripts of outcomes; `-` is
    /// standard input
    #[arg(long, value_name = "FILE", group = "what")]
    req: Option<String>,
    /// The request of a test that the policy holds
    #[arg(long, value_name = "NAME", group = "what")]
    test: Option<String>,
    /// A decision of a running gateway: the line of its record, in a file; `-` is standard input
    #[arg(long, value_name = "FILE", group = "what")]
    decision: Option<String>,
    /// The same, by the request's id, from the gateway that made it
    #[arg(long, value_name = "ID", group = "what")]
    id: Option<String>,
    /// Where that gateway listens for operators
    #[arg(long, value_name = "ADDRESS:PORT", default_value = ADMIN)]
    admin: String,
    /// What holds once everything is merged, and where it comes from: of all, or of `route NAME`, `provider NAME` or
    /// `target PROVIDER.MODEL`
    #[arg(long, num_args = 0..=2, value_name = "WHAT", group = "what")]
    effective: Option<Vec<String>>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The value of a `const` that is declared as `param(…)`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    sets: Vec<(String, String)>,
}

#[derive(Args, Debug)]
struct DiffArgs {
    /// The policy that there was
    old: String,
    /// The one that there will be
    new: String,
    /// Records of decisions, one a line: how many of these requests change their way
    #[arg(long, value_name = "RECORDS")]
    traffic: Option<String>,
    /// How differences are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The value of a `const` that is declared as `param(…)`, in both; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    sets: Vec<(String, String)>,
}

#[derive(Args, Debug)]
struct DrillArgs {
    /// The policies
    #[arg(required_unless_present = "live")]
    files: Vec<String>,
    /// Run this drill on a running gateway, by the policy that it serves
    #[arg(long, value_name = "NAME", conflicts_with_all = ["files", "run", "sets"])]
    live: Option<String>,
    /// Run them over sockets on this machine, in real time, with simulated providers in place of all
    #[arg(long, conflicts_with = "live")]
    local: bool,
    /// The gateway's admin address, with `--live`
    #[arg(long, value_name = "ADDRESS", default_value = ADMIN)]
    admin: String,
    /// Only the drills whose name contains this
    #[arg(long, value_name = "TEXT")]
    run: Option<String>,
    /// Where chance comes from, over what the drills say
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Workers of the gateway that is rehearsed
    #[arg(long, value_name = "N", default_value_t = REHEARSAL_CORES, value_parser = clap::value_parser!(u16).range(1..=1024))]
    cores: u16,
    /// How results are written
    #[arg(long, value_enum, default_value_t = drill::Form::Text)]
    format: drill::Form,
    /// Write them to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
    /// The value of a `const` that is declared as `param(…)`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    sets: Vec<(String, String)>,
}

#[derive(Args, Debug)]
struct SimulateArgs {
    /// The policy
    file: String,
    /// Requests in a time, such as 200/s
    #[arg(long, value_name = "RATE", value_parser = simulate::plain)]
    load: String,
    /// How long requests come
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = simulate::plain)]
    length: String,
    /// A fault: whom it hits, what it is (status=503 unless said), when it begins and how long it lasts; may be repeated
    #[arg(long, value_name = "WHAT[:FAULT]@BEGIN+LENGTH", value_parser = simulate::fail)]
    fail: Vec<simulate::Named>,
    /// A fact of the requests, such as `req.model = "gpt-5"`; may be repeated
    #[arg(long, value_name = "FACT=VALUE", value_parser = simulate::plain)]
    given: Vec<String>,
    /// How a provider behaves when it is well, such as openai:ttft=1s..2s,gap=20ms,tokens=400; may be repeated
    #[arg(long, value_name = "PROVIDER:FIELDS", value_parser = simulate::assume)]
    assume: Vec<simulate::Named>,
    /// Requests come at equal distances instead of by chance
    #[arg(long)]
    even: bool,
    /// Where chance comes from
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Workers of the gateway
    #[arg(long, value_name = "N", default_value_t = REHEARSAL_CORES, value_parser = clap::value_parser!(u16).range(1..=1024))]
    cores: u16,
    /// How the result is written
    #[arg(long, value_enum, default_value_t = simulate::Form::Text)]
    format: simulate::Form,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<String>,
    /// The value of a `const` that is declared as `param(…)`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    sets: Vec<(String, String)>,
}

#[derive(Args, Debug)]
struct HelpArgs {
    /// The code of a finding, or a command; all of them unless said otherwise
    topic: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Args, Debug)]
struct ReplayArgs {
    /// Records of decisions, one a line; `-` is standard input
    records: String,
    /// The policy that made them
    #[arg(long, value_name = "FILE")]
    policy: String,
    /// Another one: count what it changes
    #[arg(long, value_name = "FILE")]
    against: Option<String>,
    /// The records are all of a gateway, from its start, with its ticks (`share = 100%`): run them on one engine
    #[arg(long, conflicts_with = "against")]
    whole: bool,
    /// How many of those that change are shown
    #[arg(long, value_name = "N", default_value_t = 5)]
    examples: usize,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The value of a `const` that is declared as `param(…)`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    sets: Vec<(String, String)>,
}

#[derive(Args, Debug)]
struct GraphArgs {
    /// The policy
    file: String,
    /// What it is drawn for; Mermaid unless said otherwise
    #[arg(long, value_enum)]
    format: Option<graph::Form>,
    /// Who can reach which provider, for all requests: as a table, or with `--format json`
    #[arg(long)]
    matrix: bool,
    /// What the rows of the matrix are: a fact such as `key.residency`, or `route`
    #[arg(long, value_name = "FACT", default_value = "key.team")]
    by: String,
    /// The value of a `const` that is declared as `param(…)`; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    sets: Vec<(String, String)>,
}

#[derive(Args, Debug)]
struct OrderArgs {
    /// A target, such as `openai.mini`, or a provider, for all of its targets
    target: String,
    /// Where the gateway listens for operators
    #[arg(long, value_name = "ADDRESS:PORT", default_value = ADMIN)]
    admin: String,
}

#[derive(Args, Debug)]
struct RouteArgs {
    /// A route with a `guard`
    route: String,
    /// Where the gateway listens for operators
    #[arg(long, value_name = "ADDRESS:PORT", default_value = ADMIN)]
    admin: String,
}

#[derive(Args, Debug)]
struct ReloadArgs {
    /// Where the gateway listens for operators
    #[arg(long, value_name = "ADDRESS:PORT", default_value = ADMIN)]
    admin: String,
}

#[derive(Args, Debug)]
struct ApplyArgs {
    /// The new plan, which takes the place of the file that is served
    file: String,
    /// Where the gateway listens for operators
    #[arg(long, value_name = "ADDRESS:PORT", default_value = ADMIN)]
    admin: String,
    /// Check it, run its tests and show what changes; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Who wants it, for `/policy` and the log
    #[arg(long, value_name = "NAME", value_parser = person)]
    by: Option<String>,
}

#[derive(Args, Debug)]
struct RollbackArgs {
    /// Where the gateway listens for operators
    #[arg(long, value_name = "ADDRESS:PORT", default_value = ADMIN)]
    admin: String,
    /// Who wants it, for `/policy` and the log
    #[arg(long, value_name = "NAME", value_parser = person)]
    by: Option<String>,
}

#[derive(Args, Debug)]
struct DemoArgs {
    /// How long it runs, 3s to 10m; a little longer where a provider is still recovering
    #[arg(long = "for", value_name = "TIME", default_value = "20s", value_parser = demo::length)]
    length: Span,
    /// Requests a second
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(10..=500))]
    rate: u32,
    /// Write the summary as JSON on standard output, and everything else on standard error
    #[arg(long)]
    json: bool,
    /// Workers; as many as there are CPUs unless said otherwise
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    cores: Option<u16>,
    /// The kernel interface
    #[arg(long, value_enum, default_value_t = IoArg::Auto)]
    io: IoArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum IoArg {
    /// `io_uring` where the kernel allows it, else epoll
    Auto,
    /// `io_uring` or nothing
    #[value(name = "io_uring")]
    IoUring,
    /// epoll
    Epoll,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogArg {
    /// One object a line
    Json,
    /// For people
    Text,
    /// None
    Off,
}

impl From<LogArg> for LogForm {
    fn from(form: LogArg) -> Self {
        match form {
            LogArg::Json => Self::Json,
            LogArg::Text => Self::Text,
            LogArg::Off => Self::Off,
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Deny {
    /// Warnings too
    Warnings,
}

impl From<IoArg> for Io {
    fn from(io: IoArg) -> Self {
        match io {
            IoArg::Auto => Self::Auto,
            IoArg::IoUring => Self::IoUring,
            IoArg::Epoll => Self::Epoll,
        }
    }
}

/// How a command ended, the worst last.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Exit {
    Fine,
    Findings,
    Aborted,
    Changes,
    Usage,
    Internal,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Fine => Self::SUCCESS,
            Exit::Findings => Self::from(1),
            Exit::Aborted => Self::from(5),
            Exit::Changes => Self::from(2),
            Exit::Usage => Self::from(3),
            Exit::Internal => Self::from(4),
        }
    }
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let mut terminal = Terminal::new();
    match Cli::try_parse() {
        Ok(cli) => match cli.command {
            Command::Serve(args) => serve::run(&args, &mut terminal),
            Command::Check(args) => check::run(&args, &mut terminal),
            Command::Fmt(args) => fmt::run(&args, &mut terminal),
            Command::Test(args) => test::run(&args, &mut terminal),
            Command::Drill(args) => drill::run(&args, &mut terminal),
            Command::Simulate(args) => simulate::run(&args, &mut terminal),
            Command::Explain(args) => explain::run(&args, &mut terminal),
            Command::Help(args) => help::run(&args, &mut terminal),
            Command::Lsp => lsp::run(&mut terminal),
            Command::Replay(args) => replay::run(&args, &mut terminal),
            Command::Diff(args) => diff::run(&args, &mut terminal),
            Command::Graph(args) => graph::run(&args, &mut terminal),
            Command::Reload(args) => reload::run(&args, &mut terminal),
            Command::Apply(args) => apply::run(&args, &mut terminal),
            Command::Rollback(args) => apply::roll_back(&args, &mut terminal),
            Command::Demo(args) => demo::run(&args, &mut terminal),
            Command::Drain(args) => order::run(Order::Drain, &args, &mut terminal),
            Command::Open(args) => order::run(Order::Open, &args, &mut terminal),
            Command::Close(args) => order::run(Order::Close, &args, &mut terminal),
            Command::Auto(args) => order::run(Order::Auto, &args, &mut terminal),
            Command::Withdraw(args) => order::run_for_route("withdraw", &args, &mut terminal),
            Command::Resume(args) => order::run_for_route("resume", &args, &mut terminal),
        }
        .into(),
        Err(error) => {
            // Where standard output is closed there is nobody to tell.
            let _ = error.print();
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => Exit::Usage.into(),
            }
        }
    }
}

/// Workers of a gateway that is rehearsed: the same on every machine.
const REHEARSAL_CORES: u16 = 4;

/// Where a gateway listens for operators unless its policy says otherwise.
const ADMIN: &str = "127.0.0.1:9090";

fn person(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("it is up to 64 letters, digits, `.`, `_`, `-` and `@`".to_owned())
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("it must be NAME=VALUE".to_owned()),
    }
}

/// As the loader wants them.
fn borrowed(sets: &[(String, String)]) -> Vec<(&str, &str)> {
    sets.iter()
        .map(|(name, value)| (&**name, &**value))
        .collect()
}

/// Tells why no gateway runs.
fn nothing_started(errors: &[String], terminal: &mut Terminal) -> Exit {
    for error in errors {
        terminal.tell(&format!("switchover: {error}\n"));
    }
    terminal.tell("switchover: nothing was started\n");
    Exit::Findings
}
