//! One execution: the module, the strategy and the programs of a scenario in an explored world.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pamt_sim::tdx::{CostTable, Module, ModuleConfig, TdPages};
use pamt_strategies::locks::LockShared;
use pamt_strategies::measure::{Observation, Violation, ViolationKind};
use pamt_strategies::module::{
    Leaf, Operand, PamtOps, PamtPair, Regs, Status, StatusName, TdLeaves,
};
use pamt_strategies::pamt::{Env, HostMemory, PamtCache, PamtError, Strategy};
use pamt_strategies::platform::explore::{ExploreBuild, ExploreCpu, Explorer, Observer, run};
use pamt_strategies::platform::{Actor, Home};
use pamt_strategies::registry::{ModuleMode, StrategyParams, StrategySpec, build};
use pamt_strategies::units::{CpuId, NodeId, PAGE_BYTES, Pfn, Region};

use super::heard::Heard;
use super::scenario::{A, B, Backing, C, Fault, POOL, REGIONS, Scenario, Step};

/// A SEAMCALL of the host that is BUSY so often is given up.
const HOST_TRIES: u32 = 40;
/// Pages that a TD takes from region 0.
const TD_STRIDE: u64 = 32;
/// Of those: where its page tables start.
const TABLES: u64 = 8;
/// Of those: the table that a split needs.
const SPLIT_TABLE: u64 = 12;
/// Guest address of the 2M mapping.
const LARGE_GPA: u64 = 2 << 20;

/// Something that a CPU did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which CPU.
    pub cpu: CpuId,
    /// What.
    pub text: String,
}

/// What an execution came to.
#[derive(Clone, Debug, Default)]
pub struct Story {
    /// What happened while the programs ran.
    pub events: Vec<Event>,
    /// What broke, in order.
    pub violations: Vec<Violation>,
    /// The execution came to its end.
    pub finished: bool,
    /// Everything that was reported, when the schedule was one to replay.
    pub(super) heard: Heard,
}

/// Listens to an execution.
#[derive(Default)]
pub(super) struct Log {
    story: Mutex<Story>,
    /// Whether everything is kept, for a trace.
    keeps: bool,
    running: AtomicBool,
    /// Retries of each CPU in its present step.
    retries: Mutex<[u32; 8]>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// One that keeps everything.
    pub(super) fn keeping() -> Self {
        Self { keeps: true, ..Self::default() }
    }

    /// What has been heard so far.
    pub(super) fn story(&self) -> Story {
        locked(&self.story).clone()
    }

    fn say(&self, cpu: CpuId, text: String) {
        if self.running.load(Ordering::Relaxed) {
            locked(&self.story).events.push(Event { cpu, text });
        }
    }

    fn violate(&self, cpu: CpuId, kind: ViolationKind, region: Region, detail: String) {
        self.say(cpu, format!("!! {detail}"));
        locked(&self.story).violations.push(Violation { kind, region: Some(region), detail });
    }

    fn retried(&self, cpu: CpuId) {
        let mut retries = locked(&self.retries);
        let count = &mut retries[usize::from(cpu.0)];
        *count += 1;
        if *count == 2 {
            drop(retries);
            let detail = "a retry met BUSY or lost its race again: nothing bounds that".to_owned();
            self.violate(cpu, ViolationKind::UnboundedRetry, Region(A), detail);
        }
    }
}

impl Observer for Log {
    fn observe(&self, cpu: CpuId, observation: Observation) {
        if self.keeps && self.running.load(Ordering::Relaxed) {
            locked(&self.story).heard.observations.push((cpu, observation.clone()));
        }
        match observation {
            Observation::Chronicle(region, what) => self.say(cpu, format!("[{region}] {what}")),
            Observation::Retry(op) => {
                self.say(cpu, format!("{} again", op.name()));
                if self.running.load(Ordering::Relaxed) {
                    self.retried(cpu);
                }
            }
            Observation::Status { leaf: Leaf::PhymemPamtRemove, status }
                if status.is(StatusName::PamtPageNotEmpty) =>
            {
                let detail = "PAMT.REMOVE of a region whose pages are in use".to_owned();
                self.violate(cpu, ViolationKind::EarlyRelease, Region(A), detail);
            }
            Observation::Violation(violation) => {
                self.say(cpu, format!("!! {}", violation.detail));
                locked(&self.story).violations.push(violation);
            }
            _ => {}
        }
    }
}

/// The host's memory for pairs: it never runs out, unless that is the fault.
struct Pages {
    backing: Backing,
    handed_out: AtomicU64,
    out: AtomicU64,
    fail: AtomicBool,
}

