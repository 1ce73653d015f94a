//! A profile's costs, converted once to whole cycles of its clock.
//!
//! # Latency and occupancy
//! A coherence transaction travels to the line's home, keeps the line for its *occupancy*, and travels
//! back: latency = inbound + occupancy + outbound. Only the occupancy serialises, so a contended line
//! serves a LOCK operation every `rmw_occupancy_ns` while each of them takes the full latency (perfbook
//! count_atomic on Skylake-SP: 22 ns an operation at 28 cores, against 47 ns of ping-pong). The travel
//! time of a distance is what a transfer for ownership has beyond that occupancy; the same travel time
//! holds for the other transactions over that distance, and the rest of their latency is occupancy.
//!
//! A loop of LOCK operations shows what they occupy when they follow each other at once. One of a core
//! that comes back to the line later keeps it longer, by `isolated_extra` (lockhammer on Skylake-SP:
//! 48.5 ns a pair of additions 200 ns apart, 44 ns a pair of adjacent ones). Its latency is no other: the
//! published transfers between two cores are of operations that follow each other at once.
//!
//! A measured compare-and-swap ping-pong contains the LOCK operation itself, which the model charges
//! apart; it is subtracted here.

use pamt_strategies::units::Clock;

use super::profile::{Profile, ProfileError};
use super::topology::Distance;

/// One transaction on a line, in cycles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Transfer {
    /// To the home.
    pub(super) inbound: u64,
    /// The line serves nobody else.
    pub(super) occupancy: u64,
    /// Back to the core.
    pub(super) outbound: u64,
}

impl Transfer {
    /// What an isolated transaction takes.
    pub(super) fn latency(self) -> u64 {
        self.inbound + self.occupancy + self.outbound
    }

    /// The same, of which the line is free `saving` sooner: the core waits as long.
    #[inline]
    pub(super) fn free_sooner(self, saving: u64) -> Self {
        let (occupancy, outbound) = (self.occupancy - saving, self.outbound + saving);
        Self { occupancy, outbound, ..self }
    }
}

/// Transfers by distance of the copy that answers; `Core` is unused.
type ByDistance = [Transfer; Distance::COUNT];

/// Costs in cycles.
#[derive(Clone, Debug)]
pub(super) struct Costs {
    pub(super) clock: Clock,
    pub(super) load: u64,
    pub(super) store: u64,
    pub(super) lock: u64,
    pub(super) pause: u64,
    pub(super) smt_factor: f64,
    pub(super) ipi: u64,
    pub(super) ipi_send: u64,
    pub(super) l1_lines: u64,
    pub(super) l2_lines: u64,
    pub(super) llc_lines: u64,
    pub(super) l2_hit: u64,
    pub(super) llc_hit: Transfer,
    /// Share of transfers before which the core that loses the line can do one operation more.
    pub(super) keep_share: f64,
    /// What a core saves of the occupancy that asks for a line again at once.
    pub(super) adjacent_saving: u64,
    /// How long after its last operation on a line that is: a transfer, sooner than it could be back.
    pub(super) at_once: u64,
    /// For ownership, from a core that has the line modified or exclusive.
    pub(super) own: ByDistance,
    /// What a line homed on another socket adds to a transfer inside a socket.
    pub(super) home_remote_extra: u64,
    /// Load of a modified line.
    pub(super) hitm: ByDistance,
    /// What a remote modified line homed on the reader's socket adds.
    pub(super) home_reader_extra: u64,
    /// Load of a clean line from another core.
    pub(super) forward: ByDistance,
    /// Invalidation of other copies, the farthest at this distance.
    pub(super) upgrade: ByDistance,
    /// From memory; `Socket` is the CPU's own socket.
    pub(super) dram: ByDistance,
    pub(super) bulk: BulkCosts,
}

/// Costs of bulk work, in cycles a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct BulkCosts {
    pub(super) direct_store: f64,
    pub(super) store: f64,
    pub(super) scan: f64,
    pub(super) flush: f64,
    /// Cycles that one line keeps the write server of its node busy.
    pub(super) node_write: f64,
}

/// Reads keys in ns as cycles.
struct Reader<'a> {
    profile: &'a Profile,
    clock: Clock,
}

impl Reader<'_> {
    fn raw(&self, key: &str) -> Result<f64, ProfileError> {
        Ok(self.profile.value(key)?.v)
    }

    fn ns(&self, key: &str) -> Result<u64, ProfileError> {
        Ok(self.clock.cycles(self.raw(key)?).0)
    }

    fn cycles(&self, key: &str) -> Result<u64, ProfileError> {
        Ok(self.raw(key)?.round() as u64)
    }

    fn lines(&self, key: &str) -> Result<u64, ProfileError> {
        Ok((self.raw(key)? * 1024.0 / 64.0) as u64)
    }

    /// `coherence.{what}_{distance}_ns` at the distances that the topology has, in ns as cycles.
    fn by_distance(&self, what: &str) -> Result<[u64; Distance::COUNT], ProfileError> {
        let topology = self.profile.topology();
        let mut out = [0; Distance::COUNT];
        for (distance, name) in Distance::ALL {
            let there = match distance {
                Distance::Core => false,
                Distance::Llc => true,
                Distance::Socket => topology.llcs_per_socket() > 1,
                Distance::Near => topology.sockets > topology.socket_groups,
                Distance::Far => topology.socket_groups > 1,
            };
            if there {
                out[distance as usize] = self.ns(&format!("{what}_{name}_ns"))?;
            }
        }
        Ok(out)
    }
}

