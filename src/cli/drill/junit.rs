//! Results as build servers read them: a suite for each policy, a case for each drill.

use std::fmt::Write as _;

use crate::cli::markup::escaped;

use super::report::{Drilled, Report, Verdict};

pub(super) fn xml(reports: &[Report]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for report in reports {
        let file = escaped(&report.file);
        let failures = report.count(Verdict::Failed) + report.count(Verdict::Aborted);
        let _ = writeln!(
            out,
            "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{}\">",
            report.drills.len(),
            report.count(Verdict::Skipped),
        );
        for drill in &report.drills {
            case(&file, drill, &mut out);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(file: &str, drill: &Drilled, out: &mut String) {
    let name = escaped(&drill.name);
    let _ = write!(out, "    <testcase classname=\"{file}\" name=\"{name}\"");
    let why = drill.why.as_deref().unwrap_or_default();
    match drill.verdict {
        Verdict::Passed => out.push_str("/>\n"),
        Verdict::Skipped => {
            let _ = writeln!(
                out,
                ">\n      <skipped message=\"{}\"/>\n    </testcase>",
                escaped(why)
            );
        }
        Verdict::Failed | Verdict::Aborted => {
            let first = drill.expectations.iter().find(|it| !it.passed);
            let message = match (drill.verdict, first) {
                (Verdict::Aborted, _) => format!("ended by `abort when {why}`"),
                (_, Some(first)) => format!("expected {}, found {}", first.expected, first.found),
                (_, None) => why.to_owned(),
            };
            let _ = writeln!(
                out,
                ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                escaped(&message),
                escaped(&drill.details())
            );
        }
    }
}