impl<P: Explorer> HostMemory<P> for Pages {
    fn alloc_pair(
        &self,
        _cpu: &P::Cpu,
        _cache: Option<&mut PamtCache>,
        near: Region,
    ) -> Option<PamtPair> {
        if self.fail.swap(false, Ordering::SeqCst) {
            return None;
        }
        self.out.fetch_add(1, Ordering::SeqCst);
        let region = match (self.backing, near.0) {
            (Backing::Crossed, A | C) => B,
            (Backing::Crossed, B) => A,
            _ => POOL,
        };
        // The upper half of a region: programs use the first pages.
        let n = self.handed_out.fetch_add(2, Ordering::SeqCst) % 256;
        let page = Region(region).first_pfn().0 + 256 + n;
        Some(PamtPair([Pfn(page), Pfn(page + 1)]))
    }

    fn reset_pair(&self, _cpu: &P::Cpu, _pair: PamtPair) {}

    fn free_pair(&self, _cpu: &P::Cpu, _pair: PamtPair) {
        self.out.fetch_sub(1, Ordering::SeqCst);
    }

    fn recache_pair(&self, cpu: &P::Cpu, _cache: &mut PamtCache, pair: PamtPair) {
        HostMemory::<P>::free_pair(self, cpu, pair);
    }
}

/// PAMT.ADD and PAMT.REMOVE, with the one failure that a scenario asks for.
struct Ops<P: Explorer> {
    module: Module<P>,
    fail_add: AtomicBool,
    fail_remove: AtomicBool,
}

impl<P: Explorer> PamtOps<P> for Ops<P> {
    fn pamt_add(&self, cpu: &P::Cpu, region: Region, pair: PamtPair) -> Status {
        if self.fail_add.swap(false, Ordering::SeqCst) {
            return Status::with(StatusName::OperandInvalid, Operand::RCX);
        }
        self.module.pamt_add(cpu, region, pair)
    }

    fn pamt_remove(&self, cpu: &P::Cpu, region: Region) -> Result<PamtPair, Status> {
        if self.fail_remove.swap(false, Ordering::SeqCst) {
            return Err(Status::with(StatusName::OperandInvalid, Operand::RCX));
        }
        self.module.pamt_remove(cpu, region)
    }

    fn pamt_present(&self, cpu: &P::Cpu, region: Region) -> Result<bool, Status> {
        self.module.pamt_present(cpu, region)
    }
}

/// Everything of one execution.
struct World<P: Explorer> {
    ops: Ops<P>,
    pages: Pages,
    strategy: Box<dyn Strategy<P>>,
    scenario: &'static Scenario,
    log: Arc<Log>,
    /// The scenario's fault has excused a failure.
    excused: AtomicBool,
    mapped: Mutex<Vec<Pfn>>,
}

/// The pages of a CPU's TD.
fn td_pages(cpu: usize) -> TdPages {
    let first = cpu as u64 * TD_STRIDE;
    TdPages { tdr: Pfn(first), tdcx: [1, 2, 3, 4, 5, 6].map(|n| Pfn(first + n)) }
}

fn page(region: u32, number: u64) -> Pfn {
    Pfn(Region(region).first_pfn().0 + number)
}

/// Guest address that a page is mapped at: pages of A from 0, pages of B from 64 KiB.
fn gpa(region: u32, number: u64) -> u64 {
    (number + if region == B { 16 } else { 0 }) * PAGE_BYTES
}

