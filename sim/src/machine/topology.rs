//! How the CPUs of a machine lie: sockets of dies of last-level caches of cores of threads.
//!
//! CPUs are numbered as Linux numbers them on servers: first every core's first thread, socket by
//! socket, then every core's second thread in the same order. Cores are numbered socket by socket, so
//! that the cores of a socket, of a die and of a last-level cache are contiguous.

use pamt_strategies::units::{CpuId, NodeId};

/// Most CPUs of a machine: ids take part in the event queue's keys.
pub const MAX_CPUS: usize = 1024;
/// Most cores of a machine: a set of cores is a few words.
pub const MAX_CORES: usize = 512;

/// Which cores share a last-level cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LlcScope {
    /// All of a socket (Intel).
    #[default]
    Socket,
    /// All of a die.
    Die,
    /// Those of a core complex (AMD).
    Ccx,
}

/// How the CPUs lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Sockets.
    pub sockets: u16,
    /// Groups of sockets that are nearer to each other than to the rest; divides the sockets.
    pub socket_groups: u16,
    /// Dies (tiles) in a socket.
    pub dies_per_socket: u16,
    /// Core complexes in a die.
    pub llcs_per_die: u16,
    /// Cores in a core complex.
    pub cores_per_llc: u16,
    /// Threads of a core.
    pub threads_per_core: u16,
    /// NUMA nodes of a socket; divides its cores.
    pub nodes_per_socket: u16,
    /// Which cores share a last-level cache.
    pub llc: LlcScope,
}

impl Default for Topology {
    /// One CPU.
    fn default() -> Self {
        Self {
            sockets: 1,
            socket_groups: 1,
            dies_per_socket: 1,
            llcs_per_die: 1,
            cores_per_llc: 1,
            threads_per_core: 1,
            nodes_per_socket: 1,
            llc: LlcScope::Socket,
        }
    }
}

/// Distance of two cores, as coherence sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Distance {
    /// The same core: its threads share the caches.
    Core,
    /// The same last-level cache.
    Llc,
    /// The same socket.
    Socket,
    /// Another socket of the group.
    Near,
    /// A socket of another group.
    Far,
}

impl Distance {
    /// Number of distances.
    pub const COUNT: usize = 5;
    /// All, nearest first, with their names.
    pub const ALL: [(Self, &'static str); Self::COUNT] = [
        (Self::Core, "core"),
        (Self::Llc, "llc"),
        (Self::Socket, "socket"),
        (Self::Near, "near"),
        (Self::Far, "far"),
    ];
}

/// Why a topology cannot be: the keys that contradict each other, the one to change first.
#[derive(Debug)]
pub(super) struct Unfit {
    pub(super) keys: &'static [&'static str],
    /// With the accepted range.
    pub(super) problem: String,
    /// A line that would be accepted.
    pub(super) example: String,
}

const CORE_COUNT: &[&str] =
    &["cores_per_llc", "threads_per_core", "llcs_per_die", "dies_per_socket", "sockets"];

impl Topology {
    /// `sockets` of `cores` with `threads` each, one last-level cache a socket.
    #[must_use]
    pub fn simple(sockets: u16, cores: u16, threads: u16) -> Self {
        Self { sockets, cores_per_llc: cores, threads_per_core: threads, ..Self::default() }
    }

    /// Says what is contradictory or beyond the limits.
    pub(super) fn check(&self) -> Result<(), Unfit> {
        let fail = |keys, problem: String, example: &str| {
            Err(Unfit { keys, problem, example: example.to_owned() })
        };
        let (sockets, cores) = (self.sockets, self.cores_per_socket());
        let few = "cores_per_llc = 56";
        if self.cores() > MAX_CORES {
            let problem = format!("{} cores, accepted is 1 to {MAX_CORES}", self.cores());
            return fail(CORE_COUNT, problem, few);
        }
        if self.cpus() > MAX_CPUS {
            let problem = format!("{} CPUs, accepted is 1 to {MAX_CPUS}", self.cpus());
            return fail(CORE_COUNT, problem, few);
        }
        if !sockets.is_multiple_of(self.socket_groups) {
            let problem = format!("accepted is a divisor of {sockets} sockets");
            return fail(&["socket_groups", "sockets"], problem, "socket_groups = 1");
        }
        if !cores.is_multiple_of(self.nodes_per_socket) {
            let problem = format!("accepted is a divisor of {cores} cores a socket");
            return fail(&["nodes_per_socket", "cores_per_llc"], problem, "nodes_per_socket = 1");
        }
        if self.llcs() > 64 {
            let problem = format!("{} last-level caches, accepted is 1 to 64", self.llcs());
            return fail(
                &["llcs_per_die", "dies_per_socket", "sockets"],
                problem,
                "llcs_per_die = 1",
            );
        }
        Ok(())
    }

