//! Checks that need the whole policy: what is missing, what is never reached, what is never used.

use std::collections::BTreeSet;

use crate::policy::diag::{Diagnostic, Severity, naming as say, routing};
use crate::policy::model::{Action, Then};
use crate::policy::resolve::names::PASSIVE;
use crate::policy::resolve::policy::Resolver;
use crate::policy::schema::Space;
use crate::policy::syntax::Place;

impl Resolver<'_> {
    pub(super) fn check_whole(&mut self) {
        if !self.names.has(Space::Route, "default") {
            let end = self.files.text(0).trim_end().len();
            let place = Place {
                file: 0,
                start: u32::try_from(end).unwrap_or(u32::MAX),
                len: 0,
            };
            self.report(routing::no_default(place));
        }
        // A mistake elsewhere may be the only reason why something seems unused.
        let sound = |diagnostic: &Diagnostic| diagnostic.severity() < Severity::Error;
        if self.found.iter().all(sound) {
            self.unreached();
            self.unused();
            self.unused_imports();
            self.check_reach();
        }
        // The same numbers may be wrong in several routes, and are said once.
        if !self.stopped && self.found.iter().all(sound) {
            let checks = [
                self.check_guards(),
                self.check_breakers(),
                self.check_room(),
                self.check_chains(),
                self.check_trust(),
            ];
            let mut said = BTreeSet::new();
            for diagnostic in checks.into_iter().flatten() {
                let place = diagnostic.labels.first().map(|label| label.place);
                if said.insert((diagnostic.code, place)) {
                    self.report(diagnostic);
                }
            }
        }
    }

    /// Which targets a route leads to.
    fn reached_targets(&self) -> Vec<bool> {
        let mut reached = vec![false; self.targets.len()];
        for route in &self.routes {
            let Action::Serve(serve) = &route.action else {
                continue;
            };
            let members = serve
                .tiers
                .iter()
                .flat_map(|tier| tier.members.iter().map(|member| member.target));
            let jumps = serve.fallback.iter().filter_map(|line| match line.then {
                Then::Jump(target) => Some(target),
                _ => None,
            });
            let hedge = serve.hedge.as_ref().map(|hedge| hedge.target);
            let shadow = serve.shadow.as_ref().map(|shadow| shadow.target);
            for target in members.chain(jumps).chain(hedge).chain(shadow) {
                if let Some(reached) = reached.get_mut(target.index()) {
                    *reached = true;
                }
            }
        }
        reached
    }

    /// The files of their providers.
    fn reached_files(&self) -> BTreeSet<u16> {
        let reached = self.targets.iter().zip(self.reached_targets());
        let providers = reached.filter(|(_, reached)| *reached);
        let providers = providers.map(|(target, _)| target.provider.index());
        providers
            .filter_map(|index| Some(self.providers.get(index)?.at.file))
            .collect()
    }

    /// Providers and models that no route leads to. An imported file is shared: not everybody needs all of it.
    fn unreached(&mut self) {
        let reached = self.reached_targets();
        for (index, provider) in self.providers.clone().iter().enumerate() {
            let own = self
                .targets
                .iter()
                .zip(&reached)
                .filter(|(target, _)| target.provider.index() == index);
            let (mut any, mut idle) = (false, Vec::new());
            for ((target, reached), place) in own.zip(self.own_places(index)) {
                any |= reached;
                if !reached && place.file == 0 {
                    idle.push((place, target.name.clone()));
                }
            }
            if any {
                for (place, name) in idle {
                    self.report(routing::unreached(place, "model", &name));
                }
            } else if provider.at.file == 0
                && let Some(decl) = self
                    .names
                    .all(Space::Provider)
                    .iter()
                    .find(|decl| *decl.name == *provider.name)
            {
                self.report(routing::unreached(decl.place, "provider", &provider.name));
            }
        }
    }

    fn own_places(&self, provider: usize) -> Vec<Place> {
        let all = self.targets.iter().zip(&self.target_places);
        all.filter(|(target, _)| target.provider.index() == provider)
            .map(|(_, place)| *place)
            .collect()
    }

    fn unused(&mut self) {
        // Providers are looked at by their models.
        let spaces = PASSIVE.into_iter();
        for space in spaces.filter(|space| *space != Space::Provider) {
            for decl in self.names.all(space) {
                let used = self.names.is_used(space, decl.name) || decl.name == "standard";
                if !used && decl.place.file == 0 {
                    let all = self.with_line_end(decl.stmt.place);
                    self.report(say::unused(decl.place, space.as_str(), decl.name, all));
                }
            }
        }
    }

    /// Imports of the policy's own file that lead to nothing: no file behind them has a route or another thing that acts by itself, nor anything
    /// that is named.
    fn unused_imports(&mut self) {
        let imports = self.files.imports();
        let mut live = self.names.files();
        // A provider is used by its models.
        live.extend(self.reached_files());
        loop {
            let alive = imports.iter().filter(|import| live.contains(&import.file));
            let by: BTreeSet<u16> = alive.map(|import| import.path.file).collect();
            if by.is_subset(&live) {
                break;
            }
            live.extend(by);
        }
        for import in imports {
            if import.path.file == 0 && !live.contains(&import.file) {
                let all = self.with_line_end(import.item);
                let path = self.files.slice(import.path);
                self.report(say::unused_import(import.path, path, all));
            }
        }
    }

    /// A declaration, with its `const` and with the newline behind it where it stands alone on its lines.
    fn with_line_end(&self, place: Place) -> Place {
        let text = self.files.text(place.file);
        let (start, end) = (place.start as usize, place.end().start as usize);
        let before = text.get(..start).unwrap_or_default();
        let before = before
            .trim_end_matches([' ', '\t'])
            .strip_suffix("const")
            .unwrap_or(before);
        let after = text.get(end..).unwrap_or_default();
        let alone = before.is_empty() || before.ends_with('\n');
        let newline = match (alone, after.starts_with("\r\n"), after.starts_with('\n')) {
            (true, true, _) => 2,
            (true, _, true) => 1,
            _ => 0,
        };
        let from = u32::try_from(before.len()).unwrap_or(place.start);
        Place {
            start: from,
            len: place.end().start + newline - from,
            ..place
        }
    }
}
