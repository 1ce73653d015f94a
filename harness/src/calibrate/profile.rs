//! The profile of what was measured, as text.

use pamt_sim::machine::{Profile, Topology, keys};

use super::chase::Levels;
use super::contended::Contended;
use super::figure::Figure;
use super::plan::Class;
use super::{CalibrateError, CalibrateRequest, Calibration, LeftOut};
use crate::machine_fit::ProfileText;

/// No kept line is left beyond this share in the model.
const KEEP_MOST: f64 = 0.7;
/// A line on which isolated additions take longer than this beyond adjacent ones is idle between them.
const ISOLATED_MOST: f64 = 0.3;

/// What stands above a calibrated profile.
const COMMENT: &str = "Written by `pamt-bench calibrate`. Ranges are from the least to the 90 % window. What is not given here\n\
                       is inherited and marked so in every report.";
const DESCRIPTION: &str = "a host measured by `pamt-bench calibrate`";

pub(super) fn text(
    calibration: &Calibration,
    request: &CalibrateRequest,
    left_out: &LeftOut,
) -> Result<String, CalibrateError> {
    let base = Profile::builtin(&request.base)?;
    let ghz = calibration.ghz.unwrap_or_else(|| {
        let ghz = base.clock().ghz();
        Figure::exactly(ghz)
    });
    let topology = &calibration.shape.topology;
    let notes: Vec<_> = notes(calibration, request).into_iter().chain(notes_of(left_out)).collect();
    let mut text =
        ProfileText::new(&request.name, &request.base, DESCRIPTION, &notes).comment(COMMENT);
    text.topology(topology, "sysfs of the measured host");
    let mut values = Values { section: "", text, base: &base, topology, left_out };
    values.core(calibration, ghz);
    values.bench(calibration);
    values.coherence(calibration);
    values.memory(&calibration.levels);
    Ok(values.text.into())
}

/// What a reader of the profile must know.
fn notes(calibration: &Calibration, request: &CalibrateRequest) -> Vec<String> {
    let mut notes = calibration.caveats();
    notes.push(format!(
        "What a probe of this host cannot tell (interrupts, IPIs, the host kernel, the TDX module) is {}'s.",
        request.base
    ));
    let buffer = &calibration.store_buffer;
    notes.push(format!(
        "Store-buffer probe: a LOCK addition takes {:.1} ns, after a store to a line that another CPU reads \
         {:.1} ns, after a store to an own line {:.1} ns: it waits {:.1} ns for the store.",
        buffer.add.median,
        buffer.store_then_add.median,
        buffer.own_store_then_add.median,
        buffer.drain_ns(),
    ));
    notes
}

/// What was measured and is not in a profile.
pub(super) fn notes_of(left_out: &LeftOut) -> impl Iterator<Item = String> + '_ {
    let note = |(key, why): (&String, &String)| {
        format!(
            "`{key}` is the base's: what was measured {why}; measure again while nothing else runs."
        )
    };
    left_out.iter().map(note)
}

/// A source, and how much of it there is where time ran out.
fn in_time(figure: Figure, source: &str) -> String {
    match figure.cut() {
        Some(cut) => format!("{source}; {cut} in time"),
        None => source.to_owned(),
    }
}

struct Values<'a> {
    section: &'static str,
    text: ProfileText,
    base: &'a Profile,
    topology: &'a Topology,
    left_out: &'a LeftOut,
}

