//! What the simulated machine promises: costs as the profile says, order, waiting, and clean ends.

use std::sync::{Arc, Mutex};

use pamt_sim::machine::{End, EngineCounts, LineRow, Profile};
use pamt_sim::{Sim, SimBuild, SimCpu, SimOptions, SimOutcome, SimWords, run};
use pamt_strategies::platform::{
    Actor, BulkKind, Home, Ordering, Place, Platform, Until, Wake, Words,
};
use pamt_strategies::units::{CpuId, Cycles, NodeId};

use Ordering::SeqCst;

fn build(seed: u64) -> SimBuild {
    let profile = Profile::builtin("spr-2s").expect("built in");
    SimBuild::new(&profile, SimOptions { seed, ..SimOptions::default() }).expect("complete")
}

fn actor(cpu: u16, body: impl FnOnce(&SimCpu) + Send + 'static) -> Actor<Sim> {
    Actor { cpu: CpuId(cpu), name: format!("a{cpu}"), body: Box::new(body) }
}

/// Cycles of `ns` at the profile's 3 GHz.
fn cycles(ns: f64) -> u64 {
    (ns * 3.0).round() as u64
}

/// CPU `a` modifies a line, then CPU `b` takes it by compare-and-swap; returns what that takes `b`.
fn transfer(a: u16, b: u16) -> u64 {
    let mut build = build(1);
    let words: SimWords<u64> = Sim::words(&mut build, Place::padded("line", 1));
    let elapsed = Arc::new(Mutex::new(0));
    let result = elapsed.clone();
    let first = move |cpu: &SimCpu| words.store(cpu, 0, 1, SeqCst);
    let second = move |cpu: &SimCpu| {
        Sim::work(cpu, Cycles(10_000));
        let start = Sim::now(cpu);
        words.compare_exchange(cpu, 0, 1, 2, SeqCst, SeqCst).expect("nobody else writes");
        *result.lock().expect("one thread") = (Sim::now(cpu) - start).0;
    };
    let _ = run(build, vec![actor(a, first), actor(b, second)]);
    *elapsed.lock().expect("one thread")
}

#[test]
fn an_isolated_transfer_takes_what_the_profile_says() {
    assert_eq!(transfer(0, 1), cycles(81.0), "inside a socket");
    assert_eq!(transfer(0, 56), cycles(170.0), "across sockets");
    assert_eq!(transfer(0, 112), 19, "siblings share their caches");
}

#[test]
fn a_sibling_that_misses_the_same_line_waits_for_the_first_ones_data() {
    let mut build = build(1);
    let words: SimWords<u64> = Sim::words(&mut build, Place::padded("line", 1));
    let store = move |cpu: &SimCpu| words.store(cpu, 0, 1, SeqCst);
    let took = Arc::new(Mutex::new([(0, 0); 2]));
    // CPUs 1 and 113 are threads of one core; the second asks ten cycles after the first.
    let load = |which: usize| {
        let took = took.clone();
        move |cpu: &SimCpu| {
            Sim::work(cpu, Cycles(10_000 + 10 * which as u64));
            let start = Sim::now(cpu);
            words.load(cpu, 0, SeqCst);
            took.lock().expect("one thread")[which] = (start.0, Sim::now(cpu).0);
        }
    };
    let _ = run(build, vec![actor(0, store), actor(1, load(0)), actor(113, load(1))]);
    let [first, second] = *took.lock().expect("one thread");
    assert_eq!(first.1 - first.0, cycles(81.0) + 5, "a modified line, and the load itself");
    assert!(second.0 > first.0);
    assert_eq!(second.1, first.1, "one fetch serves both");
}

