//! What each CPU did in one window of a run, for the timeline of a report.
//!
//! A CPU is in one state at a time: its innermost operation, or waiting for a lock. Beside it goes the
//! lock that it holds, the last one taken where there are several.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use pamt_reports::schema::Timeline;
use pamt_strategies::measure::{LockClass, LockStep, Observation, TraceSink, Transfer};
use pamt_strategies::units::{Clock, CpuId, Cycles};

/// Slices kept; a longer window is cut where they end.
const MOST: usize = 4000;

/// Collects one window. Its clones share what they collect.
#[derive(Clone)]
pub(crate) struct Window {
    inner: Arc<Mutex<Inner>>,
}

impl Window {
    /// The window from `from` until `to`.
    pub(crate) fn new(from: Cycles, to: Cycles) -> Self {
        let inner = Inner { from, to, ..Inner::default() };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// What was collected.
    pub(crate) fn timeline(&self, clock: Clock) -> Timeline {
        self.with(|inner| inner.timeline(clock))
    }

    fn with<R>(&self, act: impl FnOnce(&mut Inner) -> R) -> R {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TraceSink for Window {
    fn start(&mut self, classes: &[LockClass]) {
        self.with(|inner| inner.locks = classes.iter().map(|class| class.name.clone()).collect());
    }

    fn observed(&mut self, cpu: CpuId, now: Cycles, observation: &Observation) {
        self.with(|inner| inner.observed(cpu, now, observation));
    }

    fn transferred(&mut self, _cpu: CpuId, _now: Cycles, _transfer: &Transfer<'_>) {}

    fn finish(&mut self, end: Cycles) {
        self.with(|inner| {
            let cpus: Vec<CpuId> = inner.cpus.keys().copied().collect();
            cpus.into_iter().for_each(|cpu| inner.cut(cpu, end));
        });
    }
}

/// A CPU: the names of what is open, innermost last, and the locks that it holds.
#[derive(Default)]
struct Lane {
    since: Cycles,
    open: Vec<u64>,
    held: Vec<u64>,
}

#[derive(Default)]
struct Inner {
    from: Cycles,
    to: Cycles,
    locks: Vec<String>,
    names: Vec<String>,
    cpus: BTreeMap<CpuId, Lane>,
    /// CPU, from, to, state, lock held.
    slices: Vec<(CpuId, Cycles, Cycles, u64, Option<u64>)>,
}

impl Inner {
    /// Index of a name, the same for equal ones.
    fn name(&mut self, name: &str) -> u64 {
        let found = self.names.iter().position(|known| known == name);
        let at = found.unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        at as u64
    }

    fn observed(&mut self, cpu: CpuId, now: Cycles, observation: &Observation) {
        match observation {
            Observation::Begin(op) => {
                let name = self.name(op.name());
                self.cut(cpu, now);
                self.lane(cpu).open.push(name);
            }
            Observation::End(_) => {
                self.cut(cpu, now);
                self.lane(cpu).open.pop();
            }
            Observation::Lock { class, step, .. } => {
                let lock = self.locks.get(usize::from(class.0)).cloned().unwrap_or_default();
                self.lock(cpu, now, &lock, *step);
            }
            _ => {}
        }
    }

    fn lock(&mut self, cpu: CpuId, now: Cycles, lock: &str, step: LockStep) {
        let (held, wait) = (self.name(lock), self.name(&format!("wait for {lock}")));
        let waits = self.lane(cpu).open.last() == Some(&wait);
        self.cut(cpu, now);
        let lane = self.lane(cpu);
        match step {
            LockStep::Request => {}
            LockStep::Contended { .. } if waits => {}
            LockStep::Contended { .. } => lane.open.push(wait),
            LockStep::Acquired | LockStep::Abandoned => {
                if waits {
                    lane.open.pop();
                }
                if step == LockStep::Acquired {
                    lane.held.push(held);
                }
            }
            LockStep::Released => {
                let at = lane.held.iter().rposition(|other| *other == held);
                if let Some(at) = at {
                    lane.held.remove(at);
                }
            }
        }
    }

    fn lane(&mut self, cpu: CpuId) -> &mut Lane {
        self.cpus.entry(cpu).or_default()
    }

    /// The CPU's state ends at `now`: it becomes a slice where it lies in the window.
    fn cut(&mut self, cpu: CpuId, now: Cycles) {
        let (from, to) = (self.from, self.to);
        let lane = self.lane(cpu);
        let (begun, ended) = (lane.since.max(from), now.min(to));
        lane.since = now;
        let Some(state) = lane.open.last().copied() else { return };
        let held = lane.held.last().copied();
        if begun < ended && self.slices.len() < MOST {
            self.slices.push((cpu, begun, ended, state, held));
        }
    }

    fn timeline(&mut self, clock: Clock) -> Timeline {
        self.slices.sort_by_key(|(cpu, from, ..)| (*cpu, *from));
        let whole = self.slices.len() < MOST;
        let last = self.slices.iter().map(|(_, _, to, ..)| *to).max().unwrap_or(self.to);
        let slice = |(cpu, from, to, state, held): &(CpuId, Cycles, Cycles, u64, Option<u64>)| {
            let held = held.map_or(0, |held| held + 1);
            vec![u64::from(cpu.0), clock.ns(*from).0, clock.ns(*to).0, *state, held]
        };
        Timeline {
            from_ns: clock.ns(self.from).0,
            names: self.names.clone(),
            slices: self.slices.iter().map(slice).collect(),
            to_ns: clock.ns(if whole { self.to } else { last }).0,
        }
    }
}

#[cfg(test)]
mod tests {
    use pamt_strategies::measure::{LockClassId, LockKind, Op};
    use pamt_strategies::units::Region;

    use super::*;

    #[test]
    fn a_wait_and_the_hold_after_it_are_slices_cut_to_the_window() {
        let mut window = Window::new(Cycles(10), Cycles(50));
        let class = LockClass { name: "pamt_lock".into(), kind: LockKind::Spinlock, instances: 1 };
        window.start(&[class]);
        let lock = |step| Observation::Lock {
            class: LockClassId(0),
            instance: 0,
            shared: false,
            region: Region(1),
            step,
        };
        let steps = [
            (0, Observation::Begin(Op::PamtGet)),
            (20, lock(LockStep::Request)),
            (20, lock(LockStep::Contended { queued: false })),
            (30, lock(LockStep::Acquired)),
            (60, lock(LockStep::Released)),
        ];
        for (at, step) in steps {
            window.observed(CpuId(3), Cycles(at), &step);
        }
        window.finish(Cycles(70));
        let timeline = window.timeline(Clock::new(1.0));
        assert_eq!(timeline.names, ["pamt_get", "pamt_lock", "wait for pamt_lock"]);
        assert_eq!(timeline.slices, [[3, 10, 20, 0, 0], [3, 20, 30, 2, 0], [3, 30, 50, 0, 2]]);
    }
}
