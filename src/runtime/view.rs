//! One core's part of a generation: its share of the engine, and its idle connections. Requests of a generation use the
//! same view until the last of them has ended; new ones begin with the newest.

use std::cell::{RefCell, RefMut};
use std::sync::Arc;

use crate::engine::{Core, Load};
use crate::runtime::generation::Generation;
use crate::runtime::pool::Pool;

/// What a core makes of a generation.
#[derive(Debug)]
pub(super) struct View {
    pub(super) generation: Arc<Generation>,
    pub(super) pool: Pool,
    core: RefCell<Core>,
}

impl View {
    /// Of the core `index`.
    pub(super) fn new(generation: Arc<Generation>, index: usize, load: Arc<Load>) -> Self {
        let core = Core::new(Arc::clone(&generation.board), &generation.plan, index).within(load);
        Self {
            pool: Pool::new(generation.peers.len()),
            core: RefCell::new(core),
            generation,
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
        Self {
            generation,
            pool,
            core: RefCell::new(core),
        }
    }

    /// The core's part of the engine.
    pub(super) fn core(&self) -> RefMut<'_, Core> {
        self.core.borrow_mut()
    }
}
