//! From TOML text to a [`Profile`], with the line of every complaint.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::contradictions::{self, Lines};
use super::error::ProfileError;
use super::keys::{self, Needed};
use super::{Kind, Profile, Value};
use crate::machine::topology::{LlcScope, Topology};

/// Where a text comes from, for messages.
struct Origin<'a> {
    name: &'a str,
    text: &'a str,
}

impl Origin<'_> {
    fn line(&self, offset: usize) -> usize {
        1 + self.text.as_bytes()[..offset.min(self.text.len())]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
    }

    fn bad(&self, offset: usize, key: &str, problem: &str, example: &str) -> ProfileError {
        ProfileError::BadValue {
            origin: self.name.to_owned(),
            line: self.line(offset),
            key: key.to_owned(),
            problem: problem.to_owned(),
            example: example.to_owned(),
        }
    }
}

/// What `[machine]` says.
struct Header {
    name: String,
    description: String,
    notes: Vec<String>,
    inherit: Option<String>,
    refuse: Option<String>,
}

impl Profile {
    /// Reads a profile; `origin` is the file name that messages show.
    ///
    /// # Errors
    /// The text is not TOML, has unknown keys, values out of bounds or without a source, or lacks what
    /// its topology needs.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ProfileError> {
        let origin = Origin { name: origin, text };
        let root = DeTable::parse(text).map_err(|error| ProfileError::Syntax {
            origin: origin.name.to_owned(),
            line: origin.line(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        let header = header(&origin, root.get_ref())?;
        if let Some(reason) = header.refuse {
            return Err(ProfileError::Refused { name: header.name, reason });
        }
        let base = header.inherit.as_deref().map(Self::builtin).transpose()?;
        let own = own_values(&origin, root.get_ref())?;
        let lines = lines(&origin, root.get_ref());
        let topology = match (section(&origin, root.get_ref(), "topology")?, &base) {
            (Some(table), _) => topology(&origin, table, &lines)?,
            (None, Some(base)) => base.topology.clone(),
            (None, None) => return Err(missing(&origin, "topology", TOPOLOGY_EXAMPLE)),
        };
        let mut values = base.map_or_else(BTreeMap::new, inherited);
        values.extend(own);
        let profile = Self {
            name: header.name,
            description: header.description,
            notes: header.notes,
            topology,
            values,
        };
        check_complete(&profile, origin.name)?;
        contradictions::check_order(&profile, origin.name, &lines)?;
        Ok(profile)
    }
}

/// The line of each key of each section.
fn lines(origin: &Origin<'_>, root: &DeTable<'_>) -> Lines {
    let sections = root.iter().filter_map(|(name, item)| Some((name, item.get_ref().as_table()?)));
    let keys = sections.flat_map(|(name, table)| table.keys().map(move |key| (name, key)));
    keys.map(|(name, key)| {
        let full = format!("{}.{}", name.get_ref(), key.get_ref());
        (full, origin.line(key.span().start))
    })
    .collect()
}

const TOPOLOGY_EXAMPLE: &str = "[topology] sockets = 2, dies_per_socket = 1, llcs_per_die = 1, \
    cores_per_llc = 56, threads_per_core = 2, llc = \"socket\", source = \"...\"";

fn inherited(base: Profile) -> BTreeMap<String, Value> {
    let name = base.name;
    let mark = |(key, mut value): (String, Value)| {
        value.inherited_from.get_or_insert_with(|| name.clone());
        (key, value)
    };
    base.values.into_iter().map(mark).collect()
}

fn missing(origin: &Origin<'_>, key: &str, example: &str) -> ProfileError {
    ProfileError::Missing {
        origin: origin.name.to_owned(),
        key: key.to_owned(),
        hint: format!("; add for example: {example}"),
    }
}

type Item<'i> = Spanned<DeValue<'i>>;

fn section<'t, 'i>(
    origin: &Origin<'_>,
    root: &'t DeTable<'i>,
    name: &str,
) -> Result<Option<&'t DeTable<'i>>, ProfileError> {
    let Some(item) = root.get(name) else {
        return Ok(None);
    };
    match item.get_ref().as_table() {
        Some(table) => Ok(Some(table)),
        None => Err(origin.bad(item.span().start, name, "must be a section", &format!("[{name}]"))),
    }
}

fn header(origin: &Origin<'_>, root: &DeTable<'_>) -> Result<Header, ProfileError> {
    const EXAMPLE: &str = "[machine] name = \"my-host\", description = \"...\"";
    let table =
        section(origin, root, "machine")?.ok_or_else(|| missing(origin, "machine", EXAMPLE))?;
    let mut header = Header {
        name: String::new(),
        description: String::new(),
        notes: Vec::new(),
        inherit: None,
        refuse: None,
    };
    for (key, item) in table {
        let full = format!("machine.{}", key.get_ref());
        match key.get_ref().as_ref() {
            "name" => header.name = string(origin, &full, item)?,
            "description" => header.description = string(origin, &full, item)?,
            "inherit" => header.inherit = Some(string(origin, &full, item)?),
            "refuse" => header.refuse = Some(string(origin, &full, item)?),
            "notes" => header.notes = strings(origin, &full, item)?,
            _ => return Err(unknown_header(origin, key.span().start, &full)),
        }
    }
    if header.name.is_empty() {
        return Err(missing(origin, "machine.name", "name = \"my-host\""));
    }
    Ok(header)
}

fn unknown_header(origin: &Origin<'_>, offset: usize, key: &str) -> ProfileError {
    ProfileError::UnknownKey {
        origin: origin.name.to_owned(),
        line: origin.line(offset),
        key: key.to_owned(),
        hint: "; [machine] has name, description, notes, inherit and refuse".to_owned(),
    }
}

fn string(origin: &Origin<'_>, key: &str, item: &Item<'_>) -> Result<String, ProfileError> {
    let text = item.get_ref().as_str().map(str::trim).filter(|text| !text.is_empty());
    text.map(str::to_owned)
        .ok_or_else(|| origin.bad(item.span().start, key, "must be text", "\"...\""))
}

fn strings(origin: &Origin<'_>, key: &str, item: &Item<'_>) -> Result<Vec<String>, ProfileError> {
    let array = item.get_ref().as_array();
    let array =
        array.ok_or_else(|| origin.bad(item.span().start, key, "must be a list", "[\"...\"]"))?;
    array.iter().map(|item| string(origin, key, item)).collect()
}

fn number(origin: &Origin<'_>, key: &str, item: &Item<'_>) -> Result<f64, ProfileError> {
    let parsed = match item.get_ref() {
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok().map(|n| n as f64),
        DeValue::Float(x) => x.as_str().parse().ok(),
        _ => None,
    };
    parsed.ok_or_else(|| origin.bad(item.span().start, key, "must be a number", "v = 1.0"))
}

fn own_values(
    origin: &Origin<'_>,
    root: &DeTable<'_>,
) -> Result<BTreeMap<String, Value>, ProfileError> {
    let mut values = BTreeMap::new();
    for (name, item) in root {
        let name = name.get_ref().as_ref();
        if matches!(name, "machine" | "topology") {
            continue;
        }
        let Some(table) = item.get_ref().as_table() else {
            return Err(keys::unknown(origin.name, origin.line(item.span().start), name));
        };
        for (key, item) in table {
            let full = format!("{name}.{}", key.get_ref());
            let value = value(origin, &full, key.span().start, item)?;
            values.insert(full, value);
        }
    }
    Ok(values)
}

fn value(
    origin: &Origin<'_>,
    key: &str,
    offset: usize,
    item: &Item<'_>,
) -> Result<Value, ProfileError> {
    let line = origin.line(offset);
    let spec = keys::find(key).ok_or_else(|| keys::unknown(origin.name, line, key))?;
    let bad = |problem: &str| origin.bad(offset, key, problem, &keys::example(spec));
    let table =
        item.get_ref().as_table().ok_or_else(|| bad("must be a table with v, kind and source"))?;
    let (mut v, mut lo, mut hi, mut range, mut kind, mut source) =
        (None, None, None, None, None, None);
    for (part, item) in table {
        match part.get_ref().as_ref() {
            "v" => v = Some(number(origin, key, item)?),
            "lo" => lo = Some(number(origin, key, item)?),
            "hi" => hi = Some(number(origin, key, item)?),
            "range" => range = Some(pair(origin, key, item)?),
            "kind" => kind = Some(string(origin, key, item)?),
            "source" => source = Some(string(origin, key, item)?),
            other => return Err(bad(&format!("has an unknown part `{other}`"))),
        }
    }
    if let (Some(lo), Some(hi)) = (lo, hi) {
        range = range.or(Some((lo, hi)));
        v = v.or(Some((lo + hi) / 2.0));
    }
    let v = v.ok_or_else(|| bad("needs v, or lo and hi"))?;
    let source = source.ok_or_else(|| bad("needs a source"))?;
    let kind = kind.ok_or_else(|| bad("needs a kind"))?;
    let known = Kind::ALL.iter().find(|(_, name)| *name == kind);
    let (kind, _) = *known.ok_or_else(|| {
        bad(&format!("has kind `{kind}`, accepted: measured, model, derived, estimate, fitted"))
    })?;
    keys::check(origin.name, line, key, v)?;
    if let Some((lo, hi)) = range {
        keys::check(origin.name, line, key, lo)?;
        keys::check(origin.name, line, key, hi)?;
        if !(lo <= v && v <= hi) {
            return Err(bad(&format!("is {v}, outside its own range [{lo}, {hi}]")));
        }
    } else if kind == Kind::Estimate {
        return Err(bad("is an estimate and needs a range"));
    }
    Ok(Value { v, kind, source, range, inherited_from: None })
}

fn pair(origin: &Origin<'_>, key: &str, item: &Item<'_>) -> Result<(f64, f64), ProfileError> {
    let bad = || origin.bad(item.span().start, key, "range must be [lo, hi]", "range = [1.0, 2.0]");
    let array = item.get_ref().as_array().ok_or_else(bad)?;
    let numbers: Result<Vec<_>, _> = array.iter().map(|item| number(origin, key, item)).collect();
    match numbers?[..] {
        [lo, hi] if lo <= hi => Ok((lo, hi)),
        _ => Err(bad()),
    }
}

fn topology(
    origin: &Origin<'_>,
    table: &DeTable<'_>,
    lines: &Lines,
) -> Result<Topology, ProfileError> {
    let mut topology = Topology { socket_groups: 1, nodes_per_socket: 1, ..Topology::default() };
    let mut sourced = false;
    for (key, item) in table {
        let full = format!("topology.{}", key.get_ref());
        let bad = |problem: &str| origin.bad(item.span().start, &full, problem, TOPOLOGY_EXAMPLE);
        let count = |limit: u16| -> Result<u16, ProfileError> {
            let n = number(origin, &full, item)?;
            if n.fract() == 0.0 && n >= 1.0 && n <= f64::from(limit) {
                Ok(n as u16)
            } else {
                Err(bad(&format!("is {n}, accepted is a whole number from 1 to {limit}")))
            }
        };
        match key.get_ref().as_ref() {
            "sockets" => topology.sockets = count(8)?,
            "socket_groups" => topology.socket_groups = count(4)?,
            "dies_per_socket" => topology.dies_per_socket = count(16)?,
            "llcs_per_die" => topology.llcs_per_die = count(16)?,
            "cores_per_llc" => topology.cores_per_llc = count(256)?,
            "threads_per_core" => topology.threads_per_core = count(4)?,
            "nodes_per_socket" => topology.nodes_per_socket = count(4)?,
            "llc" => {
                topology.llc = match string(origin, &full, item)?.as_str() {
                    "socket" => LlcScope::Socket,
                    "die" => LlcScope::Die,
                    "ccx" => LlcScope::Ccx,
                    _ => return Err(bad("must be \"socket\", \"die\" or \"ccx\"")),
                };
            }
            "source" => sourced = !string(origin, &full, item)?.is_empty(),
            _ => return Err(bad("is unknown")),
        }
    }
    if !sourced {
        return Err(missing(origin, "topology.source", "source = \"...\""));
    }
    topology.check().map_err(|unfit| contradictions::unfit(origin.name, lines, unfit))?;
    Ok(topology)
}

/// Refuses a profile that lacks what its topology needs.
pub(super) fn check_complete(profile: &Profile, origin: &str) -> Result<(), ProfileError> {
    let topology = &profile.topology;
    for spec in keys::keys() {
        let needed = match spec.needed {
            Needed::Always => true,
            Needed::ManyLlcs => topology.llcs_per_socket() > 1,
            Needed::ManySockets => topology.sockets > 1,
            Needed::ManyGroups => topology.socket_groups > 1,
            Needed::Optional => false,
        };
        if needed && !profile.values.contains_key(spec.key) {
            return Err(ProfileError::Missing {
                origin: origin.to_owned(),
                key: spec.key.to_owned(),
                hint: keys::hint(spec.key),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "[machine]\nname = \"x\"\ndescription = \"d\"\ninherit = \"spr-2s\"\n";

    fn error(tail: &str) -> String {
        Profile::parse(&format!("{HEAD}{tail}"), "x.toml").expect_err("must be refused").to_string()
    }

    #[test]
    fn a_file_that_only_inherits_marks_every_value() {
        let profile = Profile::parse(HEAD, "x.toml").expect("complete");
        assert!(profile.values().all(|(_, v)| v.inherited_from.as_deref() == Some("spr-2s")));
        assert_eq!(profile.topology(), Profile::builtin("spr-2s").expect("built in").topology());
    }

    #[test]
    fn complaints_name_file_line_key_range_and_an_example() {
        let text = error("[core]\nclock_ghz = { v = 99, kind = \"measured\", source = \"s\" }\n");
        for part in ["x.toml:6", "core.clock_ghz", "99", "0.1 to 10", "for example"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_value_without_source_kind_or_range_is_refused() {
        assert!(error("[core]\nclock_ghz = { v = 2, kind = \"model\" }\n").contains("source"));
        assert!(error("[core]\nclock_ghz = { v = 2, source = \"s\" }\n").contains("kind"));
        let text = error("[core]\nclock_ghz = { v = 2, kind = \"estimate\", source = \"s\" }\n");
        assert!(text.contains("range"), "{text}");
        assert!(error("[core]\nclock_ghz = 2\n").contains("core.clock_ghz"));
    }

    #[test]
    fn unknown_keys_and_bad_syntax_are_refused_with_their_line() {
        assert!(error("[cores]\nx = 1\n").contains("x.toml:6"));
        assert!(error("[machine\n").contains("x.toml:5"));
        assert!(error("[topology]\nsockets = 99\nsource = \"s\"\n").contains("1 to 8"));
    }

    #[test]
    fn a_profile_without_base_lists_what_it_lacks() {
        let text = "[machine]\nname = \"x\"\n[topology]\nsockets = 1\nsource = \"s\"\n";
        let error = Profile::parse(text, "x.toml").expect_err("incomplete").to_string();
        assert!(error.contains("core.clock_ghz") && error.contains("for example"), "{error}");
    }
}
