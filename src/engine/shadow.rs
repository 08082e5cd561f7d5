//! Copies of requests: which are made, how many are under way, and what became of the others.
//!
//! ```text
//!   a request of a route with a shadow ─ of its share? ─ may one begin? ─ a seat ─▶ a copy ─ over ─▶ the seat is free
//!                                                  └─ no: dropped, and counted why
//! ```
//! A copy never waits: what cannot begin at once never begins. Everything else that a copy does is told to a board and to
//! cores of its own (see [`crate::policy::Plan::of_shadows`]), so that no pick, breaker, pause or metric of the requests
//! themselves sees it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use crate::base::{Moment, RequestId, RouteId, TargetId, hash};
use crate::engine::board::Padded;
use crate::engine::chain::{Way, fold, health};
use crate::engine::core::Core;
use crate::engine::load::Bound;
use crate::policy::Policy;
use crate::policy::model::{Action, Shadow};

/// Why a request of the share was not copied.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dropped {
    /// As many copies of the route were under way as may be.
    AtCapacity,
    /// The gateway had more than half of what it may to do, or there was no memory left for copies.
    Overloaded,
    /// Its body is so long that copying it would hold up the core.
    TooLarge,
    /// A `forbid` masks the target for this request, or it lacks what the route requires.
    Forbidden,
    /// The target was resting: its breaker, a pause, its key, its health, an order of an operator.
    Unusable,
    /// The process was about to end.
    Draining,
}

impl Dropped {
    /// Every reason, in declaration order.
    pub const ALL: [Self; 6] = [
        Self::AtCapacity,
        Self::Overloaded,
        Self::TooLarge,
        Self::Forbidden,
        Self::Unusable,
        Self::Draining,
    ];

    /// The word of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtCapacity => "at_capacity",
            Self::Overloaded => "overloaded",
            Self::TooLarge => "too_large",
            Self::Forbidden => "forbidden",
            Self::Unusable => "unusable",
            Self::Draining => "draining",
        }
    }
}

/// The copies of all routes, for one plan's ids.
#[derive(Debug)]
pub struct Shadows {
    /// By route.
    posts: Box<[Option<Post>]>,
}

/// One route's.
#[derive(Clone, Debug)]
struct Post {
    shadow: Shadow,
    /// Tells the draws of routes apart.
    salt: u64,
    seats: Seats,
}

/// So many copies at once, and what became of the others.
#[derive(Clone, Debug)]
pub struct Seats {
    counts: Arc<Padded<Counts>>,
    max: u32,
}

/// Written by all cores, but only for requests of the share.
#[derive(Debug, Default)]
struct Counts {
    inflight: AtomicU32,
    started: AtomicU64,
    dropped: [AtomicU64; Dropped::ALL.len()],
}

/// One route's copies as operators see them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ShadowStatus {
    /// The route.
    pub route: RouteId,
    /// What the policy says.
    pub shadow: Shadow,
    /// Copies under way.
    pub inflight: u32,
    /// Copies that began since the start.
    pub started: u64,
    /// Copies that did not, in the order of [`Dropped::ALL`].
    pub dropped: [u64; Dropped::ALL.len()],
}

impl Shadows {
    /// Nothing is under way.
    pub fn new(policy: &Policy) -> Self {
        let posts = policy.routes.iter().map(|route| {
            let shadow = match &route.action {
                Action::Serve(serve) => serve.shadow?,
                Action::Reject(_) => return None,
            };
            Some(Post {
                shadow,
                salt: hash::of_bytes(SALT, route.name.as_bytes()),
                seats: Seats::new(shadow.max_inflight),
            })
        });
        Self {
            posts: posts.collect(),
        }
    }

    /// For `policy`, going on where those of the policy before it stand, by the names of routes: what is under way then
    /// counts for the new ones too.
    #[must_use]
    pub fn following(&self, before: &Policy, policy: &Policy) -> Self {
        let mut next = Self::new(policy);
        for (post, route) in next.posts.iter_mut().zip(&policy.routes) {
            let place = before.routes.iter().position(|old| old.name == route.name);
            let old = place.and_then(|place| self.posts.get(place)?.as_ref());
            if let (Some(post), Some(old)) = (post, old) {
                post.seats.counts = Arc::clone(&old.seats.counts);
            }
        }
        next
    }

    /// Whether the request is one of those that its route copies: by its id alone, so that it is the same whenever it is
    /// asked, and independent of the targets that it is sent to and of `hash_pct`.
    pub fn is_of_the_share(&self, route: RouteId, request: RequestId) -> bool {
        self.post(route).is_some_and(|post| {
            let drawn = hash::scale(hash::mix(fold(request), post.salt), u64::from(WHOLE_PPM));
            drawn < u64::from(post.shadow.share)
        })
    }

