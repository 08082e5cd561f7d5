//! `switchover graph`: a policy as a picture, and who can reach whom.

mod draw;
mod matrix;

use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;

use crate::base::{Outcome, TargetId};
use crate::cli::terminal::Terminal;
use crate::cli::{Exit, GraphArgs, borrowed};
use crate::policy::model::{Action, Otherwise, Policy, Reject, Route, Then, Trigger};
use crate::policy::{self, Plan};
use crate::runtime::Disk;

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Form {
    /// For documents on GitHub and the like
    Mermaid,
    /// For Graphviz
    Dot,
    /// A picture that needs no other program
    Svg,
    /// For programs
    Json,
}

/// Draws a policy, or shows its matrix.
pub(super) fn run(args: &GraphArgs, terminal: &mut Terminal) -> Exit {
    let file = &args.file;
    if !Path::new(file).exists() {
        terminal.tell(&format!("switchover: `{file}` does not exist\n"));
        return Exit::Usage;
    }
    let policy = match policy::load(&Disk, file, &borrowed(&args.sets)) {
        Ok((policy, _)) => policy,
        Err(diagnostics) => {
            terminal.tell(&diagnostics.render(terminal.colours_told()));
            terminal.tell(&format!(
                "switchover: `{file}` does not load: there is nothing to draw\n"
            ));
            return Exit::Findings;
        }
    };
    if args.matrix {
        return with_matrix(args, policy, terminal);
    }
    let graph = Graph::of(&policy);
    terminal.print(&match args.format.unwrap_or(Form::Mermaid) {
        Form::Mermaid => draw::mermaid(&graph),
        Form::Dot => draw::dot(&graph),
        Form::Svg => draw::svg(&graph),
        Form::Json => json("switchover.graph/1", &graph),
    });
    Exit::Fine
}

fn with_matrix(args: &GraphArgs, policy: Policy, terminal: &mut Terminal) -> Exit {
    let plan = match Plan::new(policy) {
        Ok(plan) => plan,
        Err(too_complex) => {
            terminal.tell(&format!("error: {too_complex}\n"));
            return Exit::Findings;
        }
    };
    match matrix::Matrix::of(&plan, &args.by) {
        Ok(matrix) => {
            terminal.print(&match args.format {
                Some(Form::Json) => json("switchover.matrix/1", &matrix),
                _ => matrix.text(),
            });
            Exit::Fine
        }
        Err(why) => {
            terminal.tell(&format!("switchover: undecided: {why}\n"));
            Exit::Findings
        }
    }
}

/// Boxes and arrows.
#[derive(Debug, Serialize)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

/// A route, a tier, a target or a refusal.
#[derive(Debug, Serialize)]
struct Node {
    id: String,
    kind: Sort,
    label: String,
}

/// The columns of the picture, from left to right.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
enum Sort {
    Route,
    Tier,
    Target,
    Reject,
}

#[derive(Debug, Serialize)]
struct Edge {
    from: usize,
    to: usize,
    label: String,
    /// Taken only when something went wrong, or beside the request.
    aside: bool,
}

impl Graph {
    fn of(policy: &Policy) -> Self {
        let mut graph = Self {
            nodes: Vec::new(),
            edges: Vec::new(),
        };
        for route in &policy.routes {
            let from = graph.node(Sort::Route, format!("route {}", route.name));
            match &route.action {
                Action::Reject(reject) => graph.refusal(from, reject, String::new()),
                Action::Serve(_) => graph.serve(policy, from, route),
            }
        }
        graph
    }

    fn serve(&mut self, policy: &Policy, from: usize, route: &Route) {
        let Action::Serve(serve) = &route.action else {
            return;
        };
        let name = |graph: &mut Self, target: TargetId| {
            let target = policy.targets.get(target.index());
            graph.node(
                Sort::Target,
                target.map_or_else(String::new, |it| it.name.to_string()),
            )
        };
        let mut last = from;
        for (tier, number) in serve.tiers.iter().zip(1..) {
            let this = self.node(Sort::Tier, format!("{}: tier {number}", route.name));
            let label = if number == 1 { "" } else { "next" };
            self.edge(last, this, label.to_owned(), number > 1);
            let all: u64 = tier
                .members
                .iter()
                .map(|member| u64::from(member.weight))
                .sum();
            for member in &tier.members {
                let target = name(self, member.target);
                let part = (u64::from(member.weight) * 100)
                    .checked_div(all)
                    .unwrap_or(0);
                let label = if tier.members.len() > 1 {
                    format!("{part}%")
                } else {
                    String::new()
                };
                self.edge(this, target, label, false);
            }
            last = this;
        }
        for line in &serve.fallback {
            let on = match line.on {
                Trigger::Outcomes(outcomes) => {
                    let words: Vec<&str> = outcomes.iter().map(Outcome::as_str).collect();
                    if words.len() > 4 {
                        format!("{} outcomes", words.len())
                    } else {
                        words.join(", ")
                    }
                }
                Trigger::Slow(limit) => format!("ttft > {limit}"),
            };
            match &line.then {
                Then::Next | Then::Stop => {}
                Then::Jump(target) => {
                    let target = name(self, *target);
                    self.edge(from, target, format!("on {on}"), true);
                }
                Then::Reject(reject) => self.refusal(from, reject, format!("on {on}")),
            }
        }
        if let Some(hedge) = &serve.hedge {
            let target = name(self, hedge.target);
            self.edge(from, target, "hedge".to_owned(), true);
        }
        if let Some(shadow) = &serve.shadow {
            let target = name(self, shadow.target);
            self.edge(from, target, "shadow".to_owned(), true);
        }
        if let Otherwise::Reject(reject) = &serve.otherwise {
            self.refusal(last, reject, "else".to_owned());
        }
    }

    fn refusal(&mut self, from: usize, reject: &Reject, label: String) {
        let to = self.node(Sort::Reject, format!("reject {}", reject.status));
        let aside = !label.is_empty();
        self.edge(from, to, label, aside);
    }

    /// The node with this label, made where there is none.
    fn node(&mut self, kind: Sort, label: String) -> usize {
        let have = self
            .nodes
            .iter()
            .position(|node| node.kind == kind && node.label == label);
        have.unwrap_or_else(|| {
            let id = format!("n{}", self.nodes.len());
            self.nodes.push(Node { id, kind, label });
            self.nodes.len() - 1
        })
    }

    /// Labels between the same two stand together.
    fn edge(&mut self, from: usize, to: usize, label: String, aside: bool) {
        let same = |edge: &&mut Edge| edge.from == from && edge.to == to && edge.aside == aside;
        match self.edges.iter_mut().find(same) {
            Some(edge) if edge.label != label => {
                edge.label.push_str("; ");
                edge.label.push_str(&label);
            }
            Some(_) => {}
            None => self.edges.push(Edge {
                from,
                to,
                label,
                aside,
            }),
        }
    }
}

fn json(schema: &'static str, what: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Whole<'a, T> {
        schema: &'static str,
        #[serde(flatten)]
        what: &'a T,
    }
    let mut text = serde_json::to_string_pretty(&Whole { schema, what }).unwrap_or_default();
    text.push('\n');
    text
}
