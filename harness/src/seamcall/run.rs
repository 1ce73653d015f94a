//! Runs a script in the stepped world.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use pamt_sim::stepped::{
    Explorer, Point, StepAccess, StepKind, Stepped, SteppedBody, SteppedBuild, SteppedCpu,
    interleave,
};
use pamt_sim::tdx::{
    Access, Census, CostTable, LockEvent, Mode, Module, ModuleError, Object, Trace,
};
use pamt_strategies::module::{Regs, Status, StatusName};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{CpuId, Cycles};

use super::place::Place;
use super::script::{Action, Call, CallKind, Expect, Order, Outside, Par, Script, StatusPattern};

/// Schedules of one `par every` block, at most; a block with more is cut off and says so.
const MOST_SCHEDULES: usize = 200_000;

/// What a script did.
#[derive(Debug)]
pub struct Report {
    pub(super) entries: Vec<Entry>,
    /// What was expected and did not come, in order.
    pub failures: Vec<Failure>,
}

/// Something that was not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which statement.
    pub place: Place,
    /// What it expected, and what came.
    pub message: String,
    /// An invariant of the module broke; otherwise an expectation failed.
    pub violation: bool,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

#[derive(Debug)]
pub(super) enum Entry {
    Called(Called),
    Par(Outcomes),
    Audited(Census),
}

/// One executed leaf.
#[derive(Clone, Debug)]
pub(super) struct Called {
    pub(super) cpu: usize,
    pub(super) leaf: CallKind,
    pub(super) given: Regs,
    pub(super) regs: Regs,
    pub(super) rmw: u32,
    pub(super) steps: Steps,
    pub(super) violations: Vec<String>,
}

/// What a parallel block led to.
#[derive(Debug)]
pub(super) struct Outcomes {
    pub(super) calls: Vec<(usize, CallKind)>,
    pub(super) schedules: usize,
    pub(super) complete: bool,
    /// Schedules by the statuses that they led to.
    pub(super) found: BTreeMap<Vec<Status>, usize>,
    pub(super) violations: Vec<String>,
}

/// A leaf's locks and lines, as it went.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps {
    pub(super) locks: Vec<(Object, usize, Mode, LockEvent)>,
    /// Accesses and locked instructions by object and line.
    pub(super) lines: BTreeMap<(Object, usize), (u32, u32)>,
}

#[derive(Default)]
struct StepBook(RefCell<Steps>);

impl Trace for StepBook {
    fn access(&self, access: Access) {
        let mut steps = self.0.borrow_mut();
        let line = steps.lines.entry((access.object, access.word / 8)).or_default();
        line.0 += 1;
        line.1 += u32::from(access.locked);
    }

    fn lock(&self, object: Object, byte: usize, mode: Mode, event: LockEvent) {
        self.0.borrow_mut().locks.push((object, byte, mode, event));
    }
}

/// A module and its CPUs, from the start of the script.
struct World {
    module: Arc<Module<Stepped>>,
    cpus: Vec<Rc<SteppedCpu>>,
}

impl World {
    fn new(script: &Script) -> Result<Self, ModuleError> {
        let nodes = usize::from(script.module.packages);
        let mut build = SteppedBuild::new(script.cpus, nodes);
        let module = Module::new(&mut build, &script.module, &CostTable::default())?;
        Ok(Self { module: Arc::new(module), cpus: build.start() })
    }

    fn call(&self, call: &Call) -> Called {
        execute(&self.module, &self.cpus[call.cpu], call)
    }

    fn outside(&self, what: Outside) {
        match what {
            // The stepped world's clock runs at 1 GHz.
            Outside::Wait { cpu, ns } => Stepped::work(&self.cpus[cpu], Cycles(ns)),
            Outside::Interrupt { cpu } => self.module.interrupt(CpuId(cpu as u16)),
            Outside::Entropy(available) => self.module.set_entropy(available),
            Outside::TdParams { hpa, params } => self.module.write_td_params(hpa, params),
        }
    }

    /// Brings the world to the state before statement `end`, without looking.
    fn replay(&self, script: &Script, end: usize) {
        for statement in &script.statements[..end] {
            match &statement.action {
                Action::Call(call) => drop(self.call(call)),
                Action::Par(par) => drop(self.par(par, &mut first_order(par))),
                Action::Outside(what) => self.outside(*what),
                Action::Expect(_) | Action::Audit { .. } => {}
            }
        }
    }

    /// Runs a parallel block; the calls of each CPU follow each other.
    fn par(
        &self,
        par: &Par,
        choose: &mut dyn FnMut(&[Option<StepAccess>]) -> usize,
    ) -> Vec<Called> {
        let results: Rc<RefCell<Vec<Option<Called>>>> =
            Rc::new(RefCell::new(vec![None; par.calls.len()]));
        let bodies = self.bodies(par).into_iter().map(|(cpu, calls)| {
            let (module, results) = (Arc::clone(&self.module), Rc::clone(&results));
            let body: SteppedBody = Box::new(move |cpu| {
                for (index, call) in calls {
                    let called = execute(&module, cpu, &call);
                    results.borrow_mut()[index] = Some(called);
                }
            });
            (Rc::clone(&self.cpus[cpu]), body)
        });
        interleave(bodies.collect(), choose);
        results.take().into_iter().flatten().collect()
    }

