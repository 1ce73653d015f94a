//! What is on its way: lines promised away that have not left, and misses whose data have not arrived.

use pamt_strategies::units::CpuId;

use super::access::line_of;
use super::coherence::{Request, Want};
use super::table::Table;
use super::topology::MAX_CPUS;

/// The line that was last promised away after an operation of a CPU. Until it departs, the CPU still has
/// it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving {
    pub(super) line: u64,
    /// The core has it from then on.
    pub(super) ready_at: u64,
    /// The core's own operations on it have taken effect by then.
    pub(super) free_at: u64,
    /// From then on it is gone.
    pub(super) departs: u64,
}

impl Leaving {
    /// When an access of that CPU takes effect before the line departs: it has been promised to another
    /// core but has not left yet. Serves one access.
    #[inline]
    pub(super) fn late_hit(&mut self, r: &Request) -> Option<u64> {
        if self.line != line_of(r.a.addr) {
            return None;
        }
        let done = r.now.max(self.free_at).max(r.not_before);
        let late = r.want == Want::Locked && r.now > self.free_at;
        if r.now < self.ready_at || late || done >= self.departs {
            return None;
        }
        (self.free_at, self.departs) = (done, done);
        Some(done)
    }

    /// The CPU asks for the line that it has just lost: less than `at_once` after its last operation.
    #[inline]
    pub(super) fn asks_at_once(&self, r: &Request, at_once: u64) -> bool {
        self.line == line_of(r.a.addr) && r.now < self.free_at + at_once
    }
}

/// The last load of a CPU that missed a shared line: its sibling may want the same line before it
/// arrives.
#[derive(Clone, Copy, Debug)]
struct Fetching {
    line: u64,
    /// When it arrives.
    done: u64,
}

/// What is on its way from and to a CPU.
#[derive(Debug)]
#[repr(align(64))]
struct OfCpu {
    leaving: Leaving,
    fetching: Fetching,
}

impl OfCpu {
    const NOTHING: Self = Self {
        leaving: Leaving { line: u64::MAX, ready_at: 0, free_at: 0, departs: 0 },
        fetching: Fetching { line: u64::MAX, done: 0 },
    };
}

/// By CPU.
#[derive(Debug)]
pub(super) struct InFlight {
    cpus: Table<OfCpu, MAX_CPUS>,
    cores: u16,
    threads_per_core: u16,
}

impl InFlight {
    pub(super) fn new(cores: u16, threads_per_core: u16) -> Self {
        Self { cpus: Table::new(|_| OfCpu::NOTHING), cores, threads_per_core }
    }

    #[inline]
    pub(super) fn leaving_mut(&mut self, cpu: CpuId) -> &mut Leaving {
        &mut self.cpus[cpu.0].leaving
    }

    #[inline]
    pub(super) fn fetch(&mut self, cpu: CpuId, line: u64, done: u64) {
        self.cpus[cpu.0].fetching = Fetching { line, done };
    }

    /// When the copy arrives that a thread of this core has asked for last: a second miss of a core on a
    /// line waits for the first one's data.
    #[inline]
    pub(super) fn arrives(&self, core: u16, line: u64) -> u64 {
        let mut arrives = 0;
        for thread in 0..self.threads_per_core {
            let fetch = self.cpus[core + thread * self.cores].fetching;
            if fetch.line == line {
                arrives = fetch.done.max(arrives);
            }
        }
        arrives
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_a_core_wait_for_each_others_data_and_for_nobody_elses() {
        let mut in_flight = InFlight::new(3, 2);
        in_flight.fetch(CpuId(4), 7, 100);
        assert_eq!((in_flight.arrives(1, 7), in_flight.arrives(1, 8)), (100, 0));
        assert_eq!((in_flight.arrives(0, 7), in_flight.arrives(2, 7)), (0, 0));
    }
}
