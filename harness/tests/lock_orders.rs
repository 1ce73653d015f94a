//! Which lock is ahead flips where it flips on hardware: published orders, reproduced by the model.
//!
//! Sources: lockhammer's x86 hosts of June 2018 (crit = par = 0, and 200/1000 across sockets); CNA against
//! the stock lock on four sockets (the patches' own figures: equal at N <= 2, about twice at 72 threads).

use pamt_harness::lockbench::{Length, LockBench, PinOrder, Stop, Subject, run_simulated};
use pamt_sim::machine::Profile;
use pamt_strategies::units::CpuId;

const ACQUIRES: u64 = 100;

struct Setting {
    machine: &'static str,
    pin: PinOrder,
    critical_ns: f64,
    parallel_ns: f64,
}

impl Setting {
    /// Median of three seeds: a queue lock freezes the order in which its threads began.
    fn ns(&self, lock: &str, threads: usize) -> f64 {
        let profile = Profile::builtin(self.machine).expect("built in");
        let mut times = [1, 2, 3].map(|seed| {
            let bench = LockBench {
                critical: Length::Constant(self.critical_ns),
                parallel: Length::Constant(self.parallel_ns),
                pin: self.pin.clone(),
                stop: Stop::Acquires(ACQUIRES),
                seed,
                ..LockBench::new(Subject::parse(lock).expect("known"), threads)
            };
            run_simulated(&profile, &bench).expect("runs").ns_per_acquire
        });
        times.sort_by(f64::total_cmp);
        times[1]
    }
}

fn idle(machine: &'static str, pin: PinOrder) -> Setting {
    Setting { machine, pin, critical_ns: 0.0, parallel_ns: 0.0 }
}

#[test]
fn four_threads_are_faster_on_simple_locks_and_qspinlock_overtakes_ticket_near_sixteen() {
    let host = idle("lockhammer-x86-2", PinOrder::SmtFirst);
    let queued = host.ns("qspinlock", 4);
    assert!(host.ns("tas", 4) < queued && host.ns("ticket", 4) < queued);
    let ahead = |threads| host.ns("qspinlock", threads) < host.ns("ticket", threads);
    let overtakes = (4..=32).step_by(4).find(|threads| ahead(*threads)).expect("it does");
    assert!((8..=24).contains(&overtakes), "published: near 16; modelled: {overtakes}");
    assert!(ahead(32));
}

#[test]
fn crossing_a_socket_costs_test_and_set_most_and_qspinlock_least() {
    let host = Setting {
        machine: "clx-2s",
        pin: PinOrder::SmtFirst,
        critical_ns: 200.0,
        parallel_ns: 1000.0,
    };
    // The first 48 CPUs of the order are one socket's.
    let topology = Profile::builtin(host.machine).expect("built in").topology().clone();
    let cpus: Vec<CpuId> = host.pin.cpus(&topology).expect("no file");
    let socket = |at: usize| topology.socket_of(topology.core_of(cpus[at]));
    assert_eq!((socket(47), socket(48)), (0, 1));
    let [tas, ticket, queued] =
        ["tas", "ticket", "qspinlock"].map(|lock| host.ns(lock, 60) - host.ns(lock, 46));
    assert!(tas > ticket && ticket > queued && queued > 0.0, "{tas} {ticket} {queued}");
}

#[test]
fn cna_doubles_the_stock_lock_on_four_sockets_and_changes_nothing_for_two_threads() {
    let host = idle("skx-4s", PinOrder::CoresFirst);
    let gain = |threads| host.ns("qspinlock", threads) / host.ns("cna", threads);
    assert!((gain(1) - 1.0).abs() < 0.02 && (gain(2) - 1.0).abs() < 0.1, "{} {}", gain(1), gain(2));
    let many = gain(72);
    assert!((1.6..2.6).contains(&many), "published: about 2; modelled: {many}");
}
