//! What a host is made of, as plain data: from an experiment to sizes, placements and pinning.

use std::collections::BTreeSet;
use std::sync::Arc;

use pamt_strategies::units::{CpuId, NodeId, PAGE_BYTES};
use thiserror::Error;

use super::page_size::{PageSize, UnknownPageSize};
use super::pages::Demand;
use super::pages::{MapError, MemoryMap, Placement, UnknownPlacement, Use};
use super::td::{TD_PAGES, VCPU_PAGES};
use crate::experiment::Experiment;
use crate::params::{Kind, Param, Settings};
use crate::recording::Replay;

/// Pages of a topped-up PAMT cache: a pair for each level below the root, and one for the leaf
/// (PT64_ROOT_MAX_LEVEL = 5).
pub(crate) const CACHE_PAGES: usize = 10;

/// Memory beyond this age has hardly a free page left.
const OLDEST: f64 = 0.99;

/// Parameters of the host model that `--set` takes with every workload.
pub(crate) const PARAMS: &[Param] = &[
    Param {
        name: "host_memory",
        kind: Kind::Size,
        default: "16GiB",
        help: "physical memory of the host, at least; more is taken when the TDs need it",
    },
    Param {
        name: "ageing",
        kind: Kind::Fraction,
        default: "0",
        help: "age of the page allocator: share of its pages that others hold at random, 0.99 at most; \
               free ones are scattered among them",
    },
    Param {
        name: "pcp_batch",
        kind: Kind::Count { min: 1, max: 4096 },
        default: "63",
        help: "pages that move between a per-CPU list and the buddy at once (zone_batchsize())",
    },
    Param {
        name: "pcp_high",
        kind: Kind::Count { min: 1, max: 65536 },
        default: "252",
        help: "pages that a per-CPU list keeps at most (4 batches)",
    },
    Param {
        name: "interrupts",
        kind: Kind::Choice(&["off", "on"]),
        default: "off",
        help: "tick, device interrupts and softirqs take CPUs away from what they do (simulated world; others have their own)",
    },
    Param {
        name: "clear_freed",
        kind: Kind::Choice(&["erratum", "always", "never"]),
        default: "erratum",
        help: "clear reclaimed guest pages by MOVDIR64B: where the machine has the erratum, always, never",
    },
    Param {
        name: "module_target",
        kind: Kind::Choice(&["exclusive", "shared"]),
        default: "exclusive",
        help: "what if PAMT.ADD held its target shared, claimed by one CMPXCHG",
    },
    Param {
        name: "module_backing",
        kind: Kind::Choice(&["shared", "none"]),
        default: "shared",
        help: "what if PAMT.ADD and DEMOTE took no lock on the regions of their backing pages",
    },
];

/// A host that cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlanError {
    /// A placement that does not exist.
    #[error(transparent)]
    Placement(#[from] UnknownPlacement),
    /// A page size that does not exist.
    #[error(transparent)]
    PageSize(#[from] UnknownPageSize),
    /// A pair in a region that one 2M page fills.
    #[error(
        "--pamt-pages same-region with 2 MiB pages: a 2 MiB page fills its region, so the pair for its split cannot lie there; choose another --pamt-pages"
    )]
    PairInLargePage,
    /// More memory than can be named.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The pool of pairs would lie where a recording has its pages.
    #[error(
        "--pamt-pages {placement}: the trace names pages where its pool would lie; choose another, or give the host more memory (--set host_memory=...)"
    )]
    PoolInRecording {
        /// The placement.
        placement: String,
    },
    /// A recording of a larger host.
    #[error("the trace names CPU {last}, {machine} has {cpus} CPUs; choose a larger --machine")]
    RecordedCpu {
        /// The greatest that it names.
        last: usize,
        /// Name of the machine.
        machine: String,
        /// What it has.
        cpus: usize,
    },
    /// Neither TDs nor vCPUs.
    #[error("--tds {tds} --vcpus {vcpus}: give at least one TD and one vCPU")]
    Nobody {
        /// TDs asked for.
        tds: u32,
        /// vCPUs asked for.
        vcpus: u32,
    },
    /// More vCPUs than CPUs.
    #[error(
        "{tds} TDs of {vcpus} vCPUs need {needed} CPUs, {machine} has {cpus}; lower --tds or --vcpus, or choose a larger --machine"
    )]
    Cpus {
        /// TDs asked for.
        tds: u32,
        /// vCPUs asked for.
        vcpus: u32,
        /// Their product.
        needed: u64,
        /// Name of the machine.
        machine: String,
        /// What it has.
        cpus: usize,
    },
}

