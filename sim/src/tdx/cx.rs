//! The context of one leaf in execution: every access to the module's memory, the locks it holds, and
//! how it ends.
//!
//! Each locked instruction is counted, because the RMW count of a leaf is a published property of it
//! (tdx-module.md section 3). Locks stay held until the leaf ends and are released in reverse order;
//! a leaf that fails half-way simply returns.

use std::cell::{Cell, RefCell};

use arrayvec::ArrayVec;
use pamt_strategies::module::{Operand, Status, StatusName};
use pamt_strategies::platform::{Ordering, Platform, Words};
use pamt_strategies::units::{CpuId, Cycles, Pfn};

use super::cost::Draw;
use super::layout::Half;
use super::locks::sharex_hp::GuestBusy;
use super::locks::{Word16, WrongRelease, mutex, sept_entry, sharex, sharex_hp};
use super::memory::Object;
use super::module::Module;
use super::sept::EntryAt;
use super::trace::{Access, LockEvent, Trace};

/// Most locks that one leaf holds (DEMOTE: 16).
const MOST_HELD: usize = 20;

/// A fatal error of the module: it shuts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fatal {
    /// What was found.
    pub(super) what: &'static str,
    /// On which page, where there is one.
    pub(super) pfn: Option<Pfn>,
    /// The value that proves it.
    pub(super) value: u64,
}

/// Why a leaf ended before its last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// With a status.
    Status(Status),
    /// With a fatal error.
    Fatal(Fatal),
    /// Not the module's doing: the model has no free record left of this kind.
    Full(&'static str),
}

/// Outcome of a step.
pub(super) type Step<T = ()> = Result<T, Exit>;

/// Ends a leaf with a status that blames an operand.
pub(super) fn fail<T>(name: StatusName, operand: Operand) -> Step<T> {
    Err(Exit::Status(Status::with(name, operand)))
}

/// Ends a leaf with a status whose lower half holds other details.
pub(super) fn fail_with<T>(name: StatusName, details: u32) -> Step<T> {
    Err(Exit::Status(Status::with(name, Operand(details))))
}

/// Ends a leaf with a fatal error.
pub(super) fn fatal<T>(what: &'static str, pfn: Option<Pfn>, value: u64) -> Step<T> {
    Err(Exit::Fatal(Fatal { what, pfn, value }))
}

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// With other readers.
    Shared,
    /// Alone.
    Exclusive,
}

/// What kind of lock a word holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockType {
    /// See [`super::locks::mutex`].
    Mutex,
    /// See [`super::locks::sharex`].
    Sharex,
    /// See [`super::locks::sharex_hp`].
    SharexHp,
    /// See [`super::locks::sept_entry`].
    SeptEntry,
}

/// Where a lock lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LockAt {
    pub(super) kind: LockType,
    pub(super) object: Object,
    pub(super) at: Half,
}

impl LockAt {
    pub(super) const fn new(kind: LockType, object: Object, base: usize, half: Half) -> Self {
        Self { kind, object, at: Half { word: base + half.word, half: half.half } }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    lock: LockAt,
    mode: Mode,
}

/// One leaf in execution on one CPU.
pub(super) struct Cx<'a, P: Platform> {
    pub(super) module: &'a Module<P>,
    pub(super) cpu: &'a P::Cpu,
    /// The CPU in whose place the leaf runs: another one's, when that one does it for the caller.
    pub(super) on: CpuId,
    rmw: Cell<u32>,
    /// In the order in which they were taken.
    held: RefCell<ArrayVec<Held, MOST_HELD>>,
    trace: Option<&'a dyn Trace>,
}

/// A 16-bit lock word of the module, as the lock's transitions see it.
pub(super) struct LockWord<'c, 'a, P: Platform> {
    cx: &'c Cx<'a, P>,
    object: Object,
    at: Half,
}

// What nearly every transition does is compiled into it, down to the switch to another simulated CPU: a way
// back through several functions is one that the host foresees wrongly after a switch.
impl<P: Platform> Word16 for LockWord<'_, '_, P> {
    #[inline(always)]
    fn cas(&self, current: u16, new: u16) -> Result<u16, u16> {
        self.cx.cas16(self.object, self.at, current, new)
    }
    #[inline(always)]
    fn xadd(&self, value: u16) -> u16 {
        self.cx.xadd16(self.object, self.at, value)
    }
    fn or(&self, value: u16) -> u16 {
        let words = self.cx.locked(self.object, self.at.word);
        words.fetch_or_u16_at(self.cx.cpu, self.at.word, self.at.half, value, Ordering::AcqRel)
    }
    #[inline(always)]
    fn and(&self, value: u16) -> u16 {
        self.cx.and16(self.object, self.at, value)
    }
    fn swap(&self, value: u16) -> u16 {
        let words = self.cx.locked(self.object, self.at.word);
        words.swap_u16_at(self.cx.cpu, self.at.word, self.at.half, value, Ordering::AcqRel)
    }
}

