//! Decodes traces by a generic protobuf decoder and Perfetto's own schema
//! (`scripts/fixtures/perfetto_descriptor.py`).

use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value as Field};

/// The packets of a trace, all of whose fields are in the schema.
pub(crate) fn decode(bytes: &[u8]) -> Vec<DynamicMessage> {
    let schema = include_bytes!("../fixtures/perfetto_trace.descriptor");
    let pool = DescriptorPool::decode(schema.as_slice()).expect("Perfetto's schema");
    let kind = pool.get_message_by_name("perfetto.protos.Trace").expect("Trace");
    let trace = DynamicMessage::decode(kind, bytes).expect("a trace");
    assert_all_known(&trace);
    trace
        .get_field_by_name("packet")
        .expect("packets")
        .as_list()
        .expect("a list")
        .iter()
        .map(|packet| packet.as_message().expect("a message").clone())
        .collect()
}

fn assert_all_known(message: &DynamicMessage) {
    let kind = message.descriptor();
    assert_eq!(message.unknown_fields().count(), 0, "in {}", kind.full_name());
    for (_, value) in message.fields() {
        match value {
            Field::Message(inner) => assert_all_known(inner),
            Field::List(items) => {
                items.iter().filter_map(Field::as_message).for_each(assert_all_known);
            }
            _ => {}
        }
    }
}

/// The field at a dotted path; of lists the first element; `None` when it is not set.
pub(crate) fn field(message: &DynamicMessage, path: &str) -> Option<Field> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    if !message.has_field_by_name(name) {
        return None;
    }
    let value = message.get_field_by_name(name)?.into_owned();
    let first = match &value {
        Field::List(items) => items.first()?.clone(),
        one => one.clone(),
    };
    rest.map_or(Some(first.clone()), |rest| field(first.as_message()?, rest))
}

/// The same as a number.
pub(crate) fn uint(message: &DynamicMessage, path: &str) -> Option<u64> {
    match field(message, path)? {
        Field::EnumNumber(n) => u64::try_from(n).ok(),
        Field::I32(n) => u64::try_from(n).ok(),
        Field::I64(n) => u64::try_from(n).ok(),
        Field::U32(n) => Some(u64::from(n)),
        other => other.as_u64(),
    }
}

/// The same as text.
pub(crate) fn text(message: &DynamicMessage, path: &str) -> Option<String> {
    Some(field(message, path)?.as_str()?.to_owned())
}
