//! Horizontal bars, plain or stacked, from 0.

use super::{css, escape, open, tenths};

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

/// Rectangles, and the white hatchings that lie over them.
#[derive(Default)]
struct Drawing {
    rectangles: String,
    hatchings: String,
}

impl Drawing {
    /// A rectangle of the `part`th look, unless it is too thin to be seen: every other part is hatched
    /// upright, from the seventh on across, so that colour is not the only cue.
    fn rectangle(&mut self, x: f64, y: u32, width: f64, height: u32, part: usize, tip: &str) {
        let (x, width, fill) = (tenths(x), tenths(width), css(part));
        if width == 0.0 {
            return;
        }
        self.rectangles.push_str(&format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\">\
             <title>{}</title></rect>",
            escape(tip)
        ));
        let (whole, middle) = (width.floor(), y + height / 2);
        if part % 2 == 1 && whole > 0.0 {
            // A thick line of short dashes along the bar is a hatching across it.
            self.hatch(&format!("M{x} {middle}h{whole}"), height);
        }
        if part >= super::PALETTE.len() && whole > 0.0 {
            self.hatch(&format!("M{} {y}v{height}", tenths(x + whole / 2.0)), whole as u32);
        }
    }

    /// White lines across a path of this width.
    fn hatch(&mut self, path: &str, width: u32) {
        self.hatchings.push_str(&format!("<path d=\"{path}\" stroke-width=\"{width}\"/>"));
    }

    fn svg(&self) -> String {
        let Self { rectangles, hatchings } = self;
        format!(
            "{rectangles}<g stroke=\"#fff\" stroke-dasharray=\"1 {}\" pointer-events=\"none\">\
             {hatchings}</g>\n",
            HATCH - 1
        )
    }
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
        let mut drawing = Drawing::default();
        let (legend, rows) =
            if self.parts.len() > 1 { self.legend(&mut drawing) } else { (String::new(), 0) };
        let top = 8 + 18 * rows;
        let height = top + ROW * self.bars.len() as u32 + 4;
        let scale = f64::from(WIDTH - NAMES - VALUES) / most;
        let bars = self.bars.iter().enumerate();
        let names: String = bars
            .map(|(index, bar)| self.bar(bar, top + ROW * index as u32, scale, &mut drawing))
            .collect();
        let opening = open(WIDTH, height, &self.title, &self.desc);
        Some(opening + &legend + &names + &drawing.svg() + "</svg>")
    }

    /// Draws a bar; its name and its length as text.
    fn bar(&self, bar: &Bar, y: u32, scale: f64, drawing: &mut Drawing) -> String {
        let mut x = f64::from(NAMES);
        for segment in &bar.segments {
            let width = segment.value * scale;
            let tip = format!("{}: {} {}", bar.name, self.parts[segment.part], segment.shown);
            drawing.rectangle(x, y + 3, width, ROW - 6, segment.part, &tip);
            x += width;
        }
        format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><text x=\"{}\" y=\"{}\">{}</text>\n",
            NAMES - 8,
            y + 15,
            escape(&bar.name),
            tenths(x + 6.0),
            y + 15,
            escape(&bar.shown)
        )
    }

    /// Draws the legend; its texts and its number of rows.
    fn legend(&self, drawing: &mut Drawing) -> (String, u32) {
        let (mut x, mut row) = (8, 0);
        let mut texts = String::new();
        for (index, part) in self.parts.iter().enumerate() {
            // About 7 units a character of 12 units' height.
            let width = 26 + 7 * part.chars().count() as u32;
            if x + width > WIDTH && x > 8 {
                (x, row) = (8, row + 1);
            }
            let y = 4 + 18 * row;
            drawing.rectangle(f64::from(x), y, 12.0, 12, index, part);
            let (left, base, name) = (x + 16, y + 11, escape(part));
            texts.push_str(&format!("<text x=\"{left}\" y=\"{base}\">{name}</text>"));
            x += width;
        }
        (texts + "\n", row + 1)
    }
}
