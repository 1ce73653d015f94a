//! What a leaf did, step by step, for those who want to look (the script runner, the tests).

use super::cx::Mode;
use super::memory::Object;

/// An access to the module's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Object.
    pub object: Object,
    /// 64-bit word in it.
    pub word: usize,
    /// A locked instruction.
    pub locked: bool,
}

/// What happened to a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockEvent {
    /// Taken.
    Acquired,
    /// Turned from shared to exclusive.
    Promoted,
    /// The one try failed.
    Busy,
    /// Released.
    Released,
}

/// Receives the steps of a leaf.
pub trait Trace {
    /// Memory is accessed.
    fn access(&self, access: Access);
    /// The lock at byte `byte` of an object changes.
    fn lock(&self, object: Object, byte: usize, mode: Mode, event: LockEvent);
}
