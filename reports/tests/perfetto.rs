//! A written trace, packet by packet.

mod decode;

use decode::{decode, field, text, uint};
use pamt_reports::perfetto::{FlowId, Slice, TraceWriter, Value};
use prost_reflect::Value as Field;

const BEGIN: u64 = 1;
const END: u64 = 2;
const INSTANT: u64 = 3;
const COUNTER: u64 = 4;

#[test]
fn tracks_form_a_tree_with_names_and_an_order() {
    let mut trace = TraceWriter::new(Vec::new());
    let cpus = trace.track("CPUs", None, 1).expect("memory");
    trace.track("td0/vcpu0", Some(cpus), 7).expect("memory");
    trace.counter_track("queue", Some(cpus), "waiters").expect("memory");
    let packets = decode(&trace.finish().expect("memory"));
    let top = uint(&packets[0], "track_descriptor.uuid");
    assert!(top.is_some());
    assert_eq!(text(&packets[0], "track_descriptor.name").as_deref(), Some("CPUs"));
    assert_eq!(uint(&packets[0], "track_descriptor.parent_uuid"), None);
    assert_eq!(uint(&packets[1], "track_descriptor.parent_uuid"), top);
    assert_eq!(uint(&packets[1], "track_descriptor.sibling_order_rank"), Some(7));
    let unit = text(&packets[2], "track_descriptor.counter.unit_name");
    assert_eq!(unit.as_deref(), Some("waiters"));
    assert_eq!(field(&packets[1], "track_descriptor.counter"), None);
}

#[test]
fn the_first_packet_opens_the_sequence_and_all_belong_to_it() {
    let mut trace = TraceWriter::new(Vec::new());
    let track = trace.track("a", None, 0).expect("memory");
    trace.end(track, 5).expect("memory");
    let packets = decode(&trace.finish().expect("memory"));
    let flags: Vec<_> = packets.iter().filter_map(|p| uint(p, "sequence_flags")).collect();
    assert_eq!(flags, [1 | 2, 2], "incremental state cleared once, needed always");
    assert!(packets.iter().all(|p| uint(p, "trusted_packet_sequence_id") == Some(1)));
}

#[test]
fn events_carry_type_time_track_name_arguments_and_flows() {
    let mut trace = TraceWriter::new(Vec::new());
    let track = trace.track("pamt_lock", None, 0).expect("memory");
    let queue = trace.counter_track("queue", Some(track), "waiters").expect("memory");
    let args = [
        ("region", Value::Uint(17)),
        ("share", Value::Double(0.5)),
        ("cpu", Value::Text("td0".into())),
    ];
    let hold = Slice {
        name: "hold",
        category: "lock",
        flow: Some(FlowId(9)),
        flow_end: Some(FlowId(8)),
        args: &args,
    };
    trace.begin(track, 1_000, &hold).expect("memory");
    trace.count(queue, 1_001, 3).expect("memory");
    trace.end(track, 1_500).expect("memory");
    trace.instant(track, 1_600, &Slice { name: "retry", ..hold }).expect("memory");
    let packets = decode(&trace.finish().expect("memory"));
    let kinds: Vec<_> = packets[2..].iter().filter_map(|p| uint(p, "track_event.type")).collect();
    assert_eq!(kinds, [BEGIN, COUNTER, END, INSTANT]);
    let times: Vec<_> = packets[2..].iter().filter_map(|p| uint(p, "timestamp")).collect();
    assert_eq!(times, [1_000, 1_001, 1_500, 1_600]);
    let begin = &packets[2];
    assert_eq!(uint(begin, "track_event.track_uuid"), uint(&packets[0], "track_descriptor.uuid"));
    assert_eq!(uint(begin, "track_event.flow_ids"), Some(9));
    assert_eq!(uint(begin, "track_event.terminating_flow_ids"), Some(8));
    assert_eq!(uint(&packets[3], "track_event.counter_value"), Some(3));
    let event = field(begin, "track_event").expect("an event");
    let event = event.as_message().expect("a message");
    let values: Vec<_> = event
        .get_field_by_name("debug_annotations")
        .expect("annotations")
        .as_list()
        .expect("a list")
        .iter()
        .filter_map(|a| {
            let a = a.as_message()?;
            ["uint_value", "double_value", "string_value"].iter().find_map(|f| field(a, f))
        })
        .collect();
    assert_eq!(values, [Field::U64(17), Field::F64(0.5), Field::String("td0".into())]);
}

#[test]
fn a_name_is_defined_by_the_first_packet_that_uses_it_and_by_no_other() {
    let mut trace = TraceWriter::new(Vec::new());
    let track = trace.track("cpu", None, 0).expect("memory");
    for (at, name) in ["get", "put", "get"].into_iter().enumerate() {
        let args = [("pfn", Value::Uint(1))];
        let slice = Slice { name, category: "op", args: &args, ..Slice::default() };
        trace.instant(track, at as u64, &slice).expect("memory");
    }
    let packets = decode(&trace.finish().expect("memory"));
    let defined = |path| packets[1..].iter().map(|p| text(p, path)).collect::<Vec<_>>();
    let names = defined("interned_data.event_names.name");
    assert_eq!(names, [Some("get".to_owned()), Some("put".to_owned()), None]);
    let categories = defined("interned_data.event_categories.name");
    assert_eq!(categories, [Some("op".to_owned()), None, None]);
    let annotations = defined("interned_data.debug_annotation_names.name");
    assert_eq!(annotations, [Some("pfn".to_owned()), None, None]);
    let used = |i: usize| uint(&packets[i], "track_event.name_iid");
    assert_eq!(used(1), uint(&packets[1], "interned_data.event_names.iid"));
    assert_eq!((used(1), used(2) == used(1)), (used(3), false));
}
