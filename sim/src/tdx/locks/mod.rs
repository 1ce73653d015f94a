//! The module's four kinds of lock, as sequences of locked instructions on one word.
//!
//! All of them are *try-once*: none spins or waits, and a failure goes back to the caller as
//! OPERAND_BUSY. Each function here is one transition; each call it makes on its word is one locked
//! instruction. `vectors.txt` lists every transition as data (word before, result, word after,
//! instructions): all worlds are checked against that file.

pub mod mutex;
pub mod sept_entry;
pub mod sharex;
pub mod sharex_hp;

/// The 16-bit word of a lock: each method is one locked instruction.
pub trait Word16 {
    /// LOCK CMPXCHG.
    ///
    /// # Errors
    /// The value found, when it was not `current`.
    fn cas(&self, current: u16, new: u16) -> Result<u16, u16>;
    /// LOCK XADD, wrapping; returns the old value.
    fn xadd(&self, value: u16) -> u16;
    /// LOCK OR; returns the old value.
    fn or(&self, value: u16) -> u16;
    /// LOCK AND; returns the old value.
    fn and(&self, value: u16) -> u16;
    /// XCHG; returns the old value.
    fn swap(&self, value: u16) -> u16;
}

/// A lock was released that is not held so: the module shuts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongRelease(
    /// The word before the release.
    pub u64,
);
