//! Locks: one file an algorithm, each with its protocol and its source.
//!
//! A lock here is a *class* of instances in one array of words, as lockdep uses the word: `pamt_lock`
//! is a class of one, `striped:64` a class of 64 that share lines unless they are padded. Acquire
//! returns a token and release takes it back; there is no guard, because a `Drop` that suspends would
//! abort the process. Each acquire names the region that it is for, so that contention can be told
//! true from false.

use crate::platform::Platform;
use crate::units::Region;

/// A class of mutual-exclusion locks.
pub trait Lock<P: Platform>: Send + Sync {
    /// What an acquisition holds.
    type Token;

    /// Takes instance `i` for work on `region`.
    fn acquire(&self, cpu: &P::Cpu, i: usize, region: Region) -> Self::Token;
    /// Takes instance `i` if the first try succeeds.
    fn try_acquire(&self, cpu: &P::Cpu, i: usize, region: Region) -> Option<Self::Token>;
    /// Releases what `token` stands for.
    fn release(&self, cpu: &P::Cpu, token: Self::Token);
    /// Number of instances.
    fn instances(&self) -> usize;
    /// Bytes of all instances and nodes.
    fn memory_bytes(&self) -> u64;
}

/// A class of read-write locks.
pub trait RwLock<P: Platform>: Send + Sync {
    /// What a reader holds.
    type ReadToken;
    /// What a writer holds.
    type WriteToken;

    /// Shared acquire.
    fn read(&self, cpu: &P::Cpu, i: usize, region: Region) -> Self::ReadToken;
    /// Shared release.
    fn read_unlock(&self, cpu: &P::Cpu, token: Self::ReadToken);
    /// Exclusive acquire.
    fn write(&self, cpu: &P::Cpu, i: usize, region: Region) -> Self::WriteToken;
    /// Exclusive release.
    fn write_unlock(&self, cpu: &P::Cpu, token: Self::WriteToken);
}
