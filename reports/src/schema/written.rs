//! The written form of JSON: indented, keys sorted, one newline at the end. A list of numbers takes one
//! line, or a histogram would take thousands.

use std::collections::BTreeMap;

use serde_json::Value;

/// Spaces a level.
const INDENT: usize = 2;

/// A value with the keys of all its objects in sorted order, whatever map the build of serde_json uses.
#[must_use]
pub fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Object(map) => {
            let entries: BTreeMap<String, Value> =
                map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(entries.into_iter().collect())
        }
        plain => plain,
    }
}

/// The written form of a value.
#[must_use]
pub fn written(value: Value) -> String {
    let mut text = String::new();
    write(&sorted(value), 0, &mut text);
    text.push('\n');
    text
}

fn write(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Array(items) if items.iter().all(Value::is_number) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            text.push_str(&format!("[{}]", items.join(", ")));
        }
        Value::Array(items) => {
            list('[', ']', items.iter(), depth, text, |item, text| write(item, depth + 1, text));
        }
        Value::Object(map) if !map.is_empty() => {
            list('{', '}', map.iter(), depth, text, |(key, value), text| {
                text.push_str(&format!("{}: ", Value::from(key.as_str())));
                write(value, depth + 1, text);
            });
        }
        plain => text.push_str(&plain.to_string()),
    }
}

/// Items between two brackets, a line each.
fn list<T>(
    open: char,
    close: char,
    items: impl Iterator<Item = T>,
    depth: usize,
    text: &mut String,
    write: impl Fn(T, &mut String),
) {
    text.push(open);
    for (index, item) in items.enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        text.push_str(&" ".repeat(INDENT * (depth + 1)));
        write(item, text);
    }
    text.push('\n');
    text.push_str(&" ".repeat(INDENT * depth));
    text.push(close);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_of_numbers_take_a_line_and_all_else_a_line_an_entry() {
        let value = json!({ "b": [[1, 2], [3, 4]], "a": { "text": "a\"b", "none": {} }, "c": [] });
        let text = written(value.clone());
        let expected = "{\n  \"a\": {\n    \"none\": {},\n    \"text\": \"a\\\"b\"\n  },\n  \"b\": [\n    [1, 2],\n    [3, 4]\n  ],\n  \"c\": []\n}\n";
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
    }
}
