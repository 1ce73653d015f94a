//! What `perf c2c report --stdio` prints (Linux 6.12), in the columns that the simulator fills: the totals
//! of all events, and the rows of the Shared Data Cache Line Table, hottest first.

use std::collections::BTreeMap;

use crate::schema::{LineCounts, LineRow, ObjectRow};

/// The block of totals, `label : count` a line.
const TOTALS: &str = "Trace Event Information";
/// The table of lines.
pub(super) const TITLE: &str = "Shared Data Cache Line Table";
/// What follows the table.
const PARETO: &str = "Shared Cache Line Distribution Pareto";
/// Words of a row before its counts: index, address, node, page accesses, share of all HITMs.
const LEADING: usize = 5;
/// Its counts.
const COUNTS: usize = 18;

/// Totals and lines; the error is a line and what is wrong there.
pub(super) fn read(text: &str) -> Result<ObjectRow, (usize, String)> {
    let counts = totals(text)?;
    let lines = text.lines().enumerate().skip_while(|(_, line)| !line.contains(TITLE));
    let mut top = Vec::new();
    for (at, line) in lines.take_while(|(_, line)| !line.contains(PARETO)) {
        if line.contains("Load Peer") {
            let what = "the table is of peers; print it with `-d tot`".to_owned();
            return Err((at + 1, what));
        }
        if let Some(row) = row(line) {
            top.push(row.map_err(|what| (at + 1, what))?);
        }
    }
    Ok(ObjectRow { counts, top, ..ObjectRow::default() })
}

fn totals(text: &str) -> Result<LineCounts, (usize, String)> {
    let block = text.lines().enumerate().skip_while(|(_, line)| !line.contains(TOTALS)).skip(2);
    let block = block.take_while(|(_, line)| !line.starts_with('='));
    let values: BTreeMap<&str, (usize, &str)> = block
        .filter_map(|(at, line)| {
            let (label, value) = line.split_once(" : ")?;
            Some((label.trim(), (at + 1, value.trim())))
        })
        .collect();
    // What a file without a place for it does not say is not counted; HITMs are what it is about.
    let n = |label: &str| values.get(label).and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let hitm = |label: &str| {
        let missing =
            || (1, format!("`{label}` is missing; give all of `perf c2c report --stdio`"));
        let (at, value) = values.get(label).ok_or_else(missing)?;
        value.parse::<u64>().map_err(|_| (*at, format!("`{value}` is no count of HITMs")))
    };
    let (lcl_hitm, rmt_hitm) = (hitm("Load Local HITM")?, hitm("Load Remote HITM")?);
    Ok(LineCounts {
        dram_lcl: n("Load Local DRAM"),
        dram_rmt: n("Load Remote DRAM"),
        lcl_hitm,
        load_fb: n("Load Fill Buffer Hit"),
        load_l1_hit: n("Load L1D hit"),
        load_l2_hit: n("Load L2D hit"),
        // In the totals, not in the table, perf counts a local HITM as a hit of the last-level cache, too.
        llc_lcl_hit: n("Load LLC hit").saturating_sub(lcl_hitm),
        rmt_hitm,
        rmt_hit: n("Load Remote HIT"),
        store_l1_hit: n("Store L1D Hit"),
        store_l1_miss: n("Store L1D Miss"),
        store_na: n("Store No available memory level"),
        total_loads: n("Load Operations"),
        total_records: n("Total records"),
        total_stores: n("Store Operations"),
        ..LineCounts::default()
    })
}

/// A row of the table, if the line is one.
fn row(line: &str) -> Option<Result<LineRow, String>> {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.first()?.parse::<u64>().ok()?;
    let counts = words[1..].iter().skip(LEADING - 1).take(COUNTS);
    let counts: Result<Vec<u64>, String> = counts
        .map(|word| word.parse().map_err(|_| format!("`{word}` is no count of accesses to a line")))
        .collect();
    Some(counts.and_then(|counts| from_counts(&words, &counts)))
}

fn from_counts(words: &[&str], counts: &[u64]) -> Result<LineRow, String> {
    let &[
        _,
        lcl_hitm,
        rmt_hitm,
        total_records,
        total_loads,
        total_stores,
        store_l1_hit,
        store_l1_miss,
        store_na,
        load_fb,
        load_l1_hit,
        load_l2_hit,
        llc_lcl_hit,
        _,
        rmt_hit,
        _,
        dram_lcl,
        dram_rmt,
    ] = counts
    else {
        return Err(format!("a line has {COUNTS} counts, this one {}", counts.len()));
    };
    let counts = LineCounts {
        dram_lcl,
        dram_rmt,
        lcl_hitm,
        load_fb,
        load_l1_hit,
        load_l2_hit,
        llc_lcl_hit,
        rmt_hitm,
        rmt_hit,
        store_l1_hit,
        store_l1_miss,
        store_na,
        total_loads,
        total_records,
        total_stores,
        ..LineCounts::default()
    };
    let (index, address) = (words[0].parse().unwrap_or(0), Some(words[1].to_owned()));
    Ok(LineRow { counts, address, line: index, node: words[2].parse().ok(), ..LineRow::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by hand in the layout of perf.
    const REPORT: &str = include_str!("../../tests/fixtures/perf_c2c_report.txt");

    #[test]
    fn totals_are_those_of_the_first_block() {
        let counts = read(REPORT).expect("a report").counts;
        assert_eq!((counts.total_records, counts.total_loads), (4310, 2210));
        assert_eq!((counts.lcl_hitm, counts.rmt_hitm, counts.llc_lcl_hit), (60, 40, 70));
        assert_eq!((counts.total_stores, counts.store_l1_hit, counts.dram_rmt), (2100, 2050, 12));
    }

    #[test]
    fn each_row_of_the_table_fills_every_column_of_perf() {
        let lines = read(REPORT).expect("a report").top;
        let first = LineCounts {
            dram_lcl: 4,
            dram_rmt: 1,
            lcl_hitm: 30,
            load_fb: 40,
            load_l1_hit: 280,
            load_l2_hit: 10,
            llc_lcl_hit: 12,
            rmt_hitm: 20,
            rmt_hit: 3,
            store_l1_hit: 280,
            store_l1_miss: 18,
            store_na: 2,
            total_loads: 400,
            total_records: 700,
            total_stores: 300,
            ..LineCounts::default()
        };
        assert_eq!((lines.len(), lines[0].counts), (2, first));
        assert_eq!(
            (lines[0].address.as_deref(), lines[0].node),
            (Some("0xffff88a05d3c8000"), Some(0))
        );
        assert_eq!((lines[1].line, lines[1].node), (1, None));
    }

    #[test]
    fn a_report_that_is_cut_off_or_wrong_is_refused_at_its_line() {
        let cut = REPORT.replace("Load Remote HITM ", "Load Remote ");
        assert!(read(&cut).expect_err("cut").1.contains("Load Remote HITM"));
        let row = REPORT.lines().position(|line| line.contains("50.00%")).expect("a row") + 1;
        let wrong = REPORT.replace("50.00%       50", "50.00%       x");
        assert_eq!(
            read(&wrong).expect_err("wrong"),
            (row, "`x` is no count of accesses to a line".into())
        );
        let short = REPORT.replace("4         1\n", "4\n");
        assert_eq!(read(&short).expect_err("short").0, row);
        let peers = REPORT.replace("- Load Hitm -", "- Load Peer -");
        assert!(read(&peers).expect_err("peers").1.contains("-d tot"));
        assert!(read("failed").expect_err("no report").1.contains("missing"));
    }
}