    /// The calls of a block by CPU, in order of the CPU's first call.
    fn bodies(&self, par: &Par) -> Vec<(usize, Vec<(usize, Call)>)> {
        let mut bodies: Vec<(usize, Vec<(usize, Call)>)> = Vec::new();
        for (index, call) in par.calls.iter().enumerate() {
            match bodies.iter_mut().find(|(cpu, _)| *cpu == call.cpu) {
                Some((_, calls)) => calls.push((index, call.clone())),
                None => bodies.push((call.cpu, vec![(index, call.clone())])),
            }
        }
        bodies
    }

    /// The accesses of each body when they run one after the other.
    fn record(&self, par: &Par, reversed: bool) -> Vec<Vec<StepAccess>> {
        let bodies = self.bodies(par);
        let mut footprints = vec![Vec::new(); bodies.len()];
        let mut order: Vec<_> = (0..bodies.len()).collect();
        if reversed {
            order.reverse();
        }
        for body in order {
            let (cpu, calls) = &bodies[body];
            let run = || calls.iter().for_each(|(_, call)| drop(self.call(call)));
            footprints[body] = self.cpus[*cpu].record(run);
        }
        footprints
    }
}

fn execute(module: &Module<Stepped>, cpu: &SteppedCpu, call: &Call) -> Called {
    let book = StepBook::default();
    let executed = match call.leaf {
        CallKind::Leaf(leaf) => module.execute(cpu, leaf, call.regs, Some(&book)),
        CallKind::Exit(cause) => module.exit(cpu, cause, Some(&book)),
        CallKind::HoldOpState => module.hold_op_state(cpu, call.regs.rcx, Some(&book)),
        CallKind::ReleaseOpState => module.release_op_state(cpu, call.regs.rcx, Some(&book)),
    };
    let violations = cpu.take_violations().into_iter().map(|found| found.detail);
    Called {
        cpu: call.cpu,
        leaf: call.leaf,
        given: call.regs,
        regs: executed.regs,
        rmw: executed.rmw,
        steps: book.0.into_inner(),
        violations: violations.collect(),
    }
}

/// The order of a block when it is not explored: as given, or one body after the other.
fn first_order(par: &Par) -> impl FnMut(&[Option<StepAccess>]) -> usize + use<> {
    let mut cpus: Vec<usize> = Vec::new();
    for call in &par.calls {
        if !cpus.contains(&call.cpu) {
            cpus.push(call.cpu);
        }
    }
    let turns = match &par.order {
        Order::Given(turns) => turns.clone(),
        Order::Every { .. } => Vec::new(),
    };
    let mut turns =
        turns.into_iter().filter_map(move |turn| cpus.iter().position(|cpu| *cpu == turn));
    let mut turn = turns.next();
    move |pending| {
        let alive = |body: usize| pending[body].is_some();
        while turn.is_some_and(|body| !alive(body)) {
            turn = turns.next();
        }
        let chosen = turn.or_else(|| (0..pending.len()).find(|body| alive(*body))).unwrap_or(0);
        // A turn ends with its locked instruction.
        if turn.is_some() && pending[chosen].is_some_and(|next| next.kind == StepKind::Locked) {
            turn = turns.next();
        }
        chosen
    }
}

/// Runs a script.
///
/// # Errors
/// A module that cannot be configured so.
pub fn run(script: &Script) -> Result<Report, ModuleError> {
    let world = World::new(script)?;
    let mut report = Report { entries: Vec::new(), failures: Vec::new() };
    for (index, statement) in script.statements.iter().enumerate() {
        let place = &statement.place;
        match &statement.action {
            Action::Call(call) => {
                let called = world.call(call);
                let next = script.statements.get(index + 1).map(|next| &next.action);
                let expected = matches!(next, Some(Action::Expect(e)) if may_shut_down(e.status));
                if !expected {
                    report.violations(place, &called.violations);
                }
                report.entries.push(Entry::Called(called));
            }
            Action::Outside(what) => world.outside(*what),
            Action::Expect(expect) => report.expectation(place, expect),
            Action::Par(par) => {
                let called = world.par(par, &mut first_order(par));
                let outcomes = match par.order {
                    Order::Every { preemptions } => explore(script, index, par, preemptions)?,
                    Order::Given(_) => one_outcome(par, called),
                };
                report.outcomes(place, par, outcomes);
            }
            Action::Audit { guests } => match world.module.audit(&world.cpus[0], *guests) {
                Ok(census) => report.entries.push(Entry::Audited(census)),
                Err(broken) => report.violations(place, &broken),
            },
        }
    }
    Ok(report)
}

fn may_shut_down(status: StatusPattern) -> bool {
    status.matches(Status::with(StatusName::SysShutdown, pamt_strategies::module::Operand(0)))
}