    /// Whether a copy may begin as far as the requests themselves are concerned: they have room, and would ask its target
    /// too. `core` is theirs.
    ///
    /// # Errors
    /// Why not.
    pub fn may_begin(&self, now: Moment, route: RouteId, core: &Core) -> Result<(), Dropped> {
        let target = self.post(route).map(|post| post.shadow.target);
        if !has_room_for_copies(core) {
            return Err(Dropped::Overloaded);
        }
        match target.map(|target| stands(now, target, core)) {
            Some(true) => Ok(()),
            Some(false) | None => Err(Dropped::Unusable),
        }
    }

    /// A place among the copies of the route, until it is dropped.
    ///
    /// # Errors
    /// All are taken.
    pub fn seat(&self, route: RouteId) -> Result<Seat, Dropped> {
        let post = self.post(route).ok_or(Dropped::AtCapacity)?;
        post.seats.take()
    }

    /// A request of the share is not copied.
    pub fn dropped(&self, route: RouteId, why: Dropped) {
        if let Some(post) = self.post(route) {
            post.seats.dropped(why);
        }
    }

    /// The routes with a shadow as they stand.
    pub fn status(&self) -> Vec<ShadowStatus> {
        let routes = (0_u16..).map(RouteId).zip(&self.posts);
        let told = routes.filter_map(|(route, post)| {
            let Post { shadow, seats, .. } = post.as_ref()?;
            Some(ShadowStatus {
                route,
                shadow: *shadow,
                inflight: seats.inflight(),
                started: seats.started(),
                dropped: seats.all_dropped(),
            })
        });
        told.collect()
    }

    fn post(&self, route: RouteId) -> Option<&Post> {
        self.posts.get(route.index())?.as_ref()
    }
}

impl Seats {
    /// At most `max` copies at once. None is under way.
    pub fn new(max: u32) -> Self {
        Self {
            counts: Arc::default(),
            max,
        }
    }

    /// One of them, until it is dropped.
    ///
    /// # Errors
    /// All are taken.
    pub fn take(&self) -> Result<Seat, Dropped> {
        let counts = Arc::clone(&self.counts);
        let before = counts.inflight.fetch_add(1, Relaxed);
        // Gives it back where it was one too many.
        let seat = Seat { counts };
        if before < self.max {
            Ok(seat)
        } else {
            Err(Dropped::AtCapacity)
        }
    }

    /// A request is not copied.
    pub fn dropped(&self, why: Dropped) {
        self.counts.drop_for(why);
    }

    /// Copies under way.
    pub fn inflight(&self) -> u32 {
        self.counts.inflight.load(Relaxed)
    }

    /// Copies that began.
    pub fn started(&self) -> u64 {
        self.counts.started.load(Relaxed)
    }

    /// Copies that did not, in the order of [`Dropped::ALL`].
    pub fn all_dropped(&self) -> [u64; Dropped::ALL.len()] {
        let dropped = self.counts.dropped.each_ref();
        dropped.map(|cell| cell.load(Relaxed))
    }
}

/// Whether the requests themselves leave room for copies: they hold no more than half of what they may.
pub fn has_room_for_copies(core: &Core) -> bool {
    let mut bounds = [Bound::Requests, Bound::BodyMemory].into_iter();
    !bounds.any(|bound| core.load.is_half_full(bound))
}

impl Counts {
    fn drop_for(&self, why: Dropped) {
        if let Some(cell) = self.dropped.get(why as usize) {
            cell.fetch_add(1, Relaxed);
        }
    }
}

/// A place among the copies of a route.
#[derive(Debug)]
pub struct Seat {
    counts: Arc<Padded<Counts>>,
}

impl Seat {
    /// The copy is on its way.
    pub fn started(&self) {
        self.counts.started.fetch_add(1, Relaxed);
    }

    /// It came to nothing before it began.
    pub fn dropped(&self, why: Dropped) {
        self.counts.drop_for(why);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.counts.inflight.fetch_sub(1, Relaxed);
    }
}

/// Whether the requests themselves would ask the target without reserve. A target that is being tried again, or comes back in
/// steps, is left to those who need it.
fn stands(now: Moment, target: TargetId, core: &Core) -> bool {
    let cell = core.board.cell(target);
    cell.is_some_and(|cell| matches!(health(now, cell, core), Ok(Way::Free)))
}

