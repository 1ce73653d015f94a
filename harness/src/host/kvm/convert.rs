//! Conversion of guest memory to shared and back to private.
//!
//! The guest asks for shared memory (MapGPA): the private pages are removed while the TD runs, and a
//! 2 MiB mapping of which only a part goes is split first. When it asks for private memory again, the
//! pages come back by faults. The hypercall that asks for it is a TD exit and an entry. What is shared lies in memory that the module never sees.

use core::ops::Range;

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::platform::Platform;

use super::HostError;
use crate::host::page_size::LARGE_PAGES;
use crate::host::{Host, Vcpu};

impl<P: Platform> Host<P> {
    /// Converts `pages`, which lie in one stretch of 2 MiB, to shared and back.
    pub(crate) fn convert(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        pages: Range<u64>,
    ) -> Result<(), HostError> {
        P::observe(cpu, Observation::Begin(Op::Conversion));
        let outcome = self
            .make_shared(cpu, vcpu, pages.clone())
            .and_then(|()| self.make_private(cpu, vcpu, pages));
        P::observe(cpu, Observation::End(Op::Conversion));
        outcome
    }

    /// Takes private `pages` away, all in one stretch.
    pub(crate) fn make_shared(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        pages: Range<u64>,
    ) -> Result<(), HostError> {
        if pages.end - pages.start < LARGE_PAGES {
            self.split(cpu, vcpu, pages.start / LARGE_PAGES)?;
        }
        self.remove_guest(cpu, vcpu.td, pages)
    }

    fn make_private(
        &self,
        cpu: &P::Cpu,
        vcpu: &mut Vcpu,
        mut pages: Range<u64>,
    ) -> Result<(), HostError> {
        let td = &self.tds[vcpu.td as usize];
        self.in_guest(cpu, vcpu, |vcpu| {
            pages.try_for_each(|gfn| {
                if !td.is_mapped(gfn) {
                    self.access(cpu, vcpu, gfn, Op::KvmWork)?;
                }
                Ok(())
            })
        })
    }
}
