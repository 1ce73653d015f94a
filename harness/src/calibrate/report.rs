//! What was measured, as text.

use super::Calibration;
use super::c2c::Matrix;
use super::figure::Figure;

/// A map of more CPUs than this does not fit a terminal: it is drawn by every nth.
const MAP_MOST: usize = 32;
/// Darker is slower.
const SHADES: [char; 5] = ['.', ':', '+', '*', '#'];

pub(super) fn text(calibration: &Calibration) -> String {
    let Calibration { instructions: i, levels, overhead, .. } = calibration;
    let mut lines = Vec::new();
    let mut row = |what: &str, figure: Option<Figure>| lines.push(line(what, figure));
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
    row("load, memory of the socket", levels.dram_local.map(|(figure, _)| figure));
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
    let mut text = format!("{:40} {:>9} {:>9} {:>9}\n", "ns", "least", "median", "90 %");
    text += &lines.concat();
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
        Some(Figure { least, median, p90 }) => {
            format!("{what:40} {least:9.2} {median:9.2} {p90:9.2}\n")
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
        if self.levels.dram_local.is_some_and(|(_, beyond)| !beyond) {
            caveats.push(
                "The last-level cache is too large to walk past it in the memory that is free: loads from \
                 memory are an estimate."
                    .into(),
            );
        }
        caveats.extend(self.matrix.sampled().map(|sampled| sampled + "."));
        caveats
    }
}
