//! A heat map of counts between pairs, darker is more, on a logarithmic scale.
//!
//! The squares are one small picture inside the drawing: as elements of their own, those of a hundred
//! cores would outweigh the rest of the page.

use super::png::{LEVELS, Picture};
use super::{RULE, escape, open};

/// A square matrix of counts.
#[derive(Clone, Debug)]
pub struct Heat {
    /// Title.
    pub title: String,
    /// What it shows.
    pub desc: String,
    /// What rows and columns are: `CPU`.
    pub what: String,
    /// Their numbers, ascending.
    pub names: Vec<u32>,
    /// Rows of counts.
    pub counts: Vec<Vec<u64>>,
}

const SIDE: u32 = 360;
const LEFT: u32 = 80;
const TOP: u32 = 10;
/// Orange of the palette: it can be seen on white and on black.
const COLOUR: (u8, u8, u8) = super::PALETTE[1];
/// Height of a text.
const TEXT: u32 = 12;

/// The shade of a count, 0 for none; the lightest is for 1, the darkest for `most`.
fn level(count: u64, most: u64) -> u8 {
    if count == 0 {
        return 0;
    }
    let darkest = f64::from(LEVELS - 1);
    let share = if most > 1 { (count as f64).ln() / (most as f64).ln() } else { 1.0 };
    // The lightest shades hardly differ from nothing.
    (2.0 + (darkest - 2.0) * share).round() as u8
}

impl Heat {
    /// The map as SVG; `None` when it is empty.
    #[must_use]
    pub fn svg(&self) -> Option<String> {
        let most = self.counts.iter().flatten().copied().max().filter(|most| *most > 0)?;
        let rows = self.counts.iter().map(|row| row.iter().map(|n| level(*n, most)).collect());
        let picture = Picture { colour: COLOUR, rows: rows.collect() };
        let mut text = open(LEFT + SIDE + 190, TOP + SIDE + 44, &self.title, &self.desc);
        text.push_str(&format!(
            "<image x=\"{LEFT}\" y=\"{TOP}\" width=\"{SIDE}\" height=\"{SIDE}\" \
             image-rendering=\"pixelated\" style=\"image-rendering:pixelated\" href=\"{}\"/>\
             <rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" \
             stroke=\"{RULE}\"/>\n",
            picture.data_uri()
        ));
        text.push_str(&self.axes());
        text.push_str(&legend(most));
        text.push_str("</svg>");
        Some(text)
    }

    /// Numbers at the first row and column of each run of neighbours, and what they are.
    fn axes(&self) -> String {
        let step = f64::from(SIDE) / self.names.len() as f64;
        let begins = |at: usize| at == 0 || self.names[at] != self.names[at - 1] + 1;
        let mut text = String::new();
        let mut last = f64::NEG_INFINITY;
        for (at, name) in self.names.iter().enumerate().filter(|(at, _)| begins(*at)) {
            let place = step * at as f64;
            if place < last + f64::from(2 * TEXT) {
                continue;
            }
            last = place;
            let (x, y) = (f64::from(LEFT) + place, f64::from(TOP) + place);
            text.push_str(&label(x, f64::from(TOP + SIDE + 16), "start", &name.to_string()));
            text.push_str(&label(
                f64::from(LEFT - 4),
                y + f64::from(TEXT),
                "end",
                &name.to_string(),
            ));
        }
        let middle = f64::from(LEFT + SIDE / 2);
        text.push_str(&label(
            middle,
            f64::from(TOP + SIDE + 34),
            "middle",
            &format!("to {}", self.what),
        ));
        let side = f64::from(TOP + SIDE / 2);
        text + &label(f64::from(LEFT - 24), side, "end", &format!("from {}", self.what))
    }
}

fn label(x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!("<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\">{}</text>", escape(text))
}

/// A square for each power of ten up to `most`.
fn legend(most: u64) -> String {
    let (r, g, b) = COLOUR;
    let x = f64::from(LEFT + SIDE + 20);
    let powers = (0..).map(|power| 10_u64.pow(power)).take_while(|count| *count < most);
    let steps = powers.chain([most]).enumerate();
    let square = |(at, count): (usize, u64)| {
        let y = TOP + 20 * at as u32;
        let opacity = f64::from(level(count, most)) / f64::from(LEVELS - 1);
        let box_ = format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"14\" height=\"14\" fill=\"#{r:02x}{g:02x}{b:02x}\" \
             fill-opacity=\"{opacity:.2}\"/>"
        );
        box_ + &label(x + 20.0, f64::from(y + TEXT), "start", &count.to_string())
    };
    steps.map(square).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_transfer_can_be_seen_and_the_most_is_darkest() {
        let levels = [0, 1, 10, 1000].map(|count| level(count, 1000));
        assert_eq!(levels, [0, 2, 6, LEVELS - 1]);
        assert_eq!(level(1, 1), LEVELS - 1);
    }
}
