//! Horizontal ranges over one axis that has 0 on it: intervals, and the pulls of a tornado.

use super::{RULE, css, escape, open, tenths};

/// One range.
#[derive(Clone, Debug)]
pub struct Range {
    /// Its name.
    pub name: String,
    /// Lower end.
    pub low: f64,
    /// Higher end.
    pub high: f64,
    /// A mark within, the median say.
    pub mark: Option<f64>,
    /// Drawn in another colour and hatched: what the reader must not overlook.
    pub stands_out: bool,
    /// Its ends as text.
    pub shown: String,
}

/// A plot of ranges.
#[derive(Clone, Debug)]
pub struct Ranges {
    /// Title.
    pub title: String,
    /// What it shows.
    pub desc: String,
    /// Ranges from the top.
    pub ranges: Vec<Range>,
}

const WIDTH: u32 = 760;
const NAMES: u32 = 300;
const VALUES: u32 = 160;
const ROW: u32 = 22;

impl Ranges {
    /// The plot as SVG; `None` without ranges that can be drawn.
    #[must_use]
    pub fn svg(&self) -> Option<String> {
        let ends = self.ranges.iter().flat_map(|range| [range.low, range.high]);
        let (low, high) = ends
            .clone()
            .fold((0.0, 0.0), |(low, high): (f64, f64), end| (low.min(end), high.max(end)));
        if high <= low || !ends.clone().all(f64::is_finite) {
            return None;
        }
        let scale = f64::from(WIDTH - NAMES - VALUES) / (high - low);
        let place = |value: f64| tenths(f64::from(NAMES) + (value - low) * scale);
        let height = 8 + ROW * self.ranges.len() as u32 + 20;
        let mut text = open(WIDTH, height, &self.title, &self.desc);
        let (zero, bottom) = (place(0.0), height - 18);
        text.push_str(&format!(
            "<path d=\"M{zero} 4V{bottom}\" stroke=\"{RULE}\"/><text x=\"{zero}\" y=\"{}\" \
             text-anchor=\"middle\">0</text>\n",
            height - 4
        ));
        for (index, range) in self.ranges.iter().enumerate() {
            text.push_str(&range.svg(8 + ROW * index as u32, &place));
        }
        text.push_str("</svg>");
        Some(text)
    }
}

impl Range {
    fn svg(&self, y: u32, place: &dyn Fn(f64) -> f64) -> String {
        let (from, to) = (place(self.low.min(self.high)), place(self.low.max(self.high)));
        let (colour, dash) =
            if self.stands_out { (css(1), " stroke-dasharray=\"6 2\"") } else { (css(0), "") };
        let middle = y + ROW / 2;
        let mark = self.mark.map(place).map_or_else(String::new, |x| {
            format!(
                "<path d=\"M{x} {}v14\" stroke=\"currentColor\" stroke-width=\"2\"/>",
                middle - 7
            )
        });
        format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
             <path d=\"M{from} {middle}H{to}\" stroke=\"{colour}\" stroke-width=\"8\"{dash}/>{mark}\
             <text x=\"{}\" y=\"{}\">{}</text>\n",
            NAMES - 8,
            middle + 4,
            escape(&self.name),
            WIDTH - VALUES + 10,
            middle + 4,
            escape(&self.shown),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_holds_0_whichever_side_the_ranges_are_on() {
        let range = |low, high| Range {
            name: "a".into(),
            low,
            high,
            mark: None,
            stands_out: false,
            shown: String::new(),
        };
        let plot = |ranges| Ranges { title: "t".into(), desc: "d".into(), ranges };
        let text = plot(vec![range(5.0, 10.0)]).svg().expect("a range");
        assert!(text.contains("M450 19H600"), "half of 300 from 300: {text}");
        let text = plot(vec![range(-10.0, -5.0)]).svg().expect("a range");
        assert!(text.contains("M300 19H450"), "{text}");
        assert!(plot(Vec::new()).svg().is_none());
    }
}
