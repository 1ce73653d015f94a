//! Transfers of a line between two CPUs.
//!
//! The ping-pong is that of core-to-core-latency (Viennot): both threads loop on a compare-and-swap of one
//! word. The other kinds go in rounds: one CPU brings a chain of lines into a state (modified, clean,
//! shared), then the other walks the chain, each line naming the next, so that no two transfers overlap.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pamt_reports::plot::Heat;

use super::crew::together;
use super::figure::Figure;
use super::lines::{ADDRESSES, Line, at, lines, spread_out};
use super::patience::{Limits, Patience};
use super::plan::{Class, PairPlan};

/// Round trips of a window.
const TRIPS: u64 = 100;
/// Windows of each way to take turns.
const WINDOWS: usize = 10 * ADDRESSES;
/// Lines of a chain, and rounds over it.
const CHAIN: usize = 64;
const ROUNDS: usize = 120;

/// One pair of the matrix.
pub(super) struct Cell {
    pub(super) pair: [usize; 2],
    pub(super) class: Class,
    pub(super) one_way_ns: Figure,
}

/// All pairs that were measured.
pub(super) struct Matrix {
    pub(super) cpus: Vec<usize>,
    pub(super) cells: Vec<Cell>,
}

/// What one pair costs, one way, in ns.
pub(super) struct PairCosts {
    /// Compare-and-swap ping-pong on one line.
    pub(super) cas: Figure,
    /// The same, each reading the line until it is its turn.
    pub(super) load_then_cas: Figure,
    /// Each stores to a line of its own and reads the other's.
    pub(super) two_lines: Figure,
    /// Load of a line that the other modified; homed at the other's, and at the reader's.
    pub(super) hitm: [Figure; 2],
    /// Load of a line that the other has clean.
    pub(super) forward: Figure,
    /// LOCK addition to a line that both have read.
    pub(super) upgrade: Figure,
}

/// Ping-pong over the pairs of a plan, as long as there is time. The address changes from window to window.
pub(super) fn matrix(plan: &PairPlan, limits: &Limits) -> Matrix {
    let patience = Patience::of(limits.matrix);
    // Few pairs have more time each: a busy host of two CPUs needs it.
    let each = limits.pair.max(limits.matrix / (10 * plan.pairs.len().max(1)) as u32);
    let cell = |(class, pair): &(Class, [usize; 2])| {
        let one_way_ns = ping_pong(*pair, plan.windows, Turn::Cas, each);
        Cell { pair: *pair, class: *class, one_way_ns }
    };
    let in_time = plan.pairs.iter().take_while(|_| !patience.is_over());
    Matrix { cpus: plan.cpus.clone(), cells: in_time.map(cell).collect() }
}

impl Matrix {
    /// Median over the pairs of a distance of what `part` takes of each.
    pub(super) fn class(&self, class: Class) -> Option<Figure> {
        let cells = self.cells.iter().filter(|cell| cell.class == class);
        Figure::among(&cells.map(|cell| cell.one_way_ns).collect::<Vec<_>>())
    }

    /// How many pairs were measured; `None` if all were.
    pub(super) fn sampled(&self) -> Option<String> {
        let (some, cpus) = (self.cells.len(), self.cpus.len());
        let all = cpus * cpus.saturating_sub(1) / 2;
        (some < all).then(|| {
            format!(
                "{some} of {all} pairs of CPUs were measured, drawn at random for each distance"
            )
        })
    }

    /// As a map of whole ns.
    pub(super) fn heat(&self) -> Heat {
        let place = |cpu: usize| self.cpus.iter().position(|known| *known == cpu);
        let mut counts = vec![vec![0; self.cpus.len()]; self.cpus.len()];
        for cell in &self.cells {
            if let [Some(a), Some(b)] = cell.pair.map(place) {
                let ns = cell.one_way_ns.median.round() as u64;
                (counts[a][b], counts[b][a]) = (ns, ns);
            }
        }
        let sampled = self.sampled().map(|sampled| format!("; {sampled}, the others are blank"));
        Heat {
            title: "Transfers between CPUs, ns".into(),
            desc: "Compare-and-swap ping-pong on one line, one way, median of the windows"
                .to_owned()
                + &sampled.unwrap_or_default(),
            what: "CPU".into(),
            names: self.cpus.iter().map(|cpu| *cpu as u32).collect(),
            counts,
        }
    }
}

