//! Captures of real hosts beside modelled runs, as a user sees them.

mod fixture;

use std::path::Path;

use pamt_reports::capture::{Capture, Kind, beside};
use pamt_reports::export::by_name;
use pamt_reports::schema::Document;

/// A lock_stat as a kernel with CONFIG_LOCK_STAT prints it, cut to three classes; the numbers are made up.
const LOCK_STAT: &str = "\
lock_stat version 0.4
-----------------------------------------------------------------------------------------------
                              class name    con-bounces    contentions   waittime-min   waittime-max waittime-total   waittime-avg    acq-bounces   acquisitions   holdtime-min   holdtime-max holdtime-total   holdtime-avg
-----------------------------------------------------------------------------------------------

                               pamt_lock:         21000          24000           0.10         563.00       96000.00           4.00         650000        1412000           0.05         505.00      296520.00           0.21
                               ---------
                               pamt_lock          24000          [<0>] tdx_pamt_get+0x41/0x120

                              &mm->mmap_lock-R:             3              5           0.20           9.10          12.00           2.40            500          90000           0.10          80.00       18000.00           0.20
";

fn modelled() -> Document {
    let mut document = fixture::document();
    document.runs.retain(|run| run.experiment.strategy == "global");
    document.runs.truncate(1);
    document
}

fn read(kind: Kind, text: &str) -> Capture {
    assert_eq!(Capture::kind_of(text), Some(kind));
    Capture::parse(kind, text, Path::new("host.txt")).expect("a capture")
}

#[test]
fn measured_and_modelled_stand_under_their_names() {
    let text = beside(&read(Kind::LockStat, LOCK_STAT), &modelled()).expect("a lock in common");
    insta::assert_snapshot!(text);
}

#[test]
fn what_we_export_in_the_formats_of_the_kernel_reads_back_as_equal() {
    let document = modelled();
    for (name, kind) in [("lock_stat", Kind::LockStat), ("c2c", Kind::C2c)] {
        let exporter = by_name(name).expect("a format");
        let part = exporter.export(&document).expect("something to export").remove(0);
        let text = std::str::from_utf8(&part.bytes).expect("text");
        let text = beside(&read(kind, text), &document).expect("in common");
        let figures = text.lines().filter(|line| line.starts_with("  ") && !line.contains("ratio"));
        let ratios: Vec<&str> = figures.filter_map(|line| line.split_whitespace().last()).collect();
        assert!(ratios.len() >= 4, "{text}");
        assert!(ratios.iter().all(|ratio| matches!(*ratio, "1.00" | "-")), "{text}");
    }
}

#[test]
fn a_capture_without_a_lock_of_the_model_has_nothing_to_lay_beside() {
    let other = LOCK_STAT.replace("pamt_lock", "jiffies_lock");
    assert_eq!(beside(&read(Kind::LockStat, &other), &modelled()), None);
    assert_eq!(Capture::kind_of("{}"), None);
}
