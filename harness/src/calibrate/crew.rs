//! Threads on given CPUs that begin together.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicUsize, Ordering};

/// Runs `work` with its index on each of these CPUs at once; results in their order.
pub(super) fn together<T: Send>(cpus: &[usize], work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let (ready, work) = (AtomicUsize::new(0), &work);
    std::thread::scope(|scope| {
        let begin = |(index, cpu): (usize, &usize)| {
            let (cpu, ready, all) = (*cpu, &ready, cpus.len());
            scope.spawn(move || {
                pin(cpu);
                ready.fetch_add(1, Ordering::AcqRel);
                while ready.load(Ordering::Acquire) < all {
                    spin_loop();
                }
                work(index)
            })
        };
        let threads: Vec<_> = cpus.iter().enumerate().map(begin).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, T>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    })
}

/// Runs `work` on a CPU.
pub(super) fn on<T: Send>(cpu: usize, work: impl Fn() -> T + Sync) -> T {
    let mut results = together(&[cpu], |_| work());
    results.pop().expect("one CPU, one result")
}

fn pin(cpu: usize) {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    // The CPUs are those that this process may run on. Should one have been taken away since, the
    // scheduler's choice is measured: still this host.
    let _ = rustix::thread::sched_setaffinity(None, &set);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_cpus() {
        let cpus: Vec<usize> = pamt_strategies::platform::native::host_cpus()
            .iter()
            .map(|cpu| cpu.number)
            .take(2)
            .collect();
        assert_eq!(together(&cpus, |index| index * 10), [0, 10][..cpus.len()]);
    }
}
