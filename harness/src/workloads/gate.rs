//! What the actors of a run tell each other and the executor outside of modelled memory.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use pamt_strategies::platform::Platform;
use pamt_strategies::units::Cycles;
use parking_lot::Mutex;

use crate::host::{Host, HostError};

/// What one TD got done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Pages mapped or reclaimed.
    pub(crate) pages: u64,
    /// When its first CPU began.
    pub(crate) begun: Option<Cycles>,
    /// When its last CPU ended.
    pub(crate) ended: Cycles,
}

/// Progress of a run: who is still at work, what was done, and what went wrong.
#[derive(Debug)]
pub(crate) struct Progress {
    at_work: AtomicU32,
    done: AtomicU64,
    tds: Vec<Mutex<Tally>>,
    failed: Mutex<Option<HostError>>,
    unprepared: OnceLock<HostError>,
}

impl Progress {
    pub(crate) fn new(tds: u32) -> Self {
        Self {
            at_work: AtomicU32::new(0),
            done: AtomicU64::new(0),
            tds: (0..tds).map(|_| Mutex::default()).collect(),
            failed: Mutex::new(None),
            unprepared: OnceLock::new(),
        }
    }

    /// One more actor will run. Called before the run.
    pub(crate) fn enlist(&self) {
        self.at_work.fetch_add(1, Ordering::Relaxed);
    }

    /// Runs an actor's program for `td` and counts what it did; the last actor checks the books.
    pub(crate) fn run<P: Platform>(
        &self,
        cpu: &P::Cpu,
        host: &Host<P>,
        td: u32,
        body: impl FnOnce() -> Result<u64, HostError>,
    ) {
        let begun = P::now(cpu);
        self.run_counted(cpu, host, || {
            let pages = body()?;
            self.count(td, pages, begun, P::now(cpu));
            Ok(())
        });
    }

    /// The same for a program that counts what it does itself.
    pub(crate) fn run_counted<P: Platform>(
        &self,
        cpu: &P::Cpu,
        host: &Host<P>,
        body: impl FnOnce() -> Result<(), HostError>,
    ) {
        // Without the state that the run was to start from there is nothing to run.
        let outcome = match self.unprepared.get() {
            Some(error) => Err(error.clone()),
            None => body(),
        };
        if let Err(error) = outcome {
            self.fail(error);
        }
        if self.at_work.fetch_sub(1, Ordering::AcqRel) == 1 {
            host.conclude(cpu);
        }
    }

    /// `pages` more were done for `td`, from `begun` to `ended`.
    pub(crate) fn count(&self, td: u32, pages: u64, begun: Cycles, ended: Cycles) {
        self.done.fetch_add(pages, Ordering::Relaxed);
        let mut tally = self.tds[td as usize].lock();
        tally.pages += pages;
        tally.begun = Some(tally.begun.map_or(begun, |earlier| earlier.min(begun)));
        tally.ended = tally.ended.max(ended);
    }

    /// Notes how the preparation ended.
    pub(crate) fn prepared(&self, outcome: Result<(), HostError>) {
        if let Err(error) = outcome {
            self.unprepared.get_or_init(|| error);
        }
    }

    /// Notes a failure; the first one is told.
    fn fail(&self, error: HostError) {
        self.failed.lock().get_or_insert(error);
    }

    /// The first failure.
    pub(crate) fn failure(&self) -> Option<HostError> {
        self.failed.lock().clone()
    }

    /// Pages done, over all TDs.
    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Each TD's part.
    pub(crate) fn tallies(&self) -> Vec<Tally> {
        self.tds.iter().map(|tally| *tally.lock()).collect()
    }
}
