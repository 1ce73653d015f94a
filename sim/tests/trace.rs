//! What a trace of a simulated run is told, and that being told changes nothing.

use std::sync::{Arc, Mutex};

use pamt_sim::machine::Profile;
use pamt_sim::{Sim, SimBuild, SimCpu, SimOptions, SimOutcome, SimWords, run};
use pamt_strategies::measure::{LockClass, Observation, TraceSink, Transfer};
use pamt_strategies::platform::{Actor, Ordering, Place, Platform, Words};
use pamt_strategies::units::{CpuId, Cycles};

/// A move as a sink hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heard {
    to: CpuId,
    from: Option<CpuId>,
    line: u64,
    owned: bool,
    length: Cycles,
}

#[derive(Clone, Default)]
struct Sink {
    moves: Arc<Mutex<Vec<Heard>>>,
    ends: Arc<Mutex<Vec<Cycles>>>,
}

impl TraceSink for Sink {
    fn start(&mut self, _: &[LockClass]) {}
    fn observed(&mut self, _: CpuId, _: Cycles, _: &Observation) {}
    fn transferred(&mut self, to: CpuId, _: Cycles, t: &Transfer<'_>) {
        assert_eq!(t.object, "line");
        let heard = Heard { to, from: t.from, line: t.line, owned: t.owned, length: t.length };
        self.moves.lock().expect("one thread").push(heard);
    }
    fn finish(&mut self, end: Cycles) {
        self.ends.lock().expect("one thread").push(end);
    }
}

/// CPU 3 modifies the second of two lines, CPU 1 loads it, CPU 3 modifies it again.
fn hand_round(trace: Option<Sink>) -> SimOutcome {
    let profile = Profile::builtin("spr-2s").expect("built in");
    let mut build = SimBuild::new(&profile, SimOptions::default()).expect("complete");
    let words: SimWords<u64> = Sim::words(&mut build, Place::padded("line", 2));
    if let Some(sink) = trace {
        build.trace_to(Box::new(sink));
    }
    let body = move |cpu: &SimCpu| {
        words.fetch_add(cpu, 1, 1, Ordering::SeqCst);
        Sim::work(cpu, Cycles(20_000));
        words.fetch_add(cpu, 1, 1, Ordering::SeqCst);
    };
    let first = Actor { cpu: CpuId(3), name: "writer".into(), body: Box::new(body) };
    let body = move |cpu: &SimCpu| {
        Sim::work(cpu, Cycles(10_000));
        words.load(cpu, 1, Ordering::SeqCst);
    };
    let second = Actor { cpu: CpuId(1), name: "reader".into(), body: Box::new(body) };
    run(build, vec![first, second])
}

#[test]
fn a_sink_hears_of_moves_between_cores_and_of_no_first_touch() {
    let sink = Sink::default();
    let outcome = hand_round(Some(sink.clone()));
    let moves = sink.moves.lock().expect("one thread").clone();
    let [fetch, upgrade] = moves.as_slice() else { panic!("{moves:?}") };
    // 81 ns inside a socket, as the profile says, at 3 GHz.
    assert_eq!((fetch.to, fetch.from, fetch.line), (CpuId(1), Some(CpuId(3)), 1));
    assert_eq!((fetch.owned, fetch.length), (false, Cycles(243)));
    assert_eq!((upgrade.to, upgrade.from, upgrade.owned), (CpuId(3), None, true));
    assert_eq!(*sink.ends.lock().expect("one thread"), [outcome.elapsed]);
}

#[test]
fn a_traced_run_takes_as_long_as_an_untraced_one() {
    let (traced, plain) = (hand_round(Some(Sink::default())), hand_round(None));
    assert_eq!((traced.elapsed, traced.engine), (plain.elapsed, plain.engine));
}
