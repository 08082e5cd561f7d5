//! `switchover apply` and `rollback`: another plan for a running gateway, checked and tested as what it will be, in place of
//! the files that are served; or back to the one before.
//!
//! ```text
//!   GET /policy ─▶ load NEW in the served file's place ─▶ its tests, its proofs ─▶ what changes
//!        ─▶ keep the old texts ─▶ replace the files ─▶ POST /reload ─┬─▶ the hash serves: done
//!                                                                     └─▶ it does not: the old texts are put back
//! ```
//! What NEW imports comes from beside it, where it is there, and else from beside the served file. Imported files are replaced first, the policy's
//! own file last: whoever reads it before reads the old plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use similar::TextDiff;

use crate::cli::terminal::Terminal;
use crate::cli::{ApplyArgs, Exit, RollbackArgs, borrowed, diff};
use crate::policy::{self, Plan, Sources};
use crate::runtime::{Disk, History, operator, put, remove};
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
    let folder = Path::new(&args.file).parent().map(Path::to_path_buf);
    let offered = Offered::New {
        text,
        folder: folder.unwrap_or_default(),
    };
    let order = Order {
        admin: &args.admin,
        by: args.by.as_deref(),
        dry_run: args.dry_run,
    };
    ended(order.apply(&offered, terminal))
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
    plan: Plan,
}

impl Served {
    /// The path of one of its files from the folder of its own; `None` for one that lies elsewhere.
    fn relative<'p>(&self, path: &'p str) -> Option<&'p str> {
        let folder = self.file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let relative = match folder {
            "" if path.starts_with('/') && !self.file.starts_with('/') => None,
            "" => Some(path.trim_start_matches('/')),
            _ => path.strip_prefix(folder)?.strip_prefix('/'),
        };
        relative.filter(|path| !path.starts_with("../"))
    }

    /// Where the file of that relative path is.
    fn path(&self, relative: &str) -> PathBuf {
        Path::new(&self.file).with_file_name(relative)
    }
}

/// Files for the served ones' place, by their paths from the folder of the policy's own.
enum Offered {
    /// The text for the policy's own file, and the folder that it comes from.
    New { text: Vec<u8>, folder: PathBuf },
    /// Those of a plan that was served before.
    Kept(BTreeMap<String, Vec<u8>>),
}

/// A file that becomes another one.
struct Change {
    /// From the folder of the policy's own file.
    name: String,
    /// `None` for one that is new.
    before: Option<Vec<u8>>,
    after: Vec<u8>,
}

/// The plan as it will be, and the files by which it differs.
struct Next {
    plan: Plan,
    changes: Vec<Change>,
}

impl Next {
    /// The files that are replaced, as they are.
    fn before(&self) -> Vec<(String, Vec<u8>)> {
        let changes = self.changes.iter();
        let files =
            changes.filter_map(|change| Some((change.name.clone(), change.before.clone()?)));
        files.collect()
    }

    fn difference(&self) -> String {
        self.changes.iter().map(Change::difference).collect()
    }
}

impl Change {
    /// What changes in the text. Secrets are references in both.
    fn difference(&self) -> String {
        let before = self.before.as_deref().unwrap_or_default();
        let (old, new) = (
            String::from_utf8_lossy(before),
            String::from_utf8_lossy(&self.after),
        );
        let diff = TextDiff::from_lines(&*old, &*new);
        let mut unified = diff.unified_diff();
        unified.context_radius(3);
        unified.header(&self.name, "new").to_string()
    }
}

