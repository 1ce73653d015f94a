//! The ABI of `/dev/pamt_hw`, as `kernel/include/pamt_hw.h` defines it.
//!
//! The build script compiles this file too, and has the C compiler compare every size, offset and
//! constant with the header: a difference is a build error that names the field.

/// Version that this driver speaks.
pub const VERSION: u32 = 2;

macro_rules! layout {
    ($($(#[$doc:meta])* struct $name:ident = $c_name:literal {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
    })*) => {
        $(
            $(#[$doc])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
            }
        )*

        /// For each structure: its C name, its size, and each field's name, offset and size (bytes).
        pub const LAYOUT: &[(&str, usize, &[(&str, usize, usize)])] = &[
            $((
                $c_name,
                size_of::<$name>(),
                &[$((
                    stringify!($field),
                    core::mem::offset_of!($name, $field),
                    field_size(|s: &$name| &s.$field),
                ),)*],
            ),)*
        ];
    };
}

const fn field_size<S, F>(_: fn(&S) -> &F) -> usize {
    size_of::<F>()
}

layout! {
    /// What the helper found out about the machine and the module.
    struct Probe = "pamt_hw_probe" {
        /// Version that the helper speaks.
        abi_version: u32,
        /// Bits [`F_HYPERVISOR`] and following.
        flags: u32,
        /// Status of TDH.SYS.RD(TDX_FEATURES0).
        seamcall_status: u64,
        /// TDX_FEATURES0.
        features0: u64,
        /// Status of a PAMT.REMOVE of a region without a pair.
        dpamt_status: u64,
        /// Version of the module.
        module_major: u32,
        /// Version of the module.
        module_minor: u32,
        /// Version of the module.
        module_update: u32,
        /// Key ids that the BIOS set aside for TDX.
        tdx_key_ids: u32,
        /// Frequency of the TSC.
        tsc_khz: u32,
        /// Regions of 2 MiB that all open files may hold together.
        max_regions: u32,
        /// Regions that the module did not give back.
        pinned_regions: u32,
        /// CPUs.
        online_cpus: u32,
    }

    /// Allocates regions.
    struct Alloc = "pamt_hw_alloc" {
        /// How many.
        count: u32,
        /// 0.
        flags: u32,
        /// NUMA node, -1 for any.
        node: i32,
        /// Out: index of the first new one.
        first: u32,
        /// Out: regions of this file.
        total: u32,
        /// 0.
        reserved: u32,
    }

    /// A 4 KiB page of a region.
    struct Page = "pamt_hw_page" {
        /// Index of the region.
        region: u32,
        /// 0 to 511.
        page: u32,
    }

    /// One SEAMCALL.
    struct Leaf = "pamt_hw_leaf" {
        /// Leaf number.
        leaf: u32,
        /// 0.
        flags: u32,
        /// What it is for.
        target: Page,
        /// In for ADD, out for REMOVE and RDMD.
        pair: [Page; 2],
        /// RDMD: 0 is 4 KiB, 1 is 2 MiB, 2 is 1 GiB.
        level: u32,
        /// 0.
        reserved: u32,
        /// SYS.RD: the metadata field.
        field: u64,
        /// Out: RAX.
        status: u64,
        /// Out: RDMD's RCX or SYS.RD's R8.
        value: u64,
        /// Out: TSC just before the instruction.
        tsc_start: u64,
        /// Out: TSC just after it.
        tsc_end: u64,
    }

    /// Several SEAMCALLs.
    struct Batch = "pamt_hw_batch" {
        /// Pointer to [`Leaf`]s.
        entries: u64,
        /// How many.
        count: u32,
        /// 0 or [`BATCH_STOP`].
        flags: u32,
        /// Out: how many were executed.
        done: u32,
        /// 0.
        reserved: u32,
    }

    /// Latencies in TSC ticks.
    struct Histogram = "pamt_hw_histogram" {
        /// Number of values.
        count: u64,
        /// Their sum.
        sum: u64,
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
        /// Log-linear buckets, see [`Histogram::values`].
        bucket: [u64; BUCKETS],
    }

    /// What an in-kernel run found.
    struct RunResult = "pamt_hw_run_result" {
        /// Whole gets.
        get: Histogram,
        /// Whole puts.
        put: Histogram,
        /// PAMT.ADD alone.
        add: Histogram,
        /// PAMT.REMOVE alone.
        remove: Histogram,
        /// OPERAND_BUSY from PAMT.ADD, by operand: [`BUSY_RCX`] and following.
        busy_add: [u64; BUSY_SLOTS],
        /// OPERAND_BUSY from PAMT.REMOVE, likewise.
        busy_remove: [u64; BUSY_SLOTS],
        /// Gets that returned an error.
        failed_get: u64,
        /// Puts that returned an error.
        failed_put: u64,
        /// Times that a held region had no pair: violations.
        missing_pair: u64,
        /// Sum of all refcounts at the end.
        left_refcounts: u64,
        /// Pairs with the module at the end.
        left_pairs: u64,
        /// Backing pages that are neither free nor with the module at the end.
        lost_pages: u64,
        /// PAMT.ADDs that succeeded.
        pairs_added: u64,
        /// PAMT.REMOVEs that succeeded.
        pairs_removed: u64,
        /// TSC ticks from the start of the threads to the end of the last.
        elapsed: u64,
        /// Status of the last SEAMCALL that failed a get or put.
        last_error: u64,
    }

    /// An in-kernel run.
    struct Run = "pamt_hw_run" {
        /// Which C twin.
        strategy: u32,
        /// Locks, a power of two, where the strategy has several.
        stripes: u32,
        /// Kernel threads.
        threads: u32,
        /// References that each holds at once.
        depth: u32,
        /// Target regions, from 0.
        regions: u32,
        /// Regions after them that backing pages come from.
        backing: u32,
        /// Gets a thread.
        ops: u32,
        /// Limit in milliseconds.
        max_ms: u32,
        /// Seed of the choice of regions.
        seed: u64,
        /// Pointer to a [`RunResult`].
        result: u64,
        /// Pointer to the CPU number of each thread.
        cpus: u64,
        /// 0 or [`COVER`].
        flags: u32,
        /// How often a SEAMCALL that met BUSY is done again.
        retries: u32,
        /// Regions without a page whose pair a CPU keeps, where the strategy keeps any.
        park: u32,
        /// 0.
        reserved: u32,
    }

    /// One operation of a script.
    struct Op = "pamt_hw_op" {
        /// [`OP_GET`], [`OP_PUT`] or [`OP_QUIESCE`].
        op: u32,
        /// Its region.
        region: u32,
    }

    /// What a script did.
    struct Event = "pamt_hw_event" {
        /// A SEAMCALL's leaf, or 0 for the end of an operation.
        leaf: u32,
        /// Its region.
        region: u32,
        /// Status of the SEAMCALL, or errno of the operation.
        status: u64,
        /// At the end of an operation: the region's refcount.
        refcount: u32,
        /// 0.
        reserved: u32,
    }

    /// A script run.
    struct Script = "pamt_hw_script" {
        /// Which C twin.
        strategy: u32,
        /// As in [`Run`].
        stripes: u32,
        /// As in [`Run`].
        regions: u32,
        /// As in [`Run`].
        backing: u32,
        /// Pointer to [`Op`]s.
        ops: u64,
        /// Pointer to space for [`Event`]s.
        events: u64,
        /// Number of operations.
        op_count: u32,
        /// Space for that many events.
        event_capacity: u32,
        /// Out: events written.
        event_count: u32,
        /// 0 or [`COVER`].
        flags: u32,
        /// As in [`Run`].
        retries: u32,
        /// As in [`Run`].
        park: u32,
    }
}

