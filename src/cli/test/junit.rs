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
            report.tests.len(),
            report.failed()
        );
        for test in &report.tests {
            let name = escaped(&test.name);
            let _ = write!(out, "    <testcase classname=\"{file}\" name=\"{name}\"");
            if test.passed {
                out.push_str("/>\n");
                continue;
            }
            let first = test.failures.first();
            let message =
                first.map(|first| format!("expected {}, found {}", first.expected, first.found));
            let _ = writeln!(
                out,
                ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                escaped(&message.unwrap_or_default()),
                escaped(&test.details())
            );
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}
