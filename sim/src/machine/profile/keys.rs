//! The keys of a profile: meaning, bounds, and when each is needed.
//!
//! One row a key. The unit is the last part of the key's name. Distances: `llc` (another core under the
//! same last-level cache), `socket` (another last-level cache of the socket), `near` (another socket of
//! the same group), `far` (a socket of another group).

use super::error::ProfileError;

/// When a key must be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// In every profile.
    Always,
    /// When a socket has several last-level caches.
    ManyLlcs,
    /// When there are several sockets.
    ManySockets,
    /// When the sockets form several groups.
    ManyGroups,
    /// Never: something else stands for it, as its meaning says.
    Optional,
}

/// What is known of one key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeySpec {
    /// `section.key`.
    pub key: &'static str,
    /// Lowest accepted value.
    pub lo: f64,
    /// Highest accepted value.
    pub hi: f64,
    /// When it must be given.
    pub needed: Needed,
    /// What it is.
    pub meaning: &'static str,
}

const fn key(
    key: &'static str,
    lo: f64,
    hi: f64,
    needed: Needed,
    meaning: &'static str,
) -> KeySpec {
    KeySpec { key, lo, hi, needed, meaning }
}

use Needed::{Always, ManyGroups, ManyLlcs, ManySockets, Optional};

/// Every key that a profile may have, by section.
pub fn keys() -> impl Iterator<Item = &'static KeySpec> {
    MACHINE.iter().chain(BENCH).chain(HOST).chain(TDX)
}

/// The host kernel's own work between memory accesses, locks and SEAMCALLs. A profile that gives none
/// takes those of `spr-2s`.
#[rustfmt::skip]
static HOST: &[KeySpec] = &[
    key("host.page_alloc_ns", 0.0, 10_000.0, Optional, "order-0 page from the list of the CPU"),
    key("host.page_free_ns", 0.0, 10_000.0, Optional, "order-0 page back to the list of the CPU"),
    key("host.zone_page_ns", 0.0, 10_000.0, Optional, "one page between list and buddy, under the zone lock"),
    key("host.list_op_ns", 0.0, 1000.0, Optional, "one page from or to a list that is at hand"),
    key("host.fault_work_ns", 0.0, 1e6, Optional, "KVM's part of a private fault, without guest_memfd, locks and SEAMCALLs"),
    key("host.gmem_page_ns", 0.0, 1e6, Optional, "guest_memfd's part of a new page, without allocating and clearing it"),
    key("host.page_work_ns", 0.0, 1e6, Optional, "KVM's work a reclaimed page, without RECLAIM, put, clear and free"),
    key("host.ipi_round_trip_ns", 0.0, 1e6, Optional, "interrupting the vCPUs of a TD and waiting until they have left the guest"),
    key("host.lock_debug_ns", 0.0, 10_000.0, Optional, "lock debugging, an acquisition and release; without it the kernel does not debug its locks"),
    key("host.partial_write_erratum", 0.0, 1.0, Optional, "1 where pages of TDs must be cleared by MOVDIR64B before the host uses them (SPR, EMR), else 0"),
];

/// What the loop of a lock benchmark costs beside the work that it is told to do: the calibration of the
/// instrument that measured a host's curves. A profile that gives none has a loop that costs nothing.
#[rustfmt::skip]
static BENCH: &[KeySpec] = &[
    key("bench.hold_ns", 0.0, 1000.0, Optional, "loop of the lock benchmark while the lock is held; 0 where it is not given"),
    key("bench.loop_ns", 0.0, 1000.0, Optional, "loop of the lock benchmark between release and acquire; 0 where it is not given"),
];

/// The TDX module's own work between memory accesses. A profile that gives none takes those of
/// `spr-2s`.
#[rustfmt::skip]
static TDX: &[KeySpec] = &[
    key("tdx.seamcall_ns", 1.0, 1e5, Optional, "SEAMCALL and SEAMRET with the dispatcher, without any leaf"),
    key("tdx.tdcall_ns", 1.0, 1e5, Optional, "TDCALL round trip inside a TD"),
    key("tdx.td_enter_exit_ns", 1.0, 1e5, Optional, "VP.ENTER and the exit that ends it, transition included"),
    key("tdx.map_hit_ns", 0.0, 1e4, Optional, "key-hole mapping of a page that the CPU has mapped"),
    key("tdx.map_miss_ns", 0.0, 1e4, Optional, "key-hole mapping of a new page: PTE write, INVLPG, TLB walk"),
    key("tdx.pamt_remove_loop_ns", 0.0, 1e5, Optional, "loop over 512 entries in PAMT.REMOVE, without fetching their lines"),
    key("tdx.rdseed_ns", 0.0, 1e5, Optional, "one 64-bit value from RDSEED"),
    key("tdx.sha384_block_ns", 0.0, 1e5, Optional, "one SHA-384 block of 128 bytes"),
    key("tdx.pconfig_ns", 0.0, 1e7, Optional, "PCONFIG of a random key on one package"),
    key("tdx.cache_wb_block_ns", 0.0, 1e8, Optional, "CACHE.WB of one of the 16 blocks of a package's cache"),
    key("tdx.vp_init_ns", 0.0, 1e6, Optional, "VMCS writes and field tables of VP.INIT"),
    key("tdx.mng_init_ns", 0.0, 1e6, Optional, "TD_PARAMS, CPUID tables and MSR bitmaps of MNG.INIT"),
    key("tdx.vp_flush_ns", 0.0, 1e6, Optional, "INVEPT and VMCLEAR of VP.FLUSH"),
    key("tdx.spread_frac", 0.0, 1.0, Optional, "half width of the triangular distribution of each of these costs, as a fraction of it"),
];

