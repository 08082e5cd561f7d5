//! One core's part of a generation: its share of the engine, and its idle connections. Requests of a generation use the
//! same view until the last of them has ended; new ones begin with the newest.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;

use crate::base::Moment;
use crate::engine::{Core, Load};
use crate::runtime::generation::{Generation, Whose};
use crate::runtime::link::Link;
use crate::runtime::pool::Pool;

/// What a core makes of a generation.
#[derive(Debug)]
pub(super) struct View {
    pub(super) generation: Arc<Generation>,
    pool: Pool,
    core: RefCell<Core>,
    /// What it makes of the part that copies of requests run by.
    shadows: Option<Rc<Self>>,
}

impl View {
    /// Of the core `index`.
    pub(super) fn new(generation: Arc<Generation>, index: usize, load: Arc<Load>) -> Self {
        let core = Core::new(Arc::clone(&generation.board), &generation.plan, index).within(load);
        let shadows = generation.shadows.as_ref().map(|shadows| {
            let load = Arc::clone(&shadows.shadowing.load);
            Rc::new(Self::new(Arc::clone(&shadows.generation), index, load))
        });
        Self {
            pool: Pool::new(generation.peers.len()),
            core: RefCell::new(core),
            generation,
            shadows,
        }
    }

    /// Of the core that `old` is of, whose knowledge and idle connections go on.
    pub(super) fn following(generation: Arc<Generation>, old: &Self) -> Self {
        let before = &old.generation;
        let board = Arc::clone(&generation.board);
        let core = Core::following(board, &generation.plan, &mut old.core(), &before.plan);
        let pool = Pool::new(generation.peers.len());
        for index in 0..generation.peers.len() {
            let place = generation
                .peers
                .at(index)
                .and_then(|peer| before.peers.find(peer));
            if let Some(place) = place {
                pool.take_over(index, &old.pool, place);
            }
        }
        let shadows = generation.shadows.as_ref().map(|shadows| {
            let generation = Arc::clone(&shadows.generation);
            Rc::new(if let Some(old) = &old.shadows {
                Self::following(generation, old)
            } else {
                let load = Arc::clone(&shadows.shadowing.load);
                Self::new(generation, core.index(), load)
            })
        });
        Self {
            generation,
            pool,
            core: RefCell::new(core),
            shadows,
        }
    }

    /// The core's part of the engine.
    pub(super) fn core(&self) -> RefMut<'_, Core> {
        self.core.borrow_mut()
    }

    /// What copies of its requests run by.
    pub(super) const fn shadows(&self) -> Option<&Rc<Self>> {
        self.shadows.as_ref()
    }

    /// An idle connection to the endpoint at `index` of `view`, if this is the newest view of its core.
    pub(super) fn pooled(&self, view: &Self, index: usize, now: Moment) -> Option<Link> {
        let newest = self.like(view)?;
        newest.pool.take(newest.place_of(view, index)?, now)
    }

    /// Keeps a connection to the endpoint at `index` of `view`, unless there is no such endpoint here.
    pub(super) fn keep(&self, view: &Self, index: usize, link: Link, now: Moment) {
        if let Some(newest) = self.like(view)
            && let Some(place) = newest.place_of(view, index)
        {
            newest.pool.put(place, link, now);
        }
    }

    /// Closes idle connections that have grown old.
    pub(super) fn expire(&self, now: Moment) {
        self.pool.expire(now);
        if let Some(shadows) = &self.shadows {
            shadows.pool.expire(now);
        }
    }

    /// Closes all idle connections.
    pub(super) fn clear(&self) {
        self.pool.clear();
        if let Some(shadows) = &self.shadows {
            shadows.pool.clear();
        }
    }

    /// This one, or its shadows' where `view` is of shadows, or a drill's own: copies and drills do not use the connections
    /// of requests.
    fn like<'v>(&'v self, view: &'v Self) -> Option<&'v Self> {
        match view.generation.whose {
            Whose::Requests => Some(self),
            Whose::Copies => self.shadows.as_deref(),
            Whose::Drill => Some(view),
        }
    }

    /// Where the endpoint at `index` of `view` is here.
    fn place_of(&self, view: &Self, index: usize) -> Option<usize> {
        if std::ptr::eq(self, view) {
            return Some(index);
        }
        let peer = view.generation.peers.at(index)?;
        self.generation.peers.find(peer)
    }
}
