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
    /// [`TicketProp`](super::TicketProp).
    TicketProp,
    /// [`Clh`](super::Clh).
    Clh,
    /// [`VirtSpin`](super::VirtSpin).
    VirtSpin,
    /// [`Cna`](super::Cna).
    Cna,
    /// [`Cohort`](super::Cohort).
    Cohort,
    /// [`Shfl`](super::Shfl).
    Shfl,
    /// [`Osq`](super::Osq).
    Osq,
    /// [`Refcount`](super::Refcount).
    Refcount,
    /// [`Lockref`](super::Lockref).
    Lockref,
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
    /// One holder at a time; the reference counts are none.
    pub exclusive: bool,
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
        exclusive: true,
        fifo: false,
        origin: "lockhammer swap_mutex",
    },
    LockInfo {
        id: LockKindId::Ttas,
        name: "ttas",
        aliases: &[],
        summary: "read until free, then XCHG, with random exponential backoff",
        exclusive: true,
        fifo: false,
        origin: "libslock src/ttas.c",
    },
    LockInfo {
        id: LockKindId::Ticket,
        name: "ticket",
        aliases: &["ticket_spinlock"],
        summary: "draw a number, wait until it is served; both counters in one word",
        exclusive: true,
        fifo: true,
        origin: "Linux before 4.2; lockhammer ticket_spinlock",
    },
    LockInfo {
        id: LockKindId::Mcs,
        name: "mcs",
        aliases: &[],
        summary: "queue of nodes, each waiter spins on a line of its own",
        exclusive: true,
        fifo: true,
        origin: "Mellor-Crummey and Scott 1991",
    },
    LockInfo {
        id: LockKindId::QSpinLock,
        name: "qspinlock",
        aliases: &["spin", "queued_spinlock"],
        summary: "Linux' spin_lock: pending bit, then an MCS queue of per-CPU nodes",
        exclusive: true,
        fifo: true,
        origin: "Linux kernel/locking/qspinlock.c",
    },
    LockInfo {
        id: LockKindId::Bit,
        name: "bit",
        aliases: &["bit_spinlock"],
        summary: "one bit of a data word; no memory of its own",
        exclusive: true,
        fifo: false,
        origin: "Linux include/linux/bit_spinlock.h",
    },
    LockInfo {
        id: LockKindId::TicketProp,
        name: "ticket-prop",
        aliases: &[],
        summary: "ticket lock whose waiters back off in proportion to their distance",
        exclusive: true,
        fifo: true,
        origin: "libslock src/ticket.c",
    },
    LockInfo {
        id: LockKindId::Clh,
        name: "clh",
        aliases: &[],
        summary: "queue in which each waiter spins on its predecessor's node",
        exclusive: true,
        fifo: true,
        origin: "Craig 1993; Landin and Hagersten 1994",
    },
    LockInfo {
        id: LockKindId::VirtSpin,
        name: "virt-spin",
        aliases: &[],
        summary: "spin_lock in a guest without paravirtual locks: read until free, then CAS",
        exclusive: true,
        fifo: false,
        origin: "Linux arch/x86/include/asm/qspinlock.h, virt_spin_lock()",
    },
    LockInfo {
        id: LockKindId::Cna,
        name: "cna",
        aliases: &[],
        summary: "qspinlock that serves waiters of the holder's node first, for at most 10 ms",
        exclusive: true,
        fifo: false,
        origin: "Alex Kogan and Dave Dice, EuroSys 2019; Linux patches v13",
    },
    LockInfo {
        id: LockKindId::Cohort,
        name: "cohort",
        aliases: &[],
        summary: "a queue for each node under a global lock (C-BO-MCS)",
        exclusive: true,
        fifo: false,
        origin: "Dice, Marathe and Shavit, PPoPP 2012; LiTL include/cbomcs.h",
    },
    LockInfo {
        id: LockKindId::Shfl,
        name: "shfl",
        aliases: &["shfllock"],
        summary: "stealable word, and a queue whose waiters sort themselves by node",
        exclusive: true,
        fifo: false,
        origin: "Kashyap, Calciu, Cheng, Min and Kim, SOSP 2019; ulocks/src/aqs.c",
    },
    LockInfo {
        id: LockKindId::Osq,
        name: "osq",
        aliases: &["osq_lock"],
        summary: "Linux' optimistic spin queue, without leaving it",
        exclusive: true,
        fifo: true,
        origin: "Linux kernel/locking/osq_lock.c; lockhammer osq_lock",
    },
    LockInfo {
        id: LockKindId::Refcount,
        name: "refcount",
        aliases: &["incdec_refcount"],
        summary: "no lock: LOCK XADD up, LOCK XADD down",
        exclusive: false,
        fifo: false,
        origin: "lockhammer incdec_refcount",
    },
    LockInfo {
        id: LockKindId::Lockref,
        name: "lockref",
        aliases: &["cas_lockref"],
        summary: "no lock: CAS loop up, CAS loop down",
        exclusive: false,
        fifo: false,
        origin: "Linux lib/lockref.c; lockhammer cas_lockref",
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
