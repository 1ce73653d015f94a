//! What there is to know of each lock without building it: one line a lock.

/// Which lock algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LockKindId {
    /// [`Tas`](super::Tas).
    Tas,
    /// [`Ttas`](super::Ttas).
    Ttas,
    /// [`Ticket`](super::Ticket).
    Ticket,
    /// [`Mcs`](super::Mcs).
    Mcs,
    /// [`QSpinLock`](super::QSpinLock).
    QSpinLock,
    /// [`BitLock`](super::BitLock).
    Bit,
}

/// A lock, as `list locks` shows it.
#[derive(Debug)]
pub struct LockInfo {
    /// Which.
    pub id: LockKindId,
    /// Name in specs and results.
    pub name: &'static str,
    /// Other names that are understood.
    pub aliases: &'static [&'static str],
    /// One line.
    pub summary: &'static str,
    /// Served in order of arrival.
    pub fifo: bool,
    /// Where the algorithm comes from.
    pub origin: &'static str,
}

/// All locks.
pub static LOCKS: &[LockInfo] = &[
    LockInfo {
        id: LockKindId::Tas,
        name: "tas",
        aliases: &["swap_mutex"],
        summary: "test-and-set: XCHG until it is free, no backoff",
        fifo: false,
        origin: "lockhammer swap_mutex",
    },
    LockInfo {
        id: LockKindId::Ttas,
        name: "ttas",
        aliases: &[],
        summary: "read until free, then XCHG, with random exponential backoff",
        fifo: false,
        origin: "libslock src/ttas.c",
    },
    LockInfo {
        id: LockKindId::Ticket,
        name: "ticket",
        aliases: &["ticket_spinlock"],
        summary: "draw a number, wait until it is served; both counters in one word",
        fifo: true,
        origin: "Linux before 4.2; lockhammer ticket_spinlock",
    },
    LockInfo {
        id: LockKindId::Mcs,
        name: "mcs",
        aliases: &[],
        summary: "queue of nodes, each waiter spins on a line of its own",
        fifo: true,
        origin: "Mellor-Crummey and Scott 1991",
    },
    LockInfo {
        id: LockKindId::QSpinLock,
        name: "qspinlock",
        aliases: &["spin", "queued_spinlock"],
        summary: "Linux' spin_lock: pending bit, then an MCS queue of per-CPU nodes",
        fifo: true,
        origin: "Linux kernel/locking/qspinlock.c",
    },
    LockInfo {
        id: LockKindId::Bit,
        name: "bit",
        aliases: &["bit_spinlock"],
        summary: "one bit of a data word; no memory of its own",
        fifo: false,
        origin: "Linux include/linux/bit_spinlock.h",
    },
];

impl LockKindId {
    /// What is known of it.
    #[must_use]
    pub fn info(self) -> &'static LockInfo {
        // The registry test holds the table to one row a variant.
        LOCKS.iter().find(|lock| lock.id == self).unwrap_or(&LOCKS[0])
    }

    /// The lock of a name or alias.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        let known = |lock: &&LockInfo| lock.name == name || lock.aliases.contains(&name);
        LOCKS.iter().find(known).map(|lock| lock.id)
    }
}
