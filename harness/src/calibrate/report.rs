//! What was measured, as text.

use super::c2c::Matrix;
use super::figure::Figure;
use super::{Calibration, contended};

/// A map of more CPUs than this does not fit a terminal: it is drawn by every nth.
const MAP_MOST: usize = 32;
/// Darker is slower.
const SHADES: [char; 5] = ['.', ':', '+', '*', '#'];

/// Every figure by its name; `None` where this host has nothing to measure it on.
fn rows(calibration: &Calibration) -> Vec<(String, Option<Figure>)> {
    let Calibration { instructions: i, levels, overhead, .. } = calibration;
    let mut rows = Vec::new();
    let mut row = |what: &str, figure: Option<Figure>| rows.push((what.to_owned(), figure));
    row("clock, GHz", calibration.ghz);
    row("LOCK addition, own line", Some(i.lock_add));
    row("compare-and-swap, own line", Some(i.compare_and_swap));
    row("exchange, own line", Some(i.exchange));
    row("PAUSE", Some(i.pause));
    row("full fence", Some(i.fence));
    row("clock reading (Instant)", Some(i.clock));
    row("load, first level", Some(levels.l1));
    row("load, second level", levels.l2);
    row("load, last level", levels.llc);
    row("load, memory of the socket", Some(levels.dram_local.0));
    row("load, memory of another socket", levels.dram_near.map(|(figure, _)| figure));
    for (class, costs) in &calibration.pairs {
        let named = |what: &str| format!("{what}, {}", class.name());
        row(&named("CAS ping-pong, one line"), Some(costs.cas));
        row(&named("load, then CAS"), Some(costs.load_then_cas));
        row(&named("ping-pong over two lines"), Some(costs.two_lines));
        row(&named("load of a modified line"), Some(costs.hitm[0]));
        row(&named("the same, homed at the reader"), Some(costs.hitm[1]));
        row(&named("load of a clean line"), Some(costs.forward));
        row(&named("LOCK addition to a shared line"), Some(costs.upgrade));
    }
    for contended in &calibration.contended {
        let n = contended.cpus;
        row(&format!("adjacent LOCK additions, {n} CPUs"), Some(contended.adjacent));
        row(&format!("isolated LOCK additions, {n} CPUs"), Some(contended.isolated));
    }
    let buffer = &calibration.store_buffer;
    row("LOCK addition after a contended store", Some(buffer.store_then_add));
    row("LOCK addition after an own store", Some(buffer.own_store_then_add));
    row("run clock, two readings", Some(overhead.readings));
    row("recording an operation, with them", Some(overhead.operation));
    row("recording an operation, without", Some(overhead.record));
    row("lock benchmark without a lock", Some(overhead.lock_loop));
    rows
}

pub(super) fn text(calibration: &Calibration) -> String {
    let overhead = &calibration.overhead;
    let mut text = format!("{:40} {:>9} {:>9} {:>9}\n", "ns", "least", "median", "90 %");
    for (what, figure) in rows(calibration) {
        text += &line(&what, figure);
    }
    text += &map(&calibration.matrix);
    text += &format!(
        "measuring: an operation costs {:.1} ns to record, of which two clock readings are {:.1} ns and the \
         record itself {:.1} ns\n",
        overhead.operation.median, overhead.readings.median, overhead.record.median,
    );
    for caveat in calibration.caveats() {
        text += &format!("note: {caveat}\n");
    }
    text
}

fn line(what: &str, figure: Option<Figure>) -> String {
    match figure {
        None => format!("{what:40} not measured here\n"),
        Some(figure) => {
            let Figure { least, median, p90, .. } = figure;
            let cut = figure.cut().map_or(String::new(), |cut| format!("  {cut}"));
            format!("{what:40} {least:9.2} {median:9.2} {p90:9.2}{cut}\n")
        }
    }
}

/// The matrix by shades: nearest class light, farthest dark.
fn map(matrix: &Matrix) -> String {
    let step = matrix.cpus.len().div_ceil(MAP_MOST).max(1);
    let shown: Vec<usize> = matrix.cpus.iter().copied().step_by(step).collect();
    let ns = |a: usize, b: usize| {
        let cell = matrix.cells.iter().find(|cell| cell.pair == [a, b] || cell.pair == [b, a]);
        cell.map(|cell| cell.one_way_ns.median)
    };
    let all = || matrix.cells.iter().map(|cell| cell.one_way_ns.median);
    let (least, most) = (all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max));
    let shade = |ns: f64| {
        let share = (ns / least).ln() / (most / least).ln().max(1e-9);
        SHADES[((share * SHADES.len() as f64) as usize).min(SHADES.len() - 1)]
    };
    let every = if step > 1 { format!(", every {step}th CPU") } else { String::new() };
    let sampled = matrix.sampled().is_some();
    let mut text = format!(
        "transfers between CPUs, one way: `{}` {least:.0} ns to `{}` {most:.0} ns{every}{}\n",
        SHADES[0],
        SHADES[SHADES.len() - 1],
        if sampled { ", `?` not measured" } else { "" },
    );
    for a in &shown {
        let cells = shown.iter().map(|b| if a == b { ' ' } else { ns(*a, *b).map_or('?', shade) });
        text += &format!("{a:>5} {}\n", cells.collect::<String>());
    }
    text
}

impl Calibration {
    /// What this host hides, and where its shape is not the model's.
    pub(super) fn caveats(&self) -> Vec<String> {
        let mut caveats = self.shape.oddities.clone();
        let facts = crate::native_host::provenance();
        if facts.get("hypervisor").is_some_and(|there| there == "yes") {
            caveats.push(
                "A hypervisor runs this host: caches, siblings and distances are what it shows, vCPUs may \
                 move between cores, and other guests share the last-level cache."
                    .into(),
            );
            if self.matrix.cpus.len() == 2 {
                let how = if self.shape.topology.llcs() == 1 { "one" } else { "no" };
                caveats.push(format!(
                    "Its two vCPUs say that they share {how} last-level cache; whether they are threads of one \
                     core cannot be seen but in the ping-pong (siblings: below 15 ns)."
                ));
            }
        }
        if !self.levels.dram_local.1 {
            caveats.push(
                "The last-level cache is too large to walk past it in the memory that is free, and in time: \
                 loads from memory are an estimate."
                    .into(),
            );
        }
        caveats.extend(self.matrix.sampled().map(|sampled| sampled + "."));
        caveats.extend(self.out_of_time());
        caveats
    }

    /// What has fewer windows than planned, and for how many CPUs one line was not measured.
    fn out_of_time(&self) -> Option<String> {
        let rows = rows(self);
        let cut = |(what, figure): &(String, Option<Figure>)| {
            Some((what.clone(), figure.as_ref()?.cut()?))
        };
        let cuts: Vec<(String, String)> = rows.iter().filter_map(cut).collect();
        let (crowds, planned) =
            (self.contended.len(), contended::counts(self.matrix.cpus.len()).len());
        let (first, windows) = cuts.first()?;
        Some(format!(
            "Time ran out, as this host gives its CPUs to others: {} of {} figures have fewer windows than planned \
             (`{first}`: {windows}), and one line was contended by {crowds} of {planned} numbers of CPUs.",
            cuts.len(),
            rows.len(),
        ))
    }
}
