//! Which VCPU each CPU runs: what the real module keeps in the CPU's own data. Only that CPU touches
//! its entry, so it costs no modelled time.

use std::sync::atomic::{AtomicU64, Ordering};

use pamt_strategies::units::{CpuId, Pfn};

/// TDVPR pages by CPU.
pub(super) struct Guests {
    by_cpu: Box<[AtomicU64]>,
}

impl Guests {
    pub(super) fn new(cpus: usize) -> Self {
        Self { by_cpu: (0..cpus).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(super) fn enter(&self, cpu: CpuId, tdvpr: Pfn) {
        self.by_cpu[usize::from(cpu.0)].store(tdvpr.0 + 1, Ordering::Relaxed);
    }

    /// The VCPU that a CPU runs.
    pub(super) fn on(&self, cpu: CpuId) -> Option<Pfn> {
        self.by_cpu[usize::from(cpu.0)].load(Ordering::Relaxed).checked_sub(1).map(Pfn)
    }

    pub(super) fn leave(&self, cpu: CpuId) -> Option<Pfn> {
        self.by_cpu[usize::from(cpu.0)].swap(0, Ordering::Relaxed).checked_sub(1).map(Pfn)
    }
}
