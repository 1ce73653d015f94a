//! The actors of most workloads: a thread for each vCPU that takes part, all with one program.

use std::sync::Arc;

use pamt_strategies::platform::{Actor, Platform};
use pamt_strategies::units::CpuId;

use super::Progress;
use crate::host::{Host, HostError};

/// Which vCPU a thread is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Thread {
    /// Its TD.
    pub(super) td: u32,
    /// Its number in the TD.
    pub(super) index: u64,
    /// The host CPU that it runs on.
    pub(super) on: CpuId,
}

/// A thread for each vCPU that `takes_part`, named for its `role` (`td0/vcpu3`). `program` returns the
/// pages that it did.
pub(super) fn threads<P: Platform>(
    host: &Arc<Host<P>>,
    progress: &Arc<Progress>,
    role: &str,
    takes_part: impl Fn(Thread) -> bool,
    program: impl Fn(&P::Cpu, Thread) -> Result<u64, HostError> + Send + Sync + 'static,
) -> Vec<Actor<P>> {
    let program = Arc::new(program);
    host.vcpus()
        .map(|(td, index, on)| Thread { td: td.id, index, on })
        .filter(|thread| takes_part(*thread))
        .map(|thread| {
            let (host, progress) = (Arc::clone(host), Arc::clone(progress));
            let program = Arc::clone(&program);
            progress.enlist();
            let body = move |cpu: &P::Cpu| {
                progress.run(cpu, &host, thread.td, || program(cpu, thread));
            };
            let name = format!("td{}/{role}{}", thread.td, thread.index);
            Actor { cpu: thread.on, name, body: Box::new(body) }
        })
        .collect()
}

/// All vCPUs take part.
pub(super) fn all(_: Thread) -> bool {
    true
}

/// The first vCPU of each TD does.
pub(super) fn first(thread: Thread) -> bool {
    thread.index == 0
}
