//! What the CPUs of a check do: small programs over two or three regions.

use pamt_strategies::measure::ViolationKind;

/// Region of the programs' pages.
pub const A: u32 = 1;
/// The other one.
pub const B: u32 = 2;
/// Mapped as 2M, to be split.
pub const C: u32 = 4;
/// Backing pages that no program touches come from here.
pub const POOL: u32 = 3;
/// Regions of the world; the TDs' own pages are in region 0.
pub const REGIONS: u32 = 5;

/// Which demands a check makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Only 4K pages are mapped and unmapped.
    FourK,
    /// 2M mappings are split meanwhile.
    Split,
}

impl Scope {
    /// Name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FourK => "4k",
            Self::Split => "split",
        }
    }
}

/// One thing that a CPU does. A page is (region, number).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fault: get, PAGE.AUG, put on error; again while the SEAMCALL is BUSY.
    Map(u32, u64),
    /// Zap of a page that this CPU has mapped: BLOCK, TRACK, PAGE.REMOVE, put.
    Unmap(u32, u64),
    /// The end of a zap: the page was mapped, blocked and tracked before; PAGE.REMOVE, put.
    Drop(u32, u64),
    /// DEMOTE of region [`C`], which was mapped as 2M, blocked and tracked before.
    Split,
}

/// Where backing pages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// From a region of their own.
    Apart,
    /// Those of A and C from B, those of B from A.
    Crossed,
}

/// What goes wrong on purpose, once, at the first chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// A PAMT.ADD fails: one get may fail.
    Add,
    /// A PAMT.REMOVE fails: one put may fail, and if it does, one pair may stay.
    Remove,
    /// No memory for a pair: one get may fail.
    Memory,
}

impl Fault {
    /// What may fail for it, once.
    #[must_use]
    pub fn excuses(self) -> Option<ViolationKind> {
        match self {
            Self::None => None,
            Self::Add | Self::Memory => Some(ViolationKind::GetFailed),
            Self::Remove => Some(ViolationKind::PutFailed),
        }
    }
}

/// A scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Name.
    pub name: &'static str,
    /// Scope that it belongs to.
    pub scope: Scope,
    /// A program a CPU.
    pub cpus: &'static [&'static [Step]],
    /// Where backing pages come from.
    pub backing: Backing,
    /// What goes wrong on purpose.
    pub fault: Fault,
}

use Step::{Drop, Map, Split, Unmap};

const fn plain(name: &'static str, cpus: &'static [&'static [Step]]) -> Scenario {
    Scenario { name, scope: Scope::FourK, cpus, backing: Backing::Apart, fault: Fault::None }
}

const fn crossed(name: &'static str, scope: Scope, cpus: &'static [&'static [Step]]) -> Scenario {
    Scenario { name, scope, cpus, backing: Backing::Crossed, fault: Fault::None }
}

const fn faulty(name: &'static str, fault: Fault, cpus: &'static [&'static [Step]]) -> Scenario {
    Scenario { name, scope: Scope::FourK, cpus, backing: Backing::Apart, fault }
}

/// All scenarios.
pub static SCENARIOS: &[Scenario] = &[
    plain("get/get", &[&[Map(A, 0)], &[Map(A, 1)]]),
    plain("get/put", &[&[Map(A, 0)], &[Drop(A, 1)]]),
    plain("put/put", &[&[Drop(A, 0)], &[Drop(A, 1)]]),
    plain("put/get-put", &[&[Drop(A, 0)], &[Map(A, 1), Unmap(A, 1)]]),
    plain("put/get/get", &[&[Drop(A, 0)], &[Map(A, 1)], &[Map(A, 2)]]),
    plain("neighbours", &[&[Map(A, 0)], &[Drop(B, 0)]]),
    crossed("backing in each other: get/get", Scope::FourK, &[&[Map(A, 0)], &[Map(B, 0)]]),
    crossed("backing in each other: get/put", Scope::FourK, &[&[Map(A, 0)], &[Drop(B, 0)]]),
    faulty("PAMT.ADD fails", Fault::Add, &[&[Map(A, 0)], &[Map(A, 1)]]),
    faulty("PAMT.REMOVE fails", Fault::Remove, &[&[Drop(A, 0)], &[Map(A, 1)]]),
    faulty("out of memory", Fault::Memory, &[&[Map(A, 0)], &[Map(A, 1)]]),
    crossed("DEMOTE with its pair in B: put", Scope::Split, &[&[Split], &[Drop(B, 0)]]),
    crossed("DEMOTE with its pair in B: get", Scope::Split, &[&[Split], &[Map(B, 0)]]),
];

/// All scenarios of these scopes.
#[must_use]
pub fn in_scopes(scopes: &[Scope]) -> Vec<&'static Scenario> {
    SCENARIOS.iter().filter(|scenario| scopes.contains(&scenario.scope)).collect()
}
