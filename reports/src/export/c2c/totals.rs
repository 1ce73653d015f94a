//! Blocks 1 and 2: sums over all lines, and over those that moved modified between caches.

use super::{Named, UNKNOWN, share};
use crate::schema::{LineCounts, ObjectRow};

/// All objects together.
pub(super) fn sum<'a>(objects: impl Iterator<Item = &'a ObjectRow>) -> LineCounts {
    objects.fold(LineCounts::default(), |a, object| {
        let b = &object.counts;
        LineCounts {
            dram_lcl: a.dram_lcl + b.dram_lcl,
            dram_rmt: a.dram_rmt + b.dram_rmt,
            lcl_hitm: a.lcl_hitm + b.lcl_hitm,
            load_fb: a.load_fb + b.load_fb,
            load_l1_hit: a.load_l1_hit + b.load_l1_hit,
            load_l2_hit: a.load_l2_hit + b.load_l2_hit,
            llc_lcl_hit: a.llc_lcl_hit + b.llc_lcl_hit,
            rmt_hitm: a.rmt_hitm + b.rmt_hitm,
            rmt_hit: a.rmt_hit + b.rmt_hit,
            store_l1_hit: a.store_l1_hit + b.store_l1_hit,
            store_l1_miss: a.store_l1_miss + b.store_l1_miss,
            store_na: a.store_na + b.store_na,
            total_loads: a.total_loads + b.total_loads,
            total_records: a.total_records + b.total_records,
            total_stores: a.total_stores + b.total_stores,
            ..a
        }
    })
}

/// Block 1.
pub(super) fn trace_events(c: &LineCounts) -> Vec<(&'static str, String)> {
    let unknown = || UNKNOWN.to_owned();
    let n = |value: u64| value.to_string();
    // perf's sum of what came from beyond the last-level cache.
    let misses = c.dram_lcl + c.dram_rmt + c.rmt_hit + c.rmt_hitm;
    vec![
        ("Total records", n(c.total_records)),
        ("Locked Load/Store Operations", unknown()),
        ("Load Operations", n(c.total_loads)),
        ("Loads - uncacheable", unknown()),
        ("Loads - IO", unknown()),
        ("Loads - Miss", unknown()),
        ("Loads - no mapping", unknown()),
        ("Load Fill Buffer Hit", n(c.load_fb)),
        ("Load L1D hit", n(c.load_l1_hit)),
        ("Load L2D hit", n(c.load_l2_hit)),
        ("Load LLC hit", n(c.llc_lcl_hit + c.lcl_hitm)),
        ("Load Local HITM", n(c.lcl_hitm)),
        ("Load Remote HITM", n(c.rmt_hitm)),
        ("Load Remote HIT", n(c.rmt_hit)),
        ("Load Local DRAM", n(c.dram_lcl)),
        ("Load Remote DRAM", n(c.dram_rmt)),
        ("Load MESI State Exclusive", unknown()),
        ("Load MESI State Shared", unknown()),
        ("Load LLC Misses", n(misses)),
        ("Load access blocked by data", unknown()),
        ("Load access blocked by address", unknown()),
        ("Load HIT Local Peer", unknown()),
        ("Load HIT Remote Peer", unknown()),
        ("LLC Misses to Local DRAM", share(c.dram_lcl, misses)),
        ("LLC Misses to Remote DRAM", share(c.dram_rmt, misses)),
        ("LLC Misses to Remote cache (HIT)", share(c.rmt_hit, misses)),
        ("LLC Misses to Remote cache (HITM)", share(c.rmt_hitm, misses)),
        ("Store Operations", n(c.total_stores)),
        ("Store - uncacheable", unknown()),
        ("Store - no mapping", unknown()),
        ("Store L1D Hit", n(c.store_l1_hit)),
        ("Store L1D Miss", n(c.store_l1_miss)),
        ("Store No available memory level", n(c.store_na)),
        ("No Page Map Rejects", unknown()),
        ("Unable to parse data source", unknown()),
    ]
}

/// Block 2, from the lines that are listed: at least so much, where not all are.
pub(super) fn shared_lines<'a>(
    total: &LineCounts,
    mut objects: impl Iterator<Item = &'a ObjectRow>,
    lines: &[Named<'_>],
) -> Vec<(&'static str, String)> {
    let n = |value: u64| value.to_string();
    let shared = lines.iter().filter(|line| line.row.counts.total_hitm() > 0).count();
    let listed_all = objects.all(|o| o.lines_touched == Some(o.top.len() as u64));
    let sum = |get: fn(&LineCounts) -> u64| -> String {
        let of = lines.iter().filter(|line| line.row.counts.total_hitm() > 0);
        let known: u64 = of.map(|line| get(&line.row.counts)).sum();
        if listed_all { n(known) } else { format!(">= {known}") }
    };
    vec![
        (
            "Total Shared Cache Lines",
            if listed_all { shared.to_string() } else { format!(">= {shared}") },
        ),
        ("Load HITs on shared lines", sum(|c| c.total_loads)),
        ("Fill Buffer Hits on shared lines", sum(|c| c.load_fb)),
        ("L1D hits on shared lines", sum(|c| c.load_l1_hit)),
        ("L2D hits on shared lines", sum(|c| c.load_l2_hit)),
        ("LLC hits on shared lines", sum(|c| c.llc_lcl_hit + c.lcl_hitm)),
        ("Load hits on peer cache or nodes", UNKNOWN.into()),
        ("Locked Access on shared lines", UNKNOWN.into()),
        ("Blocked Access on shared lines", UNKNOWN.into()),
        ("Store HITs on shared lines", sum(|c| c.total_stores)),
        ("Store L1D hits on shared lines", sum(|c| c.store_l1_hit)),
        ("Store No available memory level", sum(|c| c.store_na)),
        ("Total Merged records", n(total.total_records)),
    ]
}
