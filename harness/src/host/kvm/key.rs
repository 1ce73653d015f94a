//! The key id of a TD: configured when the TD is created, given back by `tdx_mmu_release_hkid()`.
//!
//! The module keeps its key ids in one table (KOT), whose lock its leaves try once. KVM has a mutex for
//! all TDs (`tdx_lock`), so that MNG.CREATE, VPFLUSHDONE, CACHE.WB and FREEID never meet OPERAND_BUSY:
//! who destroys a TD holds it while the caches of all packages are written back, which is milliseconds.
//!
//! A CPU of each package writes its caches back, all at the same time, while the caller waits: the time
//! of the caller's own package is counted for all (see the leaf). What those CPUs would have done
//! meanwhile goes on here.

use pamt_strategies::locks::{LockPlan, LockShared, Mutex};
use pamt_strategies::measure::Op;
use pamt_strategies::module::{Leaf, Regs, StatusName};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{CpuId, Region};

use super::{HostError, succeeded};
use crate::host::{Host, Td};

/// KVM's locks that all TDs share.
pub(crate) struct GlobalLocks<P: Platform> {
    /// `tdx_lock`.
    keys: Mutex<P>,
    /// `tdx_mng_key_config_lock`, one a package.
    configure: Mutex<P>,
}

impl<P: Platform> GlobalLocks<P> {
    pub(crate) fn new(build: &mut P::Build, packages: usize, shared: &LockShared<P>) -> Self {
        let mut lock = |name, count| Mutex::new(build, &LockPlan::new(name, count), shared);
        Self { keys: lock("tdx_lock", 1), configure: lock("key_config_lock", packages) }
    }

    /// Runs `body` under the global mutex; `region` is that of the TD's root page.
    pub(super) fn exclusive<T>(&self, cpu: &P::Cpu, region: Region, body: impl FnOnce() -> T) -> T {
        let held = self.keys.acquire(cpu, 0, region);
        let outcome = body();
        self.keys.release(cpu, held);
        outcome
    }
}

impl<P: Platform> Host<P> {
    /// Configures the TD's key on each package, one after the other.
    pub(super) fn configure_keys(&self, cpu: &P::Cpu, td: &Td) -> Result<(), HostError> {
        (0..).zip(&self.package_cpus).try_for_each(|(package, on)| {
            let held = self.global.configure.acquire(cpu, package, td.tdr().region());
            let outcome = self.of_td_on(cpu, *on, Leaf::MngKeyConfig, td);
            self.global.configure.release(cpu, held);
            outcome
        })
    }

    /// Gives the TD's key id back: its pages may be reclaimed then.
    pub(crate) fn release_keys(&self, cpu: &P::Cpu, td: u32) -> Result<(), HostError> {
        let td = &self.tds[td as usize];
        self.flush_vcpus(cpu, td)?;
        self.global.exclusive(cpu, td.tdr().region(), || {
            self.of_td(cpu, Leaf::MngVpflushdone, td)?;
            self.spend(cpu, Op::KvmWork, self.costs.ipi_round_trip);
            for on in &self.package_cpus {
                self.write_caches_back(cpu, *on, td)?;
            }
            self.of_td(cpu, Leaf::MngKeyFreeid, td)
        })
    }

    /// Takes each vCPU from the CPU that ran it last, which an IPI asks for that.
    fn flush_vcpus(&self, cpu: &P::Cpu, td: &Td) -> Result<(), HostError> {
        td.tdvprs().try_for_each(|(on, tdvpr)| {
            if on != P::cpu(cpu) {
                self.spend(cpu, Op::KvmWork, self.costs.ipi_round_trip);
            }
            let regs = Regs { rcx: tdvpr.hpa(), ..Regs::default() };
            let status = self.module.seamcall_on(cpu, on, Leaf::VpFlush, regs).status();
            succeeded(Leaf::VpFlush, tdvpr, status)
        })
    }

    /// CACHE.WB, resumed as long as interrupts end it.
    fn write_caches_back(&self, cpu: &P::Cpu, on: CpuId, td: &Td) -> Result<(), HostError> {
        let leaf = Leaf::PhymemCacheWb;
        let mut regs = Regs::default();
        loop {
            let status = self.module.seamcall_on(cpu, on, leaf, regs).status();
            if !status.is(StatusName::InterruptedResumable) {
                return succeeded(leaf, td.tdr(), status);
            }
            regs.rcx = 1;
        }
    }

    fn of_td_on(&self, cpu: &P::Cpu, on: CpuId, leaf: Leaf, td: &Td) -> Result<(), HostError> {
        let regs = Regs { rcx: td.tdr().hpa(), ..Regs::default() };
        succeeded(leaf, td.tdr(), self.module.seamcall_on(cpu, on, leaf, regs).status())
    }
}