impl Order<'_> {
    fn apply(&self, offered: &Offered, terminal: &mut Terminal) -> Result<(), Exit> {
        let served = self.served(terminal)?;
        let next = checked(&served, offered, terminal)?;
        if next.changes.is_empty() {
            terminal.print(&format!("nothing changes: {} is served\n", served.hash));
            return Ok(());
        }
        terminal.print(&next.difference());
        terminal.print(&meaning(&served.plan, &next.plan));
        if self.dry_run {
            let (now, hash) = (&served.hash, next.plan.policy.hash);
            terminal.print(&format!(
                "{now} would become {hash:016x}; nothing was changed\n"
            ));
            return Ok(());
        }
        let history = Self::history(&served, terminal)?;
        let kept = history.keep(&served.hash, &next.before());
        kept.map_err(|error| {
            refused(
                terminal,
                &format!("the plan that runs cannot be kept: {error}"),
            )
        })?;
        self.swap(&served, &next, terminal).inspect_err(|_| {
            // It is served still: there is nothing to go back from.
            history.forget_newest();
        })
    }

    fn roll_back(&self, terminal: &mut Terminal) -> Result<(), Exit> {
        let served = self.served(terminal)?;
        let history = Self::history(&served, terminal)?;
        let files: BTreeMap<String, Vec<u8>> = history.newest().into_iter().collect();
        if files.is_empty() {
            return Err(refused(terminal, "no plan was served before this one"));
        }
        let next = checked(&served, &Offered::Kept(files), terminal)?;
        terminal.print(&next.difference());
        terminal.print(&meaning(&served.plan, &next.plan));
        self.swap(&served, &next, terminal)?;
        history.undone(&next.before());
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
        Disk.read(file).map_err(|why| {
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
            plan,
        })
    }

    /// The plans that were served before. Nobody else applies one meanwhile.
    fn history(served: &Served, terminal: &mut Terminal) -> Result<History, Exit> {
        History::of(&PathBuf::from(&served.file))
            .map_err(|error| refused(terminal, &format!("its history cannot be used: {error}")))
    }

    /// Puts the files in the served ones' place and lets them be read; back again if the plan is not served then.
    fn swap(&self, served: &Served, next: &Next, terminal: &mut Terminal) -> Result<(), Exit> {
        for (done, change) in next.changes.iter().enumerate() {
            let path = served.path(&change.name);
            let Err(error) = put(&path, &change.after, Path::new(&served.file)) else {
                continue;
            };
            let back = put_back(served, next.changes.iter().take(done));
            let state = if back {
                "nothing was changed"
            } else {
                "and some files are the new ones: look at them"
            };
            let why = format!("`{}` cannot be replaced: {error}; {state}", path.display());
            return Err(refused(terminal, &why));
        }
        let by = self.by.map(|by| format!("?by={by}")).unwrap_or_default();
        let path = format!("/reload{by}");
        let why = match operator::order(self.admin, &path) {
            Ok((status, body)) => {
                let told: Value = serde_json::from_slice(&body).unwrap_or_default();
                let field = |name: &str| told.get(name).and_then(Value::as_str);
                let wanted = format!("{:016x}", next.plan.policy.hash);
                if status == 200 && field("policy") == Some(&*wanted) {
                    terminal.print(&format!("{wanted} is served, {} was before\n", served.hash));
                    return Ok(());
                }
                field("why").unwrap_or("another plan is served").to_owned()
            }
            Err(error) => error.to_string(),
        };
        let put_back = put_back(served, next.changes.iter());
        // Where nothing was reloaded this changes nothing.
        let again = operator::order(self.admin, "/reload");
        let restored = put_back && again.is_ok_and(|(status, _)| status == 200);
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

/// Takes changes back, the policy's own file first. False if one could not be.
fn put_back<'c>(served: &Served, changes: impl DoubleEndedIterator<Item = &'c Change>) -> bool {
    let mut all = true;
    for change in changes.rev() {
        let path = served.path(&change.name);
        let done = match &change.before {
            Some(text) => put(&path, text, Path::new(&served.file)),
            None => remove(&path),
        };
        all &= done.is_ok();
    }
    all
}

/// The plan that the files make in the served ones' place, if its tests and proofs hold.
fn checked(served: &Served, offered: &Offered, terminal: &mut Terminal) -> Result<Next, Exit> {
    let sources = InPlace { served, offered };
    let loaded = policy::load(&sources, &served.file, &borrowed(&served.sets));
    let (policy, _) = loaded.map_err(|diagnostics| {
        terminal.tell(&diagnostics.render(terminal.colours_told()));
        refused(terminal, "the plan has errors; nothing was changed")
    })?;
    let changes = changes(&sources, &policy.files);
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
    Ok(Next { plan, changes })
}

/// The files of the plan to be that differ from what is there, the policy's own last.
fn changes(sources: &InPlace<'_>, files: &[Box<str>]) -> Vec<Change> {
    // The first is the policy's own.
    let differing = files.iter().rev().filter_map(|path| {
        let after = sources.offered(path)?;
        let before = Disk.read(path).ok();
        (before.as_ref() != Some(&after)).then(|| Change {
            name: sources.served.relative(path).unwrap_or(path).to_owned(),
            before,
            after,
        })
    });
    differing.collect()
}

/// The files as they will be.
struct InPlace<'a> {
    served: &'a Served,
    offered: &'a Offered,
}

impl InPlace<'_> {
    /// The file that is to be at a path, if it is offered.
    fn offered(&self, path: &str) -> Option<Vec<u8>> {
        let name = self.served.relative(path)?;
        match self.offered {
            Offered::New { text, .. } if path == self.served.file => Some(text.clone()),
            Offered::New { folder, .. } => Disk.read(folder.join(name).to_str()?).ok(),
            Offered::Kept(files) => files.get(name).cloned(),
        }
    }
}

impl Sources for InPlace<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.offered(path).map_or_else(|| Disk.read(path), Ok)
    }
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
