//! The tracks of small runs, read back by the test decoder of `reports`.

#[path = "../../../reports/tests/decode/mod.rs"]
mod decode;

use decode::{decode, field, text, uint};
use pamt_strategies::measure::{CpuPlace, LockClassId, LockKind, Recorder, ViolationKind};
use pamt_strategies::module::Operand;

use super::*;

/// The names that the packets define, by kind of name and number.
type Names = BTreeMap<(&'static str, u64), String>;

const KINDS: [&str; 3] = ["event_names", "event_categories", "debug_annotation_names"];

/// A line an event in order of time: time, track, what, and the flows that it carries.
fn timeline(bytes: &[u8]) -> Vec<String> {
    let mut tracks: BTreeMap<u64, String> = BTreeMap::new();
    let mut names = Names::new();
    let mut events = Vec::new();
    for packet in decode(bytes) {
        if let Some(uuid) = uint(&packet, "track_descriptor.uuid") {
            let name = text(&packet, "track_descriptor.name").expect("every track has a name");
            let parent = uint(&packet, "track_descriptor.parent_uuid");
            let path = parent.map_or(name.clone(), |parent| format!("{}/{name}", tracks[&parent]));
            tracks.insert(uuid, path);
            continue;
        }
        for kind in KINDS {
            if let Some(iid) = uint(&packet, &format!("interned_data.{kind}.iid")) {
                let name = text(&packet, &format!("interned_data.{kind}.name"));
                names.insert((kind, iid), name.expect("every number has a name"));
            }
        }
        let get = |path: &str| uint(&packet, &format!("track_event.{path}"));
        let name = get("name_iid").map(|iid| names[&("event_names", iid)].clone());
        let what = match (get("type"), name) {
            (Some(1), Some(name)) => format!("begin {name}"),
            (Some(2), _) => "end".to_owned(),
            (Some(3), Some(name)) => format!("instant {name}"),
            (Some(4), _) => format!("= {}", get("counter_value").expect("a counter has a value")),
            other => panic!("{other:?}"),
        };
        let flow = |path, arrow: &str| get(path).map(|id| format!(" {arrow}{id}"));
        let flows = [flow("terminating_flow_ids", "<-"), flow("flow_ids", "->")];
        let flows: String = flows.into_iter().flatten().collect();
        let at = uint(&packet, "timestamp").expect("every event has a time");
        let track = &tracks[&get("track_uuid").expect("every event has a track")];
        assert!(field(&packet, "track_event").is_some());
        events.push((at, format!("{at} {track}: {what}{flows}")));
    }
    events.sort_by_key(|(at, _)| *at);
    events.into_iter().map(|(_, line)| line).collect()
}

/// The timeline of what `observe` reports, on a clock of 1 GHz with actors on CPUs 0 to 2.
fn traced(observe: impl FnOnce(&mut Recorder)) -> Vec<String> {
    let class = |name: &str, instances| LockClass {
        name: name.into(),
        kind: LockKind::Spinlock,
        instances,
    };
    let actors = (0..3).map(|cpu| (CpuId(cpu), format!("td{cpu}")));
    let trace = Trace::new(Vec::new(), Clock::new(1.0), actors);
    let classes = [class("pamt_lock", 1), class("mmu_lock", 8)];
    let mut recorder = Recorder::new(vec![CpuPlace::default(); 3], &classes, None);
    recorder.trace_to(Box::new(trace.clone()));
    observe(&mut recorder);
    let _ = recorder.finish(Cycles(1_000));
    timeline(&trace.finish().expect("written to memory"))
}

fn lock(class: u16, instance: u32, shared: bool, step: LockStep) -> Observation {
    let region = Region(7);
    Observation::Lock { class: LockClassId(class), instance, shared, region, step }
}

fn pamt_lock(step: LockStep) -> Observation {
    lock(0, 0, false, step)
}

fn of<'a>(lines: &'a [String], track: &str) -> Vec<&'a str> {
    let prefix = format!(" {track}: ");
    lines.iter().filter(|line| line.contains(&prefix)).map(String::as_str).collect()
}

