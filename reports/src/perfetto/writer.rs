//! Packets, tracks and events.
//!
//! All packets form one sequence. Names repeat thousands of times, so each goes into the interned data
//! of the first packet that uses it and is a number from then on. Times are nanoseconds; packets need
//! not be in order of time (the reader sorts), except for those of one track.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::proto::Message;

/// The one sequence of packets; any number but 0.
const SEQUENCE: u64 = 1;

// Trace
const TRACE_PACKET: u64 = 1;
// TracePacket
const TIMESTAMP: u64 = 8;
const TRUSTED_PACKET_SEQUENCE_ID: u64 = 10;
const TRACK_EVENT: u64 = 11;
const INTERNED_DATA: u64 = 12;
const SEQUENCE_FLAGS: u64 = 13;
const TRACK_DESCRIPTOR: u64 = 60;
// SequenceFlags
const INCREMENTAL_STATE_CLEARED: u64 = 1;
const NEEDS_INCREMENTAL_STATE: u64 = 2;
// TrackDescriptor
const DESCRIPTOR_UUID: u64 = 1;
const DESCRIPTOR_NAME: u64 = 2;
const DESCRIPTOR_PARENT: u64 = 5;
const DESCRIPTOR_COUNTER: u64 = 8;
const DESCRIPTOR_ORDERING: u64 = 11;
const DESCRIPTOR_RANK: u64 = 12;
const ORDERING_EXPLICIT: u64 = 3;
const COUNTER_UNIT_NAME: u64 = 6;
// TrackEvent
const EVENT_CATEGORY_IIDS: u64 = 3;
const EVENT_DEBUG_ANNOTATIONS: u64 = 4;
const EVENT_TYPE: u64 = 9;
const EVENT_NAME_IID: u64 = 10;
const EVENT_TRACK_UUID: u64 = 11;
const EVENT_COUNTER_VALUE: u64 = 30;
const EVENT_FLOW_IDS: u64 = 47;
const EVENT_TERMINATING_FLOW_IDS: u64 = 48;
const TYPE_SLICE_BEGIN: u64 = 1;
const TYPE_SLICE_END: u64 = 2;
const TYPE_INSTANT: u64 = 3;
const TYPE_COUNTER: u64 = 4;
// DebugAnnotation
const ANNOTATION_NAME_IID: u64 = 1;
const ANNOTATION_UINT: u64 = 3;
const ANNOTATION_DOUBLE: u64 = 5;
const ANNOTATION_STRING: u64 = 6;
// InternedData, and the fields of each of its entries
const INTERNED_CATEGORIES: u64 = 1;
const INTERNED_EVENT_NAMES: u64 = 2;
const INTERNED_ANNOTATION_NAMES: u64 = 3;
const ENTRY_IID: u64 = 1;
const ENTRY_NAME: u64 = 2;

/// A row of the timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId(u64);

/// An arrow between slices: all slices that carry it, in order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowId(pub u64);

/// A value shown beside a slice.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Uint(u64),
    /// A fraction.
    Double(f64),
    /// Text.
    Text(String),
}