/// What a host is made of.
#[derive(Clone, Debug)]
pub(crate) struct HostPlan {
    pub(crate) tds: u32,
    pub(crate) vcpus: u32,
    pub(crate) pages_per_td: u64,
    pub(crate) page_sizes: PageSizes,
    pub(crate) ageing: f64,
    pub(crate) guest: Placement,
    pub(crate) pamt: Placement,
    pub(crate) map: MemoryMap,
    pub(crate) pcp_batch: usize,
    pub(crate) pcp_high: usize,
    pub(crate) clear_freed: Clear,
    pub(crate) seed: u64,
    /// The module runs in dynamic mode.
    pub(crate) dynamic: bool,
    /// The recording whose gets and puts are replayed; its pages reach no leaf of the module.
    pub(crate) replay: Option<Arc<Replay>>,
}

/// What a host is for, besides its sizes.
#[derive(Clone, Debug)]
pub(crate) struct Purpose {
    /// The module runs in dynamic mode.
    pub(crate) dynamic: bool,
    /// The first TD maps all its memory as 2 MiB pages, whatever `--page-size` says.
    pub(crate) large_first: bool,
    /// A recording to replay.
    pub(crate) replay: Option<Arc<Replay>>,
}

/// Page sizes of TDs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageSizes {
    pub(crate) first: PageSize,
    pub(crate) others: PageSize,
}

impl PageSizes {
    /// That of a TD.
    pub(crate) fn of(self, td: usize) -> PageSize {
        if td == 0 { self.first } else { self.others }
    }

    /// Whether any TD maps 2 MiB pages.
    pub(crate) fn has_large(self) -> bool {
        self.first.has_large() || self.others.has_large()
    }
}

