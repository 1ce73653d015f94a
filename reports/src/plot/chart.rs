//! Line charts: axes and grid by plotters, lines as one path each.
//!
//! Logarithmic axes are drawn as linear ones over the decimal logarithm, with ticks at 1, 2 and 5 of
//! each decade (or at the decades alone where there are many).

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;

use crate::figure;

/// Opacity of the grid, by which it is told from the axes.
const GRID: f64 = 0.15;

/// How an axis divides its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Linear, from 0.
    Linear,
    /// Logarithmic, over the span of the data.
    Log,
}

/// What the values of an axis are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// In the unit of a column.
    In(figure::Unit),
    /// 1 / (1 - q) of a quantile q, labelled with q: the axis of HdrHistogram's plots.
    Tail,
}

impl Unit {
    /// Name for scripts: the unit's, or `tail`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::In(unit) => unit.name(),
            Self::Tail => "tail",
        }
    }
}

/// One axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its label, with the unit.
    pub label: String,
    /// Its scale.
    pub scale: Scale,
    /// Unit of its values, which writes the ticks.
    pub unit: Unit,
}

/// One line of a chart.
#[derive(Clone, Debug)]
pub struct Series {
    /// For the legend.
    pub name: String,
    /// In order of x.
    pub points: Vec<(f64, f64)>,
    /// Whether the points are marked: measured points are, fits and long curves are not.
    pub marked: bool,
}

/// A line chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Title, also for screen readers.
    pub title: String,
    /// What it shows, with N, seeds, world and machine.
    pub desc: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Lines.
    pub series: Vec<Series>,
}

const WIDTH: u32 = 720;
const HEIGHT: u32 = 300;
/// Right of the axes, for the legend.
const LEGEND: u32 = 170;
/// Most ticks of an axis.
const TICKS: usize = 8;

impl Axis {
    fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Log => value.log10(),
        }
    }

    /// The axis over `values`; `None` when none of them can be drawn.
    fn over(&self, values: impl Iterator<Item = f64>) -> Option<Ticked> {
        let fits = |v: &f64| v.is_finite() && (self.scale == Scale::Linear || *v > 0.0);
        let (low, high) = values
            .filter(fits)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if high < low {
            return None;
        }
        Some(match self.scale {
            Scale::Linear => {
                let high = if high > 0.0 { high } else { 1.0 };
                Ticked {
                    low: 0.0,
                    high: high * 1.04,
                    ticks: linear_ticks(high),
                    axis: self.clone(),
                }
            }
            Scale::Log => {
                let (low, high) = (low.log10(), high.log10());
                let room = ((high - low) * 0.03).max(0.05);
                let ticks = log_ticks(low, high);
                Ticked { low: low - room, high: high + room, ticks, axis: self.clone() }
            }
        })
    }

    fn label(&self, at: f64) -> String {
        let value = match self.scale {
            Scale::Linear => at,
            Scale::Log => 10_f64.powf(at),
        };
        match self.unit {
            Unit::Tail => tail(value),
            Unit::In(unit) => tidy(&unit.show(&value.into())),
        }
    }
}

/// An axis with its range and ticks, in its own coordinates (logarithms on a logarithmic one).
struct Ticked {
    low: f64,
    high: f64,
    ticks: Vec<f64>,
    axis: Axis,
}

impl Ranged for Ticked {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        limit.0 + (f64::from(limit.1 - limit.0) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Ticked {
    fn format_ext(&self, at: &f64) -> String {
        self.axis.label(*at)
    }
}

/// The quantile of a value of a tail axis, with as many nines as it needs.
fn tail(value: f64) -> String {
    let nines = value.log10().round().max(0.0) as usize;
    let places = nines.saturating_sub(2);
    format!("{:.places$}%", (1.0 - 1.0 / value) * 100.0)
}

/// A tick without trailing zeroes behind its point: `2.00us` as `2us`.
fn tidy(shown: &str) -> String {
    let digits = shown.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(shown.len());
    let (number, unit) = shown.split_at(digits);
    let number = if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    };
    format!("{number}{unit}")
}

/// 0 and multiples of 1, 2 or 5 times a power of ten up to `high`.
fn linear_ticks(high: f64) -> Vec<f64> {
    let decade = 10_f64.powf(high.log10().floor() - 1.0);
    let steps = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].map(|step| step * decade);
    let step = steps.into_iter().find(|step| high / step < TICKS as f64).unwrap_or(high);
    (0..=(high / step) as usize).map(|i| i as f64 * step).collect()
}

