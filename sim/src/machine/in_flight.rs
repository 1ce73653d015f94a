//! What is on its way: lines promised away that have not left, and misses whose data have not arrived.

use pamt_strategies::units::CpuId;

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

/// The last load of a CPU that missed a shared line: its sibling may want the same line before it
/// arrives.
#[derive(Clone, Copy, Debug)]
struct Fetching {
    line: u64,
    /// When it arrives.
    done: u64,
}

/// By CPU, what is on its way from and to it.
#[derive(Debug)]
pub(super) struct InFlight {
    leaving: Vec<Leaving>,
    fetching: Vec<Fetching>,
    cores: usize,
}

impl InFlight {
    pub(super) fn new(cpus: usize, cores: usize) -> Self {
        Self {
            leaving: vec![Leaving { line: u64::MAX, ready_at: 0, free_at: 0, departs: 0 }; cpus],
            fetching: vec![Fetching { line: u64::MAX, done: 0 }; cpus],
            cores,
        }
    }

    pub(super) fn leaving(&self, cpu: CpuId) -> &Leaving {
        &self.leaving[usize::from(cpu.0)]
    }

    pub(super) fn leaving_mut(&mut self, cpu: CpuId) -> &mut Leaving {
        &mut self.leaving[usize::from(cpu.0)]
    }

    pub(super) fn fetch(&mut self, cpu: CpuId, line: u64, done: u64) {
        self.fetching[usize::from(cpu.0)] = Fetching { line, done };
    }

    /// When the copy arrives that a thread of this core has asked for last: a second miss of a core on a
    /// line waits for the first one's data.
    #[inline]
    pub(super) fn arrives(&self, core: u16, line: u64) -> u64 {
        let (mut thread, mut arrives) = (usize::from(core), 0);
        while let Some(fetch) = self.fetching.get(thread) {
            if fetch.line == line {
                arrives = fetch.done.max(arrives);
            }
            thread += self.cores;
        }
        arrives
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_a_core_wait_for_each_others_data_and_for_nobody_elses() {
        let mut in_flight = InFlight::new(6, 3);
        in_flight.fetch(CpuId(4), 7, 100);
        assert_eq!((in_flight.arrives(1, 7), in_flight.arrives(1, 8)), (100, 0));
        assert_eq!((in_flight.arrives(0, 7), in_flight.arrives(2, 7)), (0, 0));
    }
}
