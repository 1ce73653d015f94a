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

    /// Threads of `td` that are there.
    pub(super) fn arrived(&self, cpu: &P::Cpu, td: u32) -> u64 {
        self.arrived.load(cpu, td as usize, Ordering::Acquire).into()
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

/// Rounds that the first thread of a TD calls and its other threads join.
pub(super) struct Rounds<P: Platform> {
    called: P::Words<u32>,
}

/// No round comes any more.
const OVER: u32 = u32::MAX;

impl<P: Platform> Rounds<P> {
    pub(super) fn new(build: &mut P::Build, tds: usize) -> Self {
        Self { called: P::words(build, Place::padded("td_round", tds)) }
    }

    /// Begins the round after `done` others.
    pub(super) fn call(&self, cpu: &P::Cpu, td: u32, done: u32) {
        self.called.store(cpu, td as usize, done + 1, Ordering::Release);
    }

    /// No more.
    pub(super) fn end(&self, cpu: &P::Cpu, td: u32) {
        self.called.store(cpu, td as usize, OVER, Ordering::Release);
    }

    /// Waits for the round after `done` others; false when there is none.
    pub(super) fn join(&self, cpu: &P::Cpu, td: u32, done: u32) -> bool {
        let changed = Until::ne(done.into());
        self.called.spin_until(cpu, td as usize, changed, Ordering::Acquire) != OVER
    }
}
