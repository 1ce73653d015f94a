//! Lines of memory to measure on.

use core::sync::atomic::{AtomicU64, Ordering};

/// A word alone in two lines: prefetchers fetch lines in pairs.
#[repr(align(128))]
#[derive(Default)]
pub(super) struct Line(pub(super) AtomicU64);

/// Different addresses that a probe is repeated at.
pub(super) const ADDRESSES: usize = 6;
/// Lines from one address to the next: a page and a line, so that every address bit that picks a slice
/// of the cache differs.
const STRIDE: usize = 4096 / 128 + 1;

/// A page or more of lines, touched first by the thread that makes it: there is their home.
pub(super) fn lines(count: usize) -> Vec<Line> {
    let lines: Vec<Line> = (0..count).map(|_| Line::default()).collect();
    for line in &lines {
        line.0.store(0, Ordering::Relaxed);
    }
    lines
}

/// Enough lines for [`at`].
pub(super) fn spread_out() -> Vec<Line> {
    lines(ADDRESSES * STRIDE)
}

/// The line at one of the addresses.
pub(super) fn at(lines: &[Line], address: usize) -> &AtomicU64 {
    &lines[address * STRIDE].0
}
