//! Who can reach whom: the values of a fact by provider, decided for all requests, states and outcomes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::policy::Plan;
use crate::sim::proof::{Reach, reach};

/// A row for each value, a column for each provider.
#[derive(Debug, Serialize)]
pub(super) struct Matrix {
    by: String,
    providers: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    value: String,
    cells: Vec<Reach>,
}

impl Matrix {
    pub(super) fn of(plan: &Plan, by: &str) -> Result<Self, &'static str> {
        let found: BTreeMap<String, Vec<Reach>> = reach(plan, by)?;
        let providers = plan.policy.providers.iter();
        Ok(Self {
            by: by.to_owned(),
            providers: providers
                .map(|provider| provider.name.to_string())
                .collect(),
            rows: found
                .into_iter()
                .map(|(value, cells)| Row { value, cells })
                .collect(),
        })
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let values = self.rows.iter().map(|row| row.value.chars().count());
        let first = values.chain([self.by.chars().count()]).max().unwrap_or(0);
        let mut out = format!("{:<first$}", self.by);
        for provider in &self.providers {
            let _ = write!(out, "  {provider:<13}");
        }
        out = out.trim_end().to_owned();
        out.push('\n');
        for row in &self.rows {
            let mut line = format!("{:<first$}", row.value);
            for (cell, provider) in row.cells.iter().zip(&self.providers) {
                let width = provider.chars().count().max(13);
                let _ = write!(line, "  {:<width$}", cell.as_str());
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}
