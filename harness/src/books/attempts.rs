//! How often the module turns one get, put or split down.
//!
//! KVM can live with one refusal: a fault starts anew, an exclusive path kicks the vCPUs and tries once
//! more (`tdh_do_no_vcpus()`). A strategy that meets BUSY may make room and call again. When that call
//! is turned down as well, nothing bounds the next one: `check` judges schedules by the same rule.

use std::sync::atomic::{AtomicU32, Ordering};

use pamt_strategies::measure::ViolationKind;
use pamt_strategies::platform::Platform;
use pamt_strategies::units::Region;

use super::violation;

/// Refusals that one get, put or split may meet.
const ONCE: u32 = 1;

/// Refusals of each CPU's present get, put or split.
#[derive(Debug)]
pub(super) struct Attempts(Vec<AtomicU32>);

impl Attempts {
    pub(super) fn new(cpus: usize) -> Self {
        Self((0..cpus).map(|_| AtomicU32::new(0)).collect())
    }

    fn of<P: Platform>(&self, cpu: &P::Cpu) -> &AtomicU32 {
        &self.0[usize::from(P::cpu(cpu).0)]
    }

    pub(super) fn begin<P: Platform>(&self, cpu: &P::Cpu) {
        self.of::<P>(cpu).store(0, Ordering::Relaxed);
    }

    pub(super) fn turned_down<P: Platform>(&self, cpu: &P::Cpu, region: Region, why: &str) {
        if self.of::<P>(cpu).fetch_add(1, Ordering::Relaxed) == ONCE {
            let detail = format!(
                "{why} for region {region}: the second refusal in one get or put, nothing bounds a third"
            );
            violation::<P>(cpu, ViolationKind::UnboundedRetry, Some(region), detail);
        }
    }
}
