//! Workloads: one file each, and the registry that names them.
//!
//! A workload brings the host into its first state (untimed) and gives each CPU its program. It is
//! generic over the world; which strategy runs under it is not its business.

mod ageing;
mod balloon;
mod boot;
mod boot_teardown;
mod churn;
mod conversion_attack;
mod fault_storm;
mod flip;
mod gate;
mod life;
mod meeting;
mod mixed;
mod neighbour_regions;
mod same_region;
mod split_storm;
mod teardown;
mod threads;
mod trace;

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::spec::{nearest, nearest_hint};
use thiserror::Error;

use crate::host::{self, Host};
use crate::params::{Param, Settings};

pub(crate) use gate::Progress;

/// A workload, as `list workloads` explains it.
#[derive(Debug)]
pub struct WorkloadInfo {
    /// Name.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// What it stands for.
    pub stands_for: &'static str,
    /// Where its time is expected to go.
    pub bottleneck: &'static str,
    /// What a unit of its work is, in the plural.
    pub unit: &'static str,
    /// Its own parameters.
    pub params: &'static [Param],
    /// Options of a run that it sets when the user does not.
    pub usual: Usual,
    /// The first TD maps all its memory as 2 MiB pages, whatever `--page-size` says.
    pub large_first: bool,
}

/// Defaults of a workload for options of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usual {
    /// `--page-size`.
    pub page_size: Option<&'static str>,
    /// `--placement`.
    pub placement: Option<&'static str>,
    /// `--pamt-pages`.
    pub pamt_pages: Option<&'static str>,
}

impl Usual {
    /// None of its own.
    pub const NONE: Self = Self { page_size: None, placement: None, pamt_pages: None };
}

/// No such workload.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("unknown workload `{name}`{}; `list workloads` shows all", nearest_hint(.nearest))]
pub struct UnknownWorkload {
    /// As given.
    pub name: String,
    /// Nearest valid name.
    pub nearest: Option<&'static str>,
}

/// A workload that was found by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkloadId(usize);

macro_rules! workloads {
    ($($file:ident),* $(,)?) => {
        /// All workloads.
        pub static WORKLOADS: &[&WorkloadInfo] = &[$(&$file::INFO,)*];

        impl WorkloadId {
            /// Prepares the host and gives each CPU its program.
            pub(crate) fn actors<P: Platform>(
                self,
                build: &mut P::Build,
                host: &Arc<Host<P>>,
                progress: &Arc<Progress>,
                settings: &Settings,
            ) -> Vec<Actor<P>> {
                type Maker<P> = fn(
                    &mut <P as Platform>::Build,
                    &Arc<Host<P>>,
                    &Arc<Progress>,
                    &Settings,
                ) -> Vec<Actor<P>>;
                let makers: &[Maker<P>] = &[$($file::actors::<P>,)*];
                makers[self.0](build, host, progress, settings)
            }
        }
    };
}

workloads! {
    boot,
    boot_teardown,
    teardown,
    fault_storm,
    churn,
    split_storm,
    conversion_attack,
    mixed,
    balloon,
    ageing,
    same_region,
    neighbour_regions,
    trace,
}

/// The recording that `trace:FILE` replays.
pub(crate) fn replayed_file(workload: &str) -> Option<&str> {
    workload.strip_prefix(trace::INFO.name)?.strip_prefix(':')
}

impl WorkloadId {
    /// The workload of a name: one of the registry, or `trace:FILE`.
    ///
    /// # Errors
    /// No such name.
    pub fn parse(name: &str) -> Result<Self, UnknownWorkload> {
        let own = replayed_file(name).map_or(name, |_| trace::INFO.name);
        WORKLOADS.iter().position(|info| info.name == own).map(Self).ok_or_else(|| {
            UnknownWorkload {
                name: name.to_owned(),
                nearest: nearest(name, WORKLOADS.iter().map(|info| info.name)),
            }
        })
    }

    /// It needs a file to replay.
    pub(crate) fn replays(self) -> bool {
        self.info().name == trace::INFO.name
    }

    /// What is known of it.
    #[must_use]
    pub fn info(self) -> &'static WorkloadInfo {
        WORKLOADS[self.0]
    }

    /// Everything that `--set` takes with it: its own parameters and those of the host.
    pub fn params(self) -> impl Iterator<Item = &'static Param> + Clone {
        self.info().params.iter().chain(host::PARAMS)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn names_are_unique_and_defaults_are_taken_by_their_parameters() {
        let names: BTreeSet<_> = WORKLOADS.iter().map(|info| info.name).collect();
        assert_eq!(names.len(), WORKLOADS.len());
        for info in WORKLOADS {
            let id = WorkloadId::parse(info.name).expect("registered");
            let settings = Settings::new(info.name, id.params(), &BTreeMap::new());
            assert!(settings.is_ok(), "{}: {settings:?}", info.name);
        }
    }

    #[test]
    fn an_unknown_name_gets_its_nearest() {
        let wrong = WorkloadId::parse("tear-down").expect_err("misspelt");
        assert!(wrong.to_string().contains("`teardown`"), "{wrong}");
    }
}
