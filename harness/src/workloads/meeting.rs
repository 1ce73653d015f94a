//! Threads of a TD that wait for each other, as vCPUs do at the end of a boot phase.

use pamt_strategies::platform::{Ordering, Place, Platform, Until, Words};

/// A counter for each TD that its threads raise once and may wait on.
pub(super) struct Meeting<P: Platform> {
    arrived: P::Words<u32>,
}

impl<P: Platform> Meeting<P> {
    /// One for each of `tds` TDs; `name` is that of its cache lines.
    pub(super) fn new(build: &mut P::Build, name: &str, tds: usize) -> Self {
        Self { arrived: P::words(build, Place::padded(name, tds)) }
    }

    /// One more thread of `td` is there.
    pub(super) fn arrive(&self, cpu: &P::Cpu, td: u32) {
        self.arrived.fetch_add(cpu, td as usize, 1, Ordering::Release);
    }

    /// Waits until `threads` threads of `td` are there, which are all that will come.
    pub(super) fn wait_for(&self, cpu: &P::Cpu, td: u32, threads: u64) {
        self.arrived.spin_until(cpu, td as usize, Until::eq(threads), Ordering::Acquire);
    }
}
