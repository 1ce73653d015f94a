//! The host's clock: the time stamp counter where that is invariant, else the monotonic clock. Miri can
//! execute neither CPUID nor RDTSC, and takes the standard library's.

#[cfg(not(miri))]
pub(super) type HostClock = quanta::Clock;

#[cfg(miri)]
#[derive(Clone, Debug)]
pub(super) struct HostClock(std::time::Instant);

#[cfg(miri)]
impl HostClock {
    pub(super) fn new() -> Self {
        Self(std::time::Instant::now())
    }

    pub(super) fn raw(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }

    pub(super) fn delta_as_nanos(&self, start: u64, end: u64) -> u64 {
        end - start
    }
}
