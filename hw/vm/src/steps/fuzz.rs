//! Hostile userspace: 100,000 calls with random commands, sizes, pointers, flags and structures, from
//! several threads on several files, while other threads close the files and try to unload the helper.
//! The guest must survive, the module's books must balance, and (checked by the last step) the log
//! must be clean.

use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pamt_hw::Device;
use pamt_hw::abi;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};

use crate::system::{self, Emulator, Helper, Outcome, ensure, text};

const CALLS: u64 = 100_000;
const THREADS: u64 = 4;
const FILES: usize = 3;
/// Words that are scribbled into: more than any argument of the ABI.
const WORDS: usize = 64;
/// What lies behind them, zeroed: room for the largest output that a call can have (the events of a
/// script, 1.5 MiB) wherever among the words it starts.
const ROOM: usize = 512 * 1024;

/// A call whose number and argument are anything.
struct Anything {
    opcode: Opcode,
    argument: *mut c_void,
}

// SAFETY: the helper is what is under test: it must not trust any number or pointer. Pointers are to
// `arena`, which outlives the call, or to nothing that is mapped, or to memory that no one writes.
unsafe impl Ioctl for Anything {
    type Output = ();
    const IS_MUTATING: bool = true;
    fn opcode(&self) -> Opcode {
        self.opcode
    }
    fn as_ptr(&mut self) -> *mut c_void {
        self.argument
    }
    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 32) % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

const COMMANDS: [u32; 7] = [
    abi::IOC_PROBE,
    abi::IOC_ALLOC,
    abi::IOC_FREE,
    abi::IOC_LEAF,
    abi::IOC_BATCH,
    abi::IOC_RUN,
    abi::IOC_SCRIPT,
];

/// Known commands most of the time; else ones with another size, direction or number.
fn opcode(random: &mut Random) -> Opcode {
    let known = random.pick(&COMMANDS);
    match random.below(10) {
        0 => random.next() as Opcode,
        1 => (known ^ 1 << (random.below(30) as u32)) as Opcode,
        _ => known as Opcode,
    }
}

/// A 32-bit field: mostly small, so that some calls get past the checks.
fn field(random: &mut Random) -> u64 {
    match random.below(8) {
        0 => random.next() & 0xffff_ffff,
        1 => random.pick(&[abi::PAMT_ADD, abi::PAMT_REMOVE, abi::PAGE_RDMD, abi::SYS_RD]).into(),
        2 => random.below(1024),
        3..=5 => 0,
        _ => random.below(8),
    }
}

/// Fills the arena with fields, and with pointers into itself or into nowhere.
fn scribble(random: &mut Random, arena: &mut [u64]) {
    let base = arena.as_mut_ptr() as u64;
    let bytes = size_of_val(arena) as u64;
    for word in arena.iter_mut() {
        *word = match random.below(6) {
            0 => base + random.below(bytes),
            1 => random.pick(&[0, 1, u64::MAX, 0xffff_8880_0000_0000, 0xffff_ffff_8100_0000]),
            _ => field(random) | field(random) << 32,
        };
    }
}

fn pointer(random: &mut Random, arena: &mut [u64]) -> *mut c_void {
    let bad = [0, 8, usize::MAX, 0xffff_ffff_8100_0000, 0x7fff_ffff_f000];
    match random.below(12) {
        0 => random.pick(&bad) as *mut c_void,
        // Misaligned.
        1 => arena.as_mut_ptr().wrapping_byte_add(random.below(63) as usize).cast(),
        _ => arena.as_mut_ptr().cast(),
    }
}

/// Calls until the quota is used up.
fn attack(seed: u64, files: &[Mutex<Option<Device>>], calls: &AtomicU64) -> u64 {
    let mut random = Random(seed);
    let mut arena = vec![0_u64; WORDS + ROOM];
    let mut accepted = 0;
    while calls.fetch_add(1, Ordering::Relaxed) < CALLS {
        let file = random.pick(&[0, 1, 2]) % FILES;
        scribble(&mut random, &mut arena[..WORDS]);
        let argument = pointer(&mut random, &mut arena);
        let call = Anything { opcode: opcode(&mut random), argument };
        // A duplicate of the descriptor, so that the file may be closed during the call.
        let duplicate = {
            let guard = files[file].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            guard.as_ref().and_then(|device| rustix::io::dup(device).ok())
        };
        let Some(descriptor) = duplicate else { continue };
        // SAFETY: see the impl of `Ioctl`: whatever the helper writes, it writes to the arena, or the
        // kernel refuses the address.
        accepted += u64::from(unsafe { ioctl(descriptor, call) }.is_ok());
    }
    accepted
}

/// Closes and reopens the files, and tries to unload the helper, until told to stop.
fn disturb(files: &[Mutex<Option<Device>>], stop: &AtomicBool) -> u64 {
    let mut random = Random(99);
    let mut refused = 0;
    while !stop.load(Ordering::Acquire) {
        let file = random.below(FILES as u64) as usize;
        {
            let mut slot = files[file].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            *slot = None;
            *slot = Device::open().ok();
        }
        // The file that `hostile_calls` keeps open makes this fail every time.
        refused += u64::from(system::unload(Helper::NAME).is_err());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    refused
}

/// The attack.
pub(super) fn hostile_calls() -> Outcome {
    let _helper = Helper::load()?;
    let emulator = Emulator::load(&[])?;
    let keep = Device::open().map_err(text)?;
    let files: Vec<_> = (0..FILES).map(|_| Mutex::new(Device::open().ok())).collect();
    let (calls, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (accepted, refused) = std::thread::scope(|scope| {
        let (files, calls, stop) = (&files, &calls, &stop);
        let disturber = scope.spawn(move || disturb(files, stop));
        let spawn = |n| scope.spawn(move || attack(0x9e37_79b9 + n, files, calls));
        let attackers: Vec<_> = (0..THREADS).map(spawn).collect();
        let accepted: u64 = attackers.into_iter().map(|t| t.join().unwrap_or(0)).sum();
        stop.store(true, Ordering::Release);
        (accepted, disturber.join().unwrap_or(0))
    });
    drop(files);
    ensure!(refused > 0, "no unload was tried");
    ensure!(accepted > CALLS / 100, "only {accepted} calls got past the checks");
    let probe = keep.probe().map_err(text)?;
    ensure!(probe.flags & abi::F_MODULE != 0, "the module does not answer any more");
    drop(keep);
    emulator.audit()?;
    let reached = emulator.read("calls")?;
    Ok(format!(
        "{CALLS} calls, {accepted} accepted, {reached} SEAMCALLs, {refused} unloads refused"
    ))
}
