//! Charts of a report with their data, which the page's script can draw again, zoomable.

use serde_json::{Map, Value, json};

use super::block::Block;
use crate::figure::rounded;
use crate::plot::{Chart, Scale, Series};

/// The data behind the charts, by figure id.
#[derive(Default)]
pub(super) struct Plots {
    data: Map<String, Value>,
}

impl Plots {
    /// The figure of `chart` with the commands of its runs, its data kept; `None` when nothing can be
    /// drawn.
    pub(super) fn figure(
        &mut self,
        id: String,
        chart: &Chart,
        commands: Vec<String>,
    ) -> Option<Block> {
        let svg = chart.svg()?;
        let series = |s: &Series| {
            let rounded = s.points.iter().map(|(x, y)| (rounded(*x), rounded(*y)));
            let short = |(x, y)| (short(x), short(y));
            let (x, y): (Vec<Value>, Vec<Value>) = rounded.map(short).unzip();
            json!({ "name": s.name, "marked": s.marked, "x": x, "y": y })
        };
        let axis = |axis: &crate::plot::Axis| json!({ "label": axis.label, "log": axis.scale == Scale::Log, "unit": axis.unit.name() });
        let data = json!({
            "title": chart.title,
            "x": axis(&chart.x),
            "y": axis(&chart.y),
            "series": chart.series.iter().map(series).collect::<Vec<_>>(),
        });
        self.data.insert(id.clone(), data);
        let caption = format!("{}. {}", chart.title, chart.desc);
        Some(Block::Figure { id, svg, caption, commands })
    }

    /// All data as JSON for a script element.
    pub(super) fn json(self) -> String {
        for_script(&crate::schema::sorted(Value::Object(self.data)).to_string())
    }
}

/// A whole number without its `.0`: that is a sixth of a page's data.
fn short(number: f64) -> Value {
    let whole = number as i64;
    if whole as f64 == number { whole.into() } else { number.into() }
}

/// JSON that cannot end its script element and holds no line separator that old parsers trip over.
fn for_script(json: &str) -> String {
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}
