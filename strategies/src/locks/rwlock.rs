//! Linux' queued read-write lock (`kernel/locking/qrwlock.c`): KVM's `mmu_lock`.
//!
//! Two words: *counts* (byte 0 the writer holds, bit 8 a writer waits, readers count from bit 9) and a
//! queued spin lock in which all who must wait line up. A reader adds itself with one XADD; if a
//! writer holds or waits, it takes itself off, queues, adds itself again and waits for the writer to
//! leave. A writer CASes 0 to *held*, or queues, announces itself and waits for the readers to leave.
//! Fair: who queues is served in order; readers outside the queue pass only while no writer waits.
//!
//! A pair of uncontended read lock and unlock is two LOCK'd RMWs on a line that all vCPUs of a TD
//! write.

use super::Held;
use super::RwLock;
use super::plan::{DebugCost, LockPlan, LockShared, Slots};
use super::qspinlock::QCore;
use super::spin::Attempt;
use crate::measure::{LockClass, LockClassId, LockKind, LockStep};
use crate::platform::{Ordering, Platform, Section, Until, Words};
use crate::units::Region;

const WRITER: u32 = 0xff;
const WAITING: u32 = 0x100;
const WRITER_OR_WAITING: u32 = 0x1ff;
const READER: u32 = 1 << 9;

/// The queued read-write lock.
pub struct QRwLock<P: Platform> {
    slots: Slots<P, u32>,
    queue: QCore<P>,
    class: LockClassId,
    instances: usize,
    section: Section,
    debug: DebugCost,
}

impl<P: Platform> QRwLock<P> {
    /// Allocates and registers the class that `plan` describes.
    pub fn new(build: &mut P::Build, plan: &LockPlan, shared: &LockShared<P>) -> Self {
        let slots: Slots<P, u32> = plan.slots(build, 2);
        let queue = QCore { words: slots.words.clone(), nodes: shared.qnodes.clone() };
        let (name, instances) = (plan.name.clone(), plan.instances);
        let class = P::lock_class(build, LockClass { name, kind: LockKind::Rwlock, instances });
        Self { slots, queue, class, instances, section: plan.section, debug: shared.debug }
    }

    /// Number of instances.
    #[must_use]
    pub fn instances(&self) -> usize {
        self.instances
    }

    /// Bytes of all instances.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.slots.bytes()
    }

    fn begin<'a>(&self, cpu: &'a P::Cpu, i: usize, shared: bool, region: Region) -> Attempt<'a, P> {
        P::enter(cpu, self.section);
        let attempt = Attempt::new(cpu, self.class, i, shared, region);
        attempt.report(LockStep::Request);
        self.debug.half::<P>(cpu);
        attempt
    }

    fn read_slow(&self, cpu: &P::Cpu, at: usize) {
        let counts = &self.slots.words;
        counts.fetch_sub(cpu, at, READER, Ordering::Relaxed);
        self.queue.lock(cpu, at + 1, &Attempt::uncounted(cpu));
        counts.fetch_add(cpu, at, READER, Ordering::Relaxed);
        let left = Until::bits_eq(u64::from(WRITER), 0);
        counts.spin_until(cpu, at, left, Ordering::Acquire);
        self.queue.unlock(cpu, at + 1);
    }

    fn write_slow(&self, cpu: &P::Cpu, at: usize) {
        let counts = &self.slots.words;
        let order = (Ordering::Acquire, Ordering::Relaxed);
        self.queue.lock(cpu, at + 1, &Attempt::uncounted(cpu));
        let free = counts.load(cpu, at, Ordering::Relaxed) == 0
            && counts.compare_exchange(cpu, at, 0, WRITER, order.0, order.1).is_ok();
        if !free {
            counts.fetch_or(cpu, at, WAITING, Ordering::Relaxed);
            let alone = Until::eq(u64::from(WAITING));
            loop {
                counts.spin_until(cpu, at, alone, Ordering::Relaxed);
                let won = counts.compare_exchange(cpu, at, WAITING, WRITER, order.0, order.1);
                if won.is_ok() {
                    break;
                }
            }
        }
        self.queue.unlock(cpu, at + 1);
    }
}

impl<P: Platform> RwLock<P> for QRwLock<P> {
    fn read(&self, cpu: &P::Cpu, i: usize, region: Region) -> Held {
        let attempt = self.begin(cpu, i, true, region);
        let at = self.slots.at(i);
        let seen = self.slots.words.fetch_add(cpu, at, READER, Ordering::Acquire);
        if seen & WRITER_OR_WAITING != 0 {
            attempt.contended(true);
            self.read_slow(cpu, at);
        }
        attempt.report(LockStep::Acquired);
        Held { instance: i as u32, region, node: 0 }
    }

    fn read_unlock(&self, cpu: &P::Cpu, held: Held) {
        let i = held.instance();
        self.debug.half::<P>(cpu);
        Attempt::<P>::new(cpu, self.class, i, true, held.region).report(LockStep::Released);
        self.slots.words.fetch_sub(cpu, self.slots.at(i), READER, Ordering::Release);
        P::leave(cpu, self.section);
    }

    fn write(&self, cpu: &P::Cpu, i: usize, region: Region) -> Held {
        let attempt = self.begin(cpu, i, false, region);
        let at = self.slots.at(i);
        let order = (Ordering::Acquire, Ordering::Relaxed);
        if self.slots.words.compare_exchange(cpu, at, 0, WRITER, order.0, order.1).is_err() {
            attempt.contended(true);
            self.write_slow(cpu, at);
        }
        attempt.report(LockStep::Acquired);
        Held { instance: i as u32, region, node: 0 }
    }

    fn write_unlock(&self, cpu: &P::Cpu, held: Held) {
        let i = held.instance();
        self.debug.half::<P>(cpu);
        Attempt::<P>::new(cpu, self.class, i, false, held.region).report(LockStep::Released);
        self.slots.words.store_u8_at(cpu, self.slots.at(i), 0, 0, Ordering::Release);
        P::leave(cpu, self.section);
    }
}
