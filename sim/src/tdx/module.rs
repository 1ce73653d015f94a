//! The module: its memory, and the dispatcher that runs a leaf.

use pamt_strategies::measure::{Chronicle, Observation, Op, Violation, ViolationKind};
use pamt_strategies::module::{
    Leaf, Operand, PamtOps, PamtPair, Regs, Status, StatusName, TdLeaves,
};
use pamt_strategies::platform::{Platform, Section, Words};
use pamt_strategies::units::{Clock, CpuId, Cycles, NodeId, PAGE_BYTES, Pfn, Region};

use super::config::{ModuleConfig, ModuleError, SystemState};
use super::cost::{CostTable, Costs};
use super::cx::{Cx, Exit, Fatal, Step};
use super::guests::Guests;
use super::hardware::Hardware;
use super::kot::{KotState, MODULE_HKID};
use super::layout::{Half, globals};
use super::leaves;
use super::leaves::vp_enter::ExitCause;
use super::memory::Object;
use super::slots::{Pool, SlotMap};
use super::td_params::{TdParams, TdParamsBook};
use super::trace::Trace;

/// System state: after SYS.CONFIG.
const SYS_CONFIGURED: u16 = 2;
/// System state: leaves other than SYS.* may run.
const SYS_READY: u16 = 3;
/// System state: after a fatal error.
const SYS_SHUTDOWN: u16 = 4;

/// Who ends a guest's run, in messages.
const TD_EXIT: &str = "a TD exit";

/// A TDX module in a world.
pub struct Module<P: Platform> {
    words: [P::Words<u64>; Object::ALL.len()],
    config: ModuleConfig,
    costs: Costs,
    clock: Clock,
    nodes: usize,
    /// Node of each CPU.
    cpu_nodes: Box<[NodeId]>,
    /// Which VCPU each CPU runs.
    pub(super) guests: Guests,
    pub(super) hardware: Hardware,
    pub(super) td_params: TdParamsBook,
    /// Record of each control page: TDR, TDVPR or Secure EPT page.
    pub(super) slots: SlotMap,
    pub(super) tds: Pool,
    pub(super) vcpus: Pool,
    pub(super) sept_pages: Pool,
}

/// What a leaf returned, and what it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Registers, status in RAX.
    pub regs: Regs,
    /// Locked instructions that it executed.
    pub rmw: u32,
}

impl<P: Platform> Module<P> {
    /// A module with all memory unassigned.
    ///
    /// # Errors
    /// A configuration that cannot be.
    pub fn new(
        build: &mut P::Build,
        config: &ModuleConfig,
        costs: &CostTable,
    ) -> Result<Self, ModuleError> {
        config.check()?;
        let words = Object::ALL.map(|object| object.words::<P>(build, config));
        let first = |at: Half, value: u16| (at.word, u64::from(value) << (16 * at.half));
        let state = match config.system {
            SystemState::Configured => SYS_CONFIGURED,
            SystemState::Ready => SYS_READY,
        };
        let system = first(globals::SYS_STATE, state);
        let own_key = first(globals::kot_state(MODULE_HKID), KotState::Reserved as u16);
        for (word, value) in [system, own_key] {
            words[Object::Globals as usize].poke(build, word, value);
        }
        Ok(Self {
            words,
            config: config.clone(),
            costs: costs.at(P::clock(build)),
            clock: P::clock(build),
            nodes: P::node_count(build),
            cpu_nodes: (0..P::cpu_count(build))
                .map(|cpu| P::node_of(build, CpuId(cpu as u16)))
                .collect(),
            guests: Guests::new(P::cpu_count(build)),
            hardware: Hardware::new(P::cpu_count(build)),
            td_params: TdParamsBook::default(),
            slots: SlotMap::new(config.regions),
            tds: Pool::new(config.tds),
            vcpus: Pool::new(config.vcpus),
            sept_pages: Pool::new(config.sept_pages),
        })
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &ModuleConfig {
        &self.config
    }

    /// Writes TD_PARAMS to a host page: what MNG.INIT finds there.
    pub fn write_td_params(&self, hpa: u64, params: TdParams) {
        self.td_params.write(hpa, params);
    }

    /// Says whether RDSEED and PCONFIG find entropy from now on.
    pub fn set_entropy(&self, available: bool) {
        self.hardware.set_entropy(available);
    }

    /// Makes an interrupt pending on a CPU, until a leaf looks for one.
    pub fn interrupt(&self, cpu: CpuId) {
        self.hardware.interrupt(cpu);
    }

    pub(super) fn costs(&self) -> &Costs {
        &self.costs
    }

    pub(super) fn words(&self, object: Object) -> &P::Words<u64> {
        &self.words[object as usize]
    }

    /// The node whose memory holds a page.
    pub(super) fn node_of(&self, pfn: Pfn) -> NodeId {
        let node = pfn.0 * self.nodes as u64 / self.config.pages();
        NodeId(node.min(self.nodes as u64 - 1) as u8)
    }

    /// The package of a CPU: packages are groups of nodes.
    pub(super) fn package_of(&self, cpu: CpuId) -> usize {
        let node = self.cpu_nodes[usize::from(cpu.0)];
        usize::from(node.0) * usize::from(self.config.packages) / self.nodes
    }

    /// The first CPU of each package that has one: whom a host asks to act for the package.
    pub fn package_cpus(&self) -> impl Iterator<Item = CpuId> + '_ {
        let cpus = || (0..self.cpu_nodes.len() as u16).map(CpuId);
        (0..usize::from(self.config.packages))
            .filter_map(move |package| cpus().find(|cpu| self.package_of(*cpu) == package))
    }

