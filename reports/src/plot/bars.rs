//! Horizontal bars, plain or stacked, from 0.

use super::{css, escape, open};

/// A part of a bar.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Index into [`Bars::parts`].
    pub part: usize,
    /// Its length in the unit of the plot.
    pub value: f64,
    /// Its length as text.
    pub shown: String,
}

/// One bar.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Its parts, from the left.
    pub segments: Vec<Segment>,
    /// Its whole length as text.
    pub shown: String,
}

/// A bar plot.
#[derive(Clone, Debug)]
pub struct Bars {
    /// Title.
    pub title: String,
    /// What it shows.
    pub desc: String,
    /// Names of the parts, for the legend; one name needs none.
    pub parts: Vec<String>,
    /// Bars from the top.
    pub bars: Vec<Bar>,
}

const WIDTH: u32 = 720;
const NAMES: u32 = 170;
const VALUES: u32 = 90;
const ROW: u32 = 24;

/// Distance of hatch lines.
const HATCH: u32 = 5;

/// A rectangle of the `part`th look: every other part is hatched upright, from the seventh on across,
/// so that colour is not the only cue.
fn rectangle(x: f64, y: u32, width: f64, height: u32, part: usize, tip: &str) -> String {
    let fill = css(part);
    let mut text = format!(
        "<rect x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{height}\" fill=\"{fill}\">\
         <title>{}</title></rect>",
        escape(tip)
    );
    let (width, middle) = (width.floor(), y + height / 2);
    if part % 2 == 1 && width > 0.0 {
        // A thick line of short dashes along the bar is a hatching across it.
        text.push_str(&hatch(&format!("M{x:.1} {middle}h{width}"), height));
    }
    if part >= super::PALETTE.len() && width > 0.0 {
        let centre = x + width / 2.0;
        text.push_str(&hatch(&format!("M{centre:.1} {y}v{height}"), width as u32));
    }
    text
}

/// White lines across a path of this width.
fn hatch(path: &str, width: u32) -> String {
    format!(
        "<path d=\"{path}\" stroke=\"#fff\" stroke-width=\"{width}\" \
         stroke-dasharray=\"1 {}\" pointer-events=\"none\"/>",
        HATCH - 1
    )
}

impl Bars {
    /// The plot as SVG; `None` when no bar has a length.
    #[must_use]
    pub fn svg(&self) -> Option<String> {
        let length = |bar: &Bar| bar.segments.iter().map(|s| s.value).sum::<f64>();
        let most = self.bars.iter().map(length).fold(0.0, f64::max);
        if most <= 0.0 {
            return None;
        }
        let legend = if self.parts.len() > 1 { self.legend() } else { Vec::new() };
        let top = 8 + 18 * legend.len() as u32;
        let height = top + ROW * self.bars.len() as u32 + 4;
        let mut text = open(WIDTH, height, &self.title, &self.desc);
        text.push_str(&legend.concat());
        let scale = f64::from(WIDTH - NAMES - VALUES) / most;
        for (index, bar) in self.bars.iter().enumerate() {
            text.push_str(&self.bar(bar, top + ROW * index as u32, scale));
        }
        text.push_str("</svg>");
        Some(text)
    }

    fn bar(&self, bar: &Bar, y: u32, scale: f64) -> String {
        let name = escape(&bar.name);
        let mut text = format!(
            "<text x=\"{}\" y=\"{}\" font-size=\"12\" text-anchor=\"end\" fill=\"currentColor\">{name}</text>",
            NAMES - 8,
            y + 15
        );
        let mut x = f64::from(NAMES);
        for segment in &bar.segments {
            let width = segment.value * scale;
            let tip = format!("{}: {} {}", bar.name, self.parts[segment.part], segment.shown);
            text.push_str(&rectangle(x, y + 3, width, ROW - 6, segment.part, &tip));
            x += width;
        }
        let shown = escape(&bar.shown);
        text.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{}\" font-size=\"12\" fill=\"currentColor\">{shown}</text>\n",
            x + 6.0,
            y + 15
        ));
        text
    }

    /// Rows of the legend.
    fn legend(&self) -> Vec<String> {
        let mut rows = vec![String::new()];
        let mut x = 8;
        for (index, part) in self.parts.iter().enumerate() {
            // About 7 units a character of 12 units' height.
            let width = 26 + 7 * part.chars().count() as u32;
            if x + width > WIDTH && x > 8 {
                rows.push(String::new());
                x = 8;
            }
            let y = 4 + 18 * (rows.len() as u32 - 1);
            let entry = format!(
                "{}<text x=\"{}\" y=\"{}\" font-size=\"12\" fill=\"currentColor\">{}</text>",
                rectangle(f64::from(x), y, 12.0, 12, index, part),
                x + 16,
                y + 11,
                escape(part)
            );
            if let Some(row) = rows.last_mut() {
                row.push_str(&entry);
            }
            x += width;
        }
        rows
    }
}
