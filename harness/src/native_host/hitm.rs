//! The event of a CPU model that counts loads answered by a modified line of another core (HITM).
//!
//! perf has no general event for it: each core generation has its own code. The codes stand here as perf's
//! event lists have them (`tools/perf/pmu-events/arch/x86/*/cache.json`, models by its `mapfile.csv`). All of
//! them count loads that retired; a store that takes a modified line is not among them.
//!
//! *Checked*: the models up to Sapphire Rapids by what perf 6.1.192 says under each `PERF_CPUID`, and that it knows these
//! events by no other codes than 0xd2 and 0xd3 with umask 0x04. *Not checked*: Emerald and Granite Rapids, which it does not
//! know; their rows say what Sapphire Rapids' does, as later lists are said to. None was counted on such a CPU.

use std::path::Path;

use super::facts::cpuinfo;

/// A raw event of the core's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawEvent {
    /// As perf's list of the generation names it.
    pub(super) name: &'static str,
    /// Umask and event code, as the kernel's `format/` of the core's counters places them.
    pub(super) config: u64,
}

/// Events of one generation of cores.
#[derive(Clone, Copy, Debug)]
struct Generation {
    name: &'static str,
    /// perf's lists that have its events.
    lists: &'static str,
    /// Models of Intel's family 6.
    models: &'static [u32],
    /// The other core has the same last-level cache, or is on the same package.
    lcl: RawEvent,
    /// The other core is on another socket. Client parts have none.
    rmt: Option<RawEvent>,
}

const fn raw(name: &'static str, event: u64, umask: u64) -> RawEvent {
    RawEvent { name, config: umask << 8 | event }
}

const XSNP_HITM: RawEvent = raw("MEM_LOAD_L3_HIT_RETIRED.XSNP_HITM", 0xd2, 0x04);
/// Its later name, under the same code: a line that the other core forwards counts even when it is clean
/// (so Tiger Lake's list). For servers from Skylake on, perf's own metrics (`tma_contested_accesses`) split both
/// names between modified and clean lines: the count is a bound from above.
const XSNP_FWD: RawEvent = raw("MEM_LOAD_L3_HIT_RETIRED.XSNP_FWD", 0xd2, 0x04);
const REMOTE_HITM: RawEvent = raw("MEM_LOAD_L3_MISS_RETIRED.REMOTE_HITM", 0xd3, 0x04);

const GENERATIONS: [Generation; 8] = [
    Generation {
        name: "Skylake client to Comet Lake",
        lists: "skylake",
        models: &[0x4e, 0x5e, 0x8e, 0x9e, 0xa5, 0xa6],
        lcl: XSNP_HITM,
        rmt: None,
    },
    Generation {
        name: "Skylake server to Cooper Lake",
        lists: "skylakex, cascadelakex",
        models: &[0x55],
        lcl: XSNP_HITM,
        rmt: Some(REMOTE_HITM),
    },
    Generation {
        name: "Ice Lake client, Rocket Lake",
        lists: "icelake",
        models: &[0x7d, 0x7e, 0xa7],
        lcl: XSNP_HITM,
        rmt: None,
    },
    Generation {
        name: "Ice Lake server",
        lists: "icelakex",
        models: &[0x6a, 0x6c],
        lcl: XSNP_FWD,
        rmt: Some(REMOTE_HITM),
    },
    Generation {
        name: "Tiger Lake",
        lists: "tigerlake",
        models: &[0x8c, 0x8d],
        lcl: XSNP_FWD,
        rmt: None,
    },
    Generation {
        name: "Sapphire Rapids",
        lists: "sapphirerapids",
        models: &[0x8f],
        lcl: XSNP_FWD,
        rmt: Some(REMOTE_HITM),
    },
    // Not checked, like the next one.
    Generation {
        name: "Emerald Rapids",
        lists: "emeraldrapids",
        models: &[0xcf],
        lcl: XSNP_FWD,
        rmt: Some(REMOTE_HITM),
    },
    Generation {
        name: "Granite Rapids",
        lists: "graniterapids",
        models: &[0xad, 0xae],
        lcl: XSNP_FWD,
        rmt: Some(REMOTE_HITM),
    },
];

/// A CPU as `/proc/cpuinfo` numbers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CpuModel {
    vendor: String,
    family: u32,
    model: u32,
}

/// Where the modified line was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Distance {
    Lcl,
    Rmt,
}

