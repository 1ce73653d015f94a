//! What a leaf asks the CPU for: is an interrupt pending, is there entropy. It is no memory of the
//! module, so asking costs no modelled time.
//!
//! A timer interrupt comes every 4 ms of a CPU's clock; a script makes one pending, or takes the
//! entropy away, to see what the leaves do then.

use std::sync::atomic::{AtomicBool, Ordering};

use pamt_strategies::platform::Platform;
use pamt_strategies::units::{CpuId, Cycles};

use super::cx::Cx;

/// Period of the timer interrupt (HZ = 250).
const TICK_NS: f64 = 4e6;

/// Interrupts and entropy.
pub(super) struct Hardware {
    dry: AtomicBool,
    interrupts: Box<[AtomicBool]>,
}

impl Hardware {
    pub(super) fn new(cpus: usize) -> Self {
        let interrupts = (0..cpus).map(|_| AtomicBool::new(false)).collect();
        Self { dry: AtomicBool::new(false), interrupts }
    }

    pub(super) fn set_entropy(&self, available: bool) {
        self.dry.store(!available, Ordering::Relaxed);
    }

    pub(super) fn has_entropy(&self) -> bool {
        !self.dry.load(Ordering::Relaxed)
    }

    pub(super) fn interrupt(&self, cpu: CpuId) {
        self.interrupts[usize::from(cpu.0)].store(true, Ordering::Relaxed);
    }

    fn take_interrupt(&self, cpu: CpuId) -> bool {
        let pending = &self.interrupts[usize::from(cpu.0)];
        pending.load(Ordering::Relaxed) && pending.swap(false, Ordering::Relaxed)
    }
}

/// The time since when a leaf looks for interrupts.
#[derive(Clone, Copy)]
pub(super) struct InterruptWatch {
    tick: u64,
}

impl<P: Platform> Cx<'_, P> {
    fn ticks(&self) -> u64 {
        let Cycles(now) = P::now(self.cpu);
        now / self.module.cycles(TICK_NS).0
    }

    pub(super) fn watch_interrupts(&self) -> InterruptWatch {
        InterruptWatch { tick: self.ticks() }
    }

    /// Whether an interrupt has come since `watch`, or was made pending; takes it.
    pub(super) fn interrupted(&self, watch: InterruptWatch) -> bool {
        self.ticks() != watch.tick || self.module.hardware.take_interrupt(P::cpu(self.cpu))
    }
}