    pub(super) fn cycles(&self, ns: f64) -> Cycles {
        self.clock.cycles(ns)
    }

    /// Executes a leaf: VP.ENTER up to the guest, a TDCALL that ends in a TD exit up to the host. Bits 23:16 of `regs.rax` are its version; the rest of RAX is ignored.
    /// `trace` sees each step.
    pub fn execute(
        &self,
        cpu: &P::Cpu,
        leaf: Leaf,
        regs: Regs,
        trace: Option<&dyn Trace>,
    ) -> Executed {
        self.execute_in(&Cx::new(self, cpu, trace), leaf, regs)
    }

    fn execute_in(&self, cx: &Cx<'_, P>, leaf: Leaf, regs: Regs) -> Executed {
        let cpu = cx.cpu;
        let (before, after) = leaves::transition(self.costs(), leaf).halves();
        P::observe(cpu, Observation::Begin(Op::Leaf(leaf)));
        P::enter(cpu, Section::IrqOff);
        cx.spend(before);
        let mut out = regs;
        let was_inside = self.guests.on(P::cpu(cpu)).is_some();
        out.rax = self.run(cx, leaf, &mut out).0;
        match (was_inside, self.guests.on(P::cpu(cpu)).is_some()) {
            (false, true) => {}
            (true, false) => cx.spend(leaves::transition(self.costs(), Leaf::VpEnter).halves().1),
            _ => cx.spend(after),
        }
        P::leave(cpu, Section::IrqOff);
        P::observe(cpu, Observation::Status { leaf, status: out.status() });
        P::observe(cpu, Observation::End(Op::Leaf(leaf)));
        if let Some(pfn) = leaves::page_of(leaf, &regs).filter(|pfn| self.config.covers(*pfn)) {
            let entry = Chronicle::Returned(leaf, pfn, out.status());
            P::observe(cpu, Observation::Chronicle(pfn.region(), entry));
        }
        Executed { regs: out, rmw: cx.rmw() }
    }

    /// Ends the guest's run on this CPU, up to the return of VP.ENTER. Outside a guest the status is
    /// OPERAND_INVALID|RAX.
    pub fn exit(&self, cpu: &P::Cpu, cause: ExitCause, trace: Option<&dyn Trace>) -> Executed {
        let cx = Cx::new(self, cpu, trace);
        let (_, after) = leaves::transition(self.costs(), Leaf::VpEnter).halves();
        P::observe(cpu, Observation::Begin(Op::TdExit));
        P::enter(cpu, Section::IrqOff);
        let ended = leaves::vp_enter::leave_because(&cx, cause);
        let status = match self.conclude(&cx, TD_EXIT, ended) {
            Status::SUCCESS => cause.status(),
            other => other,
        };
        cx.spend(after);
        P::leave(cpu, Section::IrqOff);
        P::observe(cpu, Observation::End(Op::TdExit));
        Executed { regs: Regs { rax: status.0, ..Regs::default() }, rmw: cx.rmw() }
    }

    /// What a migration leaf does to a TD's OP_STATE lock: takes it exclusively. These leaves are
    /// the only ones that do, and none is modelled.
    pub fn hold_op_state(&self, cpu: &P::Cpu, tdr: u64, trace: Option<&dyn Trace>) -> Executed {
        self.migrate(cpu, trace, |cx| leaves::migration::hold(cx, tdr))
    }

    /// The end of such a leaf.
    pub fn release_op_state(&self, cpu: &P::Cpu, tdr: u64, trace: Option<&dyn Trace>) -> Executed {
        self.migrate(cpu, trace, |cx| leaves::migration::release(cx, tdr))
    }