/// Core, caches, coherence and memory.
#[rustfmt::skip]
static MACHINE: &[KeySpec] = &[
    key("core.clock_ghz", 0.1, 10.0, Always, "clock of a core, and of the simulated world"),
    key("core.load_cycles", 1.0, 100.0, Always, "load that hits the core's own first-level cache"),
    key("core.store_cycles", 0.0, 100.0, Always, "plain store, as the CPU that issues it sees it"),
    key("core.lock_cycles", 1.0, 200.0, Always, "LOCK operation on a line that the core owns"),
    key("core.pause_cycles", 0.0, 1000.0, Always, "one PAUSE instruction"),
    key("core.l1_kib", 1.0, 1024.0, Always, "first-level data cache of a core"),
    key("core.l2_kib", 16.0, 65536.0, Always, "second-level cache of a core"),
    key("core.l2_hit_ns", 0.1, 100.0, Always, "load that hits the second-level cache"),
    key("core.smt_factor", 1.0, 4.0, Always, "how much longer core-bound work takes while the sibling runs too"),
    key("core.ipi_ns", 1.0, 1e6, Always, "from sending an interrupt to the target's being interrupted"),
    key("irq.tick_period_ns", 1e3, 1e9, Optional, "period of the timer tick of a CPU; these four: those of `spr-2s` when none is given"),
    key("irq.tick_ns", 0.0, 1e6, Optional, "what a tick takes from the code that it interrupts"),
    key("irq.gap_ns", 1e3, 1e12, Optional, "mean time between other interrupts of a CPU (devices, IPIs)"),
    key("irq.work_ns", 0.0, 1e7, Optional, "mean length of their handlers and softirqs"),
    key("core.ipi_send_ns", 0.0, 1e6, Always, "what sending one costs the sender"),
    key("cache.llc_kib", 64.0, 4_194_304.0, Always, "one last-level cache"),
    key("cache.llc_hit_ns", 0.5, 500.0, Always, "load that hits the last-level cache, no core snooped"),
    key("coherence.c2c_smt_ns", 0.5, 500.0, Optional, "compare-and-swap ping-pong of SMT siblings, one way; descriptive only: siblings share their caches in the model"),
    key("coherence.c2c_llc_ns", 1.0, 2000.0, Always, "compare-and-swap ping-pong of two cores under one last-level cache, one way"),
    key("coherence.c2c_socket_ns", 1.0, 2000.0, ManyLlcs, "the same across last-level caches of the socket that homes the line"),
    key("coherence.c2c_socket_home_remote_ns", 1.0, 2000.0, ManyLlcs, "the same when another socket homes the line"),
    key("coherence.c2c_near_ns", 1.0, 2000.0, ManySockets, "the same across sockets"),
    key("coherence.c2c_far_ns", 1.0, 5000.0, ManyGroups, "the same across groups of sockets"),
    key("coherence.hitm_llc_ns", 1.0, 2000.0, Always, "load of a line modified in another core, same last-level cache"),
    key("coherence.hitm_socket_ns", 1.0, 2000.0, ManyLlcs, "the same across last-level caches of the socket that homes the line"),
    key("coherence.hitm_socket_home_remote_ns", 1.0, 2000.0, ManyLlcs, "the same when another socket homes the line"),
    key("coherence.hitm_near_ns", 1.0, 2000.0, ManySockets, "load of a line modified in another socket, homed on the writer's"),
    key("coherence.hitm_near_home_reader_ns", 1.0, 2000.0, ManySockets, "the same, homed on the reader's socket"),
    key("coherence.hitm_far_ns", 1.0, 5000.0, ManyGroups, "the same across groups of sockets"),
    key("coherence.forward_llc_ns", 1.0, 2000.0, Always, "load of a clean line that another core forwards, same last-level cache"),
    key("coherence.forward_socket_ns", 1.0, 2000.0, ManyLlcs, "the same across last-level caches of a socket"),
    key("coherence.forward_near_ns", 1.0, 2000.0, ManySockets, "the same across sockets"),
    key("coherence.forward_far_ns", 1.0, 5000.0, ManyGroups, "the same across groups of sockets"),
    key("coherence.upgrade_llc_ns", 1.0, 2000.0, Always, "store to a line held shared, other copies under the same last-level cache"),
    key("coherence.upgrade_socket_ns", 1.0, 2000.0, ManyLlcs, "the same with a copy under another last-level cache of the socket"),
    key("coherence.upgrade_near_ns", 1.0, 5000.0, ManySockets, "the same with a copy in another socket"),
    key("coherence.upgrade_far_ns", 1.0, 5000.0, ManyGroups, "the same with a copy in another group of sockets"),
    key("coherence.rmw_occupancy_ns", 0.5, 500.0, Always, "time for which one contended LOCK operation in a loop of them keeps the others from the line"),
    key("coherence.isolated_extra", 0.0, 1.0, Always, "share of rmw_occupancy_ns by which an operation keeps the line longer whose core had not just lost it"),
    key("coherence.keep_share", 0.0, 1.0, Always, "share of transfers before which the core that loses the line can do one operation more at once"),
    key("coherence.shared_occupancy_ns", 0.1, 500.0, Always, "time for which one read of a shared clean line keeps the others from it"),
    key("memory.dram_local_ns", 1.0, 2000.0, Always, "load from the memory of the CPU's own socket"),
    key("memory.dram_near_ns", 1.0, 2000.0, ManySockets, "load from another socket's memory"),
    key("memory.dram_far_ns", 1.0, 5000.0, ManyGroups, "load from memory of another group of sockets"),
    key("memory.node_write_bytes_per_ns", 0.1, 10_000.0, Always, "what the memory of one node can write"),
    key("memory.direct_store_line_ns", 0.1, 1000.0, Always, "one MOVDIR64B in a run of them, unloaded"),
    key("memory.store_line_ns", 0.05, 1000.0, Always, "one line of a clear with ordinary stores"),
    key("memory.scan_line_ns", 0.05, 1000.0, Always, "one line of a sequential read from memory"),
    key("memory.flush_line_ns", 0.05, 1000.0, Always, "one CLFLUSHOPT of a dirty line in a run of them"),
];