fn calls_of(par: &Par) -> Vec<(usize, CallKind)> {
    par.calls.iter().map(|call| (call.cpu, call.leaf)).collect()
}

fn one_outcome(par: &Par, called: Vec<Called>) -> Outcomes {
    Outcomes {
        calls: calls_of(par),
        schedules: 1,
        complete: true,
        found: BTreeMap::from([(called.iter().map(|c| c.regs.status()).collect(), 1)]),
        violations: called.into_iter().flat_map(|called| called.violations).collect(),
    }
}

/// All schedules of a block within its bound, each on a world of its own.
fn explore(
    script: &Script,
    index: usize,
    par: &Par,
    preemptions: usize,
) -> Result<Outcomes, ModuleError> {
    let world = || -> Result<World, ModuleError> {
        let world = World::new(script)?;
        world.replay(script, index);
        Ok(world)
    };
    let mut footprints = world()?.record(par, false);
    for (footprint, other) in footprints.iter_mut().zip(world()?.record(par, true)) {
        footprint.extend(other);
        footprint.sort_unstable();
        footprint.dedup();
    }
    let mut explorer = Explorer::new(preemptions, footprints);
    let mut outcomes = Outcomes {
        calls: calls_of(par),
        schedules: 0,
        complete: true,
        found: BTreeMap::new(),
        violations: Vec::new(),
    };
    loop {
        let world = world()?;
        let called = world.par(par, &mut |pending| explorer.choose(&Point { pending }));
        outcomes.schedules += 1;
        let statuses = called.iter().map(|called| called.regs.status()).collect();
        *outcomes.found.entry(statuses).or_default() += 1;
        let broken = called.into_iter().flat_map(|called| called.violations);
        let mut violations: Vec<_> = broken.collect();
        if violations.is_empty() {
            // What the leaves left behind; locks that guests hold are no error.
            violations = world.module.audit(&world.cpus[0], true).err().unwrap_or_default();
        }
        outcomes.violations.extend(violations);
        outcomes.violations.sort();
        outcomes.violations.dedup();
        if !explorer.next_schedule() {
            return Ok(outcomes);
        }
        if outcomes.schedules == MOST_SCHEDULES {
            outcomes.complete = false;
            return Ok(outcomes);
        }
    }
}

impl Report {
    fn fail(&mut self, place: &Place, message: String) {
        self.failures.push(Failure { place: place.clone(), message, violation: false });
    }

    fn violations(&mut self, place: &Place, violations: &[String]) {
        self.failures.extend(violations.iter().map(|message| Failure {
            place: place.clone(),
            message: message.clone(),
            violation: true,
        }));
    }

    fn expectation(&mut self, place: &Place, expect: &Expect) {
        let Some(Entry::Called(called)) = self.entries.last() else { return };
        let called = called.clone();
        let status = called.regs.status();
        if !expect.status.matches(status) {
            let message =
                format!("expected {}, {} returned {status}", expect.status, called.leaf.name());
            self.fail(place, message);
            return;
        }
        if let Some(rmw) = expect.rmw.filter(|rmw| *rmw != called.rmw) {
            let name = called.leaf.name();
            self.fail(place, format!("expected rmw={rmw}, {name} took {}", called.rmw));
        }
        for (register, value) in &expect.regs {
            let found = (register.get)(&called.regs);
            if found != *value {
                let message = format!("expected {}={value:#x}, found {found:#x}", register.name);
                self.fail(place, message);
            }
        }
    }

    /// Exactly the outcomes listed come out; a violation belongs to an outcome that shuts the module
    /// down.
    fn outcomes(&mut self, place: &Place, par: &Par, outcomes: Outcomes) {
        let listed = par.outcomes.as_deref();
        if let Some(listed) = listed {
            for found in outcomes.found.keys() {
                let matches = |patterns: &[StatusPattern]| {
                    patterns.iter().zip(found).all(|(pattern, status)| pattern.matches(*status))
                };
                if !listed.iter().any(|outcome| matches(&outcome.statuses)) {
                    let names: Vec<_> = found.iter().map(Status::to_string).collect();
                    self.fail(
                        place,
                        format!("an outcome that is not listed: {}", names.join(", ")),
                    );
                }
            }
            for outcome in listed {
                let comes = |found: &Vec<Status>| {
                    outcome
                        .statuses
                        .iter()
                        .zip(found)
                        .all(|(pattern, status)| pattern.matches(*status))
                };
                if !outcomes.found.keys().any(comes) {
                    let message = "this outcome does not come in any order".to_owned();
                    self.fail(&outcome.place, message);
                }
            }
        }
        let shuts_down = |outcome: &super::script::Outcome| {
            outcome.statuses.iter().any(|status| may_shut_down(*status))
        };
        if !listed.is_some_and(|listed| listed.iter().any(shuts_down)) {
            self.violations(place, &outcomes.violations);
        }
        self.entries.push(Entry::Par(outcomes));
    }
}
