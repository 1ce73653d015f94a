//! The peers' model (`benches/peers/README.md`) on the event engine: N processes share one FIFO lock.
//! Prints `handovers cpu_seconds virtual_ns`.
//!
//! The queue is host data, as in the peers. `events` is their model: a process holds, works and waits by
//! timed waits and kicks, and no memory is modelled (a kick takes its target an IPI's time); `by-loop` is
//! the same, switching as on hosts that are not x86-64. `lines` makes of it what pamt-bench simulates
//! otherwise: the order is that of LOCK XADDs on one simulated word, each process waits on a word of its
//! own, and the transfers of their lines are modelled.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Arc;

use pamt_sim::machine::{
    End, Profile, ProfileError, Sim, SimBuild, SimCpu, SimOptions, SimWords, Switch, Topology, run,
};
use pamt_strategies::platform::{Actor, Ordering, Place, Platform, Until, Words};
use pamt_strategies::units::{CpuId, Cycles};

const HOLD_NS: f64 = 200.0;
const PARALLEL_NS: f64 = 1000.0;

/// Processes in line, and hand-overs so far.
#[derive(Default)]
struct Line {
    held: bool,
    waiting: VecDeque<usize>,
    handovers: u64,
}

thread_local! {
    /// All actors share one host thread, so that this is plain data, as the peers' line is.
    static LINE: RefCell<Line> = RefCell::default();
}

/// What all processes share.
struct Shared {
    /// Holder and waiters.
    users: SimWords<u32>,
    /// One flag a process.
    granted: SimWords<u32>,
    handovers: u64,
}

/// Joins the line.
fn queue_up(me: usize) {
    LINE.with_borrow_mut(|line| line.waiting.push_back(me));
}

impl Shared {
    fn by_events(&self, cpu: &SimCpu, me: usize, hold: Cycles, parallel: Cycles) {
        loop {
            let held = LINE.with_borrow_mut(|line| std::mem::replace(&mut line.held, true));
            if held {
                queue_up(me);
                Sim::sleep_until(cpu, Cycles(u64::MAX));
            }
            Sim::sleep_until(cpu, Sim::now(cpu) + hold);
            let (next, done) = self.hand_over();
            match next {
                Some(next) => Sim::kick(cpu, CpuId(next as u16)),
                None => LINE.with_borrow_mut(|line| line.held = false),
            }
            if done {
                return;
            }
            Sim::sleep_until(cpu, Sim::now(cpu) + parallel);
        }
    }

    /// Counts; returns who is next, and whether that is all.
    fn hand_over(&self) -> (Option<usize>, bool) {
        LINE.with_borrow_mut(|line| {
            line.handovers += 1;
            (line.waiting.pop_front(), line.handovers >= self.handovers)
        })
    }

    fn by_lines(&self, cpu: &SimCpu, me: usize, hold: Cycles, parallel: Cycles) {
        loop {
            if self.users.fetch_add(cpu, 0, 1, Ordering::Acquire) != 0 {
                queue_up(me);
                self.granted.spin_until(cpu, me, Until::eq(1), Ordering::Acquire);
                self.granted.store(cpu, me, 0, Ordering::Relaxed);
            }
            Sim::work(cpu, hold);
            self.users.fetch_sub(cpu, 0, 1, Ordering::Release);
            let (next, done) = self.hand_over();
            if let Some(next) = next {
                self.granted.store(cpu, next, 1, Ordering::Release);
            }
            if done {
                return;
            }
            Sim::work(cpu, parallel);
        }
    }
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + 1e-9 * time.tv_nsec as f64
}

/// Sapphire Rapids with enough cores for 512 hardware threads.
fn machine() -> Result<Profile, ProfileError> {
    let profile = Profile::builtin("spr-2s")?;
    let topology = Topology { cores_per_llc: 32, ..profile.topology().clone() };
    profile.with_topology(topology)
}

fn simulate(
    lines: bool,
    switch: Switch,
    processes: usize,
    handovers: u64,
) -> Result<(), Box<dyn std::error::Error>> {
    let profile = machine()?;
    let mut build = SimBuild::new(&profile, SimOptions::default())?;
    build.switch_by(switch);
    let clock = Sim::clock(&build);
    let shared = Arc::new(Shared {
        users: Sim::words(&mut build, Place::packed("users", 1)),
        granted: Sim::words(&mut build, Place::padded("granted", processes)),
        handovers,
    });
    let actors = (0..processes).map(|me| {
        let shared = Arc::clone(&shared);
        // Distinct parallel sections, so that processes do not march in step.
        let parallel = clock.cycles(PARALLEL_NS + (me * 37 % 101) as f64);
        let hold = clock.cycles(HOLD_NS);
        Actor {
            cpu: CpuId(me as u16),
            name: format!("process {me}"),
            body: Box::new(move |cpu: &SimCpu| {
                if lines {
                    shared.by_lines(cpu, me, hold, parallel);
                } else {
                    shared.by_events(cpu, me, hold, parallel);
                }
            }),
        }
    });
    let actors = actors.collect();
    let begun = cpu_seconds();
    let outcome = run(build, actors);
    let cpu_s = cpu_seconds() - begun;
    if !matches!(outcome.end, End::Finished) {
        return Err("the processes wait for each other".into());
    }
    let handed_over = LINE.with_borrow(|line| line.handovers);
    println!("{handed_over} {cpu_s:.6} {}", clock.ns(outcome.elapsed));
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, processes, handovers] = &args[..] else {
        eprintln!("usage: fifo_lock events|by-loop|lines PROCESSES HANDOVERS");
        return ExitCode::from(2);
    };
    let (Ok(processes), Ok(handovers)) = (processes.parse(), handovers.parse()) else {
        eprintln!("fifo_lock: PROCESSES and HANDOVERS are numbers");
        return ExitCode::from(2);
    };
    let (lines, switch) = match model.as_str() {
        "events" => (false, Switch::default()),
        "by-loop" => (false, Switch::ByLoop),
        "lines" => (true, Switch::default()),
        _ => {
            eprintln!("fifo_lock: {model} is no model: events, by-loop or lines");
            return ExitCode::from(2);
        }
    };
    match simulate(lines, switch, processes, handovers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fifo_lock: {error}");
            ExitCode::FAILURE
        }
    }
}
