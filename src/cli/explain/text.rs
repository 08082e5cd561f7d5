//! An explanation for people.

use std::fmt::Write as _;

use crate::policy::trace::percent;

use super::report::{Attempt, Deed, Member, Report, Step, Tier};

/// All of it.
pub(super) fn text(report: &Report) -> String {
    let mut out = String::new();
    let facts: Vec<String> = report
        .facts
        .iter()
        .map(|fact| format!("{} = {}", fact.word, fact.value))
        .collect();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "policy  {} ({})", report.file, report.policy);
    let _ = writeln!(out, "request {}  {}", report.id, facts.join(", "));
    let width = report.routes.iter().map(|it| it.route.len()).max();
    let width = width.unwrap_or(0);
    for looked in &report.routes {
        let word = if looked.matches { "YES" } else { "no " };
        let why = match &*looked.because {
            [] => "it takes every request".to_owned(),
            parts => parts.join("; "),
        };
        let _ = writeln!(
            out,
            "route   {:width$}  {word}  {why}  {}",
            looked.route, looked.place
        );
    }
    if let Some(hedge) = &report.hedge {
        let word = if hedge.allowed { "may" } else { "may not" };
        let why = match &*hedge.because {
            [] => String::new(),
            parts => format!(": {}", parts.join("; ")),
        };
        let _ = writeln!(out, "hedge   {word} go to {}{why}", hedge.target);
    }
    let mut masked = Vec::new();
    for (step, number) in report.steps.iter().zip(1_u32..) {
        told(step, number, &mut masked, &mut out);
    }
    let answer = &report.answer;
    let by = answer.by.as_ref().map(|by| format!(" by {by}"));
    let why = answer.reason.map(|reason| format!(" for {reason}"));
    let place = answer.place.as_ref().map(|place| format!("  {place}"));
    let _ = writeln!(
        out,
        "answer  {}{}{}{}",
        answer.status,
        by.unwrap_or_default(),
        why.unwrap_or_default(),
        place.unwrap_or_default()
    );
    out
}

/// One step. `masked` is what was said of forbids by the steps before, so that it is said once.
fn told(step: &Step, number: u32, masked: &mut Vec<String>, out: &mut String) {
    let what = match step.asked {
        "hedge" => ", a second attempt beside the one at hand",
        "go_on" => ", somebody to go on with the broken stream",
        _ => "",
    };
    let _ = writeln!(out, "step {number} at {} ms{what}", step.at_ms);
    let now: Vec<String> = step
        .forbids
        .iter()
        .map(|it| {
            let why = it.because.join("; ");
            let targets = it.targets.join(", ");
            format!("forbid {}  masks {targets}  {why}  {}", it.forbid, it.place)
        })
        .collect();
    for line in now.iter().filter(|line| !masked.contains(line)) {
        let _ = writeln!(out, "  {line}");
    }
    *masked = now;
    for tier in &step.tiers {
        members(tier, out);
    }
    match &step.did {
        Deed::Attempt(target) => {
            let _ = writeln!(out, "  asks {target}: {}", chosen(step, target));
        }
        Deed::WaitUntilMs(until) => {
            let _ = writeln!(out, "  waits until {until} ms, and looks again");
        }
        Deed::Nothing => out.push_str("  nobody is asked\n"),
        Deed::Finish => out.push_str("  nobody is left to ask, or nothing is left to do\n"),
    }
    let _ = writeln!(
        out,
        "  left: {} attempt{}, {} ms",
        step.attempts_left,
        if step.attempts_left == 1 { "" } else { "s" },
        step.time_left_ms
    );
    if let Some(attempt) = &step.attempt {
        ended(attempt, out);
    }
}

fn members(tier: &Tier, out: &mut String) {
    let name = match tier.number {
        0 => "beside".to_owned(),
        number => format!("tier {number}"),
    };
    let _ = writeln!(out, "  {name}  {}", tier.pick);
    let width = tier.members.iter().map(|it| it.target.len()).max();
    let width = width.unwrap_or(0);
    for member in &tier.members {
        let share = match member.share_ppm {
            0 => "-".to_owned(),
            share => percent(share),
        };
        let _ = writeln!(
            out,
            "    {:width$}  weight {} -> {share}{}",
            member.target,
            member.weight,
            state(member)
        );
    }
}

/// What is to be said of a member's state.
fn state(member: &Member) -> String {
    let mut said = match member.stand {
        "free" => String::new(),
        "probe" => "  half open: a few requests probe it".to_owned(),
        "ramp" => {
            let part = u64::from(member.ramp_ppm.unwrap_or_default());
            format!("  on the ramp, {} of its requests", percent(part))
        }
        reason => format!("  {reason}"),
    };
    if let Some(ms) = member.for_ms {
        let _ = write!(said, ", {ms} ms left");
    }
    if let Some(max) = member.max_inflight {
        let _ = write!(said, "  {} of {max} places", member.inflight);
    } else if member.inflight > 0 {
        let _ = write!(said, "  {} under way", member.inflight);
    }
    if let Some(usual) = member.usual_ttft_ms {
        let _ = write!(said, "  usually {usual} ms");
    }
    if member.spilt_ppm > 0 {
        let part = percent(member.spilt_ppm.into());
        let _ = write!(said, "  slow: {part} of its requests leave");
    }
    said
}

/// Why this one.
fn chosen(step: &Step, target: &str) -> String {
    let holds = |tier: &&Tier| tier.members.iter().any(|it| it.target == target);
    let Some(tier) = step.tiers.iter().find(holds) else {
        return "it is told to".to_owned();
    };
    let others = tier.members.iter().filter(|it| it.share_ppm != 0).count();
    let member = tier.members.iter().find(|it| it.target == target);
    match (&*tier.pick, member.map(|it| it.stand)) {
        (_, Some("probe")) => "as a probe".to_owned(),
        (_, Some("tried")) => "again, after a pause: nobody else is left".to_owned(),
        _ if tier.number == 0 => "a jump or a hedge leads there".to_owned(),
        _ if others <= 1 => format!("the only one left of tier {}", tier.number),
        ("weighted", _) => format!("u = {:.4} of {}", step.u, tier.weight),
        ("least_busy", _) => format!("the less busy of two, drawn by u = {:.4}", step.u),
        ("least_latency", _) => {
            format!("the fastest, or one to find out about; u = {:.4}", step.u)
        }
        ("round_robin", _) => "its turn".to_owned(),
        (by, _) => format!("by {by}"),
    }
}

fn ended(attempt: &Attempt, out: &mut String) {
    let status = attempt.status.map(|status| format!(" ({status})"));
    let line = attempt.line.as_ref();
    let line = line.map(|line| format!("  {}  {}", line.text, line.place));
    let _ = writeln!(
        out,
        "  ended in {}{}{}",
        attempt.outcome,
        status.unwrap_or_default(),
        line.unwrap_or_default()
    );
}
