//! Writes a request to Anthropic.

use crate::dialect::claude::Claude;
use crate::dialect::codec::Destination;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::messages::request::thinking::Plan;
use crate::dialect::messages::request::{blocks, schema, tools};
use crate::dialect::turn::{Form, Turn};
use crate::wire::json::Writer;

/// Writes `turn` for the model of `to`.
///
/// # Errors
/// It asks for what Anthropic does not have.
pub fn write(
    turn: &Turn<'_>,
    to: &Destination<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) -> Result<(), Unsupported> {
    let claude = Claude::of(to.model);
    check_form(&turn.form, claude)?;
    let plan = Plan::new(turn, claude, to.max_output, losses);
    out.try_object(|it| {
        it.key("model").string(to.model);
        it.key("max_tokens").number(plan.max_tokens);
        blocks::write_system(turn, losses, it)?;
        blocks::write_messages(turn, losses, it)?;
        tools::write(turn, plan.tool_choice, claude, losses, it);
        write_sampling(turn, claude, &plan, losses, it);
        plan.write(it);
        write_output_config(turn, &plan, losses, it);
        if let Some(user) = turn.user {
            it.key("metadata")
                .object(|it| it.key("user_id").string(user));
        }
        if turn.stream {
            it.key("stream").bool(true);
        }
        Ok(())
    })
}

fn check_form(form: &Form<'_>, claude: Claude) -> Result<(), Unsupported> {
    match form {
        Form::Json => Err(Unsupported::new(
            "response_format",
            "asks for JSON without a schema, which Anthropic cannot promise: give a `json_schema`",
        )),
        Form::Schema(_) if !claude.takes_schemas() => Err(Unsupported::new(
            "response_format",
            "asks for a schema, to which models of Anthropic before Claude 4.1 cannot be held",
        )),
        Form::Text | Form::Schema(_) => Ok(()),
    }
}

fn write_sampling(
    turn: &Turn<'_>,
    claude: Claude,
    plan: &Plan<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) {
    losses.add_if(turn.seed.is_some(), "seed");
    losses.add_unless_usual(turn.presence_penalty, 0.0, "presence_penalty");
    losses.add_unless_usual(turn.frequency_penalty, 0.0, "frequency_penalty");
    // One is what all models do by themselves, and the only value that all of them take.
    let mut temperature = turn.temperature.filter(|it| !is_one(*it));
    let mut top_p = turn.top_p.filter(|it| !is_one(*it));
    let mut top_k = turn.top_k;
    let takes_chance = claude.takes_sampling() && plan.takes_chance();
    if !takes_chance {
        losses.add_if(temperature.take().is_some(), "temperature");
        losses.add_if(top_k.take().is_some(), "top_k");
    }
    // A model that thinks takes `top_p` from 0.95 on.
    let takes_top_p = claude.takes_sampling()
        && (plan.takes_chance() || top_p.is_some_and(|top_p| top_p >= 0.95))
        && (temperature.is_none() || claude.takes_both_samplings());
    if !takes_top_p {
        losses.add_if(top_p.take().is_some(), "top_p");
    }
    if let Some(temperature) = temperature {
        let clamped = temperature.clamp(0.0, 1.0);
        losses.add_if(!(0.0..=1.0).contains(&temperature), "temperature");
        out.key("temperature").float(clamped);
    }
    if let Some(top_p) = top_p {
        out.key("top_p").float(top_p);
    }
    if let Some(top_k) = top_k {
        out.key("top_k").number(top_k);
    }
    write_stops(&turn.stop, losses, out);
}

fn is_one(number: f64) -> bool {
    (number - 1.0).abs() < f64::EPSILON
}

/// A text of white space alone is refused.
fn write_stops(stops: &[&str], losses: &mut Losses, out: &mut Writer<'_>) {
    let is_blank = |stop: &&&str| stop.trim().is_empty();
    losses.add_if(stops.iter().any(|stop| is_blank(&stop)), "stop");
    if stops.iter().all(|stop| is_blank(&stop)) {
        return;
    }
    out.key("stop_sequences").array(|it| {
        for stop in stops.iter().filter(|stop| !is_blank(stop)) {
            it.string(stop);
        }
    });
}

fn write_output_config(
    turn: &Turn<'_>,
    plan: &Plan<'_>,
    losses: &mut Losses,
    out: &mut Writer<'_>,
) {
    let form = match &turn.form {
        Form::Schema(form) => Some(form),
        Form::Text | Form::Json => None,
    };
    if form.is_none() && plan.effort.is_none() {
        return;
    }
    out.key("output_config").object(|it| {
        if let Some(effort) = plan.effort {
            it.key("effort").string(effort);
        }
        if let Some(form) = form {
            it.key("format").object(|it| {
                it.key("type").string("json_schema");
                schema::write(form.schema, form.labels(losses), it.key("schema"));
            });
        }
    });
}
