//! Hardware counters over a measurement, through perf_event.
//!
//! They count in user mode, on the calling thread and all threads that it starts while they count. What the
//! host does not have or does not allow is told with the reason, never as 0.

use std::collections::BTreeMap;
use std::io;

use pamt_reports::schema::CounterRow;
use perf_event::events::Hardware;
use perf_event::{Builder, Counter};

/// What is counted, by name in results.
const EVENTS: [(&str, Hardware); 3] = [
    ("cycles", Hardware::CPU_CYCLES),
    ("instructions", Hardware::INSTRUCTIONS),
    ("llc_misses", Hardware::CACHE_MISSES),
];

/// Counters that count.
pub(crate) struct Counters(Vec<(&'static str, Result<Counter, String>)>);

impl Counters {
    /// Begins to count.
    pub(crate) fn begin() -> Self {
        let begin = |event: &Hardware| {
            let mut builder = Builder::new().kind(*event);
            builder.inherit(true);
            let mut counter = builder.build()?;
            counter.enable()?;
            Ok(counter)
        };
        let one = |(name, event): &(&'static str, Hardware)| {
            (*name, begin(event).map_err(|error: io::Error| reason(&error)))
        };
        Self(EVENTS.iter().map(one).collect())
    }

    /// What they have counted, by name.
    pub(crate) fn end(self) -> BTreeMap<String, CounterRow> {
        let row = |(name, counter): (&str, Result<Counter, String>)| {
            let count = counter.and_then(|mut counter| read(&mut counter));
            (name.to_owned(), CounterRow { count: count.clone().ok(), unavailable: count.err() })
        };
        self.0.into_iter().map(row).collect()
    }
}

fn read(counter: &mut Counter) -> Result<u64, String> {
    let read = counter.read_count_and_time().map_err(|error| reason(&error))?;
    if read.time_running == 0 {
        return Err("the kernel never had a hardware counter free for it".into());
    }
    // The kernel gives counters in turn when there are too few.
    let share = read.time_enabled as f64 / read.time_running as f64;
    Ok((read.count as f64 * share) as u64)
}

/// Why the kernel refused, and what helps.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "perf_event_open is not allowed; as root: sysctl kernel.perf_event_paranoid=1".into()
        }
        io::ErrorKind::NotFound | io::ErrorKind::Unsupported => {
            "this CPU, or the hypervisor, has no such counter; run on bare metal".into()
        }
        _ => format!("perf_event_open failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_has_a_count_or_a_reason_and_never_both() {
        let counters = Counters::begin();
        std::hint::black_box((0..10_000_u64).fold(1_u64, |x, y| x.wrapping_mul(y | 1)));
        let rows = counters.end();
        assert_eq!(rows.len(), EVENTS.len());
        for (name, row) in rows {
            assert_ne!(row.count.is_some(), row.unavailable.is_some(), "{name}: {row:?}");
            assert_ne!(row.count, Some(0), "{name}");
        }
    }

    #[test]
    fn a_refusal_says_how_to_allow_it() {
        let why = reason(&io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(why.contains("perf_event_paranoid"), "{why}");
    }
}
