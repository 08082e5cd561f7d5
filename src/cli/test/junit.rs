//! Results as build servers read them: the `testsuites` that Jenkins, GitLab and GitHub's actions take in common.

use std::fmt::Write as _;

use crate::cli::markup::escaped;

use super::report::Report;

/// One suite for each policy.
pub(super) fn xml(reports: &[Report]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for report in reports {
        let file = escaped(&report.file);
        let _ = writeln!(
            out,
            "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{}\" errors=\"0\">",
            report.tests.len() + report.proofs.len(),
            report.failures()
        );
        for test in &report.tests {
            let first = test.failures.first();
            let message =
                first.map(|first| format!("expected {}, found {}", first.expected, first.found));
            case(&mut out, &file, &test.name, message, &test.details());
        }
        for proof in &report.proofs {
            let first = proof.failures.first();
            let message =
                first.map(|first| format!("expected {}, found {}", first.expected, first.found));
            let name = format!("prove {}", proof.name);
            case(&mut out, &file, &name, message, &proof.details());
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// One test or proof; `message` where it failed.
fn case(out: &mut String, file: &str, name: &str, message: Option<String>, details: &str) {
    let name = escaped(name);
    let _ = write!(out, "    <testcase classname=\"{file}\" name=\"{name}\"");
    let Some(message) = message else {
        out.push_str("/>\n");
        return;
    };
    let _ = writeln!(
        out,
        ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
        escaped(&message),
        escaped(details)
    );
}
