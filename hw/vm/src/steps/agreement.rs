//! The C twin and the Rust source of a strategy are one protocol: the same script of gets and puts
//! gives the same SEAMCALLs with the same statuses, the same outcomes and the same refcounts.
//!
//! The Rust side runs first, over `PamtOps` and the helper, and chooses operations that are possible;
//! the C side then runs the same operations in the kernel. The emulator is loaded afresh for each, so
//! that injected faults hit the same SEAMCALL of both; they end before the file is closed, so that it gets
//! its pairs back.

use std::sync::{Arc, Mutex, PoisonError};

use pamt_hw::abi::{self, Event, Op};
use pamt_hw::{Device, HwOps};
use pamt_strategies::locks::LockShared;
use pamt_strategies::module::{PamtOps, PamtPair, Status};
use pamt_strategies::pamt::{Env, HostMemory, PamtCache, PamtError, Strategy};
use pamt_strategies::platform::native::{self, Native, NativeBuild, NativeCpu, NativeOptions};
use pamt_strategies::platform::{Actor, Home, Platform, Stream};
use pamt_strategies::registry::{self, StrategyParams, StrategySpec};
use pamt_strategies::units::{CpuId, NodeId, Pfn, Region};

use super::twins::{BACKING, REGIONS, SPECS, twin};
use crate::system::{Emulator, Helper, Outcome, ensure, text};

const OPERATIONS: usize = 2000;
const MODELLED: usize = (REGIONS + BACKING) as usize;

/// The helper's operations, with a list of what was called.
struct Traced {
    ops: HwOps,
    events: Mutex<Vec<Event>>,
}

