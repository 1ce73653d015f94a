//! How long a probe may take.
//!
//! Every probe is planned in windows, which take less than two minutes together. A host that gives its CPUs to others
//! stretches a window a thousandfold: so the probes that are many, large, or wait for other CPUs also have a limit. Once it is
//! over no window is begun but the first, and a figure knows how many windows it has of how many.

use std::time::{Duration, Instant};

use super::figure::Figure;

/// The longest that each part may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// A circle of lines for one level of the caches, and as long again for its walk; reading memory in order.
    pub(super) level: Duration,
    /// The same for memory of one socket.
    pub(super) memory: Duration,
    /// Ping-pong over all pairs.
    pub(super) matrix: Duration,
    /// One of them, where there are many: tens of times what is planned.
    pub(super) pair: Duration,
    /// All kinds of transfer of some pairs.
    pub(super) kinds: Duration,
    /// One line under 1, 2, 4, ... CPUs.
    pub(super) contended: Duration,
}

impl Limits {
    /// Of a calibration: together less than two minutes.
    pub(super) const WHOLE: Self = Self {
        level: Duration::from_secs(1),
        memory: Duration::from_secs(5),
        matrix: Duration::from_secs(50),
        pair: Duration::from_millis(100),
        kinds: Duration::from_secs(10),
        contended: Duration::from_secs(15),
    };
}

/// A limit that has begun.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    begun: Instant,
    limit: Duration,
}

impl Patience {
    pub(super) fn of(limit: Duration) -> Self {
        Self { begun: Instant::now(), limit }
    }

    pub(super) fn is_over(&self) -> bool {
        self.begun.elapsed() >= self.limit
    }

    /// So many windows, as far as there is time; one in any case.
    pub(super) fn windows(&self, planned: usize, window: impl FnMut(usize) -> f64) -> Figure {
        let in_time = (0..planned.max(1)).take_while(|n| *n == 0 || !self.is_over());
        let samples: Vec<f64> = in_time.map(window).collect();
        Figure::of_planned(&samples, planned).expect("one window was taken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_patience_one_window_is_taken_and_the_figure_says_so() {
        let figure = Patience::of(Duration::ZERO).windows(12, |_| 5.0);
        assert_eq!((figure.median, figure.cut()), (5.0, Some("1 of 12 windows".into())));
        let figure = Patience::of(Duration::MAX).windows(12, |window| window as f64);
        assert_eq!((figure.p90, figure.cut()), (9.9, None));
    }
}
