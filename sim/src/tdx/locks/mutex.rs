//! Mutex: one byte, 0 free, 1 taken. Used by the WBT entry of a package (CACHE.WB).

use super::{Word16, WrongRelease};

/// Tries to take it: one CMPXCHG.
pub fn acquire(word: &impl Word16) -> bool {
    word.cas(0, 1).is_ok()
}

/// Releases it: one CMPXCHG.
///
/// # Errors
/// It was free.
pub fn release(word: &impl Word16) -> Result<(), WrongRelease> {
    word.cas(1, 0).map(drop).map_err(|found| WrongRelease(found.into()))
}
