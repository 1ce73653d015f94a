//! Block 4: a row a line.

use super::super::grid::Grid;
use super::{Named, UNKNOWN, optional, share};

const HEADS: [(&str, &str); 29] = [
    ("", "Index"),
    ("Cacheline", "Address"),
    ("Cacheline", "Node"),
    ("Cacheline", "PA cnt"),
    ("Tot", "Hitm"),
    ("Load Hitm", "Total"),
    ("Load Hitm", "LclHitm"),
    ("Load Hitm", "RmtHitm"),
    ("Total", "records"),
    ("Total", "Loads"),
    ("Total", "Stores"),
    ("Stores", "L1Hit"),
    ("Stores", "L1Miss"),
    ("Stores", "N/A"),
    ("Core Load Hit", "FB"),
    ("Core Load Hit", "L1"),
    ("Core Load Hit", "L2"),
    ("LLC Load Hit", "LclHit"),
    ("LLC Load Hit", "LclHitm"),
    ("RMT Load Hit", "RmtHit"),
    ("RMT Load Hit", "RmtHitm"),
    ("Load Dram", "Lcl"),
    ("Load Dram", "Rmt"),
    ("not in perf c2c", "bounces"),
    ("not in perf c2c", "RFO"),
    ("not in perf c2c", "S->M"),
    ("not in perf c2c", "invalidations"),
    ("not in perf c2c", "transfer_ns"),
    ("not in perf c2c", "false sharing"),
];

/// The table; `hitm` is the sum over all lines.
pub(super) fn table(lines: &[Named<'_>], hitm: u64) -> String {
    let mut grid = Grid::new(&HEADS);
    for (index, line) in lines.iter().enumerate() {
        grid.row(row(index, line, hitm));
    }
    format!("{}{}\n", grid.head(), grid.body())
}

fn row(index: usize, line: &Named<'_>, hitm: u64) -> Vec<String> {
    let c = &line.row.counts;
    let false_sharing = line.row.false_sharing.map_or(UNKNOWN, |is| if is { "yes" } else { "no" });
    let counts = [
        c.total_hitm(),
        c.lcl_hitm,
        c.rmt_hitm,
        c.total_records,
        c.total_loads,
        c.total_stores,
        c.store_l1_hit,
        c.store_l1_miss,
        c.store_na,
        c.load_fb,
        c.load_l1_hit,
        c.load_l2_hit,
        c.llc_lcl_hit,
        c.lcl_hitm,
        c.rmt_hit,
        c.rmt_hitm,
        c.dram_lcl,
        c.dram_rmt,
    ];
    let extra = [c.bounces, c.rfo, c.upgrades, c.invalidations, c.transfer_ns];
    [index.to_string(), line.name(), optional(line.row.node), "-".into()]
        .into_iter()
        .chain([share(c.total_hitm(), hitm)])
        .chain(counts.map(|count| count.to_string()))
        .chain(extra.map(optional))
        .chain([false_sharing.to_owned()])
        .collect()
}