/// Probes of [`costs`]: three ways of ping-pong, four walks.
pub(super) const KINDS: u32 = 7;

/// Every kind of transfer of a pair, each within this limit.
pub(super) fn costs(pair: [usize; 2], limit: Duration) -> PairCosts {
    let turns = |turn| ping_pong(pair, WINDOWS, turn, limit);
    PairCosts {
        cas: turns(Turn::Cas),
        load_then_cas: turns(Turn::LoadThenCas),
        two_lines: turns(Turn::TwoLines),
        hitm: [0, 1].map(|home| walk(pair, home, prepare_modified, load, limit)),
        forward: walk(pair, 0, prepare_clean, load, limit),
        upgrade: walk(pair, 0, prepare_shared, add, limit),
    }
}

/// How a thread takes its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Cas,
    LoadThenCas,
    TwoLines,
}

/// One way of each window, in ns. The first window warms up and does not count; one after it always does.
fn ping_pong(pair: [usize; 2], windows: usize, turn: Turn, limit: Duration) -> Figure {
    let (mine, other) = (spread_out(), spread_out());
    let (patience, last) = (Patience::of(limit), AtomicUsize::new(windows));
    let results = together(&pair, |side| {
        let mut samples = Vec::with_capacity(windows);
        for window in 0..=windows {
            // Side 0 decides before its first turn of a window, which side 1 has seen when it ends the window.
            if side == 0 && window > 0 && patience.is_over() {
                last.fetch_min(window, Ordering::Relaxed);
            }
            let line = at(&mine, window % ADDRESSES);
            let second = if turn == Turn::TwoLines { at(&other, window % ADDRESSES) } else { line };
            let base = (window / ADDRESSES) as u64 * 2 * TRIPS;
            let begun = Instant::now();
            for trip in 0..TRIPS {
                let expected = base + 2 * trip + side as u64;
                match turn {
                    Turn::Cas => swap(line, expected),
                    Turn::LoadThenCas => {
                        wait_for(line, expected);
                        swap(line, expected);
                    }
                    Turn::TwoLines if side == 0 => {
                        line.store(expected + 1, Ordering::Release);
                        wait_for(second, expected + 1);
                    }
                    Turn::TwoLines => {
                        wait_for(line, expected);
                        second.store(expected, Ordering::Release);
                    }
                }
            }
            samples.push(begun.elapsed().as_nanos() as f64 / (2 * TRIPS) as f64);
            if window >= last.load(Ordering::Relaxed) {
                break;
            }
        }
        samples.split_off(1)
    });
    Figure::of_planned(&results[0], windows).expect("a window after the first")
}

fn swap(line: &AtomicU64, expected: u64) {
    while line
        .compare_exchange(expected, expected + 1, Ordering::AcqRel, Ordering::Relaxed)
        .is_err()
    {}
}

fn wait_for(line: &AtomicU64, expected: u64) {
    while line.load(Ordering::Acquire) != expected {
        spin_loop();
    }
}

/// ns a line of walks by CPU 0 of the pair over chains that CPU 1 prepared, homed at CPU 1 if `home` is 0,
/// else at CPU 0. One walk is taken in any case.
fn walk(
    pair: [usize; 2],
    home: usize,
    prepare: fn(&[Line]),
    step: fn(&AtomicU64) -> usize,
    limit: Duration,
) -> Figure {
    let owner = pair[1 - home];
    let chain = super::crew::on(owner, chain);
    let patience = Patience::of(limit);
    let (turn, last) = (AtomicU64::new(0), AtomicU64::new(ROUNDS as u64 - 1));
    let results = together(&pair, |side| {
        let mut samples = Vec::new();
        let mut round = 0;
        // Side 0 decides before it gives the turn away; side 1 sees it with its next turn, and prepares once more.
        while round <= last.load(Ordering::Relaxed) {
            wait_for(&turn, 2 * round + 1 - side as u64);
            if side == 1 {
                prepare(&chain);
            } else {
                samples.push(walk_once(&chain, step));
                if patience.is_over() {
                    last.fetch_min(round, Ordering::Relaxed);
                }
            }
            turn.fetch_add(1, Ordering::AcqRel);
            round += 1;
        }
        samples
    });
    Figure::of_planned(&results[0], ROUNDS).expect("a walk in any case")
}

