//! Hardware counters over a measurement, through perf_event.
//!
//! They count in user mode, on the calling thread and all threads that it starts while they count. What the
//! host does not have or does not allow is told with the reason, never as 0.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use pamt_reports::schema::CounterRow;
use perf_event::events::Hardware;
use perf_event::{Builder, CountAndTime, Counter};

use super::hitm::{CpuModel, Distance, RawEvent};

/// `PERF_TYPE_RAW` of linux/perf_event.h: the configuration is the CPU's own.
const PERF_TYPE_RAW: u32 = 4;

/// What to count.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The kernel knows each CPU's code of it.
    General(Hardware),
    Raw(RawEvent),
}

/// A counter that the kernel gave.
trait Counting {
    fn read(&mut self) -> io::Result<CountAndTime>;
}

impl Counting for Counter {
    fn read(&mut self) -> io::Result<CountAndTime> {
        self.read_count_and_time()
    }
}

/// One of the counters, by its name in results.
struct Named {
    name: &'static str,
    /// The CPU's own name of what is counted, where the kernel has no general one.
    event: Option<&'static str>,
    counting: Result<Box<dyn Counting>, String>,
}

/// Counters that count.
pub(crate) struct Counters(Vec<Named>);

impl Counters {
    /// Begins to count.
    pub(crate) fn begin() -> Self {
        Self::of(CpuModel::of(Path::new("/")), open)
    }

    /// Begins to count the events of a CPU by counters that `open` gives.
    fn of(
        cpu: Result<CpuModel, String>,
        open: impl Fn(Event) -> io::Result<Box<dyn Counting>>,
    ) -> Self {
        let named = |(name, event): (&'static str, Result<Event, String>)| Named {
            name,
            event: match &event {
                Ok(Event::Raw(raw)) => Some(raw.name),
                _ => None,
            },
            counting: event.and_then(|event| open(event).map_err(|error| reason(&error))),
        };
        Self(events(cpu).into_iter().map(named).collect())
    }

    /// What they have counted, by name.
    pub(crate) fn end(self) -> BTreeMap<String, CounterRow> {
        let row = |Named { name, event, counting }: Named| {
            let count = counting.and_then(|mut counting| total(&mut *counting));
            let event = event.map(str::to_owned);
            let row = CounterRow { event, count: count.clone().ok(), unavailable: count.err() };
            (name.to_owned(), row)
        };
        self.0.into_iter().map(row).collect()
    }
}

/// What is counted, by name in results; or why it cannot be.
fn events(cpu: Result<CpuModel, String>) -> [(&'static str, Result<Event, String>); 5] {
    let hitm = |distance| cpu.clone().and_then(|cpu| cpu.hitm(distance)).map(Event::Raw);
    [
        ("cycles", Ok(Event::General(Hardware::CPU_CYCLES))),
        ("instructions", Ok(Event::General(Hardware::INSTRUCTIONS))),
        ("lcl_hitm", hitm(Distance::Lcl)),
        ("llc_misses", Ok(Event::General(Hardware::CACHE_MISSES))),
        ("rmt_hitm", hitm(Distance::Rmt)),
    ]
}

/// Asks the kernel for a counter, and starts it.
fn open(event: Event) -> io::Result<Box<dyn Counting>> {
    let mut builder = Builder::new();
    match event {
        Event::General(event) => builder = builder.kind(event),
        Event::Raw(event) => {
            let attributes = builder.attrs_mut();
            attributes.type_ = PERF_TYPE_RAW;
            attributes.config = event.config;
        }
    }
    builder.inherit(true);
    let mut counter = builder.build()?;
    counter.enable()?;
    Ok(Box::new(counter))
}

fn total(counting: &mut dyn Counting) -> Result<u64, String> {
    let read = counting.read().map_err(|error| reason(&error))?;
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

    /// A counter that ran for a share of the time.
    struct Fake {
        count: u64,
        running: u64,
    }

    impl Counting for Fake {
        fn read(&mut self) -> io::Result<CountAndTime> {
            let Self { count, running } = *self;
            Ok(CountAndTime { count, time_enabled: 100, time_running: running })
        }
    }

    /// A host of this model in `/proc/cpuinfo`.
    fn cpu(model: u32) -> Result<CpuModel, String> {
        let root = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(root.path().join("proc")).expect("made");
        let text = format!("vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t: {model}\n");
        std::fs::write(root.path().join("proc/cpuinfo"), text).expect("written");
        CpuModel::of(root.path())
    }

    #[test]
    fn a_counter_of_this_host_has_a_count_or_a_reason_and_never_both() {
        let counters = Counters::begin();
        std::hint::black_box((0..10_000_u64).fold(1_u64, |x, y| x.wrapping_mul(y | 1)));
        let rows = counters.end();
        assert_eq!(rows.len(), 5);
        for (name, row) in &rows {
            assert_ne!(row.count.is_some(), row.unavailable.is_some(), "{name}: {row:?}");
        }
        assert_ne!(rows["instructions"].count, Some(0));
    }

    #[test]
    fn the_kernel_is_asked_for_the_models_own_hitm_events() {
        let open = |event: Event| -> io::Result<Box<dyn Counting>> {
            match event {
                Event::Raw(raw) => Ok(Box::new(Fake { count: raw.config, running: 100 })),
                Event::General(_) => Err(io::ErrorKind::NotFound.into()),
            }
        };
        let rows = Counters::of(cpu(0x8f), open).end();
        let (lcl, rmt) = (&rows["lcl_hitm"], &rows["rmt_hitm"]);
        assert_eq!((lcl.count, rmt.count), (Some(0x04d2), Some(0x04d3)));
        assert_eq!(lcl.event.as_deref(), Some("MEM_LOAD_L3_HIT_RETIRED.XSNP_FWD"));
        assert!(rows["cycles"].unavailable.as_ref().is_some_and(|why| why.contains("bare metal")));
    }

    #[test]
    fn a_model_without_a_known_event_is_not_asked_for_one() {
        let open = |event: Event| -> io::Result<Box<dyn Counting>> {
            assert!(matches!(event, Event::General(_)), "{event:?}");
            Ok(Box::new(Fake { count: 7, running: 100 }))
        };
        let rows = Counters::of(cpu(0xaf), open).end();
        assert_eq!(rows["cycles"].count, Some(7));
        let row = &rows["lcl_hitm"];
        assert_eq!((row.count, &row.event), (None, &None));
        assert!(row.unavailable.as_ref().is_some_and(|why| why.contains("model 0xaf")), "{row:?}");
    }

    #[test]
    fn a_counter_that_took_turns_is_scaled_and_one_that_never_ran_is_unavailable() {
        let ran = |running| {
            let open = move |_| -> io::Result<Box<dyn Counting>> {
                Ok(Box::new(Fake { count: 10, running }))
            };
            Counters::of(cpu(0x8f), open).end().remove("lcl_hitm").expect("a row")
        };
        assert_eq!(ran(25).count, Some(40));
        assert!(ran(0).unavailable.is_some_and(|why| why.contains("never had")));
    }

    #[test]
    fn a_refusal_says_how_to_allow_it() {
        let why = reason(&io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(why.contains("perf_event_paranoid"), "{why}");
    }
}