/// Splits a latency into travel, as far as it goes, and occupancy of at least `floor`.
fn split(latency: u64, travel: u64, floor: u64) -> Transfer {
    let occupancy = latency.saturating_sub(travel).max(floor.min(latency));
    let travel = latency - occupancy;
    Transfer { inbound: travel / 2, occupancy, outbound: travel - travel / 2 }
}

impl Costs {
    pub(super) fn new(profile: &Profile) -> Result<Self, ProfileError> {
        let clock = profile.clock();
        let r = Reader { profile, clock };
        let lock = r.cycles("core.lock_cycles")?;
        let adjacent = r.ns("coherence.rmw_occupancy_ns")?;
        let extra = r.raw("coherence.isolated_extra")?;
        let occupancy = (adjacent as f64 * (1.0 + extra)).round() as u64;
        let shared = r.ns("coherence.shared_occupancy_ns")?;
        let c2c = r.by_distance("coherence.c2c")?;
        let own_latency = c2c.map(|c2c| c2c.saturating_sub(lock).max(occupancy));
        let travel = own_latency.map(|latency| latency - occupancy);
        let at = |latency: [u64; Distance::COUNT], floor: u64| -> ByDistance {
            std::array::from_fn(|d| split(latency[d], travel[d], floor))
        };
        let own = at(own_latency, occupancy);
        let many_llcs = profile.topology().llcs_per_socket() > 1;
        let many_sockets = profile.topology().sockets > profile.topology().socket_groups;
        let more = |there: bool, base: &str, other: &str| -> Result<u64, ProfileError> {
            if there { Ok(r.ns(other)?.saturating_sub(r.ns(base)?)) } else { Ok(0) }
        };
        let mut dram = [0; Distance::COUNT];
        dram[Distance::Socket as usize] = r.ns("memory.dram_local_ns")?;
        if many_sockets {
            dram[Distance::Near as usize] = r.ns("memory.dram_near_ns")?;
        }
        if profile.topology().socket_groups > 1 {
            dram[Distance::Far as usize] = r.ns("memory.dram_far_ns")?;
        }
        let line = |key: &str| -> Result<f64, ProfileError> { Ok(r.raw(key)? * clock.ghz()) };
        Ok(Self {
            clock,
            load: r.cycles("core.load_cycles")?,
            store: r.cycles("core.store_cycles")?,
            lock,
            pause: r.cycles("core.pause_cycles")?,
            smt_factor: r.raw("core.smt_factor")?,
            ipi: r.ns("core.ipi_ns")?,
            ipi_send: r.ns("core.ipi_send_ns")?,
            l1_lines: r.lines("core.l1_kib")?,
            l2_lines: r.lines("core.l2_kib")?,
            llc_lines: r.lines("cache.llc_kib")?,
            l2_hit: r.ns("core.l2_hit_ns")?,
            llc_hit: split(r.ns("cache.llc_hit_ns")?, travel[Distance::Llc as usize], shared),
            keep_share: r.raw("coherence.keep_share")?,
            adjacent_saving: occupancy - adjacent,
            at_once: own[Distance::Llc as usize].latency(),
            own,
            home_remote_extra: more(
                many_llcs,
                "coherence.c2c_socket_ns",
                "coherence.c2c_socket_home_remote_ns",
            )?,
            hitm: at(r.by_distance("coherence.hitm")?, occupancy),
            home_reader_extra: more(
                many_sockets,
                "coherence.hitm_near_ns",
                "coherence.hitm_near_home_reader_ns",
            )?,
            forward: at(r.by_distance("coherence.forward")?, shared),
            upgrade: at(r.by_distance("coherence.upgrade")?, occupancy),
            dram: at(dram, occupancy),
            bulk: BulkCosts {
                direct_store: line("memory.direct_store_line_ns")?,
                store: line("memory.store_line_ns")?,
                scan: line("memory.scan_line_ns")?,
                flush: line("memory.flush_line_ns")?,
                node_write: 64.0 / r.raw("memory.node_write_bytes_per_ns")? * clock.ghz(),
            },
        })
    }

    /// Rule 1: a transfer inside a socket goes by the home when last-level caches are several, and
    /// costs more when the home is another socket.
    #[inline]
    pub(super) fn inside_socket(
        &self,
        base: Transfer,
        distance: Distance,
        is_home: bool,
    ) -> Transfer {
        let extra = self.home_remote_extra;
        if distance != Distance::Socket || extra == 0 || is_home {
            return base;
        }
        let (inbound, outbound) = (base.inbound + extra / 2, base.outbound + extra - extra / 2);
        Transfer { inbound, outbound, ..base }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_and_occupancy_are_two_numbers() {
        let costs = Costs::new(&Profile::builtin("spr-2s").expect("built in")).expect("complete");
        let own = costs.own[Distance::Llc as usize];
        assert_eq!(own.latency() + costs.lock, costs.clock.cycles(81.0).0);
        assert_eq!(own.occupancy, costs.clock.cycles(31.0 * 1.102).0);
        assert_eq!(own.occupancy - costs.adjacent_saving, costs.clock.cycles(31.0).0);
        assert_eq!(costs.own[Distance::Near as usize].occupancy, own.occupancy);
        assert_eq!(costs.hitm[Distance::Llc as usize].latency(), costs.clock.cycles(81.0).0);
    }

    #[test]
    fn a_short_transaction_keeps_its_floor_of_occupancy() {
        assert_eq!(split(30, 50, 9), Transfer { inbound: 10, occupancy: 9, outbound: 11 });
        assert_eq!(split(100, 50, 9), Transfer { inbound: 25, occupancy: 50, outbound: 25 });
        assert_eq!(split(0, 50, 9), Transfer::default());
    }
}
