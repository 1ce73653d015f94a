//! Cache lines of a simulated run, in the columns of `perf c2c`.

use std::collections::{BTreeMap, BTreeSet};

use pamt_reports::schema::{FieldRow, LineCounts, LineRow, ObjectRow, Transfers};
use pamt_sim::machine::{LineBook, LineCounters, NamedOffset};
use pamt_strategies::units::{Clock, Cycles};

/// Share of all lines that went from core to core below which an object's matrix is left out, unless it
/// is a lock: a matrix has as many numbers as there are pairs of cores.
const MATRIX_SHARE: f64 = 0.02;

/// Every object that was touched. `locks` are names of locks, whose words are objects of that name.
pub(super) fn by_object(
    book: &LineBook,
    locks: &BTreeSet<String>,
    clock: Clock,
) -> BTreeMap<String, ObjectRow> {
    let handed =
        |row: &pamt_sim::machine::ObjectRow| row.handed.iter().map(|h| h.count).sum::<u64>();
    let all: u64 = book.objects.iter().map(handed).sum();
    let transfers = |row: &pamt_sim::machine::ObjectRow| {
        let wanted = handed(row) as f64 >= MATRIX_SHARE * all as f64 || locks.contains(&row.object);
        let pairs = row.handed.iter().map(|h| (h.from.0.into(), h.to.0.into(), h.count));
        let pairs: Vec<(u32, u32, u64)> = pairs.filter(|_| wanted).collect();
        (!pairs.is_empty()).then(|| Transfers::new(&pairs))
    };
    let mut objects: BTreeMap<_, _> = book
        .objects
        .iter()
        .filter(|row| row.counters != LineCounters::default())
        .map(|row| {
            let counts = counts(&row.counters, clock);
            let transfers = transfers(row);
            (row.object.clone(), ObjectRow { counts, transfers, ..ObjectRow::default() })
        })
        .collect();
    for row in &book.lines {
        if let Some(object) = objects.get_mut(&row.object) {
            object.top.push(line(row, clock));
        }
    }
    objects
}

fn counts(c: &LineCounters, clock: Clock) -> LineCounts {
    let written = c.stores + c.locked;
    let write_misses = c.rfo + c.upgrades;
    let write_hits = written.saturating_sub(write_misses);
    LineCounts {
        bounces: Some(c.bounces),
        dram_lcl: c.dram_local,
        dram_rmt: c.dram_remote,
        invalidations: Some(c.invalidations),
        lcl_hitm: c.hitm_local + c.rfo_hitm_local,
        load_fb: 0,
        // The machine counts hits of loads and stores together; those of stores are known.
        load_l1_hit: c.l1_hits.saturating_sub(write_hits),
        load_l2_hit: c.l2_hits,
        llc_lcl_hit: c.llc_hits + c.forward_local,
        rfo: Some(c.rfo),
        rmt_hitm: c.hitm_remote + c.rfo_hitm_remote,
        rmt_hit: c.forward_remote,
        store_l1_hit: write_hits,
        store_l1_miss: write_misses,
        store_na: 0,
        total_loads: c.loads,
        total_records: c.loads + written,
        total_stores: written,
        transfer_ns: Some(clock.ns(Cycles(c.transfer_cycles)).0),
        upgrades: Some(c.upgrades),
        wait_ns: Some(clock.ns(Cycles(c.queue_cycles)).0),
    }
}

fn line(row: &pamt_sim::machine::LineRow, clock: Clock) -> LineRow {
    LineRow {
        address: None,
        counts: counts(&row.counters, clock),
        false_sharing: Some(row.false_sharing),
        fields: row.offsets.iter().map(field).collect(),
        line: row.line,
        node: Some(u64::from(row.home.0)),
    }
}

fn field(offset: &NamedOffset) -> FieldRow {
    let (readers, writers) = (cpus(&offset.row.readers), cpus(&offset.row.writers));
    let either: BTreeSet<_> = readers.iter().chain(&writers).collect();
    FieldRow {
        cpu_cnt: either.len() as u64,
        field: offset.name.clone(),
        offset: u64::from(offset.row.offset),
        total_records: offset.row.accesses,
        readers,
        writers,
        ..FieldRow::default()
    }
}

/// The CPUs of a bit set, ascending.
fn cpus(set: &[u64]) -> Vec<u32> {
    let bits = set.iter().enumerate().flat_map(|(word, bits)| {
        (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word as u32 * 64 + bit)
    });
    bits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_cpus_lists_them_ascending() {
        assert_eq!(cpus(&[0b101, 1]), [0, 2, 64]);
    }

    #[test]
    fn writes_split_into_hits_and_misses() {
        let counters =
            LineCounters { stores: 3, locked: 7, rfo: 4, upgrades: 1, ..Default::default() };
        let counts = counts(&counters, Clock::new(1.0));
        assert_eq!((counts.store_l1_hit, counts.store_l1_miss, counts.total_stores), (5, 5, 10));
    }
}
