//! The totals of `perf c2c report --stdio`.

use std::collections::BTreeMap;

use pamt_reports::schema::{LineCounts, ObjectRow};

/// The block "Trace Event Information": `label : count` a line.
pub(super) fn totals(text: &str) -> ObjectRow {
    let block = text.lines().skip_while(|line| !line.contains("Trace Event Information")).skip(2);
    let block = block.take_while(|line| !line.starts_with('='));
    let counts: BTreeMap<&str, u64> = block
        .filter_map(|line| line.split_once(':'))
        .filter_map(|(label, count)| Some((label.trim(), count.trim().parse().ok()?)))
        .collect();
    let n = |label: &str| counts.get(label).copied().unwrap_or(0);
    let local = n("Load Local HITM");
    let counts = LineCounts {
        dram_lcl: n("Load Local DRAM"),
        dram_rmt: n("Load Remote DRAM"),
        lcl_hitm: local,
        load_fb: n("Load Fill Buffer Hit"),
        load_l1_hit: n("Load L1D hit"),
        load_l2_hit: n("Load L2D hit"),
        // perf counts a local HITM as a hit of the last-level cache, too.
        llc_lcl_hit: n("Load LLC hit").saturating_sub(local),
        rmt_hitm: n("Load Remote HITM"),
        rmt_hit: n("Load Remote HIT"),
        store_l1_hit: n("Store L1D Hit"),
        store_l1_miss: n("Store L1D Miss"),
        store_na: n("Store No available memory level"),
        total_loads: n("Load Operations"),
        total_records: n("Total records"),
        total_stores: n("Store Operations"),
        ..LineCounts::default()
    };
    ObjectRow { counts, ..ObjectRow::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
=================================================
            Trace Event Information
=================================================
  Total records                     :       4310
  Load Operations                   :       2210
  Load Local HITM                   :         30
  Load Remote HITM                  :          7
  Load LLC hit                      :        130
  Store Operations                  :       2100
  Store L1D Hit                     :       2050
=================================================
    Global Shared Cache Line Event Information
=================================================
  Load HITs on shared lines         :        999
";

    #[test]
    fn totals_are_those_of_the_first_block() {
        let counts = totals(REPORT).counts;
        assert_eq!((counts.total_records, counts.total_loads), (4310, 2210));
        assert_eq!((counts.lcl_hitm, counts.rmt_hitm, counts.llc_lcl_hit), (30, 7, 100));
        assert_eq!((counts.total_stores, counts.store_l1_hit), (2100, 2050));
    }

    #[test]
    fn a_report_without_the_block_has_no_counts() {
        assert_eq!(totals("failed"), ObjectRow::default());
    }
}
