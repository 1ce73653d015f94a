//! Plots as SVG that follows the page's theme: black becomes `currentColor`, nothing is filled behind.
//!
//! Series differ by Okabe and Ito's colours, by marker and by dash, so colour is never the only cue.
//! Each plot has a title and a description inside the SVG, for screen readers and for saved files.

mod bars;
mod chart;
mod fidelity;
mod heat;
mod lanes;
mod png;
mod ranges;

pub use bars::{Bar, Bars, Segment};
pub use chart::{Axis, Chart, Scale, Series, Unit};
pub use fidelity::fidelity;
pub use heat::Heat;
pub use lanes::lanes;
pub use ranges::{Range, Ranges};

/// Okabe and Ito's palette without yellow (too faint on white) and black (that is the text's).
const PALETTE: [(u8, u8, u8); 6] =
    [(0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233)];

/// Grey that is seen on white and on black: axes, and the rule at 0.
const RULE: &str = "#888";
/// The same, faint: grids.
const FAINT_RULE: &str = "#8884";

/// Colour of the `index`th series.
fn colour(index: usize) -> (u8, u8, u8) {
    PALETTE[index % PALETTE.len()]
}

/// The colour in CSS.
fn css(index: usize) -> String {
    let (r, g, b) = colour(index);
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Text for XML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A plot as part of a page: HTML gives the namespace, and the caption below says what the description says.
pub(crate) fn in_page(svg: &str) -> String {
    let svg = svg.replacen(NAMESPACE, "", 1);
    match (svg.split_once("<desc>"), svg.split_once("</desc>")) {
        (Some((before, _)), Some((_, after))) => before.to_owned() + after,
        _ => svg,
    }
}

/// A coordinate with as many digits as can be seen.
fn tenths(at: f64) -> f64 {
    (at * 10.0).round() / 10.0
}

const NAMESPACE: &str = " xmlns=\"http://www.w3.org/2000/svg\"";

/// The opening of an SVG of this size with title and description. Text is in the page's colour and 12
/// units high where it says nothing else.
fn open(width: u32, height: u32, title: &str, desc: &str) -> String {
    format!(
        "<svg{NAMESPACE} class=\"plot\" role=\"img\" \
         viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"currentColor\"><title>{}</title><desc>{}</desc>\n",
        escape(title),
        escape(desc)
    )
}
