//! What operators can order about routes at the admin address. The thread that ticks tells of what came of it, as of every
//! change.

use serde_json::json;

use crate::base::RouteId;
use crate::engine::Board;
use crate::policy::Plan;
use crate::runtime::generation::Generation;
use crate::runtime::monitor::{Page, error, ok};

/// What the paths of these orders begin with.
pub(super) const PATH: &str = "/routes/";

/// Carries out `POST path`.
pub(super) fn carry_out(generation: &Generation, path: &str) -> Page {
    order(&generation.board, &generation.plan, path)
}

fn order(board: &Board, plan: &Plan, path: &str) -> Page {
    let words: Vec<&str> = path.split('/').skip(1).collect();
    let ["routes", name, order @ ("withdraw" | "resume")] = words.as_slice() else {
        let known =
            "unknown order; there are POST /routes/NAME/withdraw and POST /routes/NAME/resume";
        return error(404, known);
    };
    let mut routes = (0_u16..).zip(&plan.policy.routes);
    let Some((id, _)) = routes.find(|(_, route)| *route.name == **name) else {
        return error(404, "the policy has no route of this name");
    };
    let done = match *order {
        "withdraw" => board.withdraw(RouteId(id)),
        _ => board.resume(RouteId(id)),
    };
    if !done {
        return error(
            409,
            "the route has no `guard`: it can neither be withdrawn nor resumed",
        );
    }
    let state = match *order {
        "withdraw" => "withdrawn",
        _ => "serving",
    };
    ok(&json!({ "route": name, "state": state }))
}

#[cfg(test)]
mod tests {
    use super::order;
    use crate::base::RouteId;
    use crate::engine::{Board, WhyWithdrawn};
    use crate::policy::{Plan, load};

    const POLICY: &str = "policy 1\nprovider openai { model a = \"a\", model b = \"b\" }\n\
        route canary when req.model == \"a\" {\n\
          tier 1 { openai.b }\n\
          guard { compare = route.default, stop when delta(error_rate) > 1% }\n}\n\
        route default { tier 1 { openai.a } }\n";

    #[test]
    fn orders_are_carried_out_or_refused() {
        let (policy, _) = load(&[("p.policy", POLICY)], "p.policy", &[]).unwrap();
        let plan = Plan::new(policy).unwrap();
        let board = Board::new(&plan, 1);
        let order = |path: &str| order(&board, &plan, path).status;
        let standing = || board.guard_status().first().unwrap().withdrawn;
        for (path, status, withdrawn) in [
            ("/routes/canary/withdraw", 200, true),
            ("/routes/canary/pause", 404, true),
            ("/routes/other/resume", 404, true),
            ("/routes/default/resume", 409, true),
            ("/routes/canary/resume", 200, false),
            ("/routes/", 404, false),
        ] {
            assert_eq!(order(path), status, "{path}");
            let expected = withdrawn.then_some(WhyWithdrawn::Operator);
            assert_eq!(standing(), expected, "{path}");
        }
        assert!(!board.withdraw(RouteId(9)));
    }
}