    fn migrate(
        &self,
        cpu: &P::Cpu,
        trace: Option<&dyn Trace>,
        steps: impl FnOnce(&Cx<'_, P>) -> Step,
    ) -> Executed {
        let cx = Cx::new(self, cpu, trace);
        let ended = steps(&cx);
        let status = self.conclude(&cx, "a migration leaf", ended);
        Executed { regs: Regs { rax: status.0, ..Regs::default() }, rmw: cx.rmw() }
    }

    fn run(&self, cx: &Cx<'_, P>, leaf: Leaf, regs: &mut Regs) -> Status {
        match cx.load16(Object::Globals, 0, globals::SYS_STATE) {
            SYS_READY => {}
            SYS_SHUTDOWN => return Status::with(StatusName::SysShutdown, Operand(0)),
            _ => return Status::with(StatusName::SysNotReady, Operand(0)),
        }
        let ended = leaves::run(cx, leaf, regs);
        self.conclude(cx, leaf.name(), ended)
    }

    /// Releases what the leaf holds, and says how it ended.
    fn conclude(&self, cx: &Cx<'_, P>, who: &str, ended: Step) -> Status {
        let released = cx.release_all();
        match released.and(ended) {
            Ok(()) => Status::SUCCESS,
            Err(Exit::Status(status)) => status,
            Err(Exit::Fatal(fatal)) => self.shut_down(cx, who, fatal),
            Err(Exit::Full(kind)) => Self::out_of_records(cx, kind),
        }
    }

    /// A limit of the model, not of the module: says which number to raise.
    fn out_of_records(cx: &Cx<'_, P>, kind: &'static str) -> Status {
        let detail =
            format!("the module model has no free record; raise `{kind}` in its configuration");
        let violation = Violation { kind: ViolationKind::Accounting, region: None, detail };
        P::observe(cx.cpu, Observation::Violation(violation));
        Status::with(StatusName::OperandInvalid, Operand::RAX)
    }

    /// A fatal error: the module shuts down, and no later leaf runs.
    fn shut_down(&self, cx: &Cx<'_, P>, who: &str, Fatal { what, pfn, value }: Fatal) -> Status {
        cx.store16(Object::Globals, 0, globals::SYS_STATE, SYS_SHUTDOWN);
        let page = pfn.map_or(String::new(), |pfn| format!(", pfn {:#x}", pfn.0));
        P::observe(
            cx.cpu,
            Observation::Violation(Violation {
                kind: ViolationKind::ModuleFatal,
                region: pfn.map(Pfn::region),
                detail: format!("{who} shut the module down: {what}{page}, found {value:#x}"),
            }),
        );
        Status::with(StatusName::SysShutdown, Operand(0))
    }
}

/// RCX of the leaves that name a region: its address and level 1.
fn region_operand(region: Region) -> u64 {
    region.first_pfn().hpa() | 1
}

impl<P: Platform> PamtOps<P> for Module<P> {
    fn pamt_add(&self, cpu: &P::Cpu, region: Region, PamtPair([page0, page1]): PamtPair) -> Status {
        let regs = Regs {
            rcx: region_operand(region),
            rdx: page0.hpa(),
            r8: page1.hpa(),
            ..Regs::default()
        };
        self.seamcall(cpu, Leaf::PhymemPamtAdd, regs).status()
    }

    fn pamt_remove(&self, cpu: &P::Cpu, region: Region) -> Result<PamtPair, Status> {
        let regs = Regs { rcx: region_operand(region), ..Regs::default() };
        let out = self.seamcall(cpu, Leaf::PhymemPamtRemove, regs);
        match out.status() {
            Status::SUCCESS => Ok(PamtPair([Pfn(out.rdx / PAGE_BYTES), Pfn(out.r8 / PAGE_BYTES)])),
            status => Err(status),
        }
    }

    fn pamt_present(&self, cpu: &P::Cpu, region: Region) -> Result<bool, Status> {
        let regs = Regs { rcx: region_operand(region), ..Regs::default() };
        let out = self.seamcall(cpu, Leaf::PhymemPageRdmd, regs);
        match out.status() {
            Status::SUCCESS => Ok(out.rcx >> 63 == 1),
            status => Err(status),
        }
    }
}

impl<P: Platform> TdLeaves<P> for Module<P> {
    fn seamcall(&self, cpu: &P::Cpu, leaf: Leaf, regs: Regs) -> Regs {
        self.execute(cpu, leaf, regs, None).regs
    }

    fn seamcall_on(&self, cpu: &P::Cpu, on: CpuId, leaf: Leaf, regs: Regs) -> Regs {
        let cx = Cx::new(self, cpu, None).in_place_of(on);
        self.execute_in(&cx, leaf, regs).regs
    }

    fn td_exit(&self, cpu: &P::Cpu) -> Regs {
        self.exit(cpu, ExitCause::Interrupt, None).regs
    }
}
