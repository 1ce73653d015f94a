//! How many page pairs the module held, over time.

use crate::units::Cycles;

/// Page pairs held over time, of one recorder: at first each change, and half as often whenever there
/// are too many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldOverTime {
    /// Time and pairs held, in order of time.
    pub samples: Vec<(Cycles, u64)>,
    /// At least so long between two samples.
    step: u64,
}

/// Most samples kept: a plot shows no more, and each is in the result file.
const SAMPLES_KEPT: usize = 128;

impl HeldOverTime {
    /// `held` pairs from `now` on. Under run-ahead a CPU may report what lies before the last sample;
    /// that moves no curve that anybody could see.
    pub(super) fn sample(&mut self, now: Cycles, held: u64) {
        if let Some((last, value)) = self.samples.last_mut()
            && now.0 < last.0 + self.step
        {
            *value = held;
            return;
        }
        if self.samples.len() == SAMPLES_KEPT {
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            let (Some(first), Some(last)) = (self.samples.first(), self.samples.last()) else {
                return;
            };
            self.step = 2 * (last.0.0 - first.0.0) / SAMPLES_KEPT as u64;
        }
        self.samples.push((now, held));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_over_time_are_thinned_and_keep_their_span() {
        let mut held = HeldOverTime::default();
        for i in 0..10_000 {
            held.sample(Cycles(10 * i), i);
        }
        assert!(held.samples.len() <= SAMPLES_KEPT, "{}", held.samples.len());
        assert!(held.samples.len() > SAMPLES_KEPT / 4, "{}", held.samples.len());
        assert_eq!(held.samples[0].0, Cycles(0));
        assert!(held.samples.is_sorted_by_key(|(at, _)| *at));
        assert_eq!(held.samples.last().map(|(_, held)| *held), Some(9_999));
    }
}
