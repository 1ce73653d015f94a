//! Threads on given CPUs that begin together.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::io;
use std::thread::{Builder, ScopedJoinHandle};

/// Stack of a thread: what is measured lies elsewhere.
const STACK_BYTES: usize = 1 << 20;

/// Runs `work` with its index on each of these CPUs at once; results in their order.
///
/// # Panics
/// When a thread cannot start, although [`can_start`] has found that as many can.
pub(super) fn together<T: Send>(cpus: &[usize], work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    try_together(cpus, STACK_BYTES, work).expect("as many threads have started before")
}

/// Whether as many threads can run at once.
///
/// # Errors
/// The system's, for the first one that cannot start.
pub(super) fn can_start(cpus: &[usize]) -> io::Result<()> {
    try_together(cpus, STACK_BYTES, |_| ()).map(drop)
}

/// Nobody works unless all have started: they wait for each other.
fn try_together<T: Send>(
    cpus: &[usize],
    stack_bytes: usize,
    work: impl Fn(usize) -> T + Sync,
) -> io::Result<Vec<T>> {
    let (ready, given_up) = (&AtomicUsize::new(0), &AtomicBool::new(false));
    let (all, work) = (cpus.len(), &work);
    std::thread::scope(|scope| {
        let begin = |(index, cpu): (usize, &usize)| {
            let cpu = *cpu;
            let body = move || {
                pin(cpu);
                ready.fetch_add(1, Ordering::AcqRel);
                while ready.load(Ordering::Acquire) < all {
                    if given_up.load(Ordering::Relaxed) {
                        return None;
                    }
                    spin_loop();
                }
                Some(work(index))
            };
            let thread = Builder::new().stack_size(stack_bytes).spawn_scoped(scope, body);
            thread.inspect_err(|_| given_up.store(true, Ordering::Relaxed))
        };
        let threads = cpus.iter().enumerate().map(begin).collect::<io::Result<Vec<_>>>()?;
        let join = |thread: ScopedJoinHandle<'_, Option<T>>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        Ok(threads.into_iter().filter_map(join).collect())
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

    #[test]
    fn threads_that_cannot_all_start_end_with_an_error_and_not_with_waiting() {
        // No address space is that large.
        assert!(try_together(&[0, 1], 1 << 60, |_| ()).is_err());
    }
}
