//! What a strategy does about OPERAND_BUSY of a PAMT.ADD or PAMT.REMOVE.

use crate::locks::{QRwLock, RwLock};
use crate::measure::{Observation, Op};
use crate::module::{Status, StatusName};
use crate::platform::Platform;
use crate::units::Region;

pub(super) enum OnBusy<P: Platform> {
    /// Do the call again, at most so often.
    Retry(u64),
    /// Every call holds the read side; one that got BUSY is done once more with the write side, when
    /// no other PAMT.ADD or PAMT.REMOVE is under way.
    WriteLock(QRwLock<P>),
}

impl<P: Platform> OnBusy<P> {
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
                let held = lock.read(cpu, 0, region);
                let outcome = call();
                lock.read_unlock(cpu, held);
                if !outcome.as_ref().is_err_and(|status| status.is(StatusName::OperandBusy)) {
                    return outcome;
                }
                P::observe(cpu, Observation::Retry(op));
                let held = lock.write(cpu, 0, region);
                let outcome = call();
                lock.write_unlock(cpu, held);
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
