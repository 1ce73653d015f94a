//! One simulated CPU, as the engine keeps it.

use pamt_strategies::platform::Wake;
use pamt_strategies::units::NodeId;

use super::coherence::Want;
use super::interrupts::{Sections, Streams};
use super::line::NONE;
use super::spin::Spin;
use super::store_buffer::StoreBuffer;

/// A word in simulated memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) addr: u64,
    pub(super) object: u32,
    pub(super) bytes: u16,
    /// Private words are neither ordered nor queued.
    pub(super) private: bool,
}

impl At {
    /// Stands where there is no word.
    pub(super) const NOWHERE: Self = Self { addr: 0, bytes: 8, object: 0, private: false };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Runs, or waits for its turn.
    Ready,
    /// Its load is issued at its key's time.
    Loading,
    /// Its LOCK operation is issued at its key's time.
    Locking,
    /// The first read of its spin is issued at its key's time.
    Starting,
    /// Its spin waits for its line to change.
    Quiet,
    /// Its line was taken: it reads at its key's time.
    Polling,
    /// Its spin's read takes effect at its key's time.
    Reading,
    /// Until a deadline or a kick, since its time.
    Sleeping,
    /// Its body has ended, or it never had one.
    Done,
}

/// One CPU. What every operation touches comes first and is one cache line of the host: with hundreds of
/// CPUs their records do not fit its first-level cache.
#[repr(C, align(64))]
pub(super) struct Cpu {
    pub(super) time: u64,
    /// The key that stands for it in the queue.
    pub(super) key: u64,
    /// When the last of its buffered stores takes effect.
    pub(super) store_done: u64,
    /// When its next interrupt comes.
    pub(super) interrupt_at: u64,
    /// Where the operation is that is being issued.
    pub(super) issuing: At,
    pub(super) status: Status,
    pub(super) core: u16,
    pub(super) rank: u16,
    /// Neighbours in its line's list of waiters.
    pub(super) next: u16,
    pub(super) prev: u16,
    pub(super) stores: StoreBuffer,
    /// The spin that it is in, by its status.
    pub(super) spin: Spin,
    /// Last value that a spin read, and whether it satisfied the predicate.
    pub(super) read: Result<u64, u64>,
    /// Factor on core-bound work: the sibling thread runs too.
    pub(super) stretch: f64,
    /// Delivery time of a kick that has not ended a sleep yet.
    pub(super) kicked: Option<u64>,
    pub(super) wake: Wake,
    pub(super) node: NodeId,
    pub(super) streams: Option<Streams>,
    pub(super) sections: Sections,
}

impl Cpu {
    /// A CPU without a body.
    pub(super) fn new(core: u16, rank: u16, node: NodeId, streams: Option<Streams>) -> Self {
        Self {
            time: 0,
            key: u64::MAX,
            store_done: 0,
            interrupt_at: streams.as_ref().map_or(u64::MAX, Streams::next),
            issuing: At::NOWHERE,
            status: Status::Done,
            core,
            rank,
            next: NONE,
            prev: NONE,
            stores: StoreBuffer::default(),
            spin: Spin::NONE,
            read: Ok(0),
            stretch: 1.0,
            kicked: None,
            wake: Wake::Deadline,
            node,
            streams,
            sections: Sections::default(),
        }
    }

    /// A LOCK operation waits until the store buffer is empty, a store until it has room.
    #[inline(always)]
    pub(super) fn drain_for(&mut self, want: Want) {
        if want == Want::Locked {
            self.time = self.time.max(self.store_done);
        } else if want == Want::Store
            && let Some(room) = self.stores.full_until()
        {
            self.time = self.time.max(room);
        }
    }
}
