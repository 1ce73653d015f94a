//! A recording in memory, ready to be replayed: for each CPU its operations, some 32 bytes each.
//!
//! Page numbers stay what they were, so that regions, neighbours and 4 GiB windows are those of the host;
//! time counts from the first operation. A page that one CPU puts and another got before is marked, so
//! that a replay keeps their order however long its own operations take.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::hash::Hasher;
use std::io::BufReader;

use pamt_strategies::units::Pfn;
use rustc_hash::{FxHashMap, FxHasher};

use super::error::RecordingError;
use super::operation::{Operation, What};
use super::reader::scan;

/// Pages that the books of a host can name ([`crate::host`]).
const MOST_PAGES: u64 = 1 << 31;

/// One get or put of a CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// When it began, from the start of the recording.
    pub(crate) due_ns: u64,
    /// The page.
    pub(crate) page: Pfn,
    /// TD that holds it, as an index.
    pub(crate) td: u32,
    /// The page among those of its TD.
    pub(crate) slot: u32,
    /// How many operations on this page came before.
    pub(crate) turn: u32,
    /// It is a get.
    pub(crate) get: bool,
    /// Number of the page among all of the recording.
    pub(crate) number: u32,
    /// The operation before on this page is another CPU's.
    pub(crate) waits: bool,
    /// The operation after it is.
    pub(crate) tells: bool,
}

/// A TD of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecordedTd {
    /// CPUs that served it, in order.
    pub(crate) cpus: BTreeSet<u16>,
    /// Pages that it ever held.
    pub(crate) pages: u32,
}

/// A recording to replay.
#[derive(Clone, Debug)]
pub struct Replay {
    pub(crate) tds: Vec<RecordedTd>,
    pub(crate) steps: BTreeMap<u16, Vec<Step>>,
    /// Pages that were held when it began: TD, slot, page.
    pub(crate) held_before: Vec<(u32, u32, Pfn)>,
    /// Every page that it names, in order.
    pub(crate) pages: Vec<Pfn>,
    /// Stands for its operations: two recordings with the same one are the same.
    pub(crate) fingerprint: u64,
}

/// What is known of a page while a recording is read.
struct Page {
    number: u32,
    td: u32,
    slot: u32,
    turns: u32,
    /// CPU of the operation before, and where that one is kept.
    last: Option<(u16, usize)>,
}

/// A recording while it is read.
#[derive(Default)]
struct Loading {
    tds: Vec<RecordedTd>,
    numbers: BTreeMap<u32, u32>,
    steps: BTreeMap<u16, Vec<Step>>,
    pages: FxHashMap<u64, Page>,
    slots: FxHashMap<(u32, u64), u32>,
    held_before: Vec<(u32, u32, Pfn)>,
    begun_ns: Option<u64>,
    hasher: FxHasher,
}

impl Replay {
    /// Reads the recording in `file`.
    ///
    /// # Errors
    /// It cannot be read, is wrong, or names memory that no model has.
    pub fn load(file: &str) -> Result<Self, RecordingError> {
        let open = |why: std::io::Error| RecordingError::Open {
            file: file.to_owned(),
            why: why.to_string(),
        };
        let input = BufReader::new(File::open(file).map_err(open)?);
        let mut loading = Loading::default();
        scan(file, input, |operation, step| {
            loading.take(operation, step.is_some_and(|step| step.held_before));
        })?;
        loading.finish(file)
    }

    /// The greatest page that it names.
    pub(crate) fn last_page(&self) -> Pfn {
        self.pages.last().copied().unwrap_or(Pfn(0))
    }

    /// CPUs that a machine needs to have all that it names.
    pub(crate) fn cpus(&self) -> usize {
        self.steps.keys().next_back().map_or(0, |last| usize::from(*last) + 1)
    }

    /// Regions in which its pages lie.
    pub(crate) fn regions(&self) -> u64 {
        self.pages.chunk_by(|a, b| a.region() == b.region()).count() as u64
    }
}

impl Loading {
    fn take(&mut self, operation: &Operation, held_before: bool) {
        let (pfn, get) = match operation.what {
            What::Get { pfn, .. } => (pfn, true),
            What::Put { pfn, .. } => (pfn, false),
            What::Wait { .. } => return,
        };
        for part in [operation.time_ns, pfn, operation.cpu.into(), get.into()] {
            self.hasher.write_u64(part);
        }
        let begun_ns = *self.begun_ns.get_or_insert(operation.time_ns);
        let by = self.td(operation.td);
        self.tds[by as usize].cpus.insert(operation.cpu);
        if get || held_before {
            self.belongs(pfn, by);
        }
        let steps = self.steps.entry(operation.cpu).or_default();
        let page =
            self.pages.get_mut(&pfn).expect("a page is put after it was got, or held before");
        let elsewhere = page.last.filter(|(cpu, _)| *cpu != operation.cpu);
        let step = Step {
            due_ns: operation.time_ns - begun_ns,
            page: Pfn(pfn),
            td: page.td,
            slot: page.slot,
            turn: page.turns,
            get,
            number: page.number,
            waits: elsewhere.is_some(),
            tells: false,
        };
        page.turns += 1;
        page.last = Some((operation.cpu, steps.len()));
        if held_before {
            self.held_before.push((step.td, step.slot, step.page));
        }
        steps.push(step);
        if let Some((cpu, at)) = elsewhere {
            self.steps.get_mut(&cpu).expect("it has operations")[at].tells = true;
        }
    }

    fn td(&mut self, number: u32) -> u32 {
        let next = self.tds.len() as u32;
        let td = *self.numbers.entry(number).or_insert(next);
        if td == next {
            self.tds.push(RecordedTd::default());
        }
        td
    }

    /// From now on `td` holds the page.
    fn belongs(&mut self, pfn: u64, td: u32) {
        let next = self.tds[td as usize].pages;
        let slot = *self.slots.entry((td, pfn)).or_insert(next);
        if slot == next {
            self.tds[td as usize].pages += 1;
        }
        let number = self.pages.len() as u32;
        let new = Page { number, td, slot, turns: 0, last: None };
        let page = self.pages.entry(pfn).or_insert(new);
        (page.td, page.slot) = (td, slot);
    }

    fn finish(self, file: &str) -> Result<Replay, RecordingError> {
        let mut pages: Vec<Pfn> = self.pages.into_keys().map(Pfn).collect();
        pages.sort_unstable();
        let file = || file.to_owned();
        let Some(last) = pages.last() else {
            return Err(RecordingError::Empty { file: file() });
        };
        if last.0 >= MOST_PAGES {
            let why = format!(
                "pfn {:#x} lies above the 8 TiB that can be modelled; subtract a multiple of 0x40000000 \
                 from all of them",
                last.0
            );
            return Err(RecordingError::Unfit { file: file(), why });
        }
        Ok(Replay {
            tds: self.tds,
            steps: self.steps,
            held_before: self.held_before,
            pages,
            fingerprint: self.hasher.finish(),
        })
    }
}
