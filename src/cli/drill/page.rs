//! One page for all drills, with plots, that needs nothing from elsewhere: no script, no font, no image.

use std::fmt::Write as _;

use crate::base::Span;
use crate::cli::markup::escaped;
use crate::sim::rehearsal::{Drilled, Report, Run, clock, part};

use super::plot;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:800px;padding:0 1rem;color:#222}\
h1{font-size:1.3rem}h2{font-size:1.1rem;margin-top:2.2rem}table{border-collapse:collapse;width:100%;margin:.6rem 0}\
td,th{text-align:left;padding:.15rem .6rem .15rem 0;vertical-align:top}td.n,th.n{text-align:right}\
.passed{color:#00704f}.failed,.aborted,.ended{color:#b3261e}.skipped{color:#666}code{font-family:ui-monospace,monospace}\
figure{margin:.8rem 0}svg{width:100%;height:auto}.title{font-weight:600;font-size:12px}.tick{font-size:10px;fill:#555}\
.grid{stroke:#ddd}.faulty{fill:#b3261e;opacity:.1}.key{margin-right:1rem;font-size:13px}.key i{display:inline-block;\
width:.8em;height:.8em;margin-right:.35em}small{color:#555}";

pub(super) fn html(reports: &[Report]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Drills</title><style>{STYLE}</style></head><body>\n\
         <h1>Drills</h1>\n"
    );
    summary(reports, &mut out);
    for report in reports {
        for drill in &report.drills {
            section(drill, &mut out);
        }
    }
    out.push_str("</body></html>\n");
    out
}

fn summary(reports: &[Report], out: &mut String) {
    out.push_str("<table><tr><th>drill</th><th>policy</th><th>verdict</th><th class=\"n\">expectations</th></tr>\n");
    for report in reports {
        for drill in &report.drills {
            let held = drill.expectations.iter().filter(|it| it.passed).count();
            let verdict = drill.conclusion.as_str();
            let name = escaped(&drill.name);
            let _ = writeln!(
                out,
                "<tr><td><a href=\"#{name}\">{name}</a></td><td><code>{}</code></td>\
                 <td class=\"{verdict}\">{verdict}</td><td class=\"n\">{held} of {}</td></tr>",
                escaped(&drill.place),
                drill.expectations.len()
            );
        }
    }
    out.push_str("</table>\n");
}

fn section(drill: &Drilled, out: &mut String) {
    let (name, verdict) = (escaped(&drill.name), drill.conclusion.as_str());
    let _ = writeln!(
        out,
        "<h2 id=\"{name}\">{name}: <span class=\"{verdict}\">{verdict}</span></h2>\n<p><small><code>{}</code></small></p>",
        escaped(&drill.place)
    );
    if let Some(why) = drill.reason() {
        let _ = writeln!(out, "<p>{}</p>", escaped(&why));
    }
    let Some(run) = &drill.run else { return };
    expectations(drill, out);
    out.push_str(&plot::success(run));
    out.push_str(&plot::shares(run));
    out.push_str(&plot::ttft(run));
    numbers(run, out);
    timeline(run, out);
}

fn expectations(drill: &Drilled, out: &mut String) {
    out.push_str("<table><tr><th>expected</th><th>seen</th><th></th></tr>\n");
    for it in &drill.expectations {
        let (class, word) = if it.passed {
            ("passed", "held")
        } else {
            ("failed", "did not hold")
        };
        let _ = writeln!(
            out,
            "<tr><td><code>{}</code></td><td>{}</td><td class=\"{class}\">{word}</td></tr>",
            escaped(&it.expected),
            escaped(&it.found)
        );
    }
    out.push_str("</table>\n");
}

fn numbers(run: &Run, out: &mut String) {
    let mut text = String::new();
    run.numbers_text(&mut text);
    for line in text.lines() {
        let _ = writeln!(out, "<div>{}</div>", escaped(line.trim()));
    }
    out.push_str("<table><tr><th>target</th><th class=\"n\">attempts</th><th class=\"n\">answered</th><th class=\"n\">of all</th></tr>\n");
    for target in &run.targets {
        let share = target.answered.saturating_mul(1_000_000) / run.requests.max(1);
        let _ = writeln!(
            out,
            "<tr><td><code>{}</code></td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escaped(&target.name),
            target.attempts,
            target.answered,
            part(share)
        );
    }
    out.push_str("</table>\n");
}

fn timeline(run: &Run, out: &mut String) {
    out.push_str("<table><tr><th class=\"n\">at</th><th>event</th><th>what</th></tr>\n");
    for moment in run.timeline.iter().take(LINES_MAX) {
        let _ = writeln!(
            out,
            "<tr><td class=\"n\">{}</td><td>{}</td><td><code>{}</code></td></tr>",
            clock(Span::from_millis(moment.millis())),
            moment.event,
            escaped(&moment.what)
        );
    }
    out.push_str("</table>\n");
    let _ = writeln!(
        out,
        "<p><small>Seed {}, {} workers, {} clock.</small></p>",
        run.seed, run.cores, run.clock
    );
}

/// Lines of a timeline on a page.
const LINES_MAX: usize = 500;