impl<P: Explorer> World<P> {
    fn env(&self) -> Env<'_, P> {
        Env { ops: &self.ops, host: &self.pages }
    }

    fn call(&self, cpu: &P::Cpu, leaf: Leaf, regs: Regs) -> Regs {
        self.ops.module.seamcall(cpu, leaf, regs)
    }

    /// A call that the host does again while it is BUSY.
    fn patiently(&self, cpu: &P::Cpu, leaf: Leaf, regs: Regs) -> Regs {
        let mut out = self.call(cpu, leaf, regs);
        for _ in 1..HOST_TRIES {
            if !out.status().is(StatusName::OperandBusy) {
                break;
            }
            P::pause(cpu);
            out = self.call(cpu, leaf, regs);
        }
        out
    }

    fn violate(&self, cpu: &P::Cpu, kind: ViolationKind, region: Region, detail: String) {
        self.log.violate(P::cpu(cpu), kind, region, detail);
    }

    /// A failed get or put, unless it is the one that the scenario's fault excuses.
    fn failed(&self, cpu: &P::Cpu, kind: ViolationKind, region: Region, error: PamtError) {
        let excuse = self.scenario.fault.excuses() == Some(kind);
        if !excuse || self.excused.swap(true, Ordering::SeqCst) {
            self.violate(cpu, kind, region, format!("{}: {error}", kind.name()));
        }
    }

    /// Whether the page is mapped now.
    fn map(&self, cpu: &P::Cpu, td: usize, region: u32, number: u64) -> bool {
        let pfn = page(region, number);
        let (tdr, env) = (td_pages(td).tdr.hpa(), self.env());
        let aug = Regs { rcx: gpa(region, number), rdx: tdr, r8: pfn.hpa(), ..Regs::default() };
        if let Err(error) = self.strategy.memfd_populate(cpu, &env, pfn) {
            self.failed(cpu, ViolationKind::GetFailed, Region(region), error);
            return false;
        }
        for _ in 0..HOST_TRIES {
            let call = &mut |cpu: &P::Cpu| self.call(cpu, Leaf::MemPageAug, aug);
            let status = match self.strategy.with_page(cpu, &env, pfn, None, call) {
                Ok(regs) => regs.status(),
                Err(error) => {
                    self.failed(cpu, ViolationKind::GetFailed, Region(region), error);
                    return false;
                }
            };
            match status {
                Status::SUCCESS => {
                    locked(&self.mapped).push(pfn);
                    return true;
                }
                status if status.is(StatusName::OperandBusy) => P::pause(cpu),
                status => {
                    let detail = format!("{} after a get: {status}", Leaf::MemPageAug.name());
                    self.violate(cpu, ViolationKind::MissingPair, Region(region), detail);
                    return false;
                }
            }
        }
        let detail = format!("a fault was BUSY {HOST_TRIES} times");
        self.violate(cpu, ViolationKind::UnboundedRetry, Region(region), detail);
        false
    }

    fn block(&self, cpu: &P::Cpu, td: usize, gpa_and_level: u64) {
        let tdr = td_pages(td).tdr.hpa();
        let regs = Regs { rcx: gpa_and_level, rdx: tdr, ..Regs::default() };
        self.patiently(cpu, Leaf::MemRangeBlock, regs);
        self.patiently(cpu, Leaf::MemTrack, Regs { rcx: tdr, ..Regs::default() });
    }

    /// PAGE.REMOVE of a blocked page, and the put.
    fn drop_page(&self, cpu: &P::Cpu, td: usize, region: u32, number: u64) {
        let pfn = page(region, number);
        let tdr = td_pages(td).tdr.hpa();
        let regs = Regs { rcx: gpa(region, number), rdx: tdr, ..Regs::default() };
        self.release(cpu, pfn, Leaf::MemPageRemove, regs);
        locked(&self.mapped).retain(|mapped| *mapped != pfn);
    }

    fn release(&self, cpu: &P::Cpu, pfn: Pfn, leaf: Leaf, regs: Regs) {
        let (env, region) = (self.env(), pfn.region());
        let call = &mut |cpu: &P::Cpu| self.patiently(cpu, leaf, regs);
        match self.strategy.after_page(cpu, &env, pfn, call) {
            Err(error) => self.failed(cpu, ViolationKind::PutFailed, region, error),
            Ok(out) if out.status().is_error() => {
                let detail = format!("{}: {}", leaf.name(), out.status());
                self.violate(cpu, ViolationKind::Accounting, region, detail);
            }
            Ok(_) => {}
        }
        if region == Region(0) {
            return;
        }
        if let Err(error) = self.strategy.memfd_release(cpu, &env, pfn) {
            self.failed(cpu, ViolationKind::PutFailed, region, error);
        }
    }

    fn split(&self, cpu: &P::Cpu, td: usize) {
        let td = td_pages(td);
        let table = Pfn(td.tdr.0 + SPLIT_TABLE);
        let mut regs = Regs { rcx: LARGE_GPA | 1, rdx: td.tdr.hpa(), ..Regs::default() };
        regs.r8 = table.hpa();
        let call = &mut |cpu: &P::Cpu, PamtPair([page0, page1]): PamtPair| {
            let regs = Regs { r12: page0.hpa(), r13: page1.hpa(), ..regs };
            self.call(cpu, Leaf::MemPageDemote, regs)
        };
        for _ in 0..HOST_TRIES {
            match self.strategy.demote(cpu, &self.env(), Region(C), None, call) {
                Ok(out) if out.status().is(StatusName::OperandBusy) => P::pause(cpu),
                Ok(out) if out.status() == Status::SUCCESS => return,
                Ok(out) => {
                    let detail = format!("{}: {}", Leaf::MemPageDemote.name(), out.status());
                    return self.violate(cpu, ViolationKind::Accounting, Region(C), detail);
                }
                Err(error) => {
                    return self.failed(cpu, ViolationKind::GetFailed, Region(C), error);
                }
            }
        }
    }

    fn step(&self, cpu: &P::Cpu, td: usize, step: Step) {
        locked(&self.log.retries)[td] = 0;
        match step {
            Step::Map(region, number) => {
                self.map(cpu, td, region, number);
            }
            Step::Unmap(region, number) => {
                if locked(&self.mapped).contains(&page(region, number)) {
                    self.block(cpu, td, gpa(region, number));
                    self.drop_page(cpu, td, region, number);
                }
            }
            Step::Drop(region, number) => self.drop_page(cpu, td, region, number),
            Step::Split => self.split(cpu, td),
        }
    }

    /// A TD for each CPU, with its tables; pages that the programs find mapped.
    fn prepare(&self, cpu: &P::Cpu) {
        for (td, program) in self.scenario.cpus.iter().enumerate() {
            self.create_td(cpu, td);
            for step in *program {
                match *step {
                    Step::Drop(region, number) => {
                        self.map(cpu, td, region, number);
                        self.block(cpu, td, gpa(region, number));
                    }
                    Step::Split => self.map_large(cpu, td),
                    Step::Map(..) | Step::Unmap(..) => {}
                }
            }
        }
        let fault = self.scenario.fault;
        self.ops.fail_add.store(fault == Fault::Add, Ordering::SeqCst);
        self.ops.fail_remove.store(fault == Fault::Remove, Ordering::SeqCst);
        self.pages.fail.store(fault == Fault::Memory, Ordering::SeqCst);
        self.log.running.store(true, Ordering::SeqCst);
    }

    fn create_td(&self, cpu: &P::Cpu, td: usize) {
        let (pages, env) = (td_pages(td), self.env());
        let sound = |what: &str, ok: bool| {
            if !ok {
                let detail = format!("set-up: {what}");
                self.violate(cpu, ViolationKind::Accounting, Region(0), detail);
            }
        };
        sound("td_create", self.strategy.td_create(cpu, &env).is_ok());
        for pfn in self.td_owned(td) {
            sound("get of a control page", self.strategy.get(cpu, &env, pfn, None).is_ok());
        }
        let dynamic = self.ops.module.config().dynamic;
        if dynamic && !self.ops.module.pamt_present(cpu, Region(0)).unwrap_or(false) {
            // A strategy without counts adds on demand, and set-up demands nothing.
            let pair = HostMemory::<P>::alloc_pair(&self.pages, cpu, None, Region(0));
            let added = pair.map(|pair| self.ops.module.pamt_add(cpu, Region(0), pair));
            sound("pair of the control pages", added == Some(Status::SUCCESS));
        }
        sound("TD", self.ops.module.create_td_for_setup(cpu, pages).is_ok());
        for (level, n) in [(3, 0), (2, 1), (1, 2)] {
            let table = Pfn(pages.tdr.0 + TABLES + n);
            let regs =
                Regs { rcx: level, rdx: pages.tdr.hpa(), r8: table.hpa(), ..Regs::default() };
            let out = self.call(cpu, Leaf::MemSeptAdd, regs);
            sound("page table", out.status() == Status::SUCCESS);
        }
    }

    /// Pages of region 0 that a TD uses.
    fn td_owned(&self, td: usize) -> Vec<Pfn> {
        let pages = td_pages(td);
        let tables = (0..3).map(|n| Pfn(pages.tdr.0 + TABLES + n));
        let splits = self.scenario.cpus[td].contains(&Step::Split);
        let split = splits.then_some(Pfn(pages.tdr.0 + SPLIT_TABLE));
        tables.chain(split).chain(pages.tdcx).chain([pages.tdr]).collect()
    }

    fn map_large(&self, cpu: &P::Cpu, td: usize) {
        let tdr = td_pages(td).tdr.hpa();
        let r8 = Region(C).first_pfn().hpa();
        let regs = Regs { rcx: LARGE_GPA | 1, rdx: tdr, r8, ..Regs::default() };
        let out = self.call(cpu, Leaf::MemPageAug, regs);
        if out.status() != Status::SUCCESS {
            let detail = format!("set-up: 2M page: {}", out.status());
            self.violate(cpu, ViolationKind::Accounting, Region(C), detail);
        }
        self.block(cpu, td, LARGE_GPA | 1);
    }

    /// All TDs go, and everything is counted.
    fn finish(&self, cpu: &P::Cpu) {
        self.log.running.store(false, Ordering::SeqCst);
        let split = self.scenario.cpus.iter().any(|program| program.contains(&Step::Split));
        // A region that was split holds 512 pages; taking them down would tell nothing new.
        if split || !locked(&self.log.story).violations.is_empty() {
            return;
        }
        for td in 0..self.scenario.cpus.len() {
            let torn = self.ops.module.tear_down_for_setup(cpu, td_pages(td).tdr);
            if let Err(status) = torn {
                let detail = format!("teardown: {status}");
                self.violate(cpu, ViolationKind::Accounting, Region(0), detail);
            }
        }
        let mut pages = core::mem::take(&mut *locked(&self.mapped));
        for td in 0..self.scenario.cpus.len() {
            pages.extend(self.td_owned(td));
        }
        for pfn in pages {
            let regs = Regs { rcx: pfn.hpa(), ..Regs::default() };
            self.release(cpu, pfn, Leaf::PhymemPageReclaim, regs);
        }
        for _ in 0..self.scenario.cpus.len() {
            if let Err(error) = self.strategy.td_destroy(cpu, &self.env()) {
                self.failed(cpu, ViolationKind::PutFailed, Region(0), error);
            }
        }
        if let Err(error) = self.strategy.quiesce(cpu, &self.env()) {
            self.failed(cpu, ViolationKind::PutFailed, Region(0), error);
        }
        self.count(cpu);
    }

    fn count(&self, cpu: &P::Cpu) {
        // A pair may stay only where the caller was told so.
        let told = self.excused.load(Ordering::SeqCst);
        let leaks = u64::from(told && self.scenario.fault == Fault::Remove);
        match self.ops.module.audit(cpu, false) {
            Err(wrong) => {
                let detail = wrong.join("; ");
                self.violate(cpu, ViolationKind::Accounting, Region(0), detail);
            }
            Ok(census) => {
                let out = self.pages.out.load(Ordering::SeqCst);
                if census.pairs as u64 > leaks || out > leaks {
                    let pairs = census.pairs;
                    let detail =
                        format!("{pairs} pairs in the module, {out} not back, all TDs gone");
                    self.violate(cpu, ViolationKind::Leak, Region(A), detail);
                }
            }
        }
        for region in (0..REGIONS).map(Region) {
            let count = self.strategy.peek_refcount(cpu, region).unwrap_or(0);
            if count > leaks {
                let detail = format!("refcount of region {region} is {count}, all TDs gone");
                self.violate(cpu, ViolationKind::Leak, region, detail);
            }
        }
    }
}

