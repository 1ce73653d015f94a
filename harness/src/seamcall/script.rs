//! A script after parsing: names are resolved, registers are numbers.

use pamt_sim::tdx::{ExitCause, Locking, ModuleConfig, SplitInterrupt, SystemState, TdParams};
use pamt_strategies::module::{Leaf, Operand, Regs, Status, StatusName};

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

/// A status that a script says a leaf returns, alone or in an outcome of a parallel block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stated {
    /// Which leaf.
    pub leaf: Leaf,
    /// The status.
    pub name: StatusName,
    /// Its lower half, where the script gives that.
    pub details: Option<Operand>,
    /// Locked instructions, where the script gives them.
    pub rmw: Option<u32>,
}

impl Script {
    /// All that it states about leaves.
    #[must_use]
    pub fn stated(&self) -> Vec<Stated> {
        let mut stated = Vec::new();
        for (index, statement) in self.statements.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| &self.statements[before].action);
            match (&statement.action, before) {
                (Action::Expect(expect), Some(Action::Call(call))) => {
                    stated.extend(Stated::new(call.leaf, expect.status, expect.rmw));
                }
                (Action::Par(par), _) => {
                    for outcome in par.outcomes.iter().flatten() {
                        let pairs = par.calls.iter().zip(&outcome.statuses);
                        stated
                            .extend(pairs.filter_map(|(call, status)| {
                                Stated::new(call.leaf, *status, None)
                            }));
                    }
                }
                _ => {}
            }
        }
        stated
    }
}

impl Stated {
    fn new(call: CallKind, pattern: StatusPattern, rmw: Option<u32>) -> Option<Self> {
        let CallKind::Leaf(leaf) = call else { return None };
        match pattern {
            StatusPattern::Name(name) => Some(Self { leaf, name, details: None, rmw }),
            StatusPattern::Exact(status) => {
                let details = Some(status.operand());
                status.name().map(|name| Self { leaf, name, details, rmw })
            }
        }
    }
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
        split_interrupt: SplitInterrupt::default(),
        system: SystemState::default(),
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
    Outside(Outside),
}

/// What happens to the module from outside of any leaf.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outside {
    /// Time passes on a CPU.
    Wait { cpu: usize, ns: u64 },
    /// An interrupt becomes pending on a CPU.
    Interrupt { cpu: usize },
    /// Whether RDSEED and PCONFIG find entropy.
    Entropy(bool),
    /// The host writes TD_PARAMS to a page.
    TdParams { hpa: u64, params: TdParams },
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
    /// The guest's run ends.
    Exit(ExitCause),
    /// A migration leaf, none of which is modelled, holds OP_STATE from here ...
    HoldOpState,
    /// ... to here.
    ReleaseOpState,
}

impl CallKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Leaf(leaf) => leaf.name(),
            other => {
                let name = STAND_INS.iter().find(|(_, kind)| *kind == other);
                name.map_or("", |(name, _)| name)
            }
        }
    }
}

/// Calls that are no leaf of the ABI.
pub(super) const STAND_INS: [(&str, CallKind); 4] = [
    ("TD.EXIT", CallKind::Exit(ExitCause::Interrupt)),
    ("TD.MACHINE_CHECK", CallKind::Exit(ExitCause::MachineCheck)),
    ("MIG.HOLD", CallKind::HoldOpState),
    ("MIG.RELEASE", CallKind::ReleaseOpState),
];

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