/// Logarithms of 1, 2 and 5 of each decade, of each decade, or of every nth.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = (low.floor() as i32)..=(high.ceil() as i32);
    let within = |at: &f64| *at >= low - 0.05 && *at <= high + 0.05;
    let fine: Vec<f64> = decades
        .clone()
        .flat_map(|d| [1.0, 2.0, 5.0].map(|m: f64| f64::from(d) + m.log10()))
        .filter(within)
        .collect();
    if fine.len() <= TICKS {
        return fine;
    }
    let coarse: Vec<f64> = decades.map(f64::from).filter(within).collect();
    let every = coarse.len().div_ceil(TICKS).max(1);
    coarse.into_iter().step_by(every).collect()
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn failed(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// What plotters says at length: defaults, a font size.
const SHORTER: [(&str, &str); 5] = [
    (" opacity=\"1\"", ""),
    (" font-family=\"sans-serif\"", ""),
    ("font-size=\"9.67741935483871\"", "font-size=\"11\""),
    (" font-size=\"10.483870967741936\"", ""),
    (" fill=\"currentColor\"", ""),
];

/// Points in pixels, from left to right.
type Line = Vec<(i32, i32)>;

impl Chart {
    /// The chart as SVG; `None` when no point can be drawn.
    #[must_use]
    pub fn svg(&self) -> Option<String> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = self.x.over(points().map(|p| p.0))?;
        let y = self.y.over(points().map(|p| p.1))?;
        let mut text = String::new();
        let lines = {
            let root = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
            let lines = self.draw(&root, x, y).ok()?;
            root.present().ok()?;
            lines
        };
        Some(self.themed(&text, &lines))
    }

    /// Draws grid and axes; says where the lines go.
    fn draw(&self, root: &Area<'_>, x: Ticked, y: Ticked) -> Result<Vec<Line>, String> {
        let (left, _) = root.split_horizontally(WIDTH - LEGEND);
        let mut chart = ChartBuilder::on(&left)
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(64)
            .build_cartesian_2d(x, y)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .bold_line_style(BLACK.mix(GRID))
            .light_line_style(TRANSPARENT)
            .axis_style(BLACK.mix(0.6))
            .label_style(("sans-serif", 12))
            .axis_desc_style(("sans-serif", 13))
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .draw()
            .map_err(failed)?;
        let line = |series: &Series| -> Line {
            let placed = series.points.iter().map(|(x, y)| (self.x.place(*x), self.y.place(*y)));
            let finite = placed.filter(|(x, y)| x.is_finite() && y.is_finite());
            finite.map(|point| chart.backend_coord(&point)).collect()
        };
        Ok(self.series.iter().map(line).collect())
    }

    /// The SVG with our opening, with the page's text colour in place of black, and with the lines.
    fn themed(&self, text: &str, lines: &[Line]) -> String {
        let body = text.split_once('>').map_or(text, |(_, body)| body);
        let body = body.replace("\"#000000\"", "\"currentColor\"");
        let body = body.trim().trim_end_matches("</svg>");
        let (body, rules) = rules_apart(body);
        let body = SHORTER.iter().fold(body, |body, (long, short)| body.replace(long, short));
        let series = self.series.iter().enumerate();
        let drawn: String = series
            .zip(lines)
            .map(|((index, series), line)| curve(index, series, line) + &legend(index, series))
            .collect();
        super::open(WIDTH, HEIGHT, &self.title, &self.desc) + &rules + &body + &drawn + "</svg>"
    }
}

/// The texts of what plotters drew, and its grid, axes and ticks as one path of each shade.
fn rules_apart(body: &str) -> (String, String) {
    let (mut texts, mut grid, mut axes) = (String::new(), String::new(), String::new());
    let grid_rules = format!("opacity=\"{GRID}\"");
    for line in body.lines() {
        match rule(line) {
            Some(path) if line.contains(&grid_rules) => grid.push_str(&path),
            Some(path) => axes.push_str(&path),
            None => texts.push_str(line),
        }
    }
    let path = |path: &str, shade: &str| format!("<path d=\"{path}\" stroke=\"{shade}\"/>\n");
    (texts, path(&grid, super::FAINT_RULE) + &path(&axes, super::RULE))
}

/// A straight line of plotters (`x1= y1= x2= y2=` or `points=`) as a part of a path.
fn rule(line: &str) -> Option<String> {
    let coordinates = match line.strip_prefix("<line ") {
        Some(line) => line.split_once(" x1=")?.1.split('"').skip(1).step_by(2).take(4).collect(),
        None => {
            let points = line.strip_prefix("<polyline ")?.split_once("points=\"")?.1;
            points.split(['"', ' ', ',']).take(4).collect::<Vec<_>>()
        }
    };
    let [x, y, to_x, to_y] = coordinates.as_slice() else { return None };
    Some(if x == to_x { format!("M{x} {y}V{to_y}") } else { format!("M{x} {y}H{to_x}") })
}