impl Traced {
    fn note(&self, leaf: u32, region: Region, status: u64, refcount: u32) {
        let event = Event { leaf, region: region.0, status, refcount, reserved: 0 };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl PamtOps<Native> for Traced {
    fn pamt_add(&self, cpu: &NativeCpu, region: Region, pair: PamtPair) -> Status {
        let status = PamtOps::<Native>::pamt_add(&self.ops, cpu, region, pair);
        self.note(abi::PAMT_ADD, region, status.0, 0);
        status
    }

    fn pamt_remove(&self, cpu: &NativeCpu, region: Region) -> Result<PamtPair, Status> {
        let outcome = PamtOps::<Native>::pamt_remove(&self.ops, cpu, region);
        let status = outcome.as_ref().map_or_else(|status| status.0, |_| 0);
        self.note(abi::PAMT_REMOVE, region, status, 0);
        outcome
    }

    fn pamt_present(&self, cpu: &NativeCpu, region: Region) -> Result<bool, Status> {
        PamtOps::<Native>::pamt_present(&self.ops, cpu, region)
    }
}

/// Pairs from the backing regions, both pages of a pair in one of them.
struct Pairs(Mutex<Vec<PamtPair>>);

impl Pairs {
    fn new() -> Self {
        let first = Region(REGIONS).first_pfn().0;
        let pairs = (0..u64::from(BACKING) * 256).rev();
        let pair = |n| PamtPair([Pfn(first + 2 * n), Pfn(first + 2 * n + 1)]);
        Self(Mutex::new(pairs.map(pair).collect()))
    }

    fn give(&self, pair: PamtPair) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(pair);
    }
}

impl HostMemory<Native> for Pairs {
    fn alloc_pair(
        &self,
        _cpu: &NativeCpu,
        _cache: Option<&mut PamtCache>,
        _near: Region,
    ) -> Option<PamtPair> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
    fn reset_pair(&self, _cpu: &NativeCpu, _pair: PamtPair) {}
    fn free_pair(&self, _cpu: &NativeCpu, pair: PamtPair) {
        self.give(pair);
    }
    fn recache_pair(&self, _cpu: &NativeCpu, _cache: &mut PamtCache, pair: PamtPair) {
        self.give(pair);
    }
}

fn errno(outcome: Result<(), PamtError>) -> u64 {
    match outcome {
        Ok(()) => 0,
        Err(PamtError::NoMemory) => 12,
        Err(PamtError::Module(_)) => 5,
    }
}

/// Chooses an operation that is possible, carries it out, and returns it.
fn operate(cpu: &NativeCpu, strategy: &dyn Strategy<Native>, traced: &Traced, pairs: &Pairs) -> Op {
    let env = Env { ops: traced, host: pairs };
    let random = Native::random(cpu, Stream::Load);
    let region = Region((random >> 8) as u32 % REGIONS);
    let pfn = Pfn(region.first_pfn().0 + (random >> 40) % 512);
    let count = || strategy.peek_refcount(cpu, region).unwrap_or(0);
    // More puts than gets: counts are at 0 often, so that a strategy that parks pairs moves them, too.
    let get = random & 7 < 3 || count() == 0;
    let outcome =
        if get { strategy.get(cpu, &env, pfn, None) } else { strategy.put(cpu, &env, pfn) };
    traced.note(0, region, errno(outcome), count() as u32);
    Op { op: if get { abi::OP_GET } else { abi::OP_PUT }, region: region.0 }
}

/// What a run ends with.
fn quiesce(cpu: &NativeCpu, strategy: &dyn Strategy<Native>, traced: &Traced, pairs: &Pairs) -> Op {
    let outcome = strategy.quiesce(cpu, &Env { ops: traced, host: pairs });
    let count = strategy.peek_refcount(cpu, Region(0)).unwrap_or(0);
    traced.note(0, Region(0), errno(outcome), count as u32);
    Op { op: abi::OP_QUIESCE, region: 0 }
}

/// Operations and events of the Rust source.
fn rust_side(spec: &str, emulator: &Emulator) -> Result<(Vec<Op>, Vec<Event>), String> {
    let device = Device::open().map_err(text)?;
    let ops = HwOps::new(device, MODELLED, REGIONS + BACKING).map_err(text)?;
    let traced = Arc::new(Traced { ops, events: Mutex::default() });
    let pairs = Pairs::new();
    let mut build = NativeBuild::new(NativeOptions::new(1, 7)).map_err(text)?;
    let locks = LockShared::new(&mut build);
    let params = StrategyParams { regions: MODELLED, home: Home::Node(NodeId(0)), locks: &locks };
    let spec = StrategySpec::parse(spec).map_err(text)?;
    let strategy = registry::build::<Native>(&spec, &mut build, &params);
    let script = Arc::new(Mutex::new(Vec::new()));
    let (sink, shared) = (Arc::clone(&script), Arc::clone(&traced));
    let body = move |cpu: &NativeCpu| {
        let ops = (0..OPERATIONS).map(|_| operate(cpu, &*strategy, &shared, &pairs));
        let mut script: Vec<Op> = ops.collect();
        script.push(quiesce(cpu, &*strategy, &shared, &pairs));
        *sink.lock().unwrap_or_else(PoisonError::into_inner) = script;
    };
    let actor = Actor { cpu: CpuId(0), name: "script".to_owned(), body: Box::new(body) };
    native::run(build, vec![actor]).map_err(text)?;
    emulator.calm()?;
    if let Some(failure) = traced.ops.failure() {
        return Err(failure.to_string());
    }
    Ok((take(&script), take(&traced.events)))
}

fn take<T>(list: &Mutex<Vec<T>>) -> Vec<T> {
    core::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Events of the C twin.
fn c_side(spec: &str, emulator: &Emulator, script: &[Op]) -> Result<Vec<Event>, String> {
    let device = Device::open().map_err(text)?;
    device.alloc(REGIONS + BACKING).map_err(text)?;
    let events = device.script(twin(spec)?, REGIONS, BACKING, script).map_err(text);
    emulator.calm()?;
    events
}

fn compare(spec: &str, faults: &[&str]) -> Result<usize, String> {
    let (script, rust) = {
        let emulator = Emulator::load(faults)?;
        rust_side(spec, &emulator)?
    };
    let c = {
        let emulator = Emulator::load(faults)?;
        c_side(spec, &emulator, &script)?
    };
    ensure!(script.len() == OPERATIONS + 1, "{spec}: {} operations", script.len());
    let seamcalls = rust.iter().filter(|event| event.leaf != 0).count();
    ensure!(seamcalls > 100, "{spec}: only {seamcalls} SEAMCALLs");
    for (n, (rust, c)) in rust.iter().zip(&c).enumerate() {
        ensure!(rust == c, "{spec}: event {n} differs: Rust {rust:x?}, C {c:x?}");
    }
    ensure!(rust.len() == c.len(), "{spec}: {} events in Rust, {} in C", rust.len(), c.len());
    Ok(rust.len())
}

fn compare_all(faults: &[&str]) -> Outcome {
    let _helper = Helper::load()?;
    let mut events = 0;
    for spec in SPECS {
        events += compare(spec, faults)?;
    }
    Ok(format!("{} strategies, {events} equal events", SPECS.len()))
}

/// Without faults.
pub(super) fn every_strategy() -> Outcome {
    compare_all(&[])
}

/// With a tenth of all calls busy and a tenth of all REMOVEs failing.
pub(super) fn every_strategy_with_faults() -> Outcome {
    compare_all(&["busy_permille=100", "fail_remove_permille=100"])
}
