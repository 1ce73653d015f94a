//! The line book of the reference: a log of accesses, counted at the end.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use pamt_strategies::units::{CpuId, LINE_BYTES};

use super::super::access::line_of;
use super::super::coherence::Want;
use super::super::handed::Handed;
use super::super::line_book::{LineRow, NamedOffset, ObjectRow, line_name, word_name};
use super::super::memory::Memory;
use super::super::stats::{LineCounters, OffsetRow};
use super::super::topology::{Distance, Topology};
use super::lines::{Event, Lines, Met};

/// Sums by object, and the lines that moved most.
pub(super) fn of(lines: &Lines, memory: &Memory, rows: usize) -> (Vec<ObjectRow>, Vec<LineRow>) {
    let log = &lines.log;
    let object = |(id, object): (usize, &super::super::memory::Object)| {
        let mut counters = LineCounters::default();
        for event in log.iter().filter(|event| event.access.object as usize == id) {
            count(&mut counters, event);
            count_memory(&mut counters, event);
        }
        let mut handed = BTreeMap::<(CpuId, CpuId), u64>::new();
        for event in log.iter().filter(|event| event.access.object as usize == id) {
            if let Met::Owner { core, .. } = event.met
                && core != event.access.core
            {
                *handed.entry((CpuId(core), CpuId(event.access.core))).or_default() += 1;
            }
        }
        let handed = handed.into_iter().map(|((from, to), count)| Handed { from, to, count });
        ObjectRow {
            object: object.name.clone(),
            bytes: object.bytes,
            counters,
            handed: handed.collect(),
        }
    };
    let objects = memory.objects().iter().enumerate().map(object).collect();
    let mut by_line: BTreeMap<u64, Vec<&Event>> = BTreeMap::new();
    for event in log.iter().filter(|event| event.tracked) {
        by_line.entry(line_of(event.access.addr)).or_default().push(event);
    }
    let row = |(line, events): (u64, Vec<&Event>)| line_row(lines, memory, line, &events);
    let mut shared: Vec<(u64, LineRow)> =
        by_line.into_iter().map(|entry| (entry.0, row(entry))).collect();
    shared.retain(|(_, row)| row.counters.transfers() > 0);
    shared.sort_by_key(|(line, row)| (Reverse(row.counters.transfers()), *line));
    let mut seen = BTreeSet::new();
    let mut place = 0..;
    shared.retain(|(_, row)| {
        let first = seen.insert(row.object.clone());
        place.next().is_some_and(|place| place < rows) || first
    });
    (objects, shared.into_iter().map(|(_, row)| row).collect())
}

fn remote(distance: Distance) -> bool {
    distance >= Distance::Near
}

/// Counts what an access met.
fn count(counters: &mut LineCounters, event: &Event) {
    let write = event.want != Want::Load;
    match event.want {
        Want::Load => counters.loads += 1,
        Want::Store => counters.stores += 1,
        Want::Locked => counters.locked += 1,
    }
    counters.transfer_cycles += event.latency;
    counters.queue_cycles += event.queued;
    let is_hit = matches!(event.met, Met::L1 | Met::L2);
    if write && !is_hit {
        let upgrade = matches!(event.met, Met::SharedHere);
        *if upgrade { &mut counters.upgrades } else { &mut counters.rfo } += 1;
        counters.bounces += u64::from(event.tracked);
        counters.invalidations += event.invalidated;
    }
    let counter = match event.met {
        Met::L1 => &mut counters.l1_hits,
        Met::L2 => &mut counters.l2_hits,
        Met::Llc => &mut counters.llc_hits,
        Met::Owner { dirty: true, distance, .. } => match (write, remote(distance)) {
            (false, false) => &mut counters.hitm_local,
            (false, true) => &mut counters.hitm_remote,
            (true, false) => &mut counters.rfo_hitm_local,
            (true, true) => &mut counters.rfo_hitm_remote,
        },
        Met::Owner { dirty: false, distance, .. } | Met::Sharers(distance) if !write => {
            match remote(distance) {
                false => &mut counters.forward_local,
                true => &mut counters.forward_remote,
            }
        }
        Met::Owner { .. } | Met::Sharers(_) | Met::SharedHere | Met::Dram(_) => return,
    };
    *counter += 1;
}

/// Memory is counted by object only.
fn count_memory(counters: &mut LineCounters, event: &Event) {
    if let Met::Dram(distance) = event.met {
        let local = &mut counters.dram_local;
        *if remote(distance) { &mut counters.dram_remote } else { local } += 1;
    }
}

fn line_row(lines: &Lines, memory: &Memory, line: u64, events: &[&Event]) -> LineRow {
    let object = memory.object(events[0].access.object);
    let mut counters = LineCounters::default();
    events.iter().for_each(|event| count(&mut counters, event));
    let shown = || events.iter().filter(|event| !event.parked);
    let used: BTreeSet<u8> = shown().map(|event| offset_of(event)).collect();
    let offsets = used.iter().map(|offset| {
        let here: Vec<&Event> = shown().filter(|e| offset_of(e) == *offset).copied().collect();
        let row = offset_row(&lines.topology, *offset, &here);
        NamedOffset { name: word_name(object, line + u64::from(*offset)), row }
    });
    LineRow {
        object: object.name.clone(),
        name: line_name(object, line),
        line: (line - object.base) / LINE_BYTES,
        home: home(&lines.topology, memory, events[0].access.object, line),
        counters,
        false_sharing: false_sharing(&shown().copied().collect::<Vec<_>>()),
        offsets: offsets.collect(),
    }
}

fn home(t: &Topology, memory: &Memory, object: u32, addr: u64) -> pamt_strategies::units::NodeId {
    let node = |cpu: usize| t.node_of(t.core_of(CpuId(cpu as u16))).0;
    let node_of_cpu: Vec<u8> = (0..t.cpus()).map(node).collect();
    memory.home(object, addr, t.nodes() as u64, &node_of_cpu)
}

fn offset_of(event: &Event) -> u8 {
    (event.access.addr % LINE_BYTES) as u8
}

fn offset_row(topology: &Topology, offset: u8, events: &[&Event]) -> OffsetRow {
    let words = topology.cpus().div_ceil(64);
    let mut row = OffsetRow {
        offset,
        accesses: events.len() as u64,
        hitm: 0,
        readers: vec![0; words],
        writers: vec![0; words],
    };
    for event in events {
        let (cpu, write) = (usize::from(event.access.cpu.0), event.want != Want::Load);
        let set = if write { &mut row.writers } else { &mut row.readers };
        set[cpu / 64] |= 1 << (cpu % 64);
        row.hitm += u64::from(matches!(event.met, Met::Owner { dirty: true, .. }));
    }
    row
}

/// Some CPU writes one offset while another uses only others.
fn false_sharing(events: &[&Event]) -> bool {
    let writes = events.iter().filter(|event| event.want != Want::Load);
    let written: BTreeSet<u8> = writes.map(|event| offset_of(event)).collect();
    let uses: BTreeSet<(u16, u8)> = events.iter().map(|e| (e.access.cpu.0, offset_of(e))).collect();
    let strangers = |at: u8| uses.iter().any(|(cpu, to)| *to != at && !uses.contains(&(*cpu, at)));
    written.into_iter().any(strangers)
}
