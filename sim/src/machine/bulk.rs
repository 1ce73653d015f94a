//! Bulk work: clearing, scanning and copying many lines as one operation.

use pamt_strategies::platform::{BulkKind, Until};
use pamt_strategies::units::{CpuId, LINE_BYTES, NodeId};

use super::access::line_of;
use super::coherence::{Access, Request, Want};
use super::cpu::At;
use super::engine::Machine;

/// Words of a bulk operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct FillRange {
    pub(super) at: At,
    pub(super) stride: u64,
    pub(super) words: u64,
    pub(super) home: Option<NodeId>,
}

impl Machine {
    /// Work on `bytes` of memory homed on `home`. The core has a rate of its own, and the writes of all
    /// CPUs share what the node's memory can take: a server that is busy until it has written them.
    pub(super) fn bulk(&mut self, cpu: CpuId, kind: BulkKind, bytes: u64, home: NodeId) {
        if self.preparing {
            return;
        }
        let lines = bytes.div_ceil(LINE_BYTES);
        let costs = self.coherence.costs.bulk;
        let (a_line, writes) = match kind {
            BulkKind::DirectStore => (costs.direct_store, true),
            BulkKind::Store => (costs.store, true),
            BulkKind::Scan => (costs.scan, false),
            BulkKind::Copy => (costs.scan + costs.direct_store, true),
            BulkKind::Flush => (costs.flush, true),
        };
        let state = self.cpu(cpu);
        let (core, now) = (state.core, state.time as f64);
        let mut done = now + lines as f64 * a_line;
        if matches!(kind, BulkKind::Scan | BulkKind::Copy) {
            done += self.dram_latency(core, home) as f64;
        }
        if writes {
            let busy = &mut self.node_writes[usize::from(home.0)];
            *busy = busy.max(now) + lines as f64 * costs.node_write;
            done = done.max(*busy);
        }
        if matches!(kind, BulkKind::Store | BulkKind::Scan | BulkKind::Copy) {
            self.coherence.pollute(core, lines);
        }
        self.cpu_mut(cpu).time = done.round() as u64;
    }

    fn dram_latency(&self, core: u16, home: NodeId) -> u64 {
        let topology = self.coherence.topology();
        let distance =
            topology.socket_distance(topology.socket_of(core), topology.socket_of_node(home));
        self.coherence.costs.dram[distance as usize].latency()
    }

    /// Writes `value` to words of `stride` bytes over `lines` lines from `at`, then charges it as bulk
    /// work of `kind`: a direct store leaves the lines in memory, an ordinary one in the core's caches.
    pub(super) fn fill(&mut self, cpu: CpuId, range: FillRange, value: u64, kind: BulkKind) {
        for i in 0..range.words {
            let addr = range.at.addr + i * range.stride;
            self.coherence.memory.write(addr, range.at.bytes.into(), value);
        }
        let first = line_of(range.at.addr);
        let end = range.at.addr + range.words * range.stride;
        let (now, core) = (self.cpu(cpu).time, self.cpu(cpu).core);
        for addr in (first..end).step_by(LINE_BYTES as usize) {
            if let Some(record) = self.coherence.evict(addr, range.home) {
                self.wake(record, now, None);
            }
            if kind == BulkKind::Store && !self.preparing {
                let access = Access { addr, object: range.at.object, cpu, core };
                self.coherence.take_silently(access);
            }
        }
        let home = self.coherence.home_of(range.at.object, first);
        self.bulk(cpu, kind, end - first, home);
    }

    /// Loads every line of a range, several at a time, and returns the first word (of those `step`
    /// apart) that satisfies `until`. Lines that are cached cost their own latency; the others stream.
    pub(super) fn scan(
        &mut self,
        cpu: CpuId,
        range: FillRange,
        step: u64,
        until: Until,
    ) -> Option<u64> {
        let found = (0..range.words).step_by(step.max(1) as usize).find(|i| {
            let addr = range.at.addr + i * range.stride;
            until.holds(self.coherence.memory.read(addr, range.at.bytes.into()))
        });
        if self.preparing {
            return found;
        }
        let words = found.map_or(range.words, |i| i + 1);
        let first = line_of(range.at.addr);
        let end = range.at.addr + words * range.stride;
        let now = self.cpu(cpu).time;
        let mut longest = 0;
        let mut lines = 0u64;
        for addr in (first..end).step_by(LINE_BYTES as usize) {
            let a = self.access(cpu, &At { addr, ..range.at });
            let request = Request { a, want: Want::Load, now, not_before: 0 };
            let served = self.coherence.access(request);
            longest = longest.max(served.done - now);
            lines += u64::from(!served.hit);
        }
        let hits = end.saturating_sub(first).div_ceil(LINE_BYTES) - lines;
        let streamed = lines as f64 * self.coherence.costs.bulk.scan;
        let time = now + longest + hits * self.coherence.costs.load + streamed.round() as u64;
        self.cpu_mut(cpu).time = time;
        found
    }
}