/// Lines that name each other in an order that no prefetcher guesses; every other is left out.
fn chain() -> Vec<Line> {
    let chain = lines(2 * CHAIN);
    // 37 is prime to the length of the chain: the steps visit each line once.
    for i in 0..CHAIN {
        chain[2 * i].0.store(2 * ((i + 37) % CHAIN) as u64, Ordering::Relaxed);
    }
    chain
}

fn walk_once(chain: &[Line], step: fn(&AtomicU64) -> usize) -> f64 {
    let begun = Instant::now();
    let mut at = 0;
    for _ in 0..CHAIN {
        at = step(&chain[at].0);
    }
    std::hint::black_box(at);
    begun.elapsed().as_nanos() as f64 / CHAIN as f64
}

/// The lower half of a word names the next line.
fn load(line: &AtomicU64) -> usize {
    line.load(Ordering::Relaxed) as u32 as usize
}

/// An addition of 0 would do, but compilers make a load of it: the upper half counts.
fn add(line: &AtomicU64) -> usize {
    line.fetch_add(1 << 32, Ordering::Relaxed) as u32 as usize
}

fn used(chain: &[Line]) -> impl Iterator<Item = &AtomicU64> {
    chain.iter().step_by(2).map(|line| &line.0)
}

fn prepare_modified(chain: &[Line]) {
    for line in used(chain) {
        line.store(line.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

fn prepare_clean(chain: &[Line]) {
    for line in used(chain) {
        flush(line);
    }
    for line in used(chain) {
        std::hint::black_box(line.load(Ordering::Relaxed));
    }
}

/// The walk before has left the lines modified at the other: a load makes them shared by both.
fn prepare_shared(chain: &[Line]) {
    for line in used(chain) {
        std::hint::black_box(line.load(Ordering::Relaxed));
    }
}

/// Writes a line back and drops every copy.
fn flush(line: &AtomicU64) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: flushing a line of a live reference changes no value; every x86-64 CPU has CLFLUSH.
    unsafe {
        core::arch::x86_64::_mm_clflush(core::ptr::from_ref(line).cast());
        core::arch::x86_64::_mm_mfence();
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::plan::{START, WINDOW};
    use super::*;

    /// What [`costs`] should take at most; of a walk each line is prepared by one CPU and then walked by the other.
    pub(in crate::calibrate) fn expected() -> Duration {
        let transfer = WINDOW / (2 * TRIPS) as u32;
        let ping_pong = START + WINDOW * (WINDOWS + 1) as u32;
        let walk = START + transfer * (2 * CHAIN * ROUNDS) as u32;
        3 * ping_pong + 4 * walk
    }

    #[test]
    fn a_chain_visits_each_of_its_lines_once() {
        let chain = chain();
        let mut seen = vec![false; chain.len()];
        let mut at = 0;
        for _ in 0..CHAIN {
            assert!(!seen[at], "line {at} twice");
            seen[at] = true;
            at = load(&chain[at].0);
        }
        assert_eq!((at, seen.iter().filter(|seen| **seen).count()), (0, CHAIN));
    }

    #[test]
    fn each_way_to_take_turns_ends_with_a_window_in_any_case() {
        let cpus = pamt_strategies::platform::native::host_cpus();
        if let [a, b, ..] = cpus[..] {
            for turn in [Turn::Cas, Turn::LoadThenCas, Turn::TwoLines] {
                let pair = [a.number, b.number];
                let figure = ping_pong(pair, ADDRESSES, turn, Duration::MAX);
                assert!(figure.least > 0.0 && figure.cut().is_none());
                let figure = ping_pong(pair, ADDRESSES, turn, Duration::ZERO);
                assert_eq!(figure.cut(), Some(format!("1 of {ADDRESSES} windows")));
            }
            let walked = |limit| walk([a.number, b.number], 0, prepare_modified, load, limit);
            assert_eq!(walked(Duration::MAX).cut(), None);
            assert_eq!(walked(Duration::ZERO).cut(), Some(format!("1 of {ROUNDS} windows")));
        }
    }
}
