//! What a run knows of its cache lines, as plain data: the columns of `perf c2c`, complete.

use std::collections::BTreeSet;

use pamt_strategies::units::{LINE_BYTES, NodeId};

use super::coherence::Coherence;
use super::handed::Handed;
use super::memory::Object;
use super::record::Record;
use super::stats::{LineCounters, OffsetRow, false_sharing};
use super::tally::ObjectStats;

/// Cache lines of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineBook {
    /// Every named object, in order of creation; complete.
    pub objects: Vec<ObjectRow>,
    /// The lines that moved most between cores, most first, and of each object at least one. Lines that moved 64 times or more are
    /// complete; colder ones may lack what happened before they were last shared.
    pub lines: Vec<LineRow>,
    /// Modelled memory that was touched, in bytes.
    pub touched_bytes: u64,
}

/// All lines of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRow {
    /// Name.
    pub object: String,
    /// Bytes of address space.
    pub bytes: u64,
    /// Sums over its lines.
    pub counters: LineCounters,
    /// Its lines that went from core to core.
    pub handed: Vec<Handed>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// Object it belongs to.
    pub object: String,
    /// Name of the first word: `object[record].field`, or `object[first..last]` for packed records.
    pub name: String,
    /// Its place in the object, in lines.
    pub line: u64,
    /// Node that homes it.
    pub home: NodeId,
    /// What happened on it.
    pub counters: LineCounters,
    /// Who used which offset, by offset.
    pub offsets: Vec<NamedOffset>,
    /// CPUs that use different words of it slow each other down.
    pub false_sharing: bool,
}

/// An offset of a line with the word that lies there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedOffset {
    /// `object[record].field`.
    pub name: String,
    /// The counts.
    pub row: OffsetRow,
}

impl LineBook {
    pub(super) fn new(coherence: &Coherence, rows: usize) -> Self {
        let memory = &coherence.memory;
        let mut sums: Vec<_> = coherence.cold.iter().map(ObjectStats::counters).collect();
        let counted = |record| (Record::counters(record, &coherence.rows), record);
        let mut shared: Vec<_> = coherence.records.live().map(counted).collect();
        for (counters, record) in &shared {
            sums[record.object as usize].add(counters);
        }
        let cores = coherence.map.cores();
        let handed = coherence.handed.iter().map(|book| book.rows(cores));
        let sums = sums.into_iter().zip(handed);
        let objects = memory.objects().iter().zip(sums).map(|(object, (counters, handed))| {
            ObjectRow { object: object.name.clone(), bytes: object.bytes, counters, handed }
        });
        shared.retain(|(counters, _)| counters.transfers() > 0);
        shared.sort_by_key(|(counters, record)| {
            (std::cmp::Reverse(counters.transfers()), record.addr)
        });
        keep_hottest(&mut shared, rows);
        Self {
            objects: objects.collect(),
            lines: shared.into_iter().map(|(_, record)| line_row(coherence, record)).collect(),
            touched_bytes: memory.touched_bytes(),
        }
    }
}

/// Keeps the first `rows` and the first of each object that has none among them.
fn keep_hottest(shared: &mut Vec<(LineCounters, &Record)>, rows: usize) {
    let mut place = 0;
    let mut seen = BTreeSet::new();
    shared.retain(|(_, record)| {
        place += 1;
        let first = seen.insert(record.object);
        place <= rows || first
    });
}

fn line_row(coherence: &Coherence, record: &Record) -> LineRow {
    let object = coherence.memory.object(record.object);
    let rows = coherence.rows.of(&record.row_of).into_iter().map(OffsetRow::from);
    let rows: Vec<_> = rows.collect();
    let named = |row: OffsetRow| NamedOffset {
        name: word_name(object, record.addr + u64::from(row.offset)),
        row,
    };
    LineRow {
        object: object.name.clone(),
        name: line_name(object, record.addr),
        line: (record.addr - object.base) / LINE_BYTES,
        home: coherence.home_of(record.object, record.addr),
        counters: record.counters(&coherence.rows),
        false_sharing: false_sharing(&rows),
        offsets: rows.into_iter().map(named).collect(),
    }
}

/// `object[record].field` of an address.
pub(super) fn word_name(object: &Object, addr: u64) -> String {
    let offset = addr - object.base;
    let (record, inside) = (offset / object.record_bytes, (offset % object.record_bytes) as u32);
    let field = object.fields.iter().find(|f| inside >= f.offset && inside < f.offset + f.bytes);
    match field {
        Some(field) => format!("{}[{record}].{}", object.name, field.name),
        None if inside == 0 => format!("{}[{record}]", object.name),
        None => format!("{}[{record}]+{inside}", object.name),
    }
}

/// The records of a line.
pub(super) fn line_name(object: &Object, addr: u64) -> String {
    let offset = addr - object.base;
    let first = offset / object.record_bytes;
    let end = (offset + LINE_BYTES).min(object.bytes);
    let last = (end - 1) / object.record_bytes;
    if first == last {
        format!("{}[{first}]", object.name)
    } else {
        format!("{}[{first}..{}]", object.name, last + 1)
    }
}
