//! speedscope's own file format: a `sampled` profile a run, a sample a path with its self time as
//! weight. (An `evented` profile would claim an order of events that sums do not have.)

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{ExportError, Exporter, Part, label};
use crate::schema::{Document, Run, sorted};

/// By this the viewer knows its files.
const SCHEMA: &str = "https://www.speedscope.app/file-format-schema.json";

/// The format.
pub(super) struct Speedscope;

impl Exporter for Speedscope {
    fn name(&self) -> &'static str {
        "speedscope"
    }

    fn suffix(&self) -> &'static str {
        ".speedscope.json"
    }

    fn about(&self) -> &'static str {
        "where the time goes, a profile a run, for speedscope"
    }

    fn export(&self, document: &Document) -> Result<Vec<Part>, ExportError> {
        let mut frames = Frames::default();
        let runs = document.runs.iter().filter(|run| !run.result.spans.is_empty());
        let profiles: Vec<Value> = runs.map(|run| profile(run, &mut frames)).collect();
        if profiles.is_empty() {
            return Err(ExportError::Empty { format: self.name(), what: "spans" });
        }
        let file = json!({
            "$schema": SCHEMA,
            "activeProfileIndex": 0,
            "exporter": concat!("pamt-bench ", env!("CARGO_PKG_VERSION")),
            "name": "where the time goes",
            "profiles": profiles,
            "shared": { "frames": frames.names.iter().map(|n| json!({ "name": n })).collect::<Vec<_>>() },
        });
        Ok(vec![Part::text("profiles".into(), format!("{}\n", sorted(file)))])
    }
}

#[derive(Default)]
struct Frames {
    names: Vec<String>,
    indices: BTreeMap<String, usize>,
}

impl Frames {
    fn index(&mut self, name: &str) -> usize {
        *self.indices.entry(name.to_owned()).or_insert_with(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }
}

fn profile(run: &Run, frames: &mut Frames) -> Value {
    let spans = run.result.spans.iter().filter(|span| span.self_ns > 0);
    let (samples, weights): (Vec<Vec<usize>>, Vec<u64>) = spans
        .map(|span| (span.path.iter().map(|name| frames.index(name)).collect(), span.self_ns))
        .unzip();
    json!({
        "type": "sampled",
        "name": format!("{} ({})", label(run), run.result.world.name()),
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": weights.iter().sum::<u64>(),
        "samples": samples,
        "weights": weights,
    })
}
