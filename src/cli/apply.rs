//! `switchover apply` and `rollback`: another plan for a running gateway, checked and tested as what it will be, in place of
//! the file that is served; or back to the one before.
//!
//! ```text
//!   GET /policy ─▶ load NEW in the served file's place ─▶ its tests, its proofs ─▶ what changes
//!        ─▶ keep the old text ─▶ replace the file ─▶ POST /reload ─┬─▶ the hash serves: done
//!                                                                   └─▶ it does not: the old text is put back
//! ```

use std::path::PathBuf;

use serde_json::Value;
use similar::TextDiff;

use crate::cli::terminal::Terminal;
use crate::cli::{ApplyArgs, Exit, RollbackArgs, borrowed, diff};
use crate::policy::{self, Plan, Sources};
use crate::runtime::{Disk, History, operator, replace};
use crate::sim::compare::compare;
use crate::sim::proof;
use crate::sim::trial::{self, Coverage};

/// Lets a running gateway serve another plan.
pub(super) fn run(args: &ApplyArgs, terminal: &mut Terminal) -> Exit {
    let text = match Disk.read(&args.file) {
        Ok(text) => text,
        Err(why) => {
            let file = &args.file;
            terminal.tell(&format!("switchover: `{file}` cannot be read: {why}\n"));
            return Exit::Usage;
        }
    };
    let order = Order {
        admin: &args.admin,
        by: args.by.as_deref(),
        dry_run: args.dry_run,
    };
    ended(order.apply(&text, terminal))
}

/// Goes back to the plan before.
pub(super) fn roll_back(args: &RollbackArgs, terminal: &mut Terminal) -> Exit {
    let order = Order {
        admin: &args.admin,
        by: args.by.as_deref(),
        dry_run: false,
    };
    ended(order.roll_back(terminal))
}

fn ended(done: Result<(), Exit>) -> Exit {
    done.err().unwrap_or(Exit::Fine)
}

struct Order<'a> {
    admin: &'a str,
    by: Option<&'a str>,
    dry_run: bool,
}

/// What a gateway serves.
struct Served {
    file: String,
    sets: Vec<(String, String)>,
    hash: String,
    text: Vec<u8>,
    plan: Plan,
}

impl Order<'_> {
    fn apply(&self, text: &[u8], terminal: &mut Terminal) -> Result<(), Exit> {
        let served = self.served(terminal)?;
        let next = checked(&served, text, terminal)?;
        let diff = difference(&served, text);
        if diff.is_empty() {
            terminal.print(&format!("nothing changes: {} is served\n", served.hash));
            return Ok(());
        }
        terminal.print(&diff);
        terminal.print(&meaning(&served.plan, &next));
        if self.dry_run {
            let (now, hash) = (&served.hash, next.policy.hash);
            terminal.print(&format!(
                "{now} would become {hash:016x}; nothing was changed\n"
            ));
            return Ok(());
        }
        let history = Self::history(&served, terminal)?;
        history.keep(&served.hash, &served.text).map_err(|error| {
            refused(
                terminal,
                &format!("the plan that runs cannot be kept: {error}"),
            )
        })?;
        self.swap(&served, text, &next, terminal).inspect_err(|_| {
            // It is served still: there is nothing to go back from.
            history.forget_newest();
        })
    }

    fn roll_back(&self, terminal: &mut Terminal) -> Result<(), Exit> {
        let served = self.served(terminal)?;
        let history = Self::history(&served, terminal)?;
        let Some(text) = history.newest() else {
            return Err(refused(terminal, "no plan was served before this one"));
        };
        let next = checked(&served, &text, terminal)?;
        terminal.print(&difference(&served, &text));
        terminal.print(&meaning(&served.plan, &next));
        self.swap(&served, &text, &next, terminal)?;
        history.undone(&served.text);
        Ok(())
    }

    /// What runs, and the text that it was made from.
    fn served(&self, terminal: &mut Terminal) -> Result<Served, Exit> {
        let admin = self.admin;
        let page = operator::page(admin, "/policy");
        let (status, body) = page.map_err(|error| {
            terminal.tell(&format!("switchover: no gateway at {admin}: {error}\n"));
            Exit::Internal
        })?;
        let told: Value = serde_json::from_slice(&body).unwrap_or_default();
        let field = |name: &str| told.get(name).and_then(Value::as_str);
        let (Some(file), Some(hash), 200) = (field("file"), field("policy"), status) else {
            return Err(refused(
                terminal,
                &format!("{admin} does not say what it serves"),
            ));
        };
        let sets = told.get("sets").and_then(Value::as_object);
        let sets = sets.into_iter().flatten();
        let sets =
            sets.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let text = Disk.read(file).map_err(|why| {
            refused(
                terminal,
                &format!("`{file}`, which is served, cannot be read: {why}"),
            )
        })?;
        let sets: Vec<(String, String)> = sets.collect();
        let loaded = policy::load(&Disk, file, &borrowed(&sets)).ok();
        let runs = loaded.filter(|(policy, _)| format!("{:016x}", policy.hash) == hash);
        let Some(plan) = runs.and_then(|(policy, _)| Plan::new(policy).ok()) else {
            let why = format!(
                "`{file}` does not hold what runs ({hash}): reload it, or put it back, first"
            );
            return Err(refused(terminal, &why));
        };
        Ok(Served {
            file: file.to_owned(),
            sets,
            hash: hash.to_owned(),
            text,
            plan,
        })
    }

    /// The plans that were served before. Nobody else applies one meanwhile.
    fn history(served: &Served, terminal: &mut Terminal) -> Result<History, Exit> {
        History::of(&PathBuf::from(&served.file))
            .map_err(|error| refused(terminal, &format!("its history cannot be used: {error}")))
    }

    /// Puts the text in the served file's place and lets it be read; back again if it is not served then.
    fn swap(
        &self,
        served: &Served,
        text: &[u8],
        next: &Plan,
        terminal: &mut Terminal,
    ) -> Result<(), Exit> {
        let file = PathBuf::from(&served.file);
        replace(&file, text).map_err(|error| {
            refused(
                terminal,
                &format!("`{}` cannot be replaced: {error}", served.file),
            )
        })?;
        let by = self.by.map(|by| format!("?by={by}")).unwrap_or_default();
        let path = format!("/reload{by}");
        let why = match operator::order(self.admin, &path) {
            Ok((status, body)) => {
                let told: Value = serde_json::from_slice(&body).unwrap_or_default();
                let field = |name: &str| told.get(name).and_then(Value::as_str);
                let wanted = format!("{:016x}", next.policy.hash);
                if status == 200 && field("policy") == Some(&*wanted) {
                    terminal.print(&format!("{wanted} is served, {} was before\n", served.hash));
                    return Ok(());
                }
                field("why").unwrap_or("another plan is served").to_owned()
            }
            Err(error) => error.to_string(),
        };
        let put_back = replace(&file, &served.text);
        // Where nothing was reloaded this changes nothing.
        let again = operator::order(self.admin, "/reload");
        let restored = put_back.is_ok() && again.is_ok_and(|(status, _)| status == 200);
        let state = if restored {
            format!("{} goes on", served.hash)
        } else {
            format!("and `{}` may not hold what runs: look at it", served.file)
        };
        Err(refused(
            terminal,
            &format!("{}\nswitchover: it is not served; {state}", why.trim_end()),
        ))
    }
}