/// Names and values shown beside a slice.
pub type Args<'a> = &'a [(&'static str, Value)];

/// What a slice or an instant says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slice<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its category, by which the viewer filters.
    pub category: &'static str,
    /// Arrows that go on from here.
    pub flow: Option<FlowId>,
    /// Arrows that end here.
    pub flow_end: Option<FlowId>,
    /// Details.
    pub args: Args<'a>,
}

#[derive(Default)]
struct Names {
    iids: BTreeMap<String, u64>,
}

impl Names {
    /// The number of a name, and whether this packet must define it.
    fn intern(&mut self, name: &str) -> (u64, bool) {
        if let Some(iid) = self.iids.get(name) {
            return (*iid, false);
        }
        let iid = self.iids.len() as u64 + 1;
        self.iids.insert(name.to_owned(), iid);
        (iid, true)
    }
}

/// Writes a trace, packet by packet.
pub struct TraceWriter<W> {
    out: W,
    packet: Message,
    framed: Message,
    tracks: u64,
    begun: bool,
    categories: Names,
    events: Names,
    annotations: Names,
}

impl<W: Write> TraceWriter<W> {
    /// A trace into `out`, which should be buffered.
    pub fn new(out: W) -> Self {
        Self {
            out,
            packet: Message::default(),
            framed: Message::default(),
            tracks: 0,
            begun: false,
            categories: Names::default(),
            events: Names::default(),
            annotations: Names::default(),
        }
    }

    /// A new row, below `parent`; `rank` orders it among its siblings.
    ///
    /// # Errors
    /// Those of the output.
    pub fn track(&mut self, name: &str, parent: Option<TrackId>, rank: u64) -> io::Result<TrackId> {
        self.descriptor(name, parent, rank, None)
    }

    /// A new row that shows a number over time; `unit` is its name.
    ///
    /// # Errors
    /// Those of the output.
    pub fn counter_track(
        &mut self,
        name: &str,
        parent: Option<TrackId>,
        unit: &str,
    ) -> io::Result<TrackId> {
        self.descriptor(name, parent, 0, Some(unit))
    }

    fn descriptor(
        &mut self,
        name: &str,
        parent: Option<TrackId>,
        rank: u64,
        unit: Option<&str>,
    ) -> io::Result<TrackId> {
        self.tracks += 1;
        let track = TrackId(self.tracks);
        self.packet.clear();
        self.packet.message(TRACK_DESCRIPTOR, |d| {
            d.varint(DESCRIPTOR_UUID, track.0);
            d.string(DESCRIPTOR_NAME, name);
            if let Some(parent) = parent {
                d.varint(DESCRIPTOR_PARENT, parent.0);
            }
            if let Some(unit) = unit {
                d.message(DESCRIPTOR_COUNTER, |c| c.string(COUNTER_UNIT_NAME, unit));
            }
            d.varint(DESCRIPTOR_ORDERING, ORDERING_EXPLICIT);
            d.varint(DESCRIPTOR_RANK, rank);
        });
        self.send()?;
        Ok(track)
    }

    /// A slice begins. Slices of one track nest.
    ///
    /// # Errors
    /// Those of the output.
    pub fn begin(&mut self, track: TrackId, at_ns: u64, slice: &Slice<'_>) -> io::Result<()> {
        self.named_event(TYPE_SLICE_BEGIN, track, at_ns, slice)
    }

    /// The innermost slice of the track ends.
    ///
    /// # Errors
    /// Those of the output.
    pub fn end(&mut self, track: TrackId, at_ns: u64) -> io::Result<()> {
        self.event(at_ns, |e| {
            e.varint(EVENT_TYPE, TYPE_SLICE_END);
            e.varint(EVENT_TRACK_UUID, track.0);
        })
    }

    /// Something happened that takes no time.
    ///
    /// # Errors
    /// Those of the output.
    pub fn instant(&mut self, track: TrackId, at_ns: u64, what: &Slice<'_>) -> io::Result<()> {
        self.named_event(TYPE_INSTANT, track, at_ns, what)
    }

    /// The number of a counter track from now on.
    ///
    /// # Errors
    /// Those of the output.
    pub fn count(&mut self, track: TrackId, at_ns: u64, value: u64) -> io::Result<()> {
        self.event(at_ns, |e| {
            e.varint(EVENT_TYPE, TYPE_COUNTER);
            e.varint(EVENT_TRACK_UUID, track.0);
            e.varint(EVENT_COUNTER_VALUE, value);
        })
    }

    fn event(&mut self, at_ns: u64, fill: impl FnOnce(&mut Message)) -> io::Result<()> {
        self.packet.clear();
        self.packet.varint(TIMESTAMP, at_ns);
        self.packet.message(TRACK_EVENT, fill);
        self.send()
    }

    fn named_event(&mut self, kind: u64, track: TrackId, at: u64, s: &Slice<'_>) -> io::Result<()> {
        let name = self.events.intern(s.name);
        let category = self.categories.intern(s.category);
        let args: Vec<_> =
            s.args.iter().map(|(name, v)| (*name, self.annotations.intern(name), v)).collect();
        self.packet.clear();
        self.packet.varint(TIMESTAMP, at);
        if name.1 || category.1 || args.iter().any(|(_, iid, _)| iid.1) {
            self.packet.message(INTERNED_DATA, |data| {
                define(data, INTERNED_CATEGORIES, category, s.category);
                define(data, INTERNED_EVENT_NAMES, name, s.name);
                for (text, iid, _) in &args {
                    define(data, INTERNED_ANNOTATION_NAMES, *iid, text);
                }
            });
        }
        self.packet.message(TRACK_EVENT, |e| {
            e.varint(EVENT_CATEGORY_IIDS, category.0);
            for (_, iid, value) in &args {
                e.message(EVENT_DEBUG_ANNOTATIONS, |a| annotation(a, iid.0, value));
            }
            e.varint(EVENT_TYPE, kind);
            e.varint(EVENT_NAME_IID, name.0);
            e.varint(EVENT_TRACK_UUID, track.0);
            if let Some(flow) = s.flow {
                e.fixed64(EVENT_FLOW_IDS, flow.0);
            }
            if let Some(flow) = s.flow_end {
                e.fixed64(EVENT_TERMINATING_FLOW_IDS, flow.0);
            }
        });
        self.send()
    }

    /// Completes the packet with its place in the sequence and writes it.
    fn send(&mut self) -> io::Result<()> {
        self.packet.varint(TRUSTED_PACKET_SEQUENCE_ID, SEQUENCE);
        let first = if self.begun { 0 } else { INCREMENTAL_STATE_CLEARED };
        self.begun = true;
        self.packet.varint(SEQUENCE_FLAGS, first | NEEDS_INCREMENTAL_STATE);
        self.framed.clear();
        self.framed.bytes_field(TRACE_PACKET, self.packet.as_bytes());
        self.out.write_all(self.framed.as_bytes())
    }

    /// Flushes and gives the output back.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

fn define(data: &mut Message, field: u64, (iid, is_new): (u64, bool), name: &str) {
    if is_new {
        data.message(field, |entry| {
            entry.varint(ENTRY_IID, iid);
            entry.string(ENTRY_NAME, name);
        });
    }
}

fn annotation(message: &mut Message, iid: u64, value: &Value) {
    message.varint(ANNOTATION_NAME_IID, iid);
    match value {
        Value::Uint(number) => message.varint(ANNOTATION_UINT, *number),
        Value::Double(number) => message.double(ANNOTATION_DOUBLE, *number),
        Value::Text(text) => message.string(ANNOTATION_STRING, text),
    }
}
