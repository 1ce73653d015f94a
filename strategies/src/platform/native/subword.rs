//! Operations on a part of a word, each by the instruction of that width.
//!
//! The memory is otherwise accessed through an atomic of the whole word. Rust's memory model does not
//! define races between atomics of different sizes; x86 does, and inline assembly is x86. Under miri
//! (and off x86-64) the same operations are a compare-and-swap of the whole word in `words`.

macro_rules! read_modify_write {
    ($(#[$doc:meta])* $name:ident, $instruction:literal) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// `at` is valid for reads and writes of two bytes, and two-byte aligned.
        pub(super) unsafe fn $name(at: *mut u16, value: u16) -> u16 {
            let old;
            // SAFETY: the caller vouches for `at`; the instruction touches those two bytes only.
            unsafe {
                core::arch::asm!(
                    concat!($instruction, " word ptr [{at}], {value:x}"),
                    at = in(reg) at,
                    value = inout(reg) value => old,
                    options(nostack),
                );
            }
            old
        }
    };
}

read_modify_write! {
    /// XCHG, which locks by itself.
    swap_u16, "xchg"
}
read_modify_write! {
    /// LOCK XADD.
    add_u16, "lock xadd"
}

/// LOCK CMPXCHG; the value found.
///
/// # Safety
/// `at` is valid for reads and writes of two bytes, and two-byte aligned.
pub(super) unsafe fn compare_exchange_u16(at: *mut u16, current: u16, new: u16) -> u16 {
    let found;
    // SAFETY: the caller vouches for `at`; the instruction touches those two bytes only.
    unsafe {
        core::arch::asm!(
            "lock cmpxchg word ptr [{at}], {new:x}",
            at = in(reg) at,
            new = in(reg) new,
            inout("ax") current => found,
            options(nostack),
        );
    }
    found
}

/// Plain store of two bytes: a store-release on x86.
///
/// # Safety
/// `at` is valid for writes of two bytes, and two-byte aligned.
pub(super) unsafe fn store_u16(at: *mut u16, value: u16) {
    // SAFETY: the caller vouches for `at`.
    unsafe {
        core::arch::asm!(
            "mov word ptr [{at}], {value:x}",
            at = in(reg) at,
            value = in(reg) value,
            options(nostack, preserves_flags),
        );
    }
}

/// Plain store of one byte: a store-release on x86.
///
/// # Safety
/// `at` is valid for writes of one byte.
pub(super) unsafe fn store_u8(at: *mut u8, value: u8) {
    // SAFETY: the caller vouches for `at`.
    unsafe {
        core::arch::asm!(
            "mov byte ptr [{at}], {value}",
            at = in(reg) at,
            value = in(reg_byte) value,
            options(nostack, preserves_flags),
        );
    }
}