/// `cpus` CPUs add to one word `rounds` times each.
fn hammer(cpus: u16, rounds: u64, seed: u64) -> SimOutcome {
    let mut build = build(seed);
    let words: SimWords<u64> = Sim::words(&mut build, Place::padded("counter", 1));
    let body = move |cpu: &SimCpu| {
        for _ in 0..rounds {
            words.fetch_add(cpu, 0, 1, SeqCst);
            // Not back to back, or a core would sometimes do two for one transfer.
            Sim::work(cpu, Cycles(60));
        }
    };
    let check = move |cpu: &SimCpu| {
        words.spin_until(cpu, 0, Until::eq(u64::from(cpus) * rounds), SeqCst);
    };
    let mut actors: Vec<_> = (0..cpus).map(|cpu| actor(cpu, body)).collect();
    actors.push(actor(cpus, check));
    let out = run(build, actors);
    assert_eq!(out.end, End::Finished, "no addition is lost");
    out
}

#[test]
fn a_contended_line_serves_one_lock_operation_an_occupancy() {
    let out = hammer(28, 500, 1);
    let each = out.elapsed.0 as f64 / (28.0 * 500.0);
    // The watcher's polls take turns on the line too.
    assert!((each / (31.0 * 3.0) - 1.0).abs() < 0.1, "{each} cycles");
}

#[test]
fn back_to_back_operations_sometimes_share_a_transfer() {
    let mut build = build(1);
    let words: SimWords<u64> = Sim::words(&mut build, Place::padded("counter", 1));
    let body = move |cpu: &SimCpu| {
        for _ in 0..1000 {
            words.fetch_add(cpu, 0, 1, SeqCst);
        }
    };
    let out = run(build, (0..16).map(|cpu| actor(cpu, body)).collect());
    let counters = out.lines.lines[0].counters;
    let kept = counters.l1_hits as f64 / counters.rfo as f64;
    assert!((kept - 0.27).abs() < 0.03, "{kept}, the profile's keep_share is 0.27");
}

#[test]
fn an_uncontended_lock_operation_costs_what_the_core_needs() {
    let mut build = build(1);
    let words: SimWords<u32> = Sim::words(&mut build, Place::padded("w", 1));
    let out = run(
        build,
        vec![actor(0, move |cpu| {
            words.fetch_add(cpu, 0, 1, SeqCst);
            let start = Sim::now(cpu);
            words.fetch_add(cpu, 0, 1, SeqCst);
            assert_eq!(Sim::now(cpu) - start, Cycles(19));
        })],
    );
    assert_eq!(out.end, End::Finished);
}

#[test]
fn loading_before_compare_and_swap_costs_two_transactions() {
    let time = |load_first: bool| {
        let mut build = build(1);
        let words: SimWords<u64> = Sim::words(&mut build, Place::padded("w", 1));
        let elapsed = Arc::new(Mutex::new(0));
        let out = elapsed.clone();
        let first = move |cpu: &SimCpu| {
            words.fetch_add(cpu, 0, 1, SeqCst);
        };
        let second = move |cpu: &SimCpu| {
            Sim::work(cpu, Cycles(10_000));
            let start = Sim::now(cpu);
            if load_first {
                words.load(cpu, 0, SeqCst);
            }
            words.compare_exchange(cpu, 0, 1, 2, SeqCst, SeqCst).expect("nobody else writes");
            *out.lock().expect("one thread") = (Sim::now(cpu) - start).0;
        };
        let _ = run(build, vec![actor(0, first), actor(1, second)]);
        *elapsed.lock().expect("one thread") as f64
    };
    let ratio = time(true) / time(false);
    assert!((1.9..2.4).contains(&ratio), "{ratio}, published 2.1");
}

#[test]
fn a_store_does_not_wait_but_the_next_lock_operation_does() {
    let mut build = build(1);
    let words: SimWords<u64> = Sim::words(&mut build, Place::padded("w", 2));
    let owner = move |cpu: &SimCpu| words.store(cpu, 0, 1, SeqCst);
    let writer = move |cpu: &SimCpu| {
        words.fetch_add(cpu, 1, 1, SeqCst);
        Sim::work(cpu, Cycles(10_000));
        let start = Sim::now(cpu);
        words.store(cpu, 0, 2, SeqCst);
        assert!((Sim::now(cpu) - start).0 < 10, "buffered");
        words.fetch_add(cpu, 1, 1, SeqCst);
        assert!((Sim::now(cpu) - start).0 > cycles(70.0), "drained");
    };
    let _ = run(build, vec![actor(0, owner), actor(1, writer)]);
}

