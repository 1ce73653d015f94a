//! A script after parsing: names are resolved, registers are numbers.

use pamt_sim::tdx::{Locking, ModuleConfig};
use pamt_strategies::module::{Leaf, Regs, Status, StatusName};

use super::place::Place;

/// A script, ready to run.
#[derive(Clone, Debug)]
pub struct Script {
    /// The module that it runs on.
    pub(super) module: ModuleConfig,
    /// CPUs.
    pub(super) cpus: usize,
    /// What it does, in order.
    pub(super) statements: Vec<Statement>,
}

/// Settings before the first statement.
pub(super) fn default_module() -> ModuleConfig {
    ModuleConfig {
        regions: 16,
        tds: 8,
        vcpus: 16,
        sept_pages: 64,
        packages: 1,
        dynamic: true,
        locking: Locking::default(),
    }
}

/// CPUs of a script that does not say.
pub(super) const DEFAULT_CPUS: usize = 4;

#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) place: Place,
    pub(super) action: Action,
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Call(Call),
    /// About the call before.
    Expect(Expect),
    Par(Par),
    /// Invariants hold; with guests, while VCPUs run.
    Audit {
        guests: bool,
    },
}

/// A leaf on a CPU.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) cpu: usize,
    pub(super) leaf: CallKind,
    pub(super) regs: Regs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallKind {
    Leaf(Leaf),
    TdExit,
}

impl CallKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Leaf(leaf) => leaf.name(),
            Self::TdExit => TD_EXIT,
        }
    }
}

/// Name of the statement that ends a guest's run.
pub(super) const TD_EXIT: &str = "TD.EXIT";

/// A status as a script writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatusPattern {
    /// By name, whatever the details.
    Name(StatusName),
    /// All 64 bits.
    Exact(Status),
}

impl StatusPattern {
    pub(super) fn matches(self, status: Status) -> bool {
        match self {
            Self::Name(name) => status.is(name),
            Self::Exact(exact) => status == exact,
        }
    }
}

impl std::fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name.name()),
            Self::Exact(status) => status.fmt(f),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Expect {
    pub(super) status: StatusPattern,
    pub(super) rmw: Option<u32>,
    pub(super) regs: Vec<(Register, u64)>,
}

/// A register that a script can name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Register {
    pub(super) name: &'static str,
    pub(super) get: fn(&Regs) -> u64,
    pub(super) set: fn(&mut Regs, u64),
}

macro_rules! registers {
    ($($name:ident),*) => {
        /// All of them.
        pub(super) const REGISTERS: &[Register] = &[$(Register {
            name: stringify!($name),
            get: |regs| regs.$name,
            set: |regs, value| regs.$name = value,
        }),*];
    };
}
registers!(rcx, rdx, r8, r9, r10, r11, r12, r13);

/// Calls on different CPUs at once.
#[derive(Clone, Debug)]
pub(super) struct Par {
    pub(super) order: Order,
    pub(super) calls: Vec<Call>,
    /// The sets of statuses, in order of the calls, that may come out; all of them do.
    pub(super) outcomes: Option<Vec<Outcome>>,
}

#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) place: Place,
    pub(super) statuses: Vec<StatusPattern>,
}

#[derive(Clone, Debug)]
pub(super) enum Order {
    /// Every order with so many unforced switches.
    Every { preemptions: usize },
    /// CPUs by turns: each goes through its next locked instruction.
    Given(Vec<usize>),
}
