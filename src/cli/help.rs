//! `switchover help`: the page of a finding's code, or what a command takes.

use clap::CommandFactory;
use serde::Serialize;

use crate::cli::terminal::Terminal;
use crate::cli::{Cli, Exit, Format, HelpArgs};
use crate::policy::{Code, nearest};

/// A code and its page, for programs.
#[derive(Serialize)]
struct Page {
    code: &'static str,
    severity: &'static str,
    title: &'static str,
    markdown: &'static str,
}

/// What programs are given.
#[derive(Serialize)]
struct Report {
    schema: &'static str,
    pages: Vec<Page>,
}

/// Prints the page of a code, the help of a command, or a list of both.
pub(super) fn run(args: &HelpArgs, terminal: &mut Terminal) -> Exit {
    let topic = args.topic.as_deref();
    let code = topic.and_then(Code::from_word);
    if args.format == Format::Json && (topic.is_none() || code.is_some()) {
        let codes = code.map_or(Code::ALL, |code| {
            let at = Code::ALL.iter().position(|one| *one == code);
            at.and_then(|at| Code::ALL.get(at..=at)).unwrap_or_default()
        });
        let report = Report {
            schema: "switchover.help/1",
            pages: codes.iter().copied().map(page).collect(),
        };
        // Only maps with odd keys and failing writers can fail here, and there are none.
        let json = serde_json::to_string(&report).unwrap_or_default();
        terminal.print(&format!("{json}\n"));
        return Exit::Fine;
    }
    let mut cli = Cli::command();
    cli.build();
    match (topic, code) {
        (_, Some(code)) => terminal.print(&plain(code.page())),
        (None, _) => terminal.print(&format!("{}\n{}", cli.render_help(), list())),
        (Some(topic), None) => {
            let Some(command) = cli.find_subcommand_mut(topic) else {
                terminal.tell(&unknown(topic, &cli));
                return Exit::Usage;
            };
            terminal.print(&command.render_help().to_string());
        }
    }
    Exit::Fine
}

fn page(code: Code) -> Page {
    Page {
        code: code.as_str(),
        severity: code.severity().as_str(),
        title: code.title(),
        markdown: code.page(),
    }
}

fn unknown(topic: &str, cli: &clap::Command) -> String {
    let commands = cli.get_subcommands().map(clap::Command::get_name);
    let words = commands.chain(Code::ALL.iter().map(|code| code.as_str()));
    let help = match nearest(topic, words) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`switchover help` lists commands and codes".to_owned(),
    };
    format!("switchover: `{topic}` is neither a command nor the code of a finding; {help}\n")
}

fn list() -> String {
    let lines = Code::ALL.iter().map(|code| {
        let severity = code.severity().as_str();
        format!("  {code}  {severity:<8} {}\n", code.title())
    });
    let lines: String = lines.collect();
    format!("Findings (`switchover help CODE` explains one):\n{lines}")
}

/// A page for the terminal: what is fenced is indented, and marks that only a browser needs are gone.
fn plain(page: &str) -> String {
    let mut out = String::with_capacity(page.len());
    let mut fenced = false;
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            let line = format!("    {line}");
            out.push_str(line.trim_end());
            out.push('\n');
        } else {
            out.push_str(&prose(line));
            out.push('\n');
        }
    }
    out
}

/// A line of text without `#`, `**` and the targets of links.
fn prose(line: &str) -> String {
    let line = line.trim_start_matches('#').trim_start();
    let mut rest = line.replace("**", "");
    let mut out = String::with_capacity(rest.len());
    while let Some((before, link)) = rest.split_once('[')
        && let Some((text, after)) = link.split_once("](")
        && let Some((_, after)) = after.split_once(')')
    {
        out.push_str(before);
        out.push_str(text);
        rest = after.to_owned();
    }
    out + &rest
}

#[cfg(test)]
mod tests {
    use super::{plain, prose};

    #[test]
    fn pages_read_well_without_a_browser() {
        assert_eq!(prose("## Wrong"), "Wrong");
        assert_eq!(
            prose("**Fix.** See [a](b.md), or [c](../d.md)."),
            "Fix. See a, or c."
        );
        assert_eq!(prose("a list [1] of"), "a list [1] of");
        assert_eq!(
            plain("# P1\n\n```policy\na\n\nb\n```\nend\n"),
            "P1\n\n    a\n\n    b\nend\n"
        );
    }
}