#[test]
fn a_checker_sees_stores_that_are_still_buffered_of_any_cpu() {
    let mut build = build(1);
    let words: SimWords<u32> = Sim::words(&mut build, Place::padded("w", 2));
    let owner = move |cpu: &SimCpu| words.store(cpu, 0, 0x1122_3344, SeqCst);
    let writer = move |cpu: &SimCpu| {
        Sim::work(cpu, Cycles(10_000));
        words.store_u8_at(cpu, 0, 1, 0xff, SeqCst);
        assert_eq!(words.peek(cpu, 0), 0x1122_ff44);
    };
    let checker = move |cpu: &SimCpu| {
        words.fetch_add(cpu, 1, 1, SeqCst);
        Sim::sleep_until(cpu, Cycles(10_010));
        words.fetch_add(cpu, 1, 1, SeqCst);
        assert!(Sim::now(cpu).0 < 10_000 + cycles(81.0), "before the line has come to the writer");
        assert_eq!(words.peek(cpu, 0), 0x1122_ff44);
    };
    let end = run(build, vec![actor(0, owner), actor(1, writer), actor(2, checker)]).end;
    assert_eq!(end, End::Finished);
}

fn summary(out: &SimOutcome) -> (Cycles, EngineCounts, Vec<LineRow>) {
    (out.elapsed, out.engine, out.lines.lines.clone())
}

#[test]
fn the_same_seed_gives_the_same_run_whatever_ran_before() {
    let first = hammer(16, 100, 7);
    let other = hammer(16, 100, 8);
    let again = std::thread::spawn(|| summary(&hammer(16, 100, 7))).join().expect("no panic");
    assert_eq!(summary(&first), again);
    assert_ne!(summary(&first), summary(&other));
}

#[test]
fn a_cpu_that_sleeps_for_ever_with_nobody_to_kick_it_is_a_deadlock() {
    let sleep = |cpu: &SimCpu| {
        Sim::sleep_until(cpu, Cycles(u64::MAX));
    };
    let out = run(build(1), vec![actor(3, sleep)]);
    let End::Deadlock(stuck) = out.end else { panic!("nobody kicks it") };
    assert_eq!((stuck.len(), stuck[0].cpu, stuck[0].wait.is_none()), (1, CpuId(3), true));
}

#[test]
#[should_panic(expected = "2^48 cycles")]
fn time_beyond_what_the_event_queue_can_order_ends_the_run() {
    let mut build = build(1);
    let words: SimWords<u64> = Sim::words(&mut build, Place::padded("line", 1));
    let late = move |cpu: &SimCpu| {
        Sim::work(cpu, Cycles(1 << 48));
        words.load(cpu, 0, SeqCst);
    };
    let _ = run(build, vec![actor(0, late)]);
}

#[test]
fn a_deadlock_names_each_cpu_its_word_and_what_it_waits_for() {
    let mut build = build(1);
    let words: SimWords<u32> = Sim::words(&mut build, Place::padded("gate", 2));
    let wait = move |i: usize| {
        move |cpu: &SimCpu| {
            words.spin_until(cpu, i, Until::eq(1), SeqCst);
        }
    };
    let out = run(build, vec![actor(3, wait(1)), actor(4, |_| {}), actor(2, wait(0))]);
    let End::Deadlock(stuck) = out.end else { panic!("must not finish") };
    let lines: Vec<_> = stuck.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("CPU 2 (a2)") && lines[0].contains("gate[0]"), "{}", lines[0]);
    assert!(lines[1].contains("word == 0x1") && lines[1].contains("gate[1]"), "{}", lines[1]);
}

#[test]
fn a_panic_in_an_actor_reaches_the_caller_and_leaves_the_thread_usable() {
    let panicked = std::panic::catch_unwind(|| {
        let mut build = build(1);
        let words: SimWords<u32> = Sim::words(&mut build, Place::padded("gate", 1));
        let waiter = move |cpu: &SimCpu| {
            words.spin_until(cpu, 0, Until::eq(1), SeqCst);
        };
        let bomb = move |cpu: &SimCpu| {
            Sim::work(cpu, Cycles(100));
            words.load(cpu, 0, SeqCst);
            panic!("planted");
        };
        run(build, vec![actor(0, waiter), actor(1, bomb)])
    });
    let payload = panicked.expect_err("carried over");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"planted"));
    assert_eq!(hammer(4, 10, 1).end, End::Finished);
}

