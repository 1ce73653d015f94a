//! What a thread or an array may ask the host for, and what helps where the host refuses.

use std::io;

/// Favours that a run asks of the host; none unless somebody wants them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Favours {
    /// Threads run at the lowest real-time priority: no ordinary process takes their CPUs.
    pub realtime: bool,
    /// Large arrays lie in huge pages.
    pub huge_pages: bool,
}

/// How to be allowed real-time priority.
pub(super) const REALTIME_REMEDY: &str =
    "run as root, give the program CAP_SYS_NICE, or raise `ulimit -r`";
/// How to be allowed huge pages.
pub(super) const HUGE_PAGES_REMEDY: &str =
    "as root: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";

/// Gives the calling thread the lowest real-time priority.
pub(super) fn realtime() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: the call reads `parameters`, and changes nothing but the scheduling of this thread.
    let refused = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
    if refused == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Asks for huge pages under a range of memory that the caller owns.
///
/// # Safety
/// The range must be an allocation of the caller's, or lie in one.
pub(super) unsafe fn huge_pages(base: *mut u8, bytes: usize) -> io::Result<()> {
    let switch = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled")?;
    if switch.contains("[never]") {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "they are switched off"));
    }
    // SAFETY: the caller vouches for the range, and this advice changes no contents.
    unsafe { rustix::mm::madvise(base.cast(), bytes, rustix::mm::Advice::LinuxHugepage)? };
    Ok(())
}