/// Keeps the draw apart from all others that hang on a request's id.
const SALT: u64 = 0x5bad_0b5e_55ed_c0de;
const WHOLE_PPM: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Dropped, Shadows};
    use crate::base::{Moment, RequestId, RouteId, hash};
    use crate::engine::{Board, Bound, Bounds, Core, Load, Order};
    use crate::policy::{Plan, Sources, load};

    struct One(String);

    impl Sources for One {
        fn read(&self, _: &str) -> Result<Vec<u8>, String> {
            Ok(self.0.clone().into_bytes())
        }
    }

    fn plan(routes: &str) -> Plan {
        let text = format!(
            "policy 1\nprovider p {{ kind = simulated, model a = \"a\", model b = \"b\" }}\n{routes}\
             route default {{ reject(404) }}\n"
        );
        let loaded = load(&One(text), "a.policy", &[]);
        let policy = loaded
            .unwrap_or_else(|found| panic!("{}", found.render(false)))
            .0;
        Plan::new(policy).unwrap()
    }

    const SHADOW: &str = "route chat when req.stream { tier 1 { p.a }, \
         shadow p.b { share = 10%, max_inflight = 2 } }\n";
    const ROUTE: RouteId = RouteId(0);

    fn request(number: u64) -> RequestId {
        let low = hash::mix(number, 7);
        RequestId(u128::from(hash::mix(low, 7)) << 64 | u128::from(low))
    }

    #[test]
    fn the_share_is_drawn_from_the_id_and_independent_of_other_draws() {
        let shadows = Shadows::new(&plan(SHADOW).policy);
        let (mut drawn, mut below) = (0_u32, 0_u32);
        for number in 0..100_000 {
            let id = request(number);
            let of = shadows.is_of_the_share(ROUTE, id);
            assert_eq!(of, shadows.is_of_the_share(ROUTE, id));
            drawn += u32::from(of);
            // Endpoints are drawn from the lower half.
            let low = u64::try_from(id.0 & u128::from(u64::MAX)).unwrap();
            below += u32::from(of && hash::scale(low, 2) == 0);
        }
        // Five standard deviations of a draw of 100,000.
        assert!(drawn.abs_diff(10_000) < 475, "{drawn}");
        assert!(below.abs_diff(5_000) < 345, "{below}");
        assert!(!shadows.is_of_the_share(RouteId(1), request(1)));
    }

    #[test]
    fn seats_are_as_many_as_the_policy_says_and_come_back() {
        let shadows = Shadows::new(&plan(SHADOW).policy);
        let one = shadows.seat(ROUTE).unwrap();
        let two = shadows.seat(ROUTE).unwrap();
        one.started();
        assert_eq!(shadows.seat(ROUTE).err(), Some(Dropped::AtCapacity));
        shadows.dropped(ROUTE, Dropped::AtCapacity);
        drop(two);
        let status = shadows.status();
        assert_eq!(status.len(), 1);
        assert_eq!((status[0].inflight, status[0].started), (1, 1));
        assert_eq!(status[0].dropped, [1, 0, 0, 0, 0, 0]);
        assert!(shadows.seat(ROUTE).is_ok());
    }

    #[test]
    fn what_is_under_way_counts_for_the_next_plan() {
        let before = plan(SHADOW);
        let old = Shadows::new(&before.policy);
        let seats = [old.seat(ROUTE).unwrap(), old.seat(ROUTE).unwrap()];
        let other = "route first when req.path == \"/\" { tier 1 { p.a } }\n";
        let after = plan(&format!("{other}{SHADOW}"));
        let new = old.following(&before.policy, &after.policy);
        assert_eq!(new.seat(RouteId(1)).err(), Some(Dropped::AtCapacity));
        drop(seats);
        assert!(new.seat(RouteId(1)).is_ok());
    }

    #[test]
    fn copies_stand_back_before_requests_do() {
        let plan = plan(SHADOW);
        let shadows = Shadows::new(&plan.policy);
        let board = Arc::new(Board::new(&plan, 1));
        let bounds = Bounds {
            requests: 10,
            ..Bounds::NONE
        };
        let load = Arc::new(Load::new(bounds, 1));
        let core = Core::new(Arc::clone(&board), &plan, 0).within(Arc::clone(&load));
        let may = || shadows.may_begin(Moment::START, ROUTE, &core);
        assert!(load.take(0, Bound::Requests, 5));
        assert_eq!(may(), Ok(()));
        assert!(load.take(0, Bound::Requests, 1));
        assert_eq!(may(), Err(Dropped::Overloaded));
        load.give(0, Bound::Requests, 1);
        let target = shadows.status()[0].shadow.target;
        board.order(target, Order::Drain);
        assert_eq!(may(), Err(Dropped::Unusable));
    }

    #[test]
    fn copies_have_one_target_and_one_attempt() {
        let plan = plan(SHADOW);
        let copies = plan.of_shadows().unwrap();
        let target = Shadows::new(&plan.policy).status()[0].shadow.target;
        let candidates = copies.program.candidates(ROUTE);
        assert_eq!(candidates.len(), 1);
        assert_eq!(candidates[0].target, target);
        assert!(copies.program.candidates(RouteId(1)).is_empty());
    }
}