/// The plan that the text makes in the served file's place, if its tests and proofs hold.
fn checked(served: &Served, text: &[u8], terminal: &mut Terminal) -> Result<Plan, Exit> {
    let sources = InPlace { served, text };
    let loaded = policy::load(&sources, &served.file, &borrowed(&served.sets));
    let (policy, _) = loaded.map_err(|diagnostics| {
        terminal.tell(&diagnostics.render(terminal.colours_told()));
        refused(terminal, "the plan has errors; nothing was changed")
    })?;
    let plan = Plan::new(policy)
        .map_err(|too_complex| refused(terminal, &format!("{too_complex}; nothing was changed")))?;
    let mut coverage = Coverage::default();
    let mut failed = 0_u32;
    for test in &plan.policy.trials {
        let verdict = trial::run(&plan, test, &mut coverage);
        for failure in &verdict.failures {
            let (name, expected, found) = (&test.name, &failure.expected, &failure.found);
            terminal.tell(&format!(
                "FAIL {name}\n  expected {expected}\n     found {found}\n"
            ));
        }
        failed += u32::from(!verdict.failures.is_empty());
    }
    for proof in &plan.policy.proofs {
        let verdict = proof::run(&plan, proof);
        for failure in &verdict.failures {
            let (name, expected, found) = (&proof.name, &failure.expected, &failure.found);
            terminal.tell(&format!(
                "FAIL {name}\n  expected {expected}\n     found {found}\n"
            ));
        }
        failed += u32::from(!verdict.failures.is_empty());
    }
    if failed > 0 {
        let why = format!("{failed} of the plan's tests and proofs failed; nothing was changed");
        return Err(refused(terminal, &why));
    }
    Ok(plan)
}

/// The files as they will be.
struct InPlace<'a> {
    served: &'a Served,
    text: &'a [u8],
}

impl Sources for InPlace<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        if path == self.served.file {
            Ok(self.text.to_vec())
        } else {
            Disk.read(path)
        }
    }
}

/// What changes in the text; empty where nothing does. Secrets are references in both.
fn difference(served: &Served, text: &[u8]) -> String {
    let (old, new) = (
        String::from_utf8_lossy(&served.text),
        String::from_utf8_lossy(text),
    );
    let diff = TextDiff::from_lines(&*old, &*new);
    let mut unified = diff.unified_diff();
    unified.context_radius(3);
    unified.header(&served.file, "new").to_string()
}

/// What changes for requests.
fn meaning(old: &Plan, new: &Plan) -> String {
    match compare(old, new) {
        Ok(found) => diff::text(&found),
        Err(why) => format!("what changes for requests is undecided: {}\n", why.told()),
    }
}

fn refused(terminal: &mut Terminal, why: &str) -> Exit {
    terminal.tell(&format!("switchover: {why}\n"));
    Exit::Findings
}
