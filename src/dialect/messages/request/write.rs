//! Writes a request to Anthropic.

use crate::dialect::claude::{Claude, Plan, Sampling, stops};
use crate::dialect::codec::Destination;
use crate::dialect::loss::{Losses, Unsupported};
use crate::dialect::messages::request::{blocks, tools};
use crate::dialect::schema::{self, Decoder};
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
    let sampling = Sampling::of(turn, claude, plan, losses);
    if let Some(temperature) = sampling.temperature {
        out.key("temperature").float(temperature);
    }
    if let Some(top_p) = sampling.top_p {
        out.key("top_p").float(top_p);
    }
    if let Some(top_k) = sampling.top_k {
        out.key("top_k").number(top_k);
    }
    let stops = stops(turn, losses);
    if !stops.is_empty() {
        out.key("stop_sequences")
            .array(|it| stops.iter().for_each(|stop| it.string(stop)));
    }
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
                let labels = form.labels(losses);
                let (decoder, place) = (Decoder::Anthropic, schema::OF_ANSWERS);
                let out = it.key("schema");
                schema::write(form.schema, labels, decoder, place, losses, out);
            });
        }
    });
}
