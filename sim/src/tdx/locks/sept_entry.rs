//! The lock inside a Secure EPT entry: TDEL (bit 11) is the lock, TDHP (bit 52) host priority.
//!
//! It is released by BTR TDEL, or by the CMPXCHG that writes the entry's new value without TDEL.

use super::WrongRelease;
use super::sharex_hp::GuestBusy;

/// Bit number of the entry lock.
pub const TDEL: u32 = 11;
/// Bit number of host priority.
pub const TDHP: u32 = 52;

/// The 64-bit entry: each method is one locked instruction.
pub trait Entry {
    /// LOCK BTS; returns the old bit.
    fn bts(&self, bit: u32) -> bool;
    /// LOCK BTR; returns the old bit.
    fn btr(&self, bit: u32) -> bool;
    /// Plain load.
    fn load(&self) -> u64;
}

/// Host: tries to take it.
pub fn acquire(entry: &impl Entry) -> bool {
    if entry.bts(TDEL) {
        entry.bts(TDHP);
        return false;
    }
    entry.btr(TDHP);
    true
}

/// Guest: tries to take it; yields to a host caller that has failed.
///
/// # Errors
/// Why it failed.
pub fn acquire_guest(entry: &impl Entry) -> Result<(), GuestBusy> {
    if entry.bts(TDEL) {
        return Err(GuestBusy::Busy);
    }
    if entry.load() >> TDHP & 1 == 1 {
        entry.btr(TDEL);
        return Err(GuestBusy::HostPriority);
    }
    Ok(())
}

/// Releases it by itself.
///
/// # Errors
/// It was free.
pub fn release(entry: &impl Entry) -> Result<(), WrongRelease> {
    if entry.btr(TDEL) { Ok(()) } else { Err(WrongRelease(entry.load())) }
}
