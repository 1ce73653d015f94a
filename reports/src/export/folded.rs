//! Folded stacks: a line a path of nested operations, frames from the outermost to the innermost
//! joined by `;`, then its self time. Flame-graph tools read it.

use super::{ExportError, Exporter, Part, label};
use crate::schema::{Document, Run};

/// The format.
pub(super) struct Folded;

impl Exporter for Folded {
    fn name(&self) -> &'static str {
        "folded"
    }

    fn suffix(&self) -> &'static str {
        ".folded"
    }

    fn about(&self) -> &'static str {
        "folded stacks of self time in ns, a root frame a run, for flame-graph tools"
    }

    fn export(&self, document: &Document) -> Result<Vec<Part>, ExportError> {
        let text: String = document.runs.iter().flat_map(lines).collect();
        if text.is_empty() {
            return Err(ExportError::Empty { format: self.name(), what: "spans" });
        }
        Ok(vec![Part::text("stacks".into(), text)])
    }
}

fn lines(run: &Run) -> impl Iterator<Item = String> + '_ {
    let root = format!("{} ({})", label(run), run.result.world.name());
    run.result.spans.iter().filter(|span| span.self_ns > 0).map(move |span| {
        let frames = std::iter::once(&root).chain(&span.path).map(|f| frame(f));
        format!("{} {}\n", frames.collect::<Vec<_>>().join(";"), span.self_ns)
    })
}

/// A frame's name holds neither the separator nor a line break.
fn frame(name: &str) -> String {
    name.replace([';', '\n'], ",")
}
