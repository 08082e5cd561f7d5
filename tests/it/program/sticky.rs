//! `sticky = hash(…)`: which requests have a key, and which have the same.

use switchover::policy::Program;
use switchover::policy::model::Action;
use switchover::policy::model::Cond;
use switchover::policy::model::Pick;
use switchover::policy::model::StrFact;

use crate::program::cases::all_targets;
use crate::program::cases::is;
use crate::program::cases::team;
use crate::program::world;
use crate::program::world::Request;

#[test]
fn stickiness_needs_all_of_its_facts() {
    let mut action = all_targets(Pick::Weighted);
    if let Action::Serve(serve) = &mut action {
        serve.sticky = vec![StrFact::Model, StrFact::KeyTeam];
    }
    let routes = vec![
        world::route(is(StrFact::Path, "sticky"), action),
        world::route(Cond::Always, all_targets(Pick::Weighted)),
    ];
    let program = Program::lower(&world::policy(routes, Vec::new())).unwrap();
    let key = |path: &str, model: &str, request: Request| {
        let request = Request {
            path: path.into(),
            model: model.into(),
            ..request
        };
        request.with_facts(program.needs(), |facts| program.decide(facts).sticky)
    };
    let base = key("sticky", "a", team("b"));
    assert!(base.is_some());
    assert_eq!(key("sticky", "a", team("b")), base);
    assert_ne!(key("sticky", "b", team("a")), base);
    assert_eq!(key("sticky", "a", Request::bare()), None);
    assert_eq!(key("sticky", "a", team("")), None);
    assert_eq!(key("other", "a", team("b")), None);
}
