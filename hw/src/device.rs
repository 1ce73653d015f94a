//! The helper's device: one method an ioctl.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::ioctl::{Getter, NoArg, Opcode, Setter, Updater, ioctl};

use crate::abi;
use crate::probe::DEVICE_PATH;
use crate::twin::Twin;

/// Why the helper could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The node could not be opened.
    #[error("cannot open {path}: {source}; `pamt-bench hw probe` says what to do")]
    Open {
        /// The node.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Helper and driver are of different builds.
    #[error(
        "the loaded pamt_hw speaks ABI version {found}, this program {expected}: rebuild and \
         reload hw/kernel/helper",
        expected = abi::VERSION
    )]
    Version {
        /// Version of the helper.
        found: u32,
    },
    /// A call was refused.
    #[error("the helper refused {what}: {errno}{}", hint(*errno))]
    Refused {
        /// What was asked, in words.
        what: &'static str,
        /// Why.
        errno: Errno,
    },
}

/// An ioctl number in the type of rustix's back end, which another crate of the build may change.
const fn number(ioctl: u32) -> Opcode {
    ioctl as Opcode
}

fn hint(errno: Errno) -> &'static str {
    match errno {
        Errno::NOSPC => " (more regions than the helper may hold: reload it with max_regions=N)",
        Errno::NOMEM => " (no free 2 MiB chunks: ask for fewer, or free and compact memory)",
        Errno::BUSY => " (a region still carries a pair: free the regions first)",
        _ => "",
    }
}

fn refused(what: &'static str) -> impl FnOnce(Errno) -> DeviceError {
    move |errno| DeviceError::Refused { what, errno }
}

/// An open helper device. Regions belong to it and are freed, pairs first, when it is dropped.
#[derive(Debug)]
pub struct Device {
    file: File,
}