    /// Cores of a socket.
    #[must_use]
    pub fn cores_per_socket(&self) -> u16 {
        self.dies_per_socket * self.llcs_per_die * self.cores_per_llc
    }

    /// Last-level caches of a socket.
    #[must_use]
    pub fn llcs_per_socket(&self) -> u16 {
        match self.llc {
            LlcScope::Socket => 1,
            LlcScope::Die => self.dies_per_socket,
            LlcScope::Ccx => self.dies_per_socket * self.llcs_per_die,
        }
    }

    /// Last-level caches.
    #[must_use]
    pub fn llcs(&self) -> usize {
        usize::from(self.sockets) * usize::from(self.llcs_per_socket())
    }

    /// Cores.
    #[must_use]
    pub fn cores(&self) -> usize {
        usize::from(self.sockets) * usize::from(self.cores_per_socket())
    }

    /// CPUs.
    #[must_use]
    pub fn cpus(&self) -> usize {
        self.cores() * usize::from(self.threads_per_core)
    }

    /// NUMA nodes.
    #[must_use]
    pub fn nodes(&self) -> usize {
        usize::from(self.sockets) * usize::from(self.nodes_per_socket)
    }

    /// Core of a CPU.
    #[must_use]
    pub fn core_of(&self, cpu: CpuId) -> u16 {
        (usize::from(cpu.0) % self.cores()) as u16
    }

    /// Which thread of its core a CPU is.
    #[must_use]
    pub fn thread_of(&self, cpu: CpuId) -> u16 {
        (usize::from(cpu.0) / self.cores()) as u16
    }

    /// The CPU that is thread `thread` of `core`.
    #[must_use]
    pub fn cpu_of(&self, core: u16, thread: u16) -> CpuId {
        CpuId(thread * self.cores() as u16 + core)
    }

    /// Socket of a core.
    #[must_use]
    pub fn socket_of(&self, core: u16) -> u16 {
        core / self.cores_per_socket()
    }

    /// Last-level cache of a core.
    #[must_use]
    pub fn llc_of(&self, core: u16) -> u16 {
        core / (self.cores_per_socket() / self.llcs_per_socket())
    }

    /// NUMA node of a core.
    #[must_use]
    pub fn node_of(&self, core: u16) -> NodeId {
        NodeId((core / (self.cores_per_socket() / self.nodes_per_socket)) as u8)
    }

    /// Socket of a NUMA node.
    #[must_use]
    pub fn socket_of_node(&self, node: NodeId) -> u16 {
        u16::from(node.0) / self.nodes_per_socket
    }

    /// Distance of two sockets: `Socket`, `Near` or `Far`.
    #[must_use]
    pub fn socket_distance(&self, a: u16, b: u16) -> Distance {
        let per_group = self.sockets / self.socket_groups;
        if a == b {
            Distance::Socket
        } else if a / per_group == b / per_group {
            Distance::Near
        } else {
            Distance::Far
        }
    }

    /// Distance of two cores.
    #[must_use]
    pub fn distance(&self, a: u16, b: u16) -> Distance {
        if a == b {
            Distance::Core
        } else if self.llc_of(a) == self.llc_of(b) {
            Distance::Llc
        } else {
            self.socket_distance(self.socket_of(a), self.socket_of(b))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_numbered_threads_last() {
        let t = Topology::simple(2, 56, 2);
        assert_eq!((t.cpus(), t.cores(), t.llcs()), (224, 112, 2));
        assert_eq!(t.core_of(CpuId(0)), t.core_of(CpuId(112)));
        assert_eq!(t.cpu_of(5, 1), CpuId(117));
        assert_eq!((t.socket_of(55), t.socket_of(56)), (0, 1));
        assert_eq!(t.node_of(111), NodeId(1));
    }

    #[test]
    fn distance_grows_from_complex_to_group() {
        let t = Topology {
            sockets: 4,
            socket_groups: 2,
            dies_per_socket: 2,
            llcs_per_die: 2,
            cores_per_llc: 2,
            threads_per_core: 2,
            nodes_per_socket: 2,
            llc: LlcScope::Ccx,
        };
        t.check().expect("consistent");
        assert_eq!(t.llcs(), 16);
        let distances: Vec<_> = [0, 1, 2, 8, 16].map(|core| t.distance(0, core)).into();
        use Distance::{Core, Far, Llc, Near, Socket};
        assert_eq!(distances, [Core, Llc, Socket, Near, Far]);
        assert_eq!(t.node_of(4), NodeId(1));
        assert_eq!(t.socket_of_node(NodeId(3)), 1);
    }

    #[test]
    fn a_topology_beyond_the_limits_is_refused() {
        assert!(Topology::simple(8, 128, 1).check().is_err());
        let t = Topology { nodes_per_socket: 4, ..Topology::simple(1, 6, 1) };
        assert!(t.check().expect_err("6 cores, 4 nodes").keys.contains(&"nodes_per_socket"));
    }
}