/// Runs one execution from inside an explorer.
pub(super) fn execute<P: Explorer>(
    spec: &StrategySpec,
    scenario: &'static Scenario,
    log: &Arc<Log>,
) {
    let cpus = scenario.cpus.len();
    let mut setup = ExploreBuild::<P>::new(cpus, 1, Arc::clone(log) as Arc<dyn Observer>);
    let locks = LockShared::<P>::new(&mut setup);
    let home = Home::Node(NodeId(0));
    let params = StrategyParams { regions: REGIONS as usize, home, locks: &locks };
    let strategy = build::<P>(spec, &mut setup, &params);
    let dynamic = spec.info().module == ModuleMode::Dynamic;
    let sizes = ModuleConfig::dynamic(REGIONS, cpus as u32, 1);
    let config = ModuleConfig { sept_pages: 16, dynamic, ..sizes };
    let module = Module::<P>::new(&mut setup, &config, &CostTable::default())
        .expect("a small configuration is valid");
    locked(&log.story).heard.classes = setup.classes().to_vec();
    let flag = || AtomicBool::new(false);
    let world = Arc::new(World::<P> {
        ops: Ops { module, fail_add: flag(), fail_remove: flag() },
        pages: Pages {
            backing: scenario.backing,
            handed_out: AtomicU64::new(0),
            out: AtomicU64::new(0),
            fail: flag(),
        },
        strategy,
        scenario,
        log: Arc::clone(log),
        excused: flag(),
        mapped: Mutex::new(Vec::new()),
    });
    let prepared = Arc::clone(&world);
    P::prepare(&mut setup, Box::new(move |cpu| prepared.prepare(cpu)));
    let actors = scenario.cpus.iter().enumerate().map(|(n, program)| {
        let world = Arc::clone(&world);
        Actor {
            cpu: CpuId(n as u16),
            name: format!("CPU {n}"),
            body: Box::new(move |cpu: &ExploreCpu<P>| {
                program.iter().for_each(|step| world.step(cpu, n, *step));
            }),
        }
    });
    let boot = run(setup, actors.collect());
    world.finish(&boot);
    locked(&log.story).finished = true;
}
