//! Four threads make ADD and REMOVE pairs on shared regions, each in its own ioctl.
//!
//! Whoever adds a pair owns it and removes it; the others' ADDs of that region find it busy or taken.
//! Backing pages lie in the neighbour's target region, so that ADDs also collide there. Every status
//! that the module's rules do not allow is a wrong result, and so is a pair that comes back different.

use std::sync::atomic::{AtomicU64, Ordering};

use pamt_hw::Device;
use pamt_hw::abi::{Leaf, Page};
use pamt_strategies::module::{Operand, Status, StatusName};

use crate::system::{Emulator, Helper, Outcome, ensure, text};

const THREADS: u32 = 4;
const PAIRS: u32 = 20_000;
const REGIONS: u32 = 2;

#[derive(Default)]
struct Counts {
    busy: AtomicU64,
    taken: AtomicU64,
}

fn busy_on(status: Status, operands: &[Operand]) -> bool {
    status.is(StatusName::OperandBusy) && operands.contains(&status.operand())
}

/// Until one ADD succeeds.
fn add(device: &Device, counts: &Counts, region: u32, pair: [Page; 2]) -> Result<(), String> {
    loop {
        let mut leaf = Leaf::add(region, pair);
        device.leaf(&mut leaf).map_err(text)?;
        let status = Status(leaf.status);
        if status == Status::SUCCESS {
            return Ok(());
        } else if busy_on(status, &[Operand::RCX, Operand::RDX, Operand::R8]) {
            counts.busy.fetch_add(1, Ordering::Relaxed);
        } else if status == Status::with(StatusName::HpaRangeNotFree, Operand::RCX) {
            counts.taken.fetch_add(1, Ordering::Relaxed);
        } else {
            return Err(format!("ADD of region {region}: {status}"));
        }
        std::thread::yield_now();
    }
}

/// Until the REMOVE of an owned pair succeeds.
fn remove(device: &Device, counts: &Counts, region: u32) -> Result<[Page; 2], String> {
    loop {
        let mut leaf = Leaf::remove(region);
        device.leaf(&mut leaf).map_err(text)?;
        let status = Status(leaf.status);
        if status == Status::SUCCESS {
            return Ok(leaf.pair);
        }
        ensure!(busy_on(status, &[Operand::RCX]), "REMOVE of region {region}: {status}");
        counts.busy.fetch_add(1, Ordering::Relaxed);
        std::thread::yield_now();
    }
}

fn worker(device: &Device, counts: &Counts, thread: u32) -> Result<(), String> {
    for n in 0..PAIRS {
        let region = (thread + n) % REGIONS;
        let neighbour = (region + 1) % REGIONS;
        let pair = [Page::new(neighbour, 2 * thread), Page::new(neighbour, 2 * thread + 1)];
        add(device, counts, region, pair)?;
        let back = remove(device, counts, region)?;
        ensure!(back == pair, "region {region} returned {back:?} instead of {pair:?}");
    }
    Ok(())
}

/// The storm.
pub(super) fn four_threads() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&[])?;
    let device = Device::open().map_err(text)?;
    device.alloc(REGIONS).map_err(text)?;
    let counts = Counts::default();
    std::thread::scope(|scope| {
        let spawn = |thread| {
            let (device, counts) = (&device, &counts);
            scope.spawn(move || worker(device, counts, thread))
        };
        let threads: Vec<_> = (0..THREADS).map(spawn).collect();
        threads.into_iter().try_for_each(|t| t.join().map_err(|_| "panicked".to_owned())?)
    })?;
    emulator.audit()?;
    let (busy, taken) = (counts.busy.into_inner(), counts.taken.into_inner());
    ensure!(busy > 0, "no call met BUSY: nothing collided");
    Ok(format!("{} pairs, {busy} BUSY, {taken} taken", THREADS * PAIRS))
}
