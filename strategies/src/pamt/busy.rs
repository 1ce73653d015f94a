//! What a strategy does about OPERAND_BUSY of a PAMT.ADD or PAMT.REMOVE.

use crate::locks::{Held, LockPlan, QRwLock, RwLock};
use crate::measure::{Observation, Op};
use crate::module::{Status, StatusName};
use crate::platform::{Home, Platform};
use crate::registry::StrategyParams;
use crate::units::Region;

pub(super) enum OnBusy<P: Platform> {
    /// Do the call again, at most so often.
    Retry(u64),
    /// Every call holds the read side; one that got BUSY is done once more with the write side, when
    /// no other such call is under way. One instance for all CPUs, or one a NUMA node: then a reader
    /// takes its node's, and a writer all of them in order.
    WriteLock(QRwLock<P>),
}

/// Most NUMA nodes with a lock of their own.
const MOST_NODES: usize = 16;

impl<P: Platform> OnBusy<P> {
    /// A read-write lock for each NUMA node of the machine.
    pub(super) fn per_node(build: &mut P::Build, params: &StrategyParams<'_, P>) -> Self {
        let nodes = P::node_count(build).min(MOST_NODES);
        let plan = LockPlan::new("pamt_rwlock", nodes).home(Home::Split);
        Self::WriteLock(QRwLock::new(build, &plan, params.locks))
    }

    /// Does `call`, a SEAMCALL for `region` on behalf of `op`.
    pub(super) fn call<T>(
        &self,
        cpu: &P::Cpu,
        op: Op,
        region: Region,
        mut call: impl FnMut() -> Result<T, Status>,
    ) -> Result<T, Status> {
        match self {
            Self::Retry(retries) => again_while_busy::<P, T>(cpu, op, *retries, call),
            Self::WriteLock(lock) => {
                let mine = usize::from(P::node(cpu).0) % lock.instances();
                let held = lock.read(cpu, mine, region);
                let outcome = call();
                lock.read_unlock(cpu, held);
                if !outcome.as_ref().is_err_and(|status| status.is(StatusName::OperandBusy)) {
                    return outcome;
                }
                P::observe(cpu, Observation::Retry(op));
                let mut all = [const { None::<Held> }; MOST_NODES];
                for (i, held) in all.iter_mut().enumerate().take(lock.instances()) {
                    *held = Some(lock.write(cpu, i, region));
                }
                let outcome = call();
                for held in all.into_iter().rev().flatten() {
                    lock.write_unlock(cpu, held);
                }
                outcome
            }
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Retry(_) => 0,
            Self::WriteLock(lock) => lock.memory_bytes(),
        }
    }
}

/// Does a SEAMCALL again while it returns OPERAND_BUSY, at most `retries` times.
pub(super) fn again_while_busy<P: Platform, T>(
    cpu: &P::Cpu,
    op: Op,
    retries: u64,
    mut call: impl FnMut() -> Result<T, Status>,
) -> Result<T, Status> {
    let mut left = retries;
    loop {
        match call() {
            Err(status) if status.is(StatusName::OperandBusy) && left > 0 => {
                left -= 1;
                P::observe(cpu, Observation::Retry(op));
                P::pause(cpu);
            }
            done => return done,
        }
    }
}
