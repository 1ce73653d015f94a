//! What the migration leaves (EXPORT.*, MIG.STREAM.CREATE) do to the rest: they alone take OP_STATE
//! exclusively (tdx-module.md 1.7). None of them is modelled; this stands for the time between such a
//! leaf's acquire and its release.

use pamt_strategies::module::Operand;
use pamt_strategies::platform::Platform;

use crate::tdx::cx::{Cx, Mode, Step};

/// Takes the OP_STATE lock of the TD exclusively, and keeps it.
pub(in crate::tdx) fn hold<P: Platform>(cx: &Cx<'_, P>, tdr: u64) -> Step {
    let td = cx.td(tdr, Mode::Shared, Operand::RCX)?;
    cx.release_all()?;
    cx.acquire(td.op_state_lock(), Mode::Exclusive, Operand::OP_STATE)?;
    cx.keep_all();
    Ok(())
}

/// Releases it.
pub(in crate::tdx) fn release<P: Platform>(cx: &Cx<'_, P>, tdr: u64) -> Step {
    let td = cx.td(tdr, Mode::Shared, Operand::RCX)?;
    cx.adopt(td.op_state_lock(), Mode::Exclusive);
    Ok(())
}
