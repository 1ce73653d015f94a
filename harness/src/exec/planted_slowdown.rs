//! A strategy that became 2 % slower is found by the gate, from one run.

use pamt_reports::compare::{Table, Verdict};
use pamt_reports::exit::Exit;
use pamt_reports::gate::{Day, GateFile, Inputs, gate};
use pamt_reports::schema::{Document, Run};
use pamt_sim::{Sim, SimCpu};
use pamt_strategies::pamt::{Env, PamtCache, PamtError, Strategy};
use pamt_strategies::platform::Platform;
use pamt_strategies::registry;
use pamt_strategies::units::{Cycles, Pfn, Region};

use super::{Prepared, sim};
use crate::experiment::Experiment;

/// A strategy with so much added to each get.
struct Slower {
    strategy: Box<dyn Strategy<Sim>>,
    added: Cycles,
}

impl Strategy<Sim> for Slower {
    fn get(
        &self,
        cpu: &SimCpu,
        env: &Env<'_, Sim>,
        pfn: Pfn,
        cache: Option<&mut PamtCache>,
    ) -> Result<(), PamtError> {
        Sim::work(cpu, self.added);
        self.strategy.get(cpu, env, pfn, cache)
    }

    fn put(&self, cpu: &SimCpu, env: &Env<'_, Sim>, pfn: Pfn) -> Result<(), PamtError> {
        self.strategy.put(cpu, env, pfn)
    }

    fn peek_refcount(&self, cpu: &SimCpu, region: Region) -> Option<u64> {
        self.strategy.peek_refcount(cpu, region)
    }

    fn memory_bytes(&self) -> u64 {
        self.strategy.memory_bytes()
    }
}

fn run(prepared: &Prepared, added: Cycles) -> Run {
    let run = sim::run_with(prepared, &|build, params| {
        let strategy = registry::build(&prepared.spec, build, params);
        Box::new(Slower { strategy, added })
    });
    run.expect("runs")
}

#[test]
fn two_percent_more_time_in_a_strategys_path_fails_the_gate() {
    let experiment = Experiment {
        strategy: "global".into(),
        workload: "fault-storm".into(),
        tds: 1,
        vcpus: 1,
        memory_bytes: 4 << 20,
        ..Experiment::default()
    };
    let prepared = Prepared::new(&experiment).expect("valid");
    let before = run(&prepared, Cycles(0));
    let gets = before.result.ops["pamt_get"].count;
    let time = prepared.profile.clock().cycles(before.result.virtual_time_ns as f64);
    let after = run(&prepared, Cycles((time.0 / gets).div_ceil(50)));
    let table = |run| Table::new(&[Document::new(vec![run])]);
    let (outcome, exit) = gate(&Inputs {
        before: &table(before),
        after: &table(after),
        file: &GateFile::default(),
        noise: None,
        today: Day(0),
        strict: false,
    });
    assert_eq!(exit, Exit::Regression);
    let mut rows = outcome.rows.iter().map(|gated| &gated.row);
    let time = rows.find(|row| row.metric == "virtual_time_ns").expect("a row of it");
    let change = time.change_percent().expect("two figures");
    assert!((1.9..2.2).contains(&change), "{change} %");
    assert_eq!(time.verdict, Verdict::Regressed);
}
