//! Every order, within a bound: depth-first over the choices of a schedule, by running it again.
//!
//! A CPU is only left before an access that another body may conflict with, and unforced at most
//! `preemptions` times (context bounding: Musuvathi and Qadeer, PLDI 2007, who found that two suffice
//! for nearly all bugs). Within the bound no schedule is left out: accesses that conflict with none
//! commute.

use super::StepAccess;

/// A state in which somebody has to be chosen.
pub struct Point<'a> {
    /// The next access of each body; `None` when it has ended.
    pub pending: &'a [Option<StepAccess>],
}

struct Choice {
    options: Vec<usize>,
    taken: usize,
}

/// Enumerates the schedules of one parallel block.
///
/// A run asks [`Self::choose`] at each step; [`Self::next_schedule`] then sets up the next run.
pub struct Explorer {
    preemptions: usize,
    /// What the bodies access, in runs without interleaving.
    footprints: Vec<Vec<StepAccess>>,
    path: Vec<Choice>,
    depth: usize,
    current: Option<usize>,
    left: usize,
}

impl Explorer {
    /// Schedules with at most `preemptions` unforced switches. `footprints` holds each body's
    /// accesses, joined over the orders in which the bodies run one after the other.
    #[must_use]
    pub fn new(preemptions: usize, footprints: Vec<Vec<StepAccess>>) -> Self {
        Self {
            preemptions,
            footprints,
            path: Vec::new(),
            depth: 0,
            current: None,
            left: preemptions,
        }
    }

    /// The body whose turn it is.
    pub fn choose(&mut self, point: &Point<'_>) -> usize {
        let options = self.options(point);
        if options.len() == 1 {
            self.current = Some(options[0]);
            return options[0];
        }
        if self.depth == self.path.len() {
            self.path.push(Choice { options, taken: 0 });
        }
        let choice = &self.path[self.depth];
        self.depth += 1;
        let chosen = choice.options[choice.taken];
        let ended = self.current.is_none_or(|current| point.pending[current].is_none());
        if !ended && Some(chosen) != self.current {
            self.left -= 1;
        }
        self.current = Some(chosen);
        chosen
    }

    /// The current body first, if it goes on; the others where that is a switch worth making.
    fn options(&self, point: &Point<'_>) -> Vec<usize> {
        let alive = |body: &usize| point.pending[*body].is_some();
        let all = 0..point.pending.len();
        let Some(current) = self.current.filter(alive) else {
            return all.filter(alive).collect();
        };
        let mut options = vec![current];
        let access = point.pending[current].as_ref();
        if self.left > 0 && access.is_some_and(|access| self.matters(current, access)) {
            options.extend(all.filter(alive).filter(|body| *body != current));
        }
        options
    }

    fn matters(&self, body: usize, access: &StepAccess) -> bool {
        let others = self.footprints.iter().enumerate().filter(|(other, _)| *other != body);
        others.flat_map(|(_, footprint)| footprint).any(|other| access.conflicts(other))
    }

    /// Goes to the next schedule; false when all have been seen.
    pub fn next_schedule(&mut self) -> bool {
        self.depth = 0;
        self.current = None;
        self.left = self.preemptions;
        while let Some(last) = self.path.last_mut() {
            last.taken += 1;
            if last.taken < last.options.len() {
                return true;
            }
            self.path.pop();
        }
        false
    }
}