/// A line, with its marks, as one path: steps from point to point, those of less than a pixel left out.
fn curve(index: usize, series: &Series, line: &Line) -> String {
    let mut points = line.clone();
    if series.marked {
        points.dedup();
    } else {
        points = straightened(&points);
    }
    let Some((mut x, mut y)) = points.first().copied() else { return String::new() };
    let mut path = format!("M{x} {y}");
    for (next_x, next_y) in &points[1..] {
        path.push_str(&format!("l{} {}", next_x - x, next_y - y));
        (x, y) = (*next_x, *next_y);
    }
    let marks = points.iter().filter(|_| series.marked).map(|(x, y)| mark(*x, *y, index));
    let marks: String = marks.collect();
    format!("<path d=\"{path}\" fill=\"none\" {}/>{marks}", stroke(index))
}

/// The same line without the points that lie within a straight run along an axis.
fn straightened(line: &[(i32, i32)]) -> Line {
    let mut kept: Line = Vec::new();
    for point in line {
        if kept.last() == Some(point) {
            continue;
        }
        if let [.., before, last] = kept.as_slice() {
            let along_x = before.1 == last.1 && last.1 == point.1;
            let turns = (last.1 - before.1).signum() != (point.1 - last.1).signum();
            let along_y = before.0 == last.0 && last.0 == point.0 && !turns;
            if along_x || along_y {
                kept.pop();
            }
        }
        kept.push(*point);
    }
    kept
}

/// Colour, width and dash of the `index`th line.
fn stroke(index: usize) -> String {
    let dash = dash(index)
        .map_or_else(String::new, |(on, off)| format!(" stroke-dasharray=\"{on} {off}\""));
    format!("stroke=\"{}\" stroke-width=\"2\"{dash}", super::css(index))
}

/// On and off lengths in pixels; solid for the first colours.
fn dash(index: usize) -> Option<(u32, u32)> {
    match index / super::PALETTE.len() {
        0 if index.is_multiple_of(2) => None,
        0 => Some((8, 3)),
        1 => Some((3, 3)),
        _ => Some((12, 6)),
    }
}

/// Circle, triangle or cross.
fn mark(x: i32, y: i32, index: usize) -> String {
    let colour = super::css(index);
    match index % 3 {
        0 => format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"4\" fill=\"{colour}\"/>"),
        1 => format!("<path d=\"M{x} {}l5 9h-10z\" fill=\"{colour}\"/>", y - 6),
        _ => format!(
            "<path d=\"M{} {}l8 8m0-8l-8 8\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            x - 4,
            y - 4
        ),
    }
}

/// The `index`th entry of the legend, right of the axes.
fn legend(index: usize, series: &Series) -> String {
    let (x, y) = ((WIDTH - LEGEND) as i32 + 6, 20 + 18 * index as i32);
    let mark = if series.marked { mark(x + 12, y, index) } else { String::new() };
    format!(
        "<path d=\"M{x} {y}h24\" {}/>{mark}\
         <text x=\"{}\" y=\"{}\">{}</text>\n",
        stroke(index),
        x + 30,
        y + 4,
        super::escape(&short(&series.name))
    )
}

/// A name that fits the legend.
fn short(name: &str) -> String {
    const LONGEST: usize = 20;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['~']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(scale: Scale) -> Axis {
        Axis { label: "x".into(), scale, unit: Unit::In(figure::Unit::Ns) }
    }

    #[test]
    fn linear_axes_start_at_zero_and_tick_at_round_numbers() {
        let axis = axis(Scale::Linear).over([30.0, 70.0].into_iter()).expect("points");
        let ticks = [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0];
        assert_eq!((axis.low, axis.ticks.as_slice()), (0.0, ticks.as_slice()));
        assert!(axis.high > 70.0);
    }

    #[test]
    fn a_line_keeps_its_corners_and_loses_what_cannot_be_seen() {
        let line = [(0, 5), (1, 5), (1, 5), (9, 5), (9, 2), (9, 0), (9, 7), (12, 1)];
        assert_eq!(straightened(&line), [(0, 5), (9, 5), (9, 0), (9, 7), (12, 1)]);
    }

    #[test]
    fn tails_are_labelled_with_their_quantile() {
        assert_eq!(
            [1.0, 10.0, 100.0, 1000.0, 1e4].map(tail),
            ["0%", "90%", "99%", "99.9%", "99.99%"]
        );
    }

    #[test]
    fn log_axes_tick_at_one_two_five_or_at_decades() {
        let axis = axis(Scale::Log);
        let labels = |low: f64, high: f64| -> Vec<String> {
            let over = axis.over([low, high].into_iter()).expect("points");
            over.ticks.iter().map(|at| axis.label(*at)).collect()
        };
        assert_eq!(labels(10.0, 100.0), ["10ns", "20ns", "50ns", "100ns"]);
        assert_eq!(labels(1.0, 1e5), ["1ns", "10ns", "100ns", "1us", "10us", "100us"]);
        assert!(axis.over([0.0].into_iter()).is_none(), "nothing can be drawn at 0");
    }
}
