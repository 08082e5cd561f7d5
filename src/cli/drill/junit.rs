//! Results as build servers read them: a suite for each policy, a case for each drill.

use std::fmt::Write as _;

use crate::cli::markup::escaped;
use crate::sim::rehearsal::{Conclusion, Drilled, Report};

pub(super) fn xml(reports: &[Report]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for report in reports {
        let file = escaped(&report.file);
        let failures = report.drills.iter().filter(|it| failed(it)).count();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{}\">",
            report.drills.len(),
            report.count(Conclusion::Skipped),
        );
        for drill in &report.drills {
            case(&file, drill, &mut out);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

const fn failed(drill: &Drilled) -> bool {
    !matches!(drill.conclusion, Conclusion::Passed | Conclusion::Skipped)
}

fn case(file: &str, drill: &Drilled, out: &mut String) {
    let name = escaped(&drill.name);
    let _ = write!(out, "    <testcase classname=\"{file}\" name=\"{name}\"");
    let why = drill.why.as_deref().unwrap_or_default();
    match drill.conclusion {
        Conclusion::Passed => out.push_str("/>\n"),
        Conclusion::Skipped => {
            let _ = writeln!(
                out,
                ">\n      <skipped message=\"{}\"/>\n    </testcase>",
                escaped(why)
            );
        }
        _ => {
            let first = drill.expectations.iter().find(|it| !it.passed);
            let message = match (drill.reason(), first) {
                (Some(reason), _) => reason,
                (None, Some(first)) => {
                    format!("expected {}, found {}", first.expected, first.found)
                }
                (None, None) => String::new(),
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