/// When reclaimed guest pages are cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clear {
    /// Where the machine has the partial-write erratum (upstream since 2025-08).
    Erratum,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl HostPlan {
    /// The host of an experiment on a machine with `nodes` nodes.
    pub(crate) fn new(
        experiment: &Experiment,
        settings: &Settings,
        nodes: usize,
        purpose: Purpose,
    ) -> Result<Self, PlanError> {
        let Purpose { dynamic, large_first, replay } = purpose;
        let (tds, vcpus) = (experiment.tds, experiment.vcpus);
        if tds == 0 || vcpus == 0 {
            return Err(PlanError::Nobody { tds, vcpus });
        }
        let guest = Placement::parse(&experiment.placement, Use::Guest)?;
        let pamt = Placement::parse(&experiment.pamt_pages, Use::PamtPages)?;
        let others = PageSize::parse(&experiment.page_size)?;
        let page_sizes =
            PageSizes { first: if large_first { PageSize::LARGE } else { others }, others };
        if page_sizes.has_large() && pamt == Placement::SameRegion {
            return Err(PlanError::PairInLargePage);
        }
        let pages_per_td = experiment.memory_bytes / PAGE_BYTES;
        let ageing = settings.fraction("ageing").min(OLDEST);
        let recorded_bytes =
            replay.as_ref().map_or(0, |replay| (replay.last_page().0 + 1) * PAGE_BYTES);
        let caches = u64::from(vcpus) * CACHE_PAGES as u64;
        let map = MemoryMap::new(&Demand {
            nodes: nodes as u64,
            tds: u64::from(tds),
            pages_per_td: if replay.is_some() { 0 } else { pages_per_td },
            recorded_regions: replay.as_ref().map_or(0, |replay| replay.regions()),
            large: page_sizes.has_large(),
            ageing,
            kernel_pages_per_td: TD_PAGES + u64::from(vcpus) * VCPU_PAGES + caches,
            host_bytes: settings.size_bytes("host_memory").max(recorded_bytes),
            guest,
            pamt,
        })?;
        if replay.as_ref().is_some_and(|replay| in_a_pool(&map, replay)) {
            return Err(PlanError::PoolInRecording { placement: experiment.pamt_pages.clone() });
        }
        Ok(Self {
            tds,
            vcpus,
            pages_per_td,
            page_sizes,
            ageing,
            guest,
            pamt,
            map,
            pcp_batch: settings.count("pcp_batch") as usize,
            pcp_high: settings.count("pcp_high") as usize,
            clear_freed: match settings.choice("clear_freed") {
                "always" => Clear::Always,
                "never" => Clear::Never,
                _ => Clear::Erratum,
            },
            seed: experiment.run_seed(),
            dynamic,
            replay,
        })
    }

    /// Fails when there are more vCPUs than CPUs.
    pub(crate) fn check_cpus(&self, machine: &str, cpus: usize) -> Result<(), PlanError> {
        if let Some(replay) = &self.replay {
            let last = replay.cpus().saturating_sub(1);
            let machine = machine.to_owned();
            return if last < cpus {
                Ok(())
            } else {
                Err(PlanError::RecordedCpu { last, machine, cpus })
            };
        }
        let needed = u64::from(self.tds) * u64::from(self.vcpus);
        if needed <= cpus as u64 { Ok(()) } else { Err(self.too_many(machine, cpus)) }
    }

    /// Node and CPUs of each TD: TDs take turns over the nodes, and each takes the next CPUs of its
    /// node in order of their number (first threads of the cores before second ones). TDs of a
    /// recording are where they were.
    pub(crate) fn pin(
        &self,
        machine: &str,
        node_of: &[NodeId],
    ) -> Result<Vec<(NodeId, Vec<CpuId>)>, PlanError> {
        if let Some(replay) = &self.replay {
            self.check_cpus(machine, node_of.len())?;
            let place = |cpus: &BTreeSet<u16>| {
                let cpus: Vec<_> = cpus.iter().copied().map(CpuId).collect();
                (node_of[usize::from(cpus[0].0)], cpus)
            };
            return Ok(replay.tds.iter().map(|td| place(&td.cpus)).collect());
        }
        let nodes = node_of.iter().map(|node| usize::from(node.0)).max().map_or(1, |most| most + 1);
        let mut free: Vec<Vec<CpuId>> = vec![Vec::new(); nodes];
        for (cpu, node) in node_of.iter().enumerate().rev() {
            free[usize::from(node.0)].push(CpuId(cpu as u16));
        }
        let vcpus = self.vcpus as usize;
        (0..self.tds as usize)
            .map(|td| {
                // The next node in turn that has room, else whatever CPUs are left.
                let room = |node: &usize| free[*node].len() >= vcpus;
                let node = (0..nodes).map(|k| (td + k) % nodes).find(room).unwrap_or(td % nodes);
                let mut cpus = Vec::with_capacity(vcpus);
                for k in 0..nodes {
                    let list = &mut free[(node + k) % nodes];
                    while cpus.len() < vcpus && !list.is_empty() {
                        cpus.extend(list.pop());
                    }
                }
                if cpus.len() < vcpus {
                    return Err(self.too_many(machine, node_of.len()));
                }
                Ok((NodeId(node as u8), cpus))
            })
            .collect()
    }

    fn too_many(&self, machine: &str, cpus: usize) -> PlanError {
        PlanError::Cpus {
            tds: self.tds,
            vcpus: self.vcpus,
            needed: u64::from(self.tds) * u64::from(self.vcpus),
            machine: machine.to_owned(),
            cpus,
        }
    }
}

/// Whether the recording has pages where pairs have their pool.
fn in_a_pool(map: &MemoryMap, replay: &Replay) -> bool {
    (0..map.nodes).any(|node| {
        let pool = map.pool_part(node);
        let from = replay.pages.partition_point(|page| page.region().0 < pool.start);
        replay.pages.get(from).is_some_and(|page| page.region().0 < pool.end)
    })
}