impl Device {
    /// Opens [`DEVICE_PATH`] and checks the ABI version.
    ///
    /// # Errors
    /// No node, no permission, or another ABI version.
    pub fn open() -> Result<Self, DeviceError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(Path::new(DEVICE_PATH))
            .map_err(|source| DeviceError::Open { path: DEVICE_PATH.to_owned(), source })?;
        let device = Self { file };
        let found = device.probe()?.abi_version;
        if found == abi::VERSION { Ok(device) } else { Err(DeviceError::Version { found }) }
    }

    /// What the machine and the module are.
    ///
    /// # Errors
    /// The call was refused.
    pub fn probe(&self) -> Result<abi::Probe, DeviceError> {
        // SAFETY: IOC_PROBE writes exactly one `abi::Probe`, whose layout the build checks.
        let result =
            unsafe { ioctl(&self.file, Getter::<{ number(abi::IOC_PROBE) }, abi::Probe>::new()) };
        result.map_err(refused("a probe"))
    }

    /// Allocates `count` regions of 2 MiB on any node; returns the index of the first.
    ///
    /// # Errors
    /// More than the helper may hold, or not enough memory in 2 MiB chunks.
    pub fn alloc(&self, count: u32) -> Result<u32, DeviceError> {
        let mut arg = abi::Alloc { count, flags: 0, node: -1, first: 0, total: 0, reserved: 0 };
        // SAFETY: IOC_ALLOC reads and writes exactly one `abi::Alloc`.
        let result = unsafe {
            ioctl(&self.file, Updater::<{ number(abi::IOC_ALLOC) }, abi::Alloc>::new(&mut arg))
        };
        result.map_err(refused("an allocation"))?;
        Ok(arg.first)
    }

    /// Takes back all pairs and frees all regions.
    ///
    /// # Errors
    /// The call was refused.
    pub fn free(&self) -> Result<(), DeviceError> {
        // SAFETY: IOC_FREE has no argument.
        let result = unsafe { ioctl(&self.file, NoArg::<{ number(abi::IOC_FREE) }>::new()) };
        result.map_err(refused("to free the regions"))
    }

    /// Executes one leaf; its results are in `leaf` afterwards.
    ///
    /// # Errors
    /// The leaf is not allowed, or an operand is outside the regions. A status of the module is not
    /// an error here.
    pub fn leaf(&self, leaf: &mut abi::Leaf) -> Result<(), DeviceError> {
        // SAFETY: IOC_LEAF reads and writes exactly one `abi::Leaf`.
        let result = unsafe {
            ioctl(&self.file, Updater::<{ number(abi::IOC_LEAF) }, abi::Leaf>::new(leaf))
        };
        result.map_err(refused("a SEAMCALL"))
    }

    /// Executes several leaves in one call; returns how many were executed.
    ///
    /// # Errors
    /// As [`Device::leaf`], for the first that is refused; also more than [`abi::BATCH_MAX`].
    pub fn batch(&self, leaves: &mut [abi::Leaf], stop: bool) -> Result<usize, DeviceError> {
        let count = u32::try_from(leaves.len()).map_err(|_| refused("a batch")(Errno::INVAL))?;
        let flags = if stop { abi::BATCH_STOP } else { 0 };
        let entries = leaves.as_mut_ptr() as u64;
        let mut arg = abi::Batch { entries, count, flags, done: 0, reserved: 0 };
        // SAFETY: IOC_BATCH reads and writes one `abi::Batch` and the `count` leaves at `entries`,
        // which are borrowed mutably for the length of the call.
        let result = unsafe {
            ioctl(&self.file, Updater::<{ number(abi::IOC_BATCH) }, abi::Batch>::new(&mut arg))
        };
        result.map_err(refused("a batch"))?;
        Ok(arg.done as usize)
    }

    /// Runs a C twin on kernel threads bound to `cpus`.
    ///
    /// # Errors
    /// An argument is out of range, a CPU is not online, or a region still carries a pair.
    pub fn run(&self, run: &InKernelRun<'_>) -> Result<Box<abi::RunResult>, DeviceError> {
        let mut result = Box::new(abi::RunResult::empty());
        let threads = u32::try_from(run.cpus.len()).map_err(|_| refused("a run")(Errno::INVAL))?;
        let arg = abi::Run {
            strategy: run.twin.strategy,
            stripes: run.twin.stripes,
            threads,
            depth: run.depth,
            regions: run.regions,
            backing: run.backing,
            ops: run.ops,
            max_ms: 0,
            seed: run.seed,
            result: core::ptr::from_mut(&mut *result) as u64,
            cpus: run.cpus.as_ptr() as u64,
            flags: run.twin.flags(),
            retries: run.twin.retries,
            park: run.twin.park,
            reserved: 0,
        };
        // SAFETY: IOC_RUN reads one `abi::Run`, reads `threads` words at `cpus` and writes one
        // `abi::RunResult` at `result`; both live until the call returns.
        let done =
            unsafe { ioctl(&self.file, Setter::<{ number(abi::IOC_RUN) }, abi::Run>::new(arg)) };
        done.map_err(refused("an in-kernel run"))?;
        Ok(result)
    }

    /// Runs `ops` one after the other with a C twin; returns every SEAMCALL and every outcome.
    ///
    /// # Errors
    /// As [`Device::run`]; also a put of a region whose refcount is 0.
    pub fn script(
        &self,
        twin: Twin,
        regions: u32,
        backing: u32,
        ops: &[abi::Op],
    ) -> Result<Vec<abi::Event>, DeviceError> {
        let op_count = u32::try_from(ops.len()).map_err(|_| refused("a script")(Errno::INVAL))?;
        // An operation has one end, and one SEAMCALL or, with retries, more.
        let event_capacity = abi::SCRIPT_MAX;
        let nothing = abi::Event { leaf: 0, region: 0, status: 0, refcount: 0, reserved: 0 };
        let mut events = vec![nothing; event_capacity as usize];
        let mut arg = abi::Script {
            strategy: twin.strategy,
            stripes: twin.stripes,
            regions,
            backing,
            ops: ops.as_ptr() as u64,
            events: events.as_mut_ptr() as u64,
            op_count,
            event_capacity,
            event_count: 0,
            flags: twin.flags(),
            retries: twin.retries,
            park: twin.park,
        };
        // SAFETY: IOC_SCRIPT reads and writes one `abi::Script`, reads `op_count` operations at
        // `ops` and writes at most `event_capacity` events at `events`; both outlive the call.
        let result = unsafe {
            ioctl(&self.file, Updater::<{ number(abi::IOC_SCRIPT) }, abi::Script>::new(&mut arg))
        };
        result.map_err(refused("a script"))?;
        events.truncate(arg.event_count as usize);
        Ok(events)
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// What an in-kernel run does.
#[derive(Clone, Copy, Debug)]
pub struct InKernelRun<'a> {
    /// Which strategy.
    pub twin: Twin,
    /// CPU of each kernel thread.
    pub cpus: &'a [u32],
    /// References that a thread holds at once, 1 to [`abi::MAX_DEPTH`].
    pub depth: u32,
    /// Targets: regions 0 to `regions - 1` of the device.
    pub regions: u32,
    /// Backing pages come from this many regions after the targets.
    pub backing: u32,
    /// Gets a thread.
    pub ops: u32,
    /// Seed of the choice of regions.
    pub seed: u64,
}

impl abi::RunResult {
    /// All 0.
    #[must_use]
    pub const fn empty() -> Self {
        let nothing = abi::Histogram::empty();
        Self {
            get: nothing,
            put: nothing,
            add: nothing,
            remove: nothing,
            busy_add: [0; abi::BUSY_SLOTS],
            busy_remove: [0; abi::BUSY_SLOTS],
            failed_get: 0,
            failed_put: 0,
            missing_pair: 0,
            left_refcounts: 0,
            left_pairs: 0,
            lost_pages: 0,
            pairs_added: 0,
            pairs_removed: 0,
            elapsed: 0,
            last_error: 0,
        }
    }

    /// Every way in which the books do not balance, as sentences; empty when they do.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        let claims = [
            (self.missing_pair, "times a held region had no pair"),
            (self.left_refcounts, "references are left at the end"),
            (self.left_pairs, "pairs are left with the module at the end"),
            (self.lost_pages, "backing pages are lost"),
            (self.failed_put, "puts failed"),
        ];
        claims
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect()
    }
}
