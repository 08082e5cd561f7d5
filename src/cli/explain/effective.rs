//! `--effective`: what holds once everything is merged, and where it comes from.

use std::fmt::Write as _;

use serde::Serialize;

use crate::policy::Policy;
use crate::policy::effective::{Origin, Owner, Setting};
use crate::policy::model::At;

/// What is asked for: everything, or one provider, target or route.
#[derive(Debug)]
pub(super) struct Filter<'a> {
    kind: &'a str,
    name: &'a str,
}

impl<'a> Filter<'a> {
    /// From the words after `--effective`; an error is a sentence.
    pub(super) fn of(words: &'a [String]) -> Result<Option<Self>, String> {
        match words {
            [] => Ok(None),
            [kind, name] if matches!(&**kind, "route" | "provider" | "target") => {
                Ok(Some(Self { kind, name }))
            }
            _ => Err(
                "`--effective` takes nothing, or `route NAME`, `provider NAME` or \
                 `target PROVIDER.MODEL`"
                    .to_owned(),
            ),
        }
    }

    pub(super) fn takes(&self, owner: &Owner) -> bool {
        owner.kind == self.kind && *owner.name == *self.name
    }

    /// That nothing is.
    pub(super) fn missing(&self) -> String {
        format!("there is no {} `{}`", self.kind, self.name)
    }
}

/// For people.
pub(super) fn text(policy: &Policy, owners: &[Owner]) -> String {
    let mut out = String::new();
    for owner in owners {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "{} {}  {}",
            owner.kind,
            owner.name,
            place(policy, owner.at)
        );
        let widest = |of: fn(&Setting) -> &str| {
            let lengths = owner.settings.iter().map(|it| of(it).chars().count());
            lengths.filter(|&length| length <= WIDE).max().unwrap_or(0)
        };
        let (fields, values) = (widest(|it| &it.field), widest(|it| &it.value));
        for Setting {
            field,
            value,
            origin,
        } in &owner.settings
        {
            let origin = told(policy, *origin);
            let _ = writeln!(out, "  {field:fields$}  {value:values$}  {origin}");
        }
    }
    out
}

/// For programs.
pub(super) fn json(policy: &Policy, owners: &[Owner]) -> String {
    #[derive(Serialize)]
    struct All<'o> {
        schema: &'static str,
        policy: String,
        owners: Vec<One<'o>>,
    }
    #[derive(Serialize)]
    struct One<'o> {
        kind: &'static str,
        name: &'o str,
        place: String,
        settings: Vec<Set<'o>>,
    }
    #[derive(Serialize)]
    struct Set<'o> {
        field: &'o str,
        value: &'o str,
        origin: &'static str,
        place: Option<String>,
    }
    let set = |setting: &'_ Setting| -> (&'static str, Option<String>) {
        let at = match setting.origin {
            Origin::Written(at) | Origin::Defaults(at) | Origin::Provider(at) => Some(at),
            _ => None,
        };
        (word(setting.origin), at.map(|at| place(policy, at)))
    };
    let owners = owners.iter().map(|owner| One {
        kind: owner.kind,
        name: &owner.name,
        place: place(policy, owner.at),
        settings: owner
            .settings
            .iter()
            .map(|setting| {
                let (origin, place) = set(setting);
                Set {
                    field: &setting.field,
                    value: &setting.value,
                    origin,
                    place,
                }
            })
            .collect(),
    });
    let all = All {
        schema: "switchover.effective/1",
        policy: format!("{:016x}", policy.hash),
        owners: owners.collect(),
    };
    let mut text = serde_json::to_string_pretty(&all).unwrap_or_default();
    text.push('\n');
    text
}

fn told(policy: &Policy, origin: Origin) -> String {
    match origin {
        Origin::Written(at) => place(policy, at),
        Origin::Defaults(at) | Origin::Provider(at) => {
            format!("{} ({})", place(policy, at), word(origin))
        }
        Origin::Kind(kind) => format!("kind {kind}"),
        Origin::Catalogue => "catalogue".to_owned(),
        Origin::BuiltIn => "built in".to_owned(),
        Origin::Target => "each target".to_owned(),
    }
}

const fn word(origin: Origin) -> &'static str {
    match origin {
        Origin::Written(_) => "written",
        Origin::Defaults(_) => "defaults",
        Origin::Provider(_) => "provider",
        Origin::Kind(_) => "kind",
        Origin::Catalogue => "catalogue",
        Origin::BuiltIn => "built_in",
        Origin::Target => "target",
    }
}

fn place(policy: &Policy, at: At) -> String {
    let file = policy.files.get(usize::from(at.file));
    format!("{}:{}", file.map_or("?", |file| file), at.line)
}

/// A value that is longer does not push the origins of all others aside.
const WIDE: usize = 40;
