//! `trace:FILE`: the gets and puts that were recorded on a real host, through any strategy.
//!
//! Each CPU of the recording is a CPU of the machine and does its own operations in their order. A page
//! that passes from one CPU to another keeps its order too: the later operation waits for the earlier.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::units::{CpuId, Cycles};

use super::gate::Tally;
use super::{Progress, Usual, WorkloadInfo};
use crate::host::{Host, HostError, Vcpu};
use crate::params::{Kind, Param, Settings};
use crate::recording::Step;

/// How long a CPU does something else before it looks again whether a page is its own.
const LOOK_AGAIN_NS: f64 = 1000.0;

pub(super) static INFO: WorkloadInfo = WorkloadInfo {
    name: "trace",
    summary: "trace:FILE replays the gets and puts that were recorded on a real host",
    stands_for: "What a host really did (docs/trace-format.md): which CPU got and put which page when. The \
                 pages keep their numbers, so regions that TDs shared are shared, and --tds, --vcpus and \
                 --memory are the recording's. Only tdx_pamt_get() and tdx_pamt_put() run; the time of \
                 everything between them is in the recorded times.",
    bottleneck: "what it was on the host, or what another strategy makes of it",
    unit: "operations",
    params: &[Param {
        name: "pace",
        kind: Kind::Choice(&["recorded", "asap"]),
        default: "recorded",
        help: "when an operation begins: as recorded, or as soon as that CPU's last one is over",
    }],
    usual: Usual { placement: Some("recorded"), ..Usual::NONE },
    large_first: false,
};

/// What the CPUs of a replay share.
struct Shared<P: Platform> {
    host: Arc<Host<P>>,
    progress: Arc<Progress>,
    /// Operations on each page that another CPU may now follow. No memory of the modelled host: what
    /// kept the order there is not in the recording.
    turns: Vec<AtomicU32>,
    paced: bool,
}

/// What one CPU did, by TD.
type Done = BTreeMap<u32, Tally>;

pub(super) fn actors<P: Platform>(
    build: &mut P::Build,
    host: &Arc<Host<P>>,
    progress: &Arc<Progress>,
    settings: &Settings,
) -> Vec<Actor<P>> {
    let Some(replay) = host.plan.replay.clone() else {
        return Vec::new();
    };
    let (prepared, progressed, recorded) =
        (Arc::clone(host), Arc::clone(progress), Arc::clone(&replay));
    P::prepare(
        build,
        Box::new(move |cpu| progressed.prepared(prepared.begin_replay(cpu, &recorded))),
    );
    let shared = Arc::new(Shared {
        host: Arc::clone(host),
        progress: Arc::clone(progress),
        turns: replay.pages.iter().map(|_| AtomicU32::new(0)).collect(),
        paced: settings.choice("pace") == "recorded",
    });
    let (clock, again) = (P::clock(build), P::clock(build).cycles(LOOK_AGAIN_NS));
    let cpus: Vec<u16> = replay.steps.keys().copied().collect();
    cpus.into_iter()
        .map(|on| {
            let (shared, replay) = (Arc::clone(&shared), Arc::clone(&replay));
            progress.enlist();
            let body = move |cpu: &P::Cpu| {
                let due = |step: &Step| clock.cycles(step.due_ns as f64);
                shared.progress.run_counted(cpu, &shared.host, || {
                    shared.replay(cpu, CpuId(on), &replay.steps[&on], &due, again)
                });
            };
            Actor { cpu: CpuId(on), name: format!("replay{on}"), body: Box::new(body) }
        })
        .collect()
}

impl<P: Platform> Shared<P> {
    fn replay(
        &self,
        cpu: &P::Cpu,
        on: CpuId,
        steps: &[Step],
        due: &dyn Fn(&Step) -> Cycles,
        again: Cycles,
    ) -> Result<(), HostError> {
        let (begun, mut done) = (P::now(cpu), Done::new());
        let mut vcpu = Vcpu::new(0, on);
        let outcome = steps.iter().try_for_each(|step| {
            let due = if self.paced { begun + due(step) } else { P::now(cpu) };
            P::sleep_until(cpu, due);
            if step.waits && !self.wait(cpu, step, again) {
                return Ok(());
            }
            self.host.replay(cpu, &mut vcpu, step)?;
            if step.tells {
                self.turns[step.number as usize].store(step.turn + 1, Ordering::Release);
            }
            if self.paced {
                P::observe(cpu, Observation::Took(Op::Response, P::now(cpu) - due));
            }
            let tally = done.entry(step.td).or_default();
            tally.pages += 1;
            tally.begun.get_or_insert(due);
            tally.ended = P::now(cpu);
            Ok(())
        });
        self.host.retire(cpu, &mut vcpu);
        for (td, tally) in done {
            self.progress.count(td, tally.pages, tally.begun.unwrap_or(begun), tally.ended);
        }
        outcome
    }

    /// Waits until the operation before on this page is over; false when its CPU has given up.
    fn wait(&self, cpu: &P::Cpu, step: &Step, again: Cycles) -> bool {
        let turn = &self.turns[step.number as usize];
        while turn.load(Ordering::Acquire) != step.turn {
            if self.progress.failure().is_some() {
                return false;
            }
            P::sleep_until(cpu, P::now(cpu) + again);
        }
        true
    }
}