macro_rules! constants {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $value:expr, $c_name:literal;)*) => {
        $($(#[$doc])* pub const $name: $type = $value;)*

        /// Each constant's C name and value.
        pub const CONSTANTS: &[(&str, u64)] = &[
            ("PAMT_HW_ABI_VERSION", VERSION as u64),
            ("PAMT_HW_BUCKETS", BUCKETS as u64),
            ("PAMT_HW_BUSY_SLOTS", BUSY_SLOTS as u64),
            $(($c_name, $name as u64),)*
        ];
    };
}

/// Counters of BUSY: one for each operand that PAMT.ADD and PAMT.REMOVE blame, and one for any other.
pub const BUSY_SLOTS: usize = 4;

/// Buckets of a [`Histogram`].
pub const BUCKETS: usize = 1920;

constants! {
    /// The machine is a virtual machine.
    F_HYPERVISOR: u32 = 1 << 0, "PAMT_HW_F_HYPERVISOR";
    /// MOVDIR64B exists.
    F_MOVDIR64B: u32 = 1 << 1, "PAMT_HW_F_MOVDIR64B";
    /// The module answers.
    F_MODULE: u32 = 1 << 2, "PAMT_HW_F_MODULE";
    /// It supports Dynamic PAMT.
    F_DPAMT_FEATURE: u32 = 1 << 3, "PAMT_HW_F_DPAMT_FEATURE";
    /// The kernel switched Dynamic PAMT on.
    F_DPAMT_ON: u32 = 1 << 4, "PAMT_HW_F_DPAMT_ON";
    /// SEAM range registers exist.
    F_SEAMRR: u32 = 1 << 5, "PAMT_HW_F_SEAMRR";
    /// SEAMCALL raised #UD.
    SEAMCALL_UD: u64 = 0x8000_ff00_0000_0006, "PAMT_HW_SEAMCALL_UD";
    /// SEAMCALL raised #GP.
    SEAMCALL_GP: u64 = 0x8000_ff00_0000_000d, "PAMT_HW_SEAMCALL_GP";
    /// SEAMCALL set CF.
    SEAMCALL_VMFAIL: u64 = 0x8000_ff00_ffff_0000, "PAMT_HW_SEAMCALL_VMFAIL";
    /// TDH.PHYMEM.PAGE.RDMD.
    PAGE_RDMD: u32 = 24, "PAMT_HW_PAGE_RDMD";
    /// TDH.SYS.RD.
    SYS_RD: u32 = 34, "PAMT_HW_SYS_RD";
    /// TDH.PHYMEM.PAMT.ADD.
    PAMT_ADD: u32 = 58, "PAMT_HW_PAMT_ADD";
    /// TDH.PHYMEM.PAMT.REMOVE.
    PAMT_REMOVE: u32 = 59, "PAMT_HW_PAMT_REMOVE";
    /// A page outside the caller's regions.
    FOREIGN: u32 = u32::MAX, "PAMT_HW_FOREIGN";
    /// Entries of a batch.
    BATCH_MAX: u32 = 4096, "PAMT_HW_BATCH_MAX";
    /// Stop a batch after the first error status.
    BATCH_STOP: u32 = 1, "PAMT_HW_BATCH_STOP";
    /// C twin of `global`.
    GLOBAL: u32 = 0, "PAMT_HW_GLOBAL";
    /// C twin of `simple`.
    SIMPLE: u32 = 1, "PAMT_HW_SIMPLE";
    /// C twin of `striped`.
    STRIPED: u32 = 2, "PAMT_HW_STRIPED";
    /// C twin of `per-2m`.
    PER_2M: u32 = 3, "PAMT_HW_PER_2M";
    /// C twin of `parked`.
    PARKED: u32 = 4, "PAMT_HW_PARKED";
    /// Slot of BUSY on the target region.
    BUSY_RCX: usize = 0, "PAMT_HW_BUSY_RCX";
    /// Slot of BUSY on the region of the first backing page.
    BUSY_RDX: usize = 1, "PAMT_HW_BUSY_RDX";
    /// Slot of BUSY on the region of the second.
    BUSY_R8: usize = 2, "PAMT_HW_BUSY_R8";
    /// Slot of BUSY that blames anything else.
    BUSY_OTHER: usize = 3, "PAMT_HW_BUSY_OTHER";
    /// Regions without a page whose pair a CPU keeps.
    MAX_PARK: u32 = 64, "PAMT_HW_MAX_PARK";
    /// An ADD also holds the locks of its backing pages' regions.
    COVER: u32 = 1, "PAMT_HW_COVER";
    /// Retries of a SEAMCALL.
    MAX_RETRIES: u32 = 1_000_000, "PAMT_HW_MAX_RETRIES";
    /// Locks of a twin.
    MAX_STRIPES: u32 = 4096, "PAMT_HW_MAX_STRIPES";
    /// Threads of a run.
    MAX_THREADS: u32 = 512, "PAMT_HW_MAX_THREADS";
    /// Gets of a thread.
    MAX_OPS: u32 = 10_000_000, "PAMT_HW_MAX_OPS";
    /// References of a thread.
    MAX_DEPTH: u32 = 64, "PAMT_HW_MAX_DEPTH";
    /// Length of a run in milliseconds.
    MAX_RUN_MS: u32 = 60_000, "PAMT_HW_MAX_RUN_MS";
    /// Operations and events of a script.
    SCRIPT_MAX: u32 = 65_536, "PAMT_HW_SCRIPT_MAX";
    /// A get.
    OP_GET: u32 = 0, "PAMT_HW_OP_GET";
    /// A put.
    OP_PUT: u32 = 1, "PAMT_HW_OP_PUT";
    /// Removes what the strategy keeps for later.
    OP_QUIESCE: u32 = 2, "PAMT_HW_OP_QUIESCE";
    /// ioctl: [`Probe`].
    IOC_PROBE: u32 = ioc(READ, 0, size_of::<Probe>()), "PAMT_HW_IOC_PROBE";
    /// ioctl: [`Alloc`].
    IOC_ALLOC: u32 = ioc(READ | WRITE, 1, size_of::<Alloc>()), "PAMT_HW_IOC_ALLOC";
    /// ioctl: frees all regions.
    IOC_FREE: u32 = ioc(0, 2, 0), "PAMT_HW_IOC_FREE";
    /// ioctl: [`Leaf`].
    IOC_LEAF: u32 = ioc(READ | WRITE, 3, size_of::<Leaf>()), "PAMT_HW_IOC_LEAF";
    /// ioctl: [`Batch`].
    IOC_BATCH: u32 = ioc(READ | WRITE, 4, size_of::<Batch>()), "PAMT_HW_IOC_BATCH";
    /// ioctl: [`Run`].
    IOC_RUN: u32 = ioc(WRITE, 5, size_of::<Run>()), "PAMT_HW_IOC_RUN";
    /// ioctl: [`Script`].
    IOC_SCRIPT: u32 = ioc(READ | WRITE, 6, size_of::<Script>()), "PAMT_HW_IOC_SCRIPT";
}

const WRITE: u32 = 1;
const READ: u32 = 2;

/// An ioctl number: direction, size of the argument, type and number, as on x86.
const fn ioc(direction: u32, number: u32, bytes: usize) -> u32 {
    direction << 30 | (bytes as u32) << 16 | 0xb8 << 8 | number
}

impl Page {
    /// Page `page` of region `region`.
    #[must_use]
    pub const fn new(region: u32, page: u32) -> Self {
        Self { region, page }
    }
}

impl Leaf {
    /// A leaf on a target with all else 0.
    #[must_use]
    pub const fn new(leaf: u32, target: Page) -> Self {
        Self {
            leaf,
            flags: 0,
            target,
            pair: [Page::new(0, 0); 2],
            level: 0,
            reserved: 0,
            field: 0,
            status: 0,
            value: 0,
            tsc_start: 0,
            tsc_end: 0,
        }
    }

    /// TDH.PHYMEM.PAMT.ADD.
    #[must_use]
    pub const fn add(region: u32, pair: [Page; 2]) -> Self {
        Self { pair, ..Self::new(PAMT_ADD, Page::new(region, 0)) }
    }

    /// TDH.PHYMEM.PAMT.REMOVE.
    #[must_use]
    pub const fn remove(region: u32) -> Self {
        Self::new(PAMT_REMOVE, Page::new(region, 0))
    }

    /// TDH.PHYMEM.PAGE.RDMD at a level.
    #[must_use]
    pub const fn rdmd(target: Page, level: u32) -> Self {
        Self { level, ..Self::new(PAGE_RDMD, target) }
    }
}

impl Histogram {
    /// No value.
    #[must_use]
    pub const fn empty() -> Self {
        Self { count: 0, sum: 0, min: 0, max: 0, bucket: [0; BUCKETS] }
    }

    /// Each bucket that has values: the middle of its range in TSC ticks, and their number.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let filled = self.bucket.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(index, count)| (Self::middle(index), *count))
    }

    fn middle(index: usize) -> u64 {
        if index < 32 {
            return index as u64;
        }
        let exponent = index / 32 + 4;
        let step = 1_u64 << (exponent - 5);
        (1 << exponent) + (index % 32) as u64 * step + step / 2
    }
}