impl<P: Platform> sept_entry::Entry for LockWord<'_, '_, P> {
    fn bts(&self, bit: u32) -> bool {
        self.cx.bts(self.object, self.at.word, bit)
    }
    fn btr(&self, bit: u32) -> bool {
        self.cx.btr(self.object, self.at.word, bit)
    }
    fn load(&self) -> u64 {
        self.cx.load(self.object, self.at.word)
    }
}

impl<'a, P: Platform> Cx<'a, P> {
    pub(super) fn new(
        module: &'a Module<P>,
        cpu: &'a P::Cpu,
        trace: Option<&'a dyn Trace>,
    ) -> Self {
        let held = RefCell::new(ArrayVec::new());
        let on = P::cpu(cpu);
        Self { module, cpu, on, rmw: Cell::new(0), held, trace }
    }

    /// In the place of another CPU.
    pub(super) fn in_place_of(self, on: CpuId) -> Self {
        Self { on, ..self }
    }

    /// Locked instructions so far.
    pub(super) fn rmw(&self) -> u32 {
        self.rmw.get()
    }

    /// Spends a time drawn from a cost.
    pub(super) fn spend(&self, cost: Draw) {
        P::work(self.cpu, cost.draw::<P>(self.cpu));
    }

    /// Spends a cost several times over.
    pub(super) fn spend_times(&self, cost: Draw, times: u64) {
        P::work(self.cpu, Cycles(times * cost.draw::<P>(self.cpu).0));
    }

