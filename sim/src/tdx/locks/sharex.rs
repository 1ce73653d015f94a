//! Sharex: bit 0 exclusive, bits 15:1 the number of readers. Used by the KOT and the TD epoch lock.
//!
//! A shared acquire that fails leaves its increment behind; the exclusive holder's release writes 0
//! and so wipes it.

use super::{Word16, WrongRelease};

/// The exclusive bit.
pub const EXCLUSIVE: u16 = 1;
/// One reader.
pub const READER: u16 = 2;

/// Tries to take it shared: one XADD, which is not undone on failure.
pub fn acquire_shared(word: &impl Word16) -> bool {
    word.xadd(READER) & EXCLUSIVE == 0
}

/// Tries to take it exclusively: one CMPXCHG.
pub fn acquire_exclusive(word: &impl Word16) -> bool {
    word.cas(0, EXCLUSIVE).is_ok()
}

/// Drops a shared hold: one XADD.
///
/// # Errors
/// Nobody holds it shared.
pub fn release_shared(word: &impl Word16) -> Result<(), WrongRelease> {
    let old = word.xadd(READER.wrapping_neg());
    if old & EXCLUSIVE != 0 || old < READER { Err(WrongRelease(old.into())) } else { Ok(()) }
}

/// Drops the exclusive hold: one XCHG.
///
/// # Errors
/// Nobody holds it exclusively.
pub fn release_exclusive(word: &impl Word16) -> Result<(), WrongRelease> {
    let old = word.swap(0);
    if old & EXCLUSIVE == 0 { Err(WrongRelease(old.into())) } else { Ok(()) }
}