#[test]
fn operations_nest_on_their_cpu_and_a_seamcall_is_one() {
    let lines = traced(|r| {
        for (at, observation) in [
            (10, Observation::Begin(Op::PamtGet)),
            (20, Observation::Begin(Op::Leaf(Leaf::MemPageAug))),
            (30, Observation::End(Op::Leaf(Leaf::MemPageAug))),
            (40, Observation::End(Op::PamtGet)),
        ] {
            r.observe(CpuId(1), Cycles(at), observation);
        }
    });
    let expected = [
        "10 CPUs/CPU 1: td1: begin pamt_get",
        "20 CPUs/CPU 1: td1: begin TDH.MEM.PAGE.AUG",
        "30 CPUs/CPU 1: td1: end",
        "40 CPUs/CPU 1: td1: end",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_contended_lock_shows_wait_hold_waiters_and_the_hand_off() {
    let lines = traced(|r| {
        let steps = [
            (0, 10, LockStep::Request),
            (0, 12, LockStep::Acquired),
            (1, 20, LockStep::Request),
            (1, 21, LockStep::Contended { queued: false }),
            (1, 25, LockStep::Contended { queued: true }),
            (0, 50, LockStep::Released),
            (1, 60, LockStep::Acquired),
            (1, 70, LockStep::Released),
        ];
        for (cpu, at, step) in steps {
            r.observe(CpuId(cpu), Cycles(at), pamt_lock(step));
        }
    });
    let holds = of(&lines, "locks/pamt_lock");
    let expected_holds = [
        "12 locks/pamt_lock: begin td0 ->1",
        "50 locks/pamt_lock: end",
        "60 locks/pamt_lock: begin td1 <-1 ->2",
        "70 locks/pamt_lock: end",
    ];
    assert_eq!(holds, expected_holds);
    let waits = of(&lines, "CPUs/CPU 1: td1");
    let expected_waits = [
        "20 CPUs/CPU 1: td1: begin take pamt_lock",
        "21 CPUs/CPU 1: td1: end",
        "21 CPUs/CPU 1: td1: begin spin on pamt_lock",
        "25 CPUs/CPU 1: td1: end",
        "25 CPUs/CPU 1: td1: begin queue for pamt_lock",
        "60 CPUs/CPU 1: td1: end",
    ];
    assert_eq!(waits, expected_waits);
    let waiters = of(&lines, "locks/pamt_lock/waiters");
    assert_eq!(waiters, ["21 locks/pamt_lock/waiters: = 1", "60 locks/pamt_lock/waiters: = 0"]);
}

#[test]
fn waiters_are_counted_in_order_of_time_whatever_the_order_of_reports() {
    let lines = traced(|r| {
        let wait = |r: &mut Recorder, cpu, from, to| {
            r.observe(CpuId(cpu), Cycles(from), pamt_lock(LockStep::Request));
            let queued = LockStep::Contended { queued: true };
            r.observe(CpuId(cpu), Cycles(from), pamt_lock(queued));
            r.observe(CpuId(cpu), Cycles(to), pamt_lock(LockStep::Acquired));
            r.observe(CpuId(cpu), Cycles(to), pamt_lock(LockStep::Released));
        };
        wait(r, 0, 10, 40);
        wait(r, 1, 20, 50);
    });
    let waiters = of(&lines, "locks/pamt_lock/waiters");
    let values: Vec<&str> =
        waiters.iter().filter_map(|line| Some(line.split_once("= ")?.1)).collect();
    assert_eq!(values, ["1", "2", "1", "0"]);
}

#[test]
fn an_uncontended_acquisition_has_no_arrow_and_instances_have_numbers() {
    let lines = traced(|r| {
        for (at, step) in [(1, LockStep::Request), (2, LockStep::Acquired)] {
            r.observe(CpuId(0), Cycles(at), lock(1, 5, false, step));
        }
        r.observe(CpuId(0), Cycles(3), lock(1, 5, false, LockStep::Released));
        for (at, step) in [(4, LockStep::Request), (5, LockStep::Acquired)] {
            r.observe(CpuId(1), Cycles(at), lock(1, 5, false, step));
        }
    });
    let holds = of(&lines, "locks/mmu_lock[5]");
    assert_eq!(holds[0], "2 locks/mmu_lock[5]: begin td0 ->1");
    assert_eq!(holds[2], "5 locks/mmu_lock[5]: begin td1 ->2");
    assert_eq!(holds[3], "1000 locks/mmu_lock[5]: end", "what is open ends with the run");
}

#[test]
fn holders_in_shared_mode_lie_side_by_side() {
    let lines = traced(|r| {
        for cpu in 0..2 {
            r.observe(CpuId(cpu), Cycles(1), lock(1, 0, true, LockStep::Request));
            r.observe(CpuId(cpu), Cycles(2), lock(1, 0, true, LockStep::Acquired));
        }
        r.observe(CpuId(0), Cycles(8), lock(1, 0, true, LockStep::Released));
        r.observe(CpuId(1), Cycles(9), lock(1, 0, true, LockStep::Released));
    });
    let holds = of(&lines, "locks/mmu_lock[0]/shared");
    let expected = [
        "2 locks/mmu_lock[0]/shared: begin td0",
        "2 locks/mmu_lock[0]/shared: begin td1",
        "8 locks/mmu_lock[0]/shared: end",
        "9 locks/mmu_lock[0]/shared: end",
    ];
    assert_eq!(holds, expected);
}

#[test]
fn regions_show_their_pair_their_refcount_and_what_was_done() {
    let region = Region(16);
    let lines = traced(|r| {
        let mut at = |at, observation| r.observe(CpuId(2), Cycles(at), observation);
        at(5, Observation::Chronicle(region, Chronicle::Refcount(0, 1)));
        at(6, Observation::Pair { region, added: true });
        let busy = Status::busy(Operand::RCX);
        let returned = Chronicle::Returned(Leaf::MemPageAug, region.first_pfn(), busy);
        at(7, Observation::Chronicle(region, returned));
        at(9, Observation::Pair { region, added: false });
    });
    let expected = [
        "5 regions/region 0x10/refcount: = 1",
        "6 regions/region 0x10: begin page pair",
        "7 regions/region 0x10: instant TDH.MEM.PAGE.AUG pfn 0x2000: OPERAND_BUSY|RCX",
        "9 regions/region 0x10: end",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn failures_and_moves_of_lines_are_events_and_successes_are_not() {
    let lines = traced(|r| {
        let leaf = Leaf::MemPageAug;
        let status = Status::busy(Operand::RCX);
        r.observe(CpuId(0), Cycles(1), Observation::Status { leaf, status: Status::SUCCESS });
        r.observe(CpuId(0), Cycles(2), Observation::Status { leaf, status });
        r.observe(CpuId(0), Cycles(3), Observation::Retry(Op::PamtGet));
        let violation =
            Violation { kind: ViolationKind::Leak, region: None, detail: "planted".into() };
        r.observe(CpuId(0), Cycles(4), Observation::Violation(violation));
        let transfer = Transfer {
            object: "pamt_lock",
            line: 3,
            from: Some(CpuId(1)),
            owned: true,
            length: Cycles(80),
        };
        r.transferred(CpuId(0), Cycles(5), &transfer);
    });
    let expected = [
        "2 CPUs/CPU 0: td0: instant OPERAND_BUSY|RCX",
        "3 CPUs/CPU 0: td0: instant retry pamt_get",
        "4 CPUs/CPU 0: td0: instant leak",
        "5 lines/pamt_lock line 3: begin to td0",
        "85 lines/pamt_lock line 3: end",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn an_output_that_fails_is_reported_at_the_end() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut trace = Trace::new(Full, Clock::new(1.0), []);
    trace.observed(CpuId(0), Cycles(1), &Observation::Retry(Op::PamtGet));
    let error = trace.finish().err().expect("nothing could be written");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}