impl CpuModel {
    /// The model of the host whose file system this is.
    pub(super) fn of(root: &Path) -> Result<Self, String> {
        let number = |key: &str| {
            let text = cpuinfo(root, key)?;
            text.parse().map_err(|_| format!("/proc/cpuinfo says `{text}` for `{key}`"))
        };
        Ok(Self {
            vendor: cpuinfo(root, "vendor_id")?,
            family: number("cpu family")?,
            model: number("model")?,
        })
    }

    /// The event that counts HITM at a distance, or why there is none.
    pub(super) fn hitm(&self, distance: Distance) -> Result<RawEvent, String> {
        let Self { vendor, family, model } = self;
        if vendor == "AuthenticAMD" {
            return Err("AMD's cores count fills from another cache (ls_any_fills_from_sys), \
                        modified or clean, and none of them HITM alone"
                .into());
        }
        let known =
            |g: &&Generation| vendor == "GenuineIntel" && *family == 6 && g.models.contains(model);
        let Some(generation) = GENERATIONS.iter().find(known) else {
            return Err(format!(
                "this CPU model's HITM event is not known here: {vendor} family {family} model \
                 {model:#x}; `perf list` may name it (xsnp_fwd, xsnp_hitm, remote_hitm)"
            ));
        };
        match distance {
            Distance::Lcl => Ok(generation.lcl),
            Distance::Rmt => generation.rmt.ok_or_else(|| {
                format!(
                    "{} has no such event (perf's list: {}); it is made for one socket",
                    generation.name, generation.lists
                )
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    fn intel(model: u32) -> CpuModel {
        CpuModel { vendor: "GenuineIntel".into(), family: 6, model }
    }

    #[test]
    fn tdx_hosts_count_both_distances_by_the_codes_of_perfs_lists() {
        for model in [0x6a, 0x6c, 0x8f, 0xcf, 0xad, 0xae] {
            let lcl = intel(model).hitm(Distance::Lcl).expect("listed");
            assert_eq!(lcl.name, "MEM_LOAD_L3_HIT_RETIRED.XSNP_FWD");
            assert_eq!(lcl.config, 0x04d2);
            let rmt = intel(model).hitm(Distance::Rmt).expect("listed");
            assert_eq!((rmt.name, rmt.config), ("MEM_LOAD_L3_MISS_RETIRED.REMOTE_HITM", 0x04d3));
        }
    }

    #[test]
    fn the_same_code_has_its_old_name_on_skylake() {
        let lcl = intel(0x55).hitm(Distance::Lcl).expect("listed");
        assert_eq!((lcl.name, lcl.config), ("MEM_LOAD_L3_HIT_RETIRED.XSNP_HITM", 0x04d2));
    }

    #[test]
    fn a_client_part_counts_no_other_socket() {
        assert!(intel(0x9e).hitm(Distance::Lcl).is_ok());
        let why = intel(0x9e).hitm(Distance::Rmt).expect_err("one socket");
        assert!(why.contains("one socket"), "{why}");
    }

    #[test]
    fn an_unknown_model_and_an_amd_core_have_a_reason_and_no_event() {
        // Sierra Forest: another core, other events.
        let why = intel(0xaf).hitm(Distance::Lcl).expect_err("not listed");
        assert!(why.contains("not known here: GenuineIntel family 6 model 0xaf"), "{why}");
        let later = CpuModel { family: 19, ..intel(0x8f) };
        assert!(later.hitm(Distance::Lcl).is_err(), "a model is one of its family only");
        let amd = CpuModel { vendor: "AuthenticAMD".into(), family: 25, model: 0x11 };
        assert!(amd.hitm(Distance::Rmt).expect_err("no such event").contains("modified or clean"));
    }

    #[test]
    fn no_model_is_of_two_generations() {
        let models: Vec<_> = GENERATIONS.iter().flat_map(|g| g.models).collect();
        let once: BTreeSet<_> = models.iter().collect();
        assert_eq!(models.len(), once.len());
    }

    #[test]
    fn the_model_is_read_apart_from_the_models_name() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir(root.path().join("proc")).expect("made");
        let text =
            "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel name\t: Xeon\nmodel\t\t: 143\n";
        fs::write(root.path().join("proc/cpuinfo"), text).expect("written");
        assert_eq!(CpuModel::of(root.path()), Ok(intel(0x8f)));
        fs::write(root.path().join("proc/cpuinfo"), "vendor_id\t: x\n").expect("written");
        assert!(CpuModel::of(root.path()).expect_err("no numbers").contains("cpu family"));
    }
}