    /// The array of an object, for a plain access to word `i`.
    pub(super) fn words(&self, object: Object, i: usize) -> &'a P::Words<u64> {
        if let Some(trace) = self.trace {
            trace.access(Access { object, word: i, locked: false });
        }
        self.module.words(object)
    }

    /// The same for a locked instruction.
    fn locked(&self, object: Object, i: usize) -> &'a P::Words<u64> {
        self.rmw.set(self.rmw.get() + 1);
        if let Some(trace) = self.trace {
            trace.access(Access { object, word: i, locked: true });
        }
        self.module.words(object)
    }

    pub(super) fn load(&self, object: Object, i: usize) -> u64 {
        self.words(object, i).load(self.cpu, i, Ordering::Acquire)
    }

    pub(super) fn load16(&self, object: Object, base: usize, at: Half) -> u16 {
        (self.load(object, base + at.word) >> (16 * at.half)) as u16
    }

    pub(super) fn store(&self, object: Object, i: usize, value: u64) {
        self.words(object, i).store(self.cpu, i, value, Ordering::Release);
    }

    pub(super) fn store16(&self, object: Object, base: usize, at: Half, value: u16) {
        let i = base + at.word;
        self.words(object, i).store_u16_at(self.cpu, i, at.half, value, Ordering::Release);
    }

    pub(super) fn cas(&self, object: Object, i: usize, current: u64, new: u64) -> Result<u64, u64> {
        let words = self.locked(object, i);
        words.compare_exchange(self.cpu, i, current, new, Ordering::AcqRel, Ordering::Acquire)
    }

    pub(super) fn xadd(&self, object: Object, i: usize, value: u64) -> u64 {
        self.locked(object, i).fetch_add(self.cpu, i, value, Ordering::AcqRel)
    }

    #[inline(always)]
    pub(super) fn xadd16(&self, object: Object, at: Half, value: u16) -> u16 {
        let words = self.locked(object, at.word);
        words.fetch_add_u16_at(self.cpu, at.word, at.half, value, Ordering::AcqRel)
    }

    /// LOCK XADD on a 16-bit field of a record.
    pub(super) fn add16(&self, object: Object, base: usize, at: Half, value: u16) -> u16 {
        self.xadd16(object, Half { word: base + at.word, half: at.half }, value)
    }

    #[inline(always)]
    pub(super) fn cas16(
        &self,
        object: Object,
        at: Half,
        current: u16,
        new: u16,
    ) -> Result<u16, u16> {
        let words = self.locked(object, at.word);
        words.compare_exchange_u16_at(self.cpu, at.word, at.half, current, new, Ordering::AcqRel)
    }

    #[inline(always)]
    pub(super) fn and16(&self, object: Object, at: Half, value: u16) -> u16 {
        let words = self.locked(object, at.word);
        words.fetch_and_u16_at(self.cpu, at.word, at.half, value, Ordering::AcqRel)
    }

    pub(super) fn bts(&self, object: Object, i: usize, bit: u32) -> bool {
        self.locked(object, i).bts(self.cpu, i, bit, Ordering::AcqRel)
    }

    pub(super) fn btr(&self, object: Object, i: usize, bit: u32) -> bool {
        self.locked(object, i).btr(self.cpu, i, bit, Ordering::AcqRel)
    }

    /// LOCK CMPXCHG16B over the 16 bytes at word `i`.
    pub(super) fn touch_16b(&self, object: Object, i: usize) {
        self.locked(object, i).touch_16b(self.cpu, i);
    }

    pub(super) fn lock_word(&self, lock: LockAt) -> LockWord<'_, 'a, P> {
        LockWord { cx: self, object: lock.object, at: lock.at }
    }

    fn note(&self, lock: LockAt, mode: Mode, event: LockEvent) {
        if let Some(trace) = self.trace {
            let byte = 8 * lock.at.word + 2 * lock.at.half as usize;
            trace.lock(lock.object, byte, mode, event);
        }
    }

    /// Tries to take a lock; a failure ends the leaf with OPERAND_BUSY on `operand`.
    pub(super) fn acquire(&self, lock: LockAt, mode: Mode, operand: Operand) -> Step {
        let word = self.lock_word(lock);
        let taken = match (lock.kind, mode) {
            (LockType::Mutex, _) => mutex::acquire(&word),
            (LockType::Sharex, Mode::Shared) => sharex::acquire_shared(&word),
            (LockType::Sharex, Mode::Exclusive) => sharex::acquire_exclusive(&word),
            (LockType::SharexHp, Mode::Shared) => sharex_hp::acquire_shared(&word),
            (LockType::SharexHp, Mode::Exclusive) => sharex_hp::acquire_exclusive(&word),
            (LockType::SeptEntry, _) => sept_entry::acquire(&word),
        };
        if !taken {
            self.note(lock, mode, LockEvent::Busy);
            return fail(StatusName::OperandBusy, operand);
        }
        self.note(lock, mode, LockEvent::Acquired);
        self.push(Held { lock, mode });
        Ok(())
    }

    /// Tries to take the lock of a Secure EPT entry for a guest.
    pub(super) fn acquire_entry_as_guest(&self, entry: EntryAt) -> Result<(), GuestBusy> {
        let lock = entry.lock();
        let taken = sept_entry::acquire_guest(&self.lock_word(lock));
        let event = if taken.is_ok() { LockEvent::Acquired } else { LockEvent::Busy };
        self.note(lock, Mode::Exclusive, event);
        if taken.is_ok() {
            self.push(Held { lock, mode: Mode::Exclusive });
        }
        taken
    }

    /// Takes a lock into the books that was acquired by other means.
    pub(super) fn adopt(&self, lock: LockAt, mode: Mode) {
        self.push(Held { lock, mode });
    }

    fn push(&self, held: Held) {
        self.held.borrow_mut().push(held);
    }

    /// Turns the shared hold taken last into an exclusive one; on failure it is dropped and the leaf
    /// ends with OPERAND_BUSY.
    pub(super) fn promote_last(&self, operand: Operand) -> Step {
        let last = self.held.borrow().last().copied();
        let Some(Held { lock, mode: Mode::Shared }) = last else {
            let held = self.held.borrow().len();
            return fatal("promotion without a shared hold", None, held as u64);
        };
        if !sharex_hp::promote(&self.lock_word(lock)) {
            self.note(lock, Mode::Exclusive, LockEvent::Busy);
            return fail(StatusName::OperandBusy, operand);
        }
        self.note(lock, Mode::Exclusive, LockEvent::Promoted);
        if let Some(last) = self.held.borrow_mut().last_mut() {
            last.mode = Mode::Exclusive;
        }
        Ok(())
    }

    /// Forgets a hold that the last store released.
    pub(super) fn forget(&self, lock: LockAt) {
        if self.take(lock).is_some() {
            self.note(lock, Mode::Exclusive, LockEvent::Released);
        }
    }

    /// Keeps a hold beyond the end of the leaf (VP.ENTER).
    pub(super) fn keep_all(&self) {
        self.held.borrow_mut().clear();
    }

    /// Releases one lock before the leaf ends.
    pub(super) fn release(&self, lock: LockAt) -> Step {
        match self.take(lock) {
            Some(held) => self.drop_hold(held),
            None => fatal("release of a lock that is not held", None, lock.at.word as u64),
        }
    }

    /// Takes a hold out of the books.
    fn take(&self, lock: LockAt) -> Option<Held> {
        let mut held = self.held.borrow_mut();
        let place = held.iter().rposition(|held| held.lock == lock)?;
        Some(held.remove(place))
    }

    /// Releases everything, last taken first.
    pub(super) fn release_all(&self) -> Step {
        loop {
            let Some(held) = self.held.borrow_mut().pop() else { return Ok(()) };
            self.drop_hold(held)?;
        }
    }

    fn drop_hold(&self, Held { lock, mode }: Held) -> Step {
        let word = self.lock_word(lock);
        if lock.object == Object::Pamt4k {
            self.check_pair_is_there(lock.at.word);
        }
        let released = match (lock.kind, mode) {
            (LockType::Mutex, _) => mutex::release(&word),
            (LockType::Sharex, Mode::Shared) => sharex::release_shared(&word),
            (LockType::Sharex, Mode::Exclusive) => sharex::release_exclusive(&word),
            (LockType::SharexHp, Mode::Shared) => sharex_hp::release_shared(&word),
            (LockType::SharexHp, Mode::Exclusive) => sharex_hp::release_exclusive(&word),
            (LockType::SeptEntry, _) => sept_entry::release(&word),
        };
        self.note(lock, mode, LockEvent::Released);
        released.or_else(|WrongRelease(word)| fatal("wrong release of a lock", None, word))
    }
}