impl Values<'_> {
    fn section(&mut self, name: &'static str) {
        self.section = name;
        self.text.section(name);
    }

    /// A value of the section, unless it is left out.
    fn value(&mut self, key: &str, v: f64, how: &str, source: &str) {
        if !self.left_out.contains_key(&format!("{}.{key}", self.section)) {
            self.text.value(key, v, how, source);
        }
    }

    /// A measured value with its range.
    fn measured(&mut self, key: &str, figure: Figure, source: &str) {
        self.valued(key, figure, "measured", source);
    }

    /// The range is cut to what a profile accepts: an interrupted window says nothing of the machine.
    fn valued(&mut self, key: &str, figure: Figure, kind: &str, source: &str) {
        let full = format!("{}.{key}", self.section);
        let spec = keys().find(|spec| spec.key == full);
        let cut = |v: f64| spec.map_or(v, |spec| v.clamp(spec.lo, spec.hi));
        let (least, median, p90) = (cut(figure.least), figure.median, cut(figure.p90));
        let how = format!("range = [{least:.3}, {p90:.3}], kind = \"{kind}\"");
        self.value(key, median, &how, &in_time(figure, source));
    }

    /// From what was measured to the base's value: a guess with both ends.
    fn between(&mut self, key: &str, full_key: &str, figure: Figure, source: &str) {
        let Ok(base) = self.base.value(full_key) else { return };
        let (low, high) = (figure.median.min(base.v), figure.median.max(base.v) + 0.001);
        let how = format!("range = [{low:.3}, {high:.3}], kind = \"estimate\"");
        self.value(key, figure.median, &how, &in_time(figure, source));
    }

    fn core(&mut self, calibration: &Calibration, ghz: Figure) {
        let cycles = |figure: Figure| figure.map(|ns| (ns * ghz.median).max(1.0));
        let Calibration { instructions, levels, .. } = calibration;
        self.section("core");
        if calibration.ghz.is_some() {
            self.valued("clock_ghz", ghz, "derived", "a chain of 64-bit IMUL, 3 cycles each");
        }
        self.measured("load_cycles", cycles(levels.l1), "walk over 8 KiB, in cycles of clock_ghz");
        let source = "LOCK addition to an own line, in cycles of clock_ghz";
        self.measured("lock_cycles", cycles(instructions.lock_add), source);
        let pause = instructions.pause.map(|ns| ns * ghz.median);
        self.measured("pause_cycles", pause, "a run of PAUSE, in cycles of clock_ghz");
        for (key, kib) in [("l1_kib", levels.sizes.l1_kib), ("l2_kib", levels.sizes.l2_kib)] {
            if let Some(kib) = kib {
                self.value(key, kib as f64, "kind = \"measured\"", "sysfs, cache of CPU 0");
            }
        }
        if let Some(l2) = levels.l2 {
            self.measured("l2_hit_ns", l2, "walk over a third of the second-level cache");
        }
        self.section("cache");
        if let Some(kib) = levels.sizes.llc_kib {
            self.value("llc_kib", kib as f64, "kind = \"measured\"", "sysfs, cache of CPU 0");
        }
        if let Some(llc) = levels.llc {
            self.measured("llc_hit_ns", llc, "walk over four times the second-level cache, small pages unless huge ones could be had");
        }
    }

    fn bench(&mut self, calibration: &Calibration) {
        self.section("bench");
        let none = Figure::exactly(0.0);
        self.measured(
            "hold_ns",
            none,
            "a constant hold is timed to its end, its overshoot is in loop_ns",
        );
        let source = "a round of `lock --backend native` without a lock and without work";
        self.measured("loop_ns", calibration.overhead.lock_loop, source);
    }

    fn coherence(&mut self, calibration: &Calibration) {
        self.section("coherence");
        for class in [Class::Siblings, Class::Llc, Class::Socket, Class::Near] {
            self.class(calibration, class);
        }
        if calibration.matrix.class(Class::Llc).is_none() {
            // A profile needs the distance; here no two cores have it.
            self.stand_in(calibration);
        }
        if let Some(most) = calibration.contended.last() {
            self.contended(most, calibration);
        }
    }

    /// Transfers over one distance.
    fn class(&mut self, calibration: &Calibration, class: Class) {
        let Some(c2c) = calibration.matrix.class(class) else { return };
        let name = class.name();
        let pairs = calibration.matrix.cells.iter().filter(|cell| cell.class == class).count();
        let source = format!("compare-and-swap ping-pong, median of {pairs} pairs");
        self.measured(&format!("c2c_{name}_ns"), c2c, &source);
        if class == Class::Siblings {
            return;
        }
        self.kinds(calibration, class, name);
        if class == Class::Socket {
            // Homes on another socket were not forced: the same figure stands for them.
            let source = "the same; homes on another socket are not told apart";
            self.measured("c2c_socket_home_remote_ns", c2c, source);
        }
    }

    /// The kinds of transfer that walks measured, under the name of a distance.
    fn kinds(&mut self, calibration: &Calibration, class: Class, name: &str) {
        let of = |part: fn(&super::c2c::PairCosts) -> Figure| {
            let figures = calibration.pairs.iter().filter(|(of, _)| *of == class);
            let figures: Vec<Figure> = figures.map(|(_, costs)| part(costs)).collect();
            let p90 = figures.iter().map(|figure| figure.p90).fold(0.0, f64::max);
            Figure::among(&figures).map(|figure| Figure { p90, ..figure })
        };
        let Some(hitm) = of(|costs| costs.hitm[0]) else { return };
        let walked = "walk over 64 lines that the other CPU modified";
        self.measured(&format!("hitm_{name}_ns"), hitm, walked);
        if let (Class::Near, Some(home)) = (class, of(|costs| costs.hitm[1])) {
            self.measured(
                "hitm_near_home_reader_ns",
                home,
                "the same, first touched by the reader",
            );
        }
        if class == Class::Socket {
            let source = "the same; homes on another socket are not told apart";
            self.measured("hitm_socket_home_remote_ns", hitm, source);
        }
        if let Some(forward) = of(|costs| costs.forward) {
            let source = "walk over 64 lines that the other CPU has flushed and read again";
            self.measured(&format!("forward_{name}_ns"), forward, source);
            let full = "coherence.shared_occupancy_ns";
            let busy_longer = self.base.value(full).is_ok_and(|base| base.v > forward.median);
            if name == "llc" && busy_longer {
                let source = "no longer than the transfer itself takes, up to the base's";
                self.between("shared_occupancy_ns", full, forward, source);
            }
        }
        if let Some(upgrade) = of(|costs| costs.upgrade) {
            let lock = calibration.instructions.lock_add.median;
            let source =
                "LOCK additions to 64 lines that both CPUs have read, less one to an own line";
            let upgrade = upgrade.map(|ns| (ns - lock).max(1.0));
            self.measured(&format!("upgrade_{name}_ns"), upgrade, source);
        }
    }

    /// Cores without a cache in common: the nearest distance that there is stands for it.
    fn stand_in(&mut self, calibration: &Calibration) {
        let there = [Class::Socket, Class::Near, Class::Siblings];
        let nearest = there.into_iter().find(|class| calibration.matrix.class(*class).is_some());
        if let Some((class, c2c)) = nearest.and_then(|c| Some((c, calibration.matrix.class(c)?))) {
            let source =
                format!("no two cores here share a cache: the distance `{}`", class.name());
            self.measured("c2c_llc_ns", c2c, &source);
            self.kinds(calibration, class, "llc");
        }
    }

    fn contended(&mut self, most: &Contended, calibration: &Calibration) {
        let n = most.cpus;
        // Longer visits than one more operation are beyond the model.
        let visits = 1.0 / (1.0 - most.kept_frac).max(1e-9);
        let keep = (visits - 1.0).clamp(0.0, KEEP_MOST);
        let source = format!(
            "{n} CPUs add to one line: {:.1} additions a visit (old values in a row); the model allows one \
             more at most",
            visits
        );
        let range = format!("range = [0.0, {KEEP_MOST}], kind = \"estimate\"");
        self.value("keep_share", keep, &range, &source);
        let lock = calibration.instructions.lock_add.median;
        if n > 2 {
            let source = format!("{n} CPUs add to one line, time over additions");
            self.measured("rmw_occupancy_ns", most.adjacent.map(|ns| ns.max(0.5)), &source);
            self.isolated(most);
        } else {
            let floor = most.adjacent.map(|ns| ns.max(lock).max(0.5));
            let source = "two CPUs do not saturate a line: what an addition took them together, up to the base's";
            self.between("rmw_occupancy_ns", "coherence.rmw_occupancy_ns", floor, source);
        }
    }

    /// Only of a line that is saturated by isolated additions, too: else their pauses would count.
    fn isolated(&mut self, most: &Contended) {
        let extra = most.isolated.median / most.adjacent.median - 1.0;
        if (0.0..=ISOLATED_MOST).contains(&extra) {
            let source = format!(
                "{} CPUs add to one line: isolated additions over adjacent ones",
                most.cpus
            );
            self.value("isolated_extra", extra, "kind = \"measured\"", &source);
        }
    }

    fn memory(&mut self, levels: &Levels) {
        self.section("memory");
        for (key, full, dram) in [
            ("dram_local_ns", "memory.dram_local_ns", Some(levels.dram_local)),
            ("dram_near_ns", "memory.dram_near_ns", levels.dram_near),
        ] {
            match dram {
                Some((figure, true)) => {
                    self.measured(key, figure, "walk over a circle larger than the cache")
                }
                Some((figure, false)) if self.topology.sockets > 1 || key == "dram_local_ns" => {
                    let source = "walk over a circle that the last-level cache may hold in part, up to the base's";
                    self.between(key, full, figure, source);
                }
                _ => {}
            }
        }
        self.measured(
            "scan_line_ns",
            levels.scan_line,
            "sequential read of memory, 4 KiB at a time",
        );
        self.measured("store_line_ns", levels.store_line, "clear of memory, 4 KiB at a time");
    }
}
