//! Interruptions: what takes a CPU away from the kernel code that it runs, and when it may not.
//!
//! Each CPU has two streams: the tick, at a fixed period and a phase of its own, and everything else
//! (device interrupts, IPIs, and the softirqs that they raise), as a Poisson process with exponential
//! service. An interrupt is served at the CPU's next step after it came, unless interrupts are off: then
//! when they go on again. So it stretches whatever the CPU does, the holding of a lock with
//! `spin_lock()` included. What comes while one is served is served with it. What comes while the CPU
//! sleeps or spins with interrupts on costs nobody anything.

use pamt_strategies::platform::Section;
use pamt_strategies::units::{CpuId, Cycles};
use rand_core::Rng;
use rand_pcg::Pcg64;

use super::cpu::Cpu;
use super::engine::Machine;
use super::profile::{Profile, ProfileError};
use super::seeds;

/// Streams of interrupts, the same for every CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupts {
    /// Period of the tick.
    pub tick_period: Cycles,
    /// Its handler, with timers and softirqs.
    pub tick: Cycles,
    /// Mean time between other interrupts.
    pub gap: Cycles,
    /// Mean length of their handlers and softirqs.
    pub work: Cycles,
}

impl Interrupts {
    /// Those of a machine; one that gives none has those of `spr-2s`.
    ///
    /// # Errors
    /// A built-in profile is incomplete.
    pub fn of(profile: &Profile) -> Result<Self, ProfileError> {
        let default = Profile::builtin("spr-2s")?;
        let cycles = |key| {
            let value = profile.value(key).or_else(|_| default.value(key))?;
            Ok(profile.clock().cycles(value.v))
        };
        Ok(Self {
            tick_period: cycles("irq.tick_period_ns")?,
            tick: cycles("irq.tick_ns")?,
            gap: cycles("irq.gap_ns")?,
            work: cycles("irq.work_ns")?,
        })
    }
}

/// The next interrupts of a CPU.
pub(super) struct Streams {
    interrupts: Interrupts,
    next_tick: u64,
    next_other: u64,
    rng: Pcg64,
}

impl Streams {
    pub(super) fn new(interrupts: Interrupts, seed: u64, cpu: usize) -> Self {
        let mut rng = seeds::of_interrupts(seed, cpu);
        let next_tick = rng.next_u64() % interrupts.tick_period.0.max(1);
        let next_other = exponential(&mut rng, interrupts.gap);
        Self { interrupts, next_tick, next_other, rng }
    }

    /// When the next one comes.
    pub(super) fn next(&self) -> u64 {
        self.next_tick.min(self.next_other)
    }

    /// How long those are served that came up to `now`.
    fn service(&mut self, now: u64) -> u64 {
        let tick = if self.next_tick <= now { self.interrupts.tick.0 } else { 0 };
        let others = self.next_other <= now;
        tick + if others { exponential(&mut self.rng, self.interrupts.work) } else { 0 }
    }

    /// Forgets those that came up to `now`.
    fn pass(&mut self, now: u64) {
        if self.next_tick <= now {
            let period = self.interrupts.tick_period.0.max(1);
            self.next_tick += ((now - self.next_tick) / period + 1) * period;
        }
        if self.next_other <= now {
            // The process has no memory: what comes next does not depend on what came.
            self.next_other = now + exponential(&mut self.rng, self.interrupts.gap).max(1);
        }
    }
}

/// libm's logarithm, because the standard library's differs between systems in the last bit.
fn exponential(rng: &mut Pcg64, mean: Cycles) -> u64 {
    let uniform = ((rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    (mean.0 as f64 * -libm::log(uniform)) as u64
}

/// Which sections a CPU is in, and since when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sections {
    irq_off: u32,
    irq_off_since: u64,
    preempt_off: u32,
    preempt_off_since: u64,
}

impl Machine {
    /// Serves what has come up to the CPU's local time, and while it is served.
    #[inline(always)]
    pub(super) fn serve_interrupts(&mut self, cpu: CpuId) {
        let state = self.cpu_mut(cpu);
        if state.interrupt_at <= state.time {
            Self::interrupted(state);
        }
    }

    #[cold]
    fn interrupted(state: &mut Cpu) {
        if state.sections.irq_off > 0 {
            return;
        }
        if let Some(streams) = &mut state.streams {
            state.time += streams.service(state.time);
            streams.pass(state.time);
            state.interrupt_at = streams.next();
        }
    }

    /// Drops what has come up to the CPU's local time: it was idle.
    pub(super) fn skip_interrupts(&mut self, cpu: CpuId) {
        let state = self.cpu_mut(cpu);
        if state.interrupt_at > state.time || state.sections.irq_off > 0 {
            return;
        }
        if let Some(streams) = &mut state.streams {
            streams.pass(state.time);
            state.interrupt_at = streams.next();
        }
    }

    /// Opens a section. Whoever has interrupts off cannot be preempted either.
    pub(super) fn enter(&mut self, cpu: CpuId, section: Section) {
        if self.preparing {
            return;
        }
        let state = self.cpu_mut(cpu);
        let (now, sections) = (state.time, &mut state.sections);
        if sections.preempt_off == 0 {
            sections.preempt_off_since = now;
        }
        sections.preempt_off += 1;
        if section == Section::IrqOff {
            if sections.irq_off == 0 {
                sections.irq_off_since = now;
            }
            sections.irq_off += 1;
        }
    }

    /// Closes one.
    pub(super) fn leave(&mut self, cpu: CpuId, section: Section) {
        if self.preparing {
            return;
        }
        let state = self.cpu_mut(cpu);
        let (now, sections) = (state.time, &mut state.sections);
        let mut ended = [None; 2];
        if section == Section::IrqOff {
            sections.irq_off -= 1;
            let since = sections.irq_off_since;
            ended[0] = (sections.irq_off == 0).then_some((Section::IrqOff, now - since));
        }
        sections.preempt_off -= 1;
        let since = sections.preempt_off_since;
        ended[1] = (sections.preempt_off == 0).then_some((Section::PreemptOff, now - since));
        if let Some(recorder) = &mut self.recorder {
            for (section, length) in ended.into_iter().flatten() {
                recorder.section(section, Cycles(length));
            }
        }
        self.serve_interrupts(cpu);
    }
}
