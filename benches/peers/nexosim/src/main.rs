//! The peers' model in nexosim: one model a process, one for the lock. See ../../README.md.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::{EventSource, Output};
use nexosim::simulation::{Mailbox, SimInit};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};

const HOLD: Duration = Duration::from_nanos(200);
const PARALLEL_NS: u64 = 1000;

/// Hand-overs so far; a model's own fields cannot be read after the run.
static HANDOVERS: AtomicU64 = AtomicU64::new(0);

/// A FIFO lock that costs nothing: release hands over to the process that has waited longest.
#[derive(Default, Serialize, Deserialize)]
pub struct Lock {
    grants: Vec<Output<()>>,
    waiting: VecDeque<usize>,
    held: bool,
}

#[Model]
impl Lock {
    /// A process asks for the lock.
    pub async fn request(&mut self, process: usize) {
        if self.held {
            self.waiting.push_back(process);
        } else {
            self.held = true;
            self.grants[process].send(()).await;
        }
    }

    /// The holder gives it up.
    pub async fn release(&mut self) {
        HANDOVERS.fetch_add(1, Ordering::Relaxed);
        match self.waiting.pop_front() {
            Some(next) => self.grants[next].send(()).await,
            None => self.held = false,
        }
    }
}

/// A process: parallel section, lock, hold, release, and again.
#[derive(Default, Serialize, Deserialize)]
pub struct Process {
    index: usize,
    request: Output<usize>,
    release: Output<()>,
}

#[Model]
impl Process {
    /// Its first request.
    pub async fn begin(&mut self) {
        self.request.send(self.index).await;
    }

    /// The lock is held from now on.
    pub fn granted(&mut self, (): (), cx: &Context<Self>) {
        cx.schedule_event(HOLD, schedulable!(Self::end_hold), ()).expect("a time to come");
    }

    #[nexosim(schedulable)]
    async fn end_hold(&mut self, (): (), cx: &Context<Self>) {
        self.release.send(()).await;
        // Distinct parallel sections, so that processes do not march in step.
        let parallel = Duration::from_nanos(PARALLEL_NS + (self.index as u64 * 37) % 101);
        cx.schedule_event(parallel, schedulable!(Self::end_parallel), ()).expect("a time to come");
    }

    #[nexosim(schedulable)]
    async fn end_parallel(&mut self) {
        self.request.send(self.index).await;
    }
}

fn cpu_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + 1e-9 * time.tv_nsec as f64
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, processes, handovers] = &args[..] else {
        return Err("usage: peer-nexosim PROCESSES HANDOVERS".into());
    };
    let (processes, handovers): (usize, u64) = (processes.parse()?, handovers.parse()?);

    let mut lock = Lock::default();
    let lock_mailbox = Mailbox::with_capacity(processes.max(16));
    // One thread: the figure is hand-overs per CPU second.
    let mut bench = SimInit::with_num_threads(1);
    let mut begin = EventSource::new();
    let mut members = Vec::new();
    for index in 0..processes {
        let mailbox = Mailbox::new();
        let mut process = Process { index, ..Process::default() };
        process.request.connect(Lock::request, &lock_mailbox);
        process.release.connect(Lock::release, &lock_mailbox);
        let mut grant = Output::default();
        grant.connect(Process::granted, &mailbox);
        lock.grants.push(grant);
        begin = begin.connect(Process::begin, &mailbox);
        members.push((process, mailbox));
    }
    let begin = begin.register(&mut bench);
    for (process, mailbox) in members {
        bench = bench.add_model(process, mailbox, "process");
    }
    let mut simulation = bench.add_model(lock, lock_mailbox, "lock").init(MonotonicTime::EPOCH)?;
    simulation.process_event(&begin, ())?;

    // About as many hand-overs as asked for. Saturated: one each 200 ns. With few processes the cycle is hold + parallel instead.
    let saturated = processes as u64 * 200 >= 200 + PARALLEL_NS;
    let span_ns =
        if saturated { handovers * 200 } else { handovers * (200 + PARALLEL_NS) / processes as u64 };
    let begun = cpu_seconds();
    simulation.step_until(Duration::from_nanos(span_ns))?;
    let cpu_s = cpu_seconds() - begun;
    println!("{} {cpu_s:.6} {span_ns}", HANDOVERS.load(Ordering::Relaxed));
    Ok(())
}