/// Specification of a key.
pub(super) fn find(name: &str) -> Option<&'static KeySpec> {
    keys().find(|spec| spec.key == name)
}

/// A line that would be accepted for a key.
pub(super) fn example(spec: &KeySpec) -> String {
    let short = spec.key.rsplit('.').next().unwrap_or(spec.key);
    let middle = (spec.lo.max(0.5) * spec.hi.min(1e4)).sqrt().round();
    format!(
        "{short} = {{ v = {middle:.1}, kind = \"estimate\", range = [{:.1}, {:.1}], source = \"...\" }}",
        (middle / 2.0).max(spec.lo),
        (middle * 2.0).min(spec.hi),
    )
}

/// Meaning, range and example of a key, as the tail of a message.
pub(super) fn hint(name: &str) -> String {
    match find(name) {
        Some(spec) => format!(
            " ({}; accepted {} to {}); add for example: {}",
            spec.meaning,
            spec.lo,
            spec.hi,
            example(spec)
        ),
        None => String::new(),
    }
}

/// Accepts `v` for a key, or says why not.
pub(super) fn check(origin: &str, line: usize, name: &str, v: f64) -> Result<(), ProfileError> {
    let Some(spec) = find(name) else {
        return Err(unknown(origin, line, name));
    };
    if v.is_finite() && v >= spec.lo && v <= spec.hi {
        return Ok(());
    }
    Err(ProfileError::BadValue {
        origin: origin.to_owned(),
        line,
        key: name.to_owned(),
        problem: format!("is {v}, accepted is {} to {} ({})", spec.lo, spec.hi, spec.meaning),
        example: example(spec),
    })
}

pub(super) fn unknown(origin: &str, line: usize, name: &str) -> ProfileError {
    let nearest = nearest(name, keys().map(|spec| spec.key));
    ProfileError::UnknownKey {
        origin: origin.to_owned(),
        line,
        key: name.to_owned(),
        hint: nearest.map(|n| format!("; nearest: `{n}`")).unwrap_or_default(),
    }
}

/// The candidate with the smallest edit distance.
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates.min_by_key(|candidate| edit_distance(name, candidate))
}

/// Levenshtein distance, by the two-row recurrence.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_their_bounds_in_order() {
        let mut seen: Vec<_> = keys().map(|spec| spec.key).collect();
        seen.sort_unstable();
        let count = seen.len();
        seen.dedup();
        assert_eq!(seen.len(), count);
        assert!(keys().all(|spec| spec.lo <= spec.hi));
    }

    #[test]
    fn an_example_is_itself_acceptable() {
        for spec in keys() {
            let text = example(spec);
            let v: f64 = text
                .split("v = ")
                .nth(1)
                .and_then(|rest| rest.split(',').next())
                .and_then(|v| v.parse().ok())
                .expect("a number");
            assert!(v >= spec.lo && v <= spec.hi, "{}: {text}", spec.key);
        }
    }

    #[test]
    fn the_nearest_key_is_a_typo_away() {
        let error = unknown("x.toml", 3, "core.clock_gzh").to_string();
        assert!(error.contains("x.toml:3") && error.contains("core.clock_ghz"), "{error}");
    }
}
