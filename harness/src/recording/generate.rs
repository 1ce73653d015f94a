//! An invented recording, for those who have no TDX host: TDs that boot and are torn down.
//!
//! Each TD's vCPUs get pages side by side, from batches of 63 as per-CPU lists give them, so that vCPUs
//! and TDs share regions; then one CPU of the TD puts all of them. Times between operations are
//! exponential. It stands for no real host: it has the form of a recording, and pages where a page
//! allocator could put them.

use std::collections::BinaryHeap;
use std::io::{self, Write};

use rand_core::Rng;
use rand_pcg::Pcg64;

use super::operation::{Operation, What, header};

/// Pages that a CPU takes at once (`zone_batchsize()`).
const BATCH: u64 = 63;

/// What to invent.
#[derive(Clone, Copy, Debug)]
pub struct Invented {
    /// TDs.
    pub tds: u32,
    /// vCPUs of each, on CPUs of their own.
    pub vcpus: u16,
    /// Pages that each TD uses.
    pub pages: u64,
    /// Mean time between two operations of a CPU.
    pub gap_ns: f64,
    /// Seed.
    pub seed: u64,
}

/// A CPU that will do its next operation.
struct Next {
    time_ns: u64,
    td: u32,
    vcpu: u16,
}

impl Next {
    /// Greatest for the earliest: [`BinaryHeap`] gives the greatest.
    fn key(&self) -> std::cmp::Reverse<(u64, u32, u16)> {
        std::cmp::Reverse((self.time_ns, self.td, self.vcpu))
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Next {}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

/// A TD that gets its pages, then puts them.
struct Life {
    held: Vec<u64>,
    got: u64,
    /// What is left of each vCPU's batch: next page and end.
    batches: Vec<(u64, u64)>,
}

/// Writes an invented recording; gives the number of its operations.
///
/// # Errors
/// Those of `out`.
pub fn generate(invented: &Invented, out: &mut impl Write) -> io::Result<u64> {
    out.write_all(header("invented").as_bytes())?;
    let mut random = Pcg64::new(invented.seed.into(), 0);
    let batches = vec![(0, 0); usize::from(invented.vcpus)];
    let life = || Life { held: Vec::new(), got: 0, batches: batches.clone() };
    let mut lives: Vec<Life> = (0..invented.tds).map(|_| life()).collect();
    let (mut fresh, mut operations) = (0, 0);
    let all = (0..invented.tds).flat_map(|td| (0..invented.vcpus).map(move |vcpu| (td, vcpu)));
    let mut due: BinaryHeap<Next> = all
        .map(|(td, vcpu)| Next { time_ns: gap(&mut random, invented.gap_ns), td, vcpu })
        .collect();
    while let Some(Next { time_ns, td, vcpu }) = due.pop() {
        let life = &mut lives[td as usize];
        let what = if life.got < invented.pages {
            What::Get { pfn: life.page(vcpu, &mut fresh), took_ns: None }
        } else if vcpu != 0 {
            continue;
        } else if let Some(pfn) = life.held.pop() {
            What::Put { pfn, took_ns: None }
        } else {
            continue;
        };
        let cpu = (td as u16).wrapping_mul(invented.vcpus).wrapping_add(vcpu);
        writeln!(out, "{}", Operation { time_ns, cpu, td, what })?;
        operations += 1;
        due.push(Next { time_ns: time_ns + gap(&mut random, invented.gap_ns), td, vcpu });
    }
    out.flush()?;
    Ok(operations)
}

impl Life {
    fn page(&mut self, vcpu: u16, fresh: &mut u64) -> u64 {
        let batch = &mut self.batches[usize::from(vcpu)];
        if batch.0 == batch.1 {
            *batch = (*fresh, *fresh + BATCH);
            *fresh += BATCH;
        }
        let page = batch.0;
        batch.0 += 1;
        self.got += 1;
        self.held.push(page);
        page
    }
}

/// An exponential time of mean `mean_ns`; libm's logarithm gives the same bytes on all systems.
fn gap(random: &mut Pcg64, mean_ns: f64) -> u64 {
    let uniform = ((random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    (-libm::log(uniform) * mean_ns) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reader::scan;
    use super::*;

    proptest! {
        #[test]
        fn an_invented_recording_is_right_and_puts_what_it_got(
            tds in 1_u32..4, vcpus in 1_u16..4, pages in 1_u64..200, seed in any::<u64>(),
        ) {
            let invented = Invented { tds, vcpus, pages, gap_ns: 500.0, seed };
            let mut out = Vec::new();
            let operations = generate(&invented, &mut out).expect("memory takes all");
            let (mut gets, mut puts) = (0, 0);
            let clock = scan("t", &out[..], |operation, _| match operation.what {
                What::Get { .. } => gets += 1,
                What::Put { .. } => puts += 1,
                What::Wait { .. } => {}
            });
            prop_assert_eq!(clock.as_deref(), Ok("invented"));
            prop_assert_eq!((gets, puts, gets + puts), (pages * u64::from(tds), gets, operations));
        }
    }
}
