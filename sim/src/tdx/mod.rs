//! The TDX module with Dynamic PAMT, lock by lock, generic over
//! [`Platform`](pamt_strategies::platform::Platform).
//!
//! Modelled after the public source of TDX Module 1.5.25. Each leaf is the sequence of its locked
//! instructions, reads, bulk stores and checks on named words (`pamt_2m`, `tdr`, `tdcs`, ...), so that
//! its cost under contention follows from the machine, and its BUSY returns from the interleaving.
//!
//! | file | holds |
//! |---|---|
//! | `layout`, `memory` | offsets, bit layouts, the arrays of words |
//! | [`locks`] | the four kinds of try-lock, with their transitions as vectors |
//! | `cx` | the context of one leaf: accesses, locks held, outcome |
//! | `pamt`, `td`, `sept` | walks and checks that leaves share |
//! | `leaves/` | the leaves, a file a family |
//! | `audit` | invariants that hold between leaves |
//! | `hardware`, `td_params` | what a leaf asks the CPU for, and reads of host memory |
//! | `cost` | what is not a memory access, with its source |

mod audit;
mod config;
mod cost;
mod cx;
mod guests;
mod hardware;
mod kot;
mod layout;
mod leaves;
pub mod locks;
mod memory;
mod module;
mod pamt;
mod sept;
mod setup;
mod slots;
mod td;
mod td_params;
#[cfg(test)]
mod tests;
mod trace;
mod vcpu;

pub use audit::Census;
pub use config::{
    BackingLock, Locking, ModuleConfig, ModuleError, SplitInterrupt, SystemState, TargetLock,
};
pub use cost::CostTable;
pub use cx::{LockType, Mode};
pub use kot::PRIVATE_HKIDS;
pub use layout::{HKID_SHIFT, Level, PageType};
pub use leaves::accept::EPT_VIOLATION;
pub use leaves::sheets::{LeafSheet, LockSheet, leaf_sheet};
pub use leaves::vp_enter::ExitCause;
pub use memory::Object;
pub use module::{Executed, Module};
pub use sept::EntryState;
pub use setup::TdPages;
pub use td_params::TdParams;
pub use trace::{Access, LockEvent, Trace};
