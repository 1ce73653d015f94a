//! Local time: work, sleeping, and the kicks that end a sleep.

use pamt_strategies::platform::Wake;
use pamt_strategies::units::{CpuId, Cycles};

use super::cpu::Status;
use super::engine::Machine;
use super::queue;

impl Machine {
    /// Core-bound work.
    pub(super) fn work(&mut self, cpu: CpuId, length: Cycles) {
        if self.preparing {
            return;
        }
        let state = self.cpu_mut(cpu);
        let length = if state.stretch == 1.0 {
            length.0
        } else {
            // To the nearest, as `round` does from 1 on, without a call.
            (length.0 as f64 * state.stretch + 0.5) as u64
        };
        state.time = state.time.saturating_add(length);
        self.serve_interrupts(cpu);
    }

    /// One PAUSE.
    pub(super) fn pause(&mut self, cpu: CpuId) {
        if !self.preparing {
            let pause = self.coherence.costs.pause;
            self.cpu_mut(cpu).time += pause;
        }
    }

    /// Starts to sleep; true when the caller must switch. The outcome is in [`Machine::woken`].
    pub(super) fn sleep(&mut self, cpu: CpuId, deadline: u64) -> bool {
        if self.preparing {
            return false;
        }
        self.counts.operations += 1;
        let state = self.cpu_mut(cpu);
        let since = state.time;
        let deadline = deadline.max(since);
        state.wake = Wake::Deadline;
        if let Some(kick) = state.kicked.filter(|kick| *kick <= deadline) {
            (state.kicked, state.wake) = (None, Wake::Kicked);
            state.time = since.max(kick);
            return false;
        }
        if deadline >= queue::NEVER {
            (state.key, state.status) = (u64::MAX, Status::Sleeping);
            return self.waits(cpu);
        }
        let key = queue::key(deadline, state.rank);
        if key <= self.queue.min() {
            // Nobody can act, so nobody can kick, before the deadline.
            self.cpu_mut(cpu).time = deadline;
            return false;
        }
        self.suspends(cpu, Status::Sleeping, key)
    }

    /// How the last sleep ended.
    pub(super) fn woken(&mut self, cpu: CpuId) -> Wake {
        self.skip_interrupts(cpu);
        self.cpu(cpu).wake
    }

    /// Sends an interrupt that ends the target's sleep, or its next one.
    pub(super) fn kick(&mut self, cpu: CpuId, target: CpuId) {
        if self.preparing {
            return;
        }
        let at = self.cpu(cpu).time + self.coherence.costs.ipi;
        self.cpu_mut(cpu).time += self.coherence.costs.ipi_send;
        let state = self.cpu_mut(target);
        match state.status {
            Status::Sleeping => {
                let at = at.max(state.time);
                if queue::key(at, state.rank) < state.key {
                    state.wake = Wake::Kicked;
                    let key = self.key_at(target, at);
                    self.queue.push(key);
                } else if state.wake == Wake::Deadline {
                    state.kicked = Some(at);
                }
            }
            Status::Done => {}
            _ => state.kicked = Some(state.kicked.map_or(at, |earlier| earlier.min(at))),
        }
    }
}
