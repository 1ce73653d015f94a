//! The values behind loom's words: a loom atomic for each word of a short array, one for the whole of a long
//! one; plain values while one CPU is alone.

use core::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use loom::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

use crate::platform::Ordering;

/// Longer arrays are one object to loom, not an atomic a word.
const MOST_ATOMICS: usize = 256;

/// What loom knows of an array while CPUs race.
pub(super) enum Cells {
    Half(Vec<AtomicU16>),
    Single(Vec<AtomicU32>),
    Double(Vec<AtomicU64>),
    /// A long array: every access is one sequentially consistent step on the whole of it.
    Long(AtomicU32),
}

/// The words as plain values.
struct Plain {
    words: Vec<u64>,
    /// The newest value is the atomic's: nobody has looked at it since the race.
    behind: Vec<bool>,
}

/// The words of an array of the loom world.
pub(super) struct Array {
    len: usize,
    racing: Arc<AtomicBool>,
    /// There from the start of the race.
    cells: OnceLock<Cells>,
    /// The values while one CPU is alone, and always those of a long array.
    plain: Mutex<Plain>,
}

impl Array {
    pub(super) fn new(len: usize, racing: Arc<AtomicBool>) -> Self {
        let plain = Mutex::new(Plain { words: vec![0; len], behind: vec![false; len] });
        Self { len, racing, cells: OnceLock::new(), plain }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The loom atomics, while CPUs race.
    pub(super) fn cells(&self) -> Option<&Cells> {
        self.cells.get().filter(|_| self.racing.load(Ordering::SeqCst))
    }

    /// The plain values of a range, in one step.
    pub(super) fn plain<T>(&self, range: Range<usize>, access: impl FnOnce(&mut [u64]) -> T) -> T {
        let mut plain = self.locked();
        range.clone().for_each(|i| self.catch_up(&mut plain, i));
        access(&mut plain.words[range])
    }

    fn locked(&self) -> MutexGuard<'_, Plain> {
        self.plain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loom wants every atomic to exist before a thread that uses it starts.
    pub(super) fn ready(&self, bytes: u32) {
        let mut plain = self.locked();
        let long = self.len > MOST_ATOMICS;
        plain.behind.fill(!long);
        let words = plain.words.iter().copied();
        let cells = match bytes {
            _ if long => Cells::Long(AtomicU32::new(0)),
            2 => Cells::Half(words.map(|word| AtomicU16::new(word as u16)).collect()),
            4 => Cells::Single(words.map(|word| AtomicU32::new(word as u32)).collect()),
            _ => Cells::Double(words.map(AtomicU64::new).collect()),
        };
        let first = self.cells.set(cells).is_ok();
        assert!(first, "a race starts once");
    }

    /// Takes back what the race left in a word.
    fn catch_up(&self, plain: &mut Plain, i: usize) {
        if core::mem::take(&mut plain.behind[i]) {
            // All threads have ended: there is one value to read.
            plain.words[i] = match self.cells.get() {
                Some(Cells::Half(cells)) => cells[i].load(Ordering::Relaxed).into(),
                Some(Cells::Single(cells)) => cells[i].load(Ordering::Relaxed).into(),
                Some(Cells::Double(cells)) => cells[i].load(Ordering::Relaxed),
                Some(Cells::Long(_)) | None => plain.words[i],
            };
        }
    }
}
