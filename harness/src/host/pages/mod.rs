//! Where pages come from: the kernel's page allocator ([`Zones`]) and the placements that stand in
//! for it.

mod buddy;
mod fixed;
mod map;
mod placement;
mod zone;

pub(crate) use buddy::Buddy;
pub(crate) use fixed::{GuestOrder, PairPool, own_pair};
pub(super) use map::MapError;
pub(crate) use map::{Demand, MemoryMap};

pub use placement::{PLACEMENTS, Placement, PlacementInfo, UnknownPlacement, Use};
pub(crate) use zone::{ZonePlan, Zones};
