//! Lanes over time: what each CPU did, a colour a state, and a line below while it held a lock.

use std::collections::BTreeMap;

use super::{css, escape, open, tenths};
use crate::figure::time;
use crate::schema::Timeline;

const WIDTH: u32 = 900;
const NAMES: u32 = 60;
const ROW: u32 = 12;
/// Most CPUs shown.
const LANES: usize = 64;
/// States with a colour of their own; the rest is grey.
const STATES: usize = 6;
const GREY: &str = "#8886";

/// The timeline as SVG; `None` when it is empty.
#[must_use]
pub fn lanes(timeline: &Timeline, title: &str, desc: &str) -> Option<String> {
    let slices: Vec<Slice> = timeline.slices.iter().filter_map(|slice| Slice::of(slice)).collect();
    let mut cpus: Vec<u64> = slices.iter().map(|slice| slice.cpu).collect();
    cpus.dedup();
    cpus.truncate(LANES);
    let length = timeline.to_ns.checked_sub(timeline.from_ns).filter(|length| *length > 0)?;
    if cpus.is_empty() {
        return None;
    }
    let states = states(&slices);
    let top = 8 + 18 * (states.len() as u32 + 1).div_ceil(3);
    let bottom = top + ROW * cpus.len() as u32;
    let mut text = open(WIDTH, bottom + 22, title, desc);
    text.push_str(&legend(timeline, &states));
    let scale = f64::from(WIDTH - NAMES - 8) / length as f64;
    let x = |at: u64| tenths(f64::from(NAMES) + (at - timeline.from_ns) as f64 * scale);
    let (mut bars, mut holds) = (BTreeMap::<usize, String>::new(), String::new());
    for slice in &slices {
        let Ok(lane) = cpus.binary_search(&slice.cpu) else { continue };
        let y = top + ROW * lane as u32 + ROW / 2;
        let (from, to) = (x(slice.from), x(slice.to));
        let colour = states.iter().position(|state| *state == slice.state).unwrap_or(STATES);
        let path = format!("M{from} {y}H{to}");
        bars.entry(colour).or_default().push_str(&path);
        if slice.held > 0 {
            holds.push_str(&format!("M{from} {}H{to}", y + ROW / 2 - 1));
        }
    }
    for (colour, path) in bars {
        let colour = if colour < STATES { css(colour) } else { GREY.to_owned() };
        text.push_str(&format!("<path d=\"{path}\" stroke=\"{colour}\" stroke-width=\"7\"/>"));
    }
    text.push_str(&format!("<path d=\"{holds}\" stroke=\"currentColor\" stroke-width=\"2\"/>\n"));
    for (lane, cpu) in cpus.iter().enumerate() {
        let y = top + ROW * lane as u32 + ROW - 2;
        text.push_str(&label(NAMES - 6, y, "end", &format!("CPU {cpu}")));
    }
    let ends = [(NAMES, "start", timeline.from_ns), (WIDTH - 8, "end", timeline.to_ns)];
    for (x, anchor, at) in ends {
        text.push_str(&label(x, bottom + 16, anchor, &time(at as f64)));
    }
    text.push_str("</svg>");
    Some(text)
}

struct Slice {
    cpu: u64,
    from: u64,
    to: u64,
    state: u64,
    held: u64,
}

impl Slice {
    fn of(slice: &[u64]) -> Option<Self> {
        let [cpu, from, to, state, held] = *<&[u64; 5]>::try_from(slice).ok()?;
        Some(Self { cpu, from, to, state, held })
    }
}

/// The states in which the CPUs spent most of the window.
fn states(slices: &[Slice]) -> Vec<u64> {
    let mut times = BTreeMap::<u64, u64>::new();
    for slice in slices {
        *times.entry(slice.state).or_default() += slice.to - slice.from;
    }
    let mut states: Vec<(u64, u64)> = times.into_iter().collect();
    states.sort_by_key(|(state, time)| (std::cmp::Reverse(*time), *state));
    states.into_iter().take(STATES).map(|(state, _)| state).collect()
}

fn label(x: u32, y: u32, anchor: &str, text: &str) -> String {
    format!(
        "<text x=\"{x}\" y=\"{y}\" font-size=\"10\" text-anchor=\"{anchor}\">{}</text>",
        escape(text)
    )
}

fn legend(timeline: &Timeline, states: &[u64]) -> String {
    let name = |state: &u64| timeline.names.get(*state as usize).cloned().unwrap_or_default();
    let named = states.iter().enumerate().map(|(index, state)| (css(index), name(state)));
    let others = [(GREY.to_owned(), "anything else; the line below: holds a lock".to_owned())];
    let entry = |(index, (colour, name)): (usize, (String, String))| {
        let (x, y) = (8 + 290 * (index as u32 % 3), 4 + 18 * (index as u32 / 3));
        let square =
            format!("<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>");
        square + &label(x + 17, y + 10, "start", &name)
    };
    named.chain(others).enumerate().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_a_cpu_and_a_line_below_what_held_a_lock() {
        let timeline = Timeline {
            from_ns: 100,
            to_ns: 200,
            names: vec!["pamt_get".into(), "pamt_lock".into()],
            slices: vec![vec![0, 100, 150, 0, 2], vec![7, 150, 200, 0, 0]],
        };
        let text = lanes(&timeline, "t", "d").expect("slices");
        assert!(text.contains(">CPU 0<") && text.contains(">CPU 7<"), "{text}");
        assert_eq!(text.matches("stroke-width=\"2\"").count(), 1, "{text}");
        assert!(lanes(&Timeline::default(), "t", "d").is_none());
    }
}