#[test]
fn a_spinner_sees_each_change_it_waits_for() {
    let mut build = build(1);
    let words: SimWords<u64> = Sim::words(&mut build, Place::padded("baton", 1));
    const ROUNDS: u64 = 100;
    let runner = move |me: u64| {
        move |cpu: &SimCpu| {
            for round in 0..ROUNDS {
                let turn = round * 3 + me;
                words.spin_until(cpu, 0, Until::eq(turn), SeqCst);
                words.store(cpu, 0, turn + 1, SeqCst);
            }
        }
    };
    let actors = (0..3).map(|i| actor(i, runner(u64::from(i)))).collect();
    assert_eq!(run(build, actors).end, End::Finished);
}

#[test]
fn a_bounded_spin_gives_up_after_its_reads() {
    let mut build = build(1);
    let words: SimWords<u32> = Sim::words(&mut build, Place::padded("w", 1));
    let body = move |cpu: &SimCpu| {
        words.load(cpu, 0, SeqCst);
        let start = Sim::now(cpu);
        assert_eq!(words.spin_until_for(cpu, 0, Until::eq(1), 11, SeqCst), Err(0));
        // Eleven loads of 5 cycles with ten PAUSEs of 140 between.
        assert_eq!((Sim::now(cpu) - start).0, 11 * 5 + 10 * 140);
    };
    let noise = move |cpu: &SimCpu| {
        for _ in 0..20 {
            Sim::work(cpu, Cycles(1000));
            words.touch_16b(cpu, 0);
        }
    };
    assert_eq!(run(build, vec![actor(0, body)]).end, End::Finished);
    let mut build = self::build(1);
    let words: SimWords<u32> = Sim::words(&mut build, Place::padded("w", 1));
    let body = move |cpu: &SimCpu| {
        assert_eq!(words.spin_until_for(cpu, 0, Until::eq(1), 50, SeqCst), Err(0));
    };
    assert_eq!(run(build, vec![actor(0, body), actor(1, noise)]).end, End::Finished);
}

#[test]
fn a_kick_ends_a_sleep_and_a_deadline_ends_it_otherwise() {
    let build = build(1);
    let sleeper = |cpu: &SimCpu| {
        assert_eq!(Sim::sleep_until(cpu, Cycles(1_000_000)), Wake::Kicked);
        let woken = Sim::now(cpu);
        assert_eq!(woken.0, 500 + cycles(1000.0));
        assert_eq!(Sim::sleep_until(cpu, Cycles(2_000_000)), Wake::Deadline);
        assert_eq!(Sim::now(cpu), Cycles(2_000_000));
        // A kick that came while it worked ends the next sleep at once.
        Sim::work(cpu, Cycles(2_000_000));
        assert_eq!(Sim::sleep_until(cpu, Cycles(9_000_000)), Wake::Kicked);
        assert_eq!(Sim::now(cpu), Cycles(4_000_000));
    };
    let kicker = |cpu: &SimCpu| {
        Sim::work(cpu, Cycles(500));
        Sim::kick(cpu, CpuId(0));
        Sim::work(cpu, Cycles(2_500_000));
        Sim::kick(cpu, CpuId(0));
        Sim::work(cpu, Cycles(3_000_000));
    };
    assert_eq!(run(build, vec![actor(0, sleeper), actor(9, kicker)]).end, End::Finished);
}

#[test]
#[should_panic(expected = "private to CPU 1")]
fn a_second_cpu_on_a_private_word_is_an_error() {
    let mut build = build(1);
    let place = Place::padded("stats", 4).home(Home::PerCpu).private();
    let words: SimWords<u64> = Sim::words(&mut build, place);
    let _ = run(build, vec![actor(0, move |cpu| words.store(cpu, 1, 1, SeqCst))]);
}

