//! The JSON schema of a machine profile, for editors and for tools that write one.
//!
//! It is made from the table of keys that the reader of profiles checks by: bounds, meaning, sections. What
//! one key demands of another (a topology of two sockets needs the costs between them) only the reader
//! knows.

use std::collections::BTreeMap;

use pamt_sim::machine::{Kind, keys};
use serde_json::{Value, json};

/// The schema, in its checked-in form.
#[must_use]
pub fn machine_schema() -> String {
    let mut sections: BTreeMap<&str, serde_json::Map<String, Value>> = BTreeMap::new();
    for spec in keys() {
        let (section, key) = spec.key.split_once('.').unwrap_or(("", spec.key));
        let mut form = cost(spec.lo, spec.hi);
        form["description"] = spec.meaning.into();
        sections.entry(section).or_default().insert(key.to_owned(), form);
    }
    let sections = sections.into_iter().map(|(name, keys)| (name.to_owned(), section(keys)));
    let mut properties: serde_json::Map<String, Value> = sections.collect();
    properties.insert("machine".into(), machine());
    properties.insert("topology".into(), topology());
    pamt_reports::schema::written(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Machine profile of pamt-bench",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "required": ["machine"],
    }))
}

fn section(properties: serde_json::Map<String, Value>) -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// One value with its kind and source; an estimate has a range.
fn cost(lo: f64, hi: f64) -> Value {
    let number = json!({ "type": "number", "minimum": lo, "maximum": hi });
    let kinds: Vec<&str> = Kind::ALL.iter().map(|(_, name)| *name).collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "v": number,
            "lo": number,
            "hi": number,
            "range": { "type": "array", "items": number, "minItems": 2, "maxItems": 2 },
            "kind": { "enum": kinds },
            "source": { "type": "string", "minLength": 1 },
        },
        "required": ["kind", "source"],
        "anyOf": [{ "required": ["v"] }, { "required": ["lo", "hi"] }],
        "if": { "properties": { "kind": { "const": "estimate" } } },
        "then": { "anyOf": [{ "required": ["range"] }, { "required": ["lo", "hi"] }] },
    })
}

fn machine() -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "name": text,
            "description": text,
            "inherit": text,
            "refuse": text,
            "notes": { "type": "array", "items": text },
        },
        "required": ["name"],
    })
}

fn topology() -> Value {
    let count = |most: u16| json!({ "type": "integer", "minimum": 1, "maximum": most });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "sockets": count(8),
            "socket_groups": count(4),
            "dies_per_socket": count(16),
            "llcs_per_die": count(16),
            "cores_per_llc": count(256),
            "threads_per_core": count(4),
            "nodes_per_socket": count(4),
            "llc": { "enum": ["socket", "die", "ccx"] },
            "source": { "type": "string", "minLength": 1 },
        },
        "required": ["source"],
    })
}
