//! [`TraceWriter`] for events that cannot fail: time in cycles, the first error kept for the end.

use std::collections::BTreeMap;
use std::io::{self, Write};

use pamt_reports::perfetto::{Slice, TraceWriter, TrackId};
use pamt_strategies::units::{Clock, Cycles};

/// Writes events until the output fails.
pub(super) struct Writer<W> {
    out: TraceWriter<W>,
    clock: Clock,
    error: Option<io::Error>,
    /// Slices of each track that have begun and not ended.
    open: BTreeMap<TrackId, u32>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W, clock: Clock) -> Self {
        Self { out: TraceWriter::new(out), clock, error: None, open: BTreeMap::new() }
    }

    fn keep<T>(&mut self, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }

    fn ns(&self, at: Cycles) -> u64 {
        self.clock.ns(at).0
    }

    /// A new track; any track once the output has failed, for nothing more is read of it.
    pub(super) fn track(&mut self, name: &str, parent: Option<TrackId>, rank: u64) -> TrackId {
        let track = self.out.track(name, parent, rank);
        self.keep(track).unwrap_or_default()
    }

    pub(super) fn counter_track(&mut self, name: &str, parent: TrackId, unit: &str) -> TrackId {
        let track = self.out.counter_track(name, Some(parent), unit);
        self.keep(track).unwrap_or_default()
    }

    pub(super) fn begin(&mut self, track: TrackId, at: Cycles, slice: &Slice<'_>) {
        *self.open.entry(track).or_default() += 1;
        let result = self.out.begin(track, self.ns(at), slice);
        self.keep(result);
    }

    /// Ends the innermost slice of the track, if one is open: what began before the trace did has none.
    pub(super) fn end(&mut self, track: TrackId, at: Cycles) {
        match self.open.get_mut(&track) {
            Some(open) if *open > 0 => *open -= 1,
            _ => return,
        }
        let result = self.out.end(track, self.ns(at));
        self.keep(result);
    }

    pub(super) fn instant(&mut self, track: TrackId, at: Cycles, what: &Slice<'_>) {
        let result = self.out.instant(track, self.ns(at), what);
        self.keep(result);
    }

    pub(super) fn count(&mut self, track: TrackId, at: Cycles, value: u64) {
        let result = self.out.count(track, self.ns(at), value);
        self.keep(result);
    }

    /// Ends what is still open.
    pub(super) fn close_open(&mut self, at: Cycles) {
        for (track, open) in std::mem::take(&mut self.open) {
            for _ in 0..open {
                let result = self.out.end(track, self.ns(at));
                self.keep(result);
            }
        }
    }

    pub(super) fn finish(self) -> io::Result<W> {
        match self.error {
            Some(error) => Err(error),
            None => self.out.finish(),
        }
    }
}