#[test]
fn preparation_sets_values_takes_no_time_and_leaves_lines_in_memory() {
    let mut build = build(1);
    let words: SimWords<u64> = Sim::words(&mut build, Place::padded("w", 1));
    Sim::prepare(
        &mut build,
        Box::new(move |cpu| {
            Sim::work(cpu, Cycles(1000));
            words.fetch_add(cpu, 0, 41, SeqCst);
            words.spin_until(cpu, 0, Until::eq(41), SeqCst);
        }),
    );
    words.poke(&mut build, 0, 0);
    let body = move |cpu: &SimCpu| {
        assert_eq!(Sim::now(cpu), Cycles(0));
        assert_eq!(words.load(cpu, 0, SeqCst), 41);
        assert!(Sim::now(cpu).0 >= cycles(109.0), "from memory");
    };
    let out = run(build, vec![actor(0, body)]);
    assert_eq!(out.lines.objects[0].counters.dram_local, 1);
    assert_eq!(out.lines.objects[0].counters.locked, 0);
}

#[test]
fn direct_stores_leave_lines_in_memory_and_share_a_nodes_bandwidth() {
    let mut build = build(1);
    let words: SimWords<u64> = Sim::words(&mut build, Place::packed("pamt", 1024));
    let body = move |cpu: &SimCpu| {
        words.load(cpu, 0, SeqCst);
        words.fill(cpu, 0..1024, 7, BulkKind::DirectStore, Some(NodeId(1)));
        let start = Sim::now(cpu);
        assert_eq!(words.load(cpu, 0, SeqCst), 7);
        assert_eq!((Sim::now(cpu) - start).0, cycles(190.0) + 5, "from the new home");
    };
    let _ = run(build, vec![actor(0, body)]);
    let elapsed = |cpus: u16| {
        let build = self::build(1);
        let clear = |cpu: &SimCpu| {
            for _ in 0..100 {
                Sim::bulk(cpu, BulkKind::DirectStore, 8192, NodeId(0));
            }
        };
        run(build, (0..cpus).map(|cpu| actor(cpu, clear)).collect()).elapsed.0
    };
    // One core stores 64 bytes in 17 ns; 56 of them ask for more than the node's 120 bytes a ns.
    assert_eq!(elapsed(1), 100 * 128 * cycles(17.0));
    let shared = 56.0 * 100.0 * 8192.0 / 120.0 * 3.0;
    assert!((elapsed(56) as f64 / shared - 1.0).abs() < 0.02);
}

#[test]
fn a_scan_finds_the_first_word_and_leaves_the_lines_cached() {
    let mut build = build(1);
    let words: SimWords<u64> = Sim::words(&mut build, Place::packed("pamt", 1024));
    words.poke(&mut build, 700, 1);
    let body = move |cpu: &SimCpu| {
        assert_eq!(words.scan(cpu, 0..1024, 2, Until::ne(0)), Some(700));
        assert_eq!(words.scan(cpu, 701..1024, 1, Until::ne(0)), None);
        let start = Sim::now(cpu);
        words.load(cpu, 100, SeqCst);
        assert_eq!(Sim::now(cpu) - start, Cycles(5));
    };
    let _ = run(build, vec![actor(0, body)]);
}

#[test]
fn neighbours_on_a_line_show_as_false_sharing_and_one_word_does_not() {
    let row = |same: bool| {
        let mut build = build(1);
        let words: SimWords<u32> = Sim::words(&mut build, Place::packed("refcounts", 16));
        let body = move |cpu: &SimCpu| {
            let i = if same { 0 } else { usize::from(Sim::cpu(cpu).0) };
            for _ in 0..100 {
                words.fetch_add(cpu, i, 1, SeqCst);
            }
        };
        let out = run(build, vec![actor(0, body), actor(1, body)]);
        out.lines.lines[0].clone()
    };
    assert!(row(false).false_sharing && !row(true).false_sharing);
    assert_eq!(row(false).offsets.len(), 2);
    assert_eq!(row(false).name, "refcounts[0..16]");
}
