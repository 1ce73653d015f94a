//! Traces as Perfetto's TrackEvent protobuf, the format that ui.perfetto.dev opens.
//!
//! The dozen messages that a trace of slices, counters and flows needs are written by hand: field
//! numbers are those of Perfetto's `trace_packet.proto`, `track_event.proto`,
//! `track_descriptor.proto` and `interned_data.proto`.

mod proto;
mod writer;

pub use writer::{Args, FlowId, Slice, TraceWriter, TrackId, Value};
