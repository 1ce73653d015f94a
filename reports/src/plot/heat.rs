//! A heat map of counts between pairs, darker is more; each square says its number.

use super::{escape, open};

/// A square matrix of counts; only pairs that occur are given.
#[derive(Clone, Debug)]
pub struct Heat {
    /// Title.
    pub title: String,
    /// What it shows.
    pub desc: String,
    /// What rows are.
    pub rows: String,
    /// What columns are.
    pub columns: String,
    /// Number of rows and of columns.
    pub size: u32,
    /// (row, column, count).
    pub cells: Vec<(u32, u32, u64)>,
}

const SIDE: u32 = 360;
const LEFT: u32 = 60;
const TOP: u32 = 10;

impl Heat {
    /// The map as SVG; `None` when it is empty.
    #[must_use]
    pub fn svg(&self) -> Option<String> {
        let most = self.cells.iter().map(|(_, _, count)| *count).max().filter(|most| *most > 0)?;
        let step = f64::from(SIDE) / f64::from(self.size);
        let mut text = open(LEFT + SIDE + 20, TOP + SIDE + 40, &self.title, &self.desc);
        text.push_str(&format!(
            "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" \
             stroke=\"currentColor\" stroke-opacity=\"0.4\"/>\n"
        ));
        for (row, column, count) in self.cells.iter().filter(|(_, _, count)| *count > 0) {
            // At least a tenth, so that one transfer can be seen.
            let opacity = 0.1 + 0.9 * *count as f64 / most as f64;
            text.push_str(&format!(
                "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{step:.2}\" height=\"{step:.2}\" \
                 fill=\"#d55e00\" fill-opacity=\"{opacity:.2}\"><title>{} {row} to {} {column}: {count}</title></rect>\n",
                f64::from(LEFT) + step * f64::from(*column),
                f64::from(TOP) + step * f64::from(*row),
                escape(&self.rows),
                escape(&self.columns),
            ));
        }
        text.push_str(&self.axes());
        text.push_str("</svg>");
        Some(text)
    }

    fn axes(&self) -> String {
        let label = |x: u32, y: u32, anchor: &str, text: &str| {
            format!(
                "<text x=\"{x}\" y=\"{y}\" font-size=\"12\" text-anchor=\"{anchor}\" \
                 fill=\"currentColor\">{}</text>",
                escape(text)
            )
        };
        let last = (self.size - 1).to_string();
        [
            label(LEFT, TOP + SIDE + 16, "start", "0"),
            label(LEFT + SIDE, TOP + SIDE + 16, "end", &last),
            label(LEFT + SIDE / 2, TOP + SIDE + 32, "middle", &format!("to {}", self.columns)),
            label(LEFT - 4, TOP + 12, "end", "0"),
            label(LEFT - 4, TOP + SIDE, "end", &last),
            label(LEFT - 4, TOP + SIDE / 2, "end", &format!("from {}", self.rows)),
        ]
        .concat()
    }
}
