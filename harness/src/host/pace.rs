//! When a vCPU touches its next page.

use pamt_strategies::measure::{Observation, Op};
use pamt_strategies::platform::Platform;
use pamt_strategies::units::{Clock, Cycles};

use super::exponential;

/// Closed loop, or open.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// An exponential time of this mean after it is done with the last.
    After(Cycles),
    /// When it falls due, by a Poisson process; as soon as possible, when that is past.
    Due {
        /// Mean time between two.
        gap: Cycles,
        /// When the last one was due; the first is due after the vCPU begins.
        last: Option<Cycles>,
    },
}

impl Pace {
    /// `rate` touches a second on each vCPU; 0: each comes `guest` after the last.
    pub(crate) fn new(clock: Clock, rate: u64, guest: Cycles) -> Self {
        match rate {
            0 => Self::After(guest),
            rate => Self::Due { gap: clock.cycles(1e9 / rate as f64), last: None },
        }
    }

    /// Waits in the guest for the next touch; gives when it was due, if that is known.
    pub(crate) fn wait<P: Platform>(&mut self, cpu: &P::Cpu) -> Option<Cycles> {
        let now = P::now(cpu);
        let (until, due) = match self {
            Self::After(mean) => (now + exponential::<P>(cpu, *mean), None),
            Self::Due { gap, last } => {
                let due = last.unwrap_or(now) + exponential::<P>(cpu, *gap);
                *last = Some(due);
                (due, Some(due))
            }
        };
        in_guest_until::<P>(cpu, until);
        due
    }

    /// An exponential time of `mean` in the guest without touches.
    pub(crate) fn pause<P: Platform>(&mut self, cpu: &P::Cpu, mean: Cycles) {
        let length = exponential::<P>(cpu, mean);
        match self {
            Self::After(_) => in_guest_until::<P>(cpu, P::now(cpu) + length),
            // What falls due after the pause does so however long the touches before it took.
            Self::Due { last, .. } => *last = Some(last.unwrap_or(P::now(cpu)) + length),
        }
    }

    /// The vCPU had to wait for others: nothing has fallen due meanwhile.
    pub(crate) fn resume<P: Platform>(&mut self, cpu: &P::Cpu) {
        if let Self::Due { last, .. } = self {
            *last = Some(P::now(cpu));
        }
    }
}

fn in_guest_until<P: Platform>(cpu: &P::Cpu, until: Cycles) {
    P::observe(cpu, Observation::Begin(Op::Guest));
    P::sleep_until(cpu, until);
    P::observe(cpu, Observation::End(Op::Guest));
}
