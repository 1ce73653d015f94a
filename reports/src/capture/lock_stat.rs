//! `/proc/lock_stat`, version 0.4: a line a lock class, twelve numbers after its name, times in
//! microseconds. Contention points stand below their class and are not read.
//!
//! The kernel names classes by the expression that initialised them (`&kvm->mmu_lock-W`); a modelled lock
//! has its own name (`mmu_lock`). Reader and writer class of one lock are added up.

use std::collections::BTreeMap;

use super::{Figure, Form, Subject, percent};
use crate::schema::LockRow;

/// Version that is read.
const VERSION: &str = "lock_stat version 0.4";
/// Numbers of a class.
const COLUMNS: usize = 12;

/// A lock's figures, from either side; times in ns.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    contentions: f64,
    acquisitions: f64,
    acq_bounces: f64,
    wait_total: f64,
    wait_max: f64,
    hold_total: f64,
    hold_max: f64,
}

impl Sums {
    fn of_columns(numbers: &[f64]) -> Self {
        let ns = |at: usize| numbers[at] * 1000.0;
        Self {
            contentions: numbers[1],
            wait_max: ns(3),
            wait_total: ns(4),
            acq_bounces: numbers[6],
            acquisitions: numbers[7],
            hold_max: ns(9),
            hold_total: ns(10),
        }
    }

    fn of_row(row: &LockRow) -> Self {
        let count = |n: u64| n as f64;
        Self {
            contentions: count(row.contentions),
            acquisitions: count(row.acquisitions),
            acq_bounces: count(row.acq_bounces),
            wait_total: count(row.waittime_total_ns),
            wait_max: count(row.waittime_max_ns.unwrap_or(0)),
            hold_total: count(row.holdtime_total_ns),
            hold_max: count(row.holdtime_max_ns.unwrap_or(0)),
        }
    }

    fn add(&mut self, other: &Self) {
        self.contentions += other.contentions;
        self.acquisitions += other.acquisitions;
        self.acq_bounces += other.acq_bounces;
        self.wait_total += other.wait_total;
        self.hold_total += other.hold_total;
        self.wait_max = self.wait_max.max(other.wait_max);
        self.hold_max = self.hold_max.max(other.hold_max);
    }

    fn figures(&self) -> Vec<Figure> {
        let mean = |total: f64, count: f64| (count > 0.0).then(|| total / count);
        let figure = |name, form, value| Figure { name, form, value };
        vec![
            figure("acquisitions", Form::Count, Some(self.acquisitions)),
            figure("contended", Form::Percent, percent(self.contentions, self.acquisitions)),
            figure("from another CPU", Form::Percent, percent(self.acq_bounces, self.acquisitions)),
            figure("wait, mean", Form::Time, mean(self.wait_total, self.contentions)),
            figure("wait, max", Form::Time, Some(self.wait_max)),
            figure("hold, mean", Form::Time, mean(self.hold_total, self.acquisitions)),
            figure("hold, max", Form::Time, Some(self.hold_max)),
        ]
    }
}

/// The figures of a modelled lock.
pub(super) fn modelled(row: &LockRow) -> Vec<Figure> {
    Sums::of_row(row).figures()
}

/// Reads a capture; the error is a line and what is wrong there.
pub(super) fn parse(text: &str) -> Result<Vec<Subject>, (usize, String)> {
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let version = lines.find(|(_, line)| !line.trim().is_empty());
    match version {
        Some((_, line)) if line.trim() == VERSION => {}
        Some((number, line)) => {
            return Err((number, format!("expected `{VERSION}`, found `{}`", line.trim())));
        }
        None => return Err((1, format!("expected `{VERSION}`, found nothing"))),
    }
    let mut classes: BTreeMap<String, Sums> = BTreeMap::new();
    for (number, line) in lines {
        if let Some((class, rest)) = class_line(line) {
            let numbers = columns(rest).map_err(|what| (number, what))?;
            classes.entry(lock_name(class)).or_default().add(&Sums::of_columns(&numbers));
        }
    }
    Ok(classes.into_iter().map(|(name, sums)| Subject { name, figures: sums.figures() }).collect())
}

/// Name and numbers of a line that begins with a class; contention points have no colon before numbers.
fn class_line(line: &str) -> Option<(&str, &str)> {
    let (class, rest) = line.rsplit_once(':')?;
    let is_comment = line.trim_start().starts_with('#');
    let numeric = |word: &str| word.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    (!is_comment && rest.split_whitespace().all(numeric)).then_some((class.trim(), rest))
}

fn columns(rest: &str) -> Result<Vec<f64>, String> {
    let words: Vec<&str> = rest.split_whitespace().collect();
    if words.len() != COLUMNS {
        return Err(format!("a class has {COLUMNS} numbers, found {}", words.len()));
    }
    let number = |word: &&str| {
        let value = word.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
        value.ok_or_else(|| format!("`{word}` is no number of a class"))
    };
    words.iter().map(number).collect()
}

/// The model's name for a lock class: `&kvm->mmu_lock-W` is `mmu_lock`, `&zone->lock` is `zone_lock`.
fn lock_name(class: &str) -> String {
    let class = class.trim_end_matches("-R").trim_end_matches("-W").trim_end_matches("->rlock");
    let plain: String = class.chars().filter(|c| !matches!(c, '&' | '(' | ')')).collect();
    let parts: Vec<&str> = plain.split("->").flat_map(|part| part.split('.')).collect();
    match parts[..] {
        // One tree calls it so.
        [.., "dpamt_lock"] => "pamt_lock".to_owned(),
        [.., owner, "lock"] => format!("{owner}_lock"),
        [.., last] => last.to_owned(),
        [] => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_of_the_kernel_has_the_name_of_its_modelled_lock() {
        for (class, name) in [
            ("pamt_lock", "pamt_lock"),
            ("dpamt_lock", "pamt_lock"),
            ("&kvm->mmu_lock-W", "mmu_lock"),
            ("&(&kvm->mmu_lock)->rlock", "mmu_lock"),
            ("&zone->lock", "zone_lock"),
            ("tdx_lock", "tdx_lock"),
        ] {
            assert_eq!(lock_name(class), name);
        }
    }

    #[test]
    fn a_line_with_too_few_numbers_is_named() {
        let text = "lock_stat version 0.4\n\n  pamt_lock:  1 2 3\n";
        let wrong = parse(text).expect_err("wrong");
        assert_eq!(wrong, (3, "a class has 12 numbers, found 3".to_owned()));
        assert!(parse("lock_stat version 0.3\n").expect_err("old").1.contains("0.4"));
    }

    #[test]
    fn reader_and_writer_class_are_one_lock() {
        let row = "1 10 0.1 2.5 20.0 2.0 5 100 0.1 4.0 50.0 0.5";
        let text = format!(
            "lock_stat version 0.4\n &kvm->mmu_lock-W: {row}\n ---\n &kvm->mmu_lock 3 [<0>] f+0x1/0x2\n \
             &kvm->mmu_lock-R: {row}\n"
        );
        let subjects = parse(&text).expect("a capture");
        assert_eq!(subjects.len(), 1);
        let value = |at: usize| subjects[0].figures[at].value;
        assert_eq!((value(0), value(1)), (Some(200.0), Some(10.0)));
        assert_eq!((value(3), value(4)), (Some(2000.0), Some(2500.0)));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[a-z:&>0-9. \\n-]{0,200}") {
            let _ = parse(&format!("lock_stat version 0.4\n{text}"));
        }
    }
}
