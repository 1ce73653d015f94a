//! Sharex with host priority: bit 0 exclusive, bit 1 host priority (HP), bits 15:2 the number of
//! readers. Every PAMT entry, OP_STATE and the Secure EPT tree carry one.
//!
//! A host caller that fails sets HP, so that guest callers yield; the next host caller that succeeds
//! clears it, for one more instruction. A shared acquire that fails leaves its increment behind until
//! the exclusive release wipes it. A PAMT walk takes entries shared and *promotes* the last one,
//! which succeeds only for the only reader: two walks that both hold it shared both fail.

use super::{Word16, WrongRelease};

/// The exclusive bit.
pub const EXCLUSIVE: u16 = 1;
/// A host caller has failed here.
pub const HOST_PRIORITY: u16 = 2;
/// One reader.
pub const READER: u16 = 4;

/// How a guest caller failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestBusy {
    /// Held exclusively.
    Busy,
    /// A host caller waits for it.
    HostPriority,
}

/// Host: tries to take it shared.
#[inline(always)]
pub fn acquire_shared(word: &impl Word16) -> bool {
    let old = word.xadd(READER);
    if old & EXCLUSIVE != 0 {
        word.or(HOST_PRIORITY);
        return false;
    }
    if old & HOST_PRIORITY != 0 {
        word.and(!HOST_PRIORITY);
    }
    true
}

/// Host: tries to take it exclusively.
#[inline(always)]
pub fn acquire_exclusive(word: &impl Word16) -> bool {
    exclusive_from(word, 0)
}

/// Host: tries to turn its own shared hold into the exclusive one. On failure the shared hold stays;
/// the caller drops it.
pub fn promote(word: &impl Word16) -> bool {
    exclusive_from(word, READER)
}

/// `held` is what the caller itself has in the word. A word that differs by HP alone is taken with a
/// second CMPXCHG, whose failure sets no HP.
fn exclusive_from(word: &impl Word16, held: u16) -> bool {
    match word.cas(held, EXCLUSIVE) {
        Ok(_) => true,
        Err(found) if found == held | HOST_PRIORITY => word.cas(found, EXCLUSIVE).is_ok(),
        Err(_) => {
            word.or(HOST_PRIORITY);
            false
        }
    }
}

/// Guest: tries to take it shared; yields to a host caller that has failed.
///
/// # Errors
/// Why it failed.
pub fn acquire_shared_guest(word: &impl Word16) -> Result<(), GuestBusy> {
    let old = word.xadd(READER);
    if old & EXCLUSIVE != 0 {
        return Err(GuestBusy::Busy);
    }
    if old & HOST_PRIORITY != 0 {
        word.xadd(READER.wrapping_neg());
        return Err(GuestBusy::HostPriority);
    }
    Ok(())
}

/// Drops a shared hold.
///
/// # Errors
/// Nobody holds it shared.
#[inline(always)]
pub fn release_shared(word: &impl Word16) -> Result<(), WrongRelease> {
    let old = word.xadd(READER.wrapping_neg());
    if old & EXCLUSIVE != 0 || old < READER { Err(WrongRelease(old.into())) } else { Ok(()) }
}

/// Drops the exclusive hold; keeps HP and wipes increments of failed readers.
///
/// # Errors
/// Nobody holds it exclusively.
#[inline(always)]
pub fn release_exclusive(word: &impl Word16) -> Result<(), WrongRelease> {
    let old = word.and(HOST_PRIORITY);
    if old & EXCLUSIVE == 0 { Err(WrongRelease(old.into())) } else { Ok(()) }
}
