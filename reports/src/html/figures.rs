//! The plots of a report alone, for those who want them as pictures.

use super::block::{Block, Blocks};
use super::pages::{self, Detail, Page};
use super::plots::Plots;
use crate::scenario::undrawn;
use crate::schema::Document;

/// One plot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    /// Its id in the report.
    pub(crate) id: String,
    /// A complete SVG file, with title and description inside.
    pub(crate) svg: String,
}

/// All plots of a report over `document`, in its order.
pub(crate) fn figures(document: &Document) -> Vec<Figure> {
    let scenarios = undrawn(document);
    let mut plots = Plots::default();
    let mut found = Vec::new();
    for (index, scenario) in scenarios.iter().enumerate() {
        let id = format!("s{index}");
        for section in pages::sections(&Page { scenario, id: &id }, Detail::Full, &mut plots) {
            collect(section.blocks, &mut found);
        }
    }
    if let Some(section) = pages::scaling(&scenarios, &mut plots) {
        collect(section.blocks, &mut found);
    }
    if let Some(section) = pages::rankings(document) {
        collect(section.blocks, &mut found);
    }
    found
}

fn collect(blocks: Blocks, found: &mut Vec<Figure>) {
    for block in blocks.blocks {
        match block {
            Block::Figure { id, svg, .. } => found.push(Figure { id, svg }),
            Block::Fold { inner, .. } => collect(inner, found),
            Block::Text(_) | Block::Warn(_) | Block::List(_) | Block::Pre(_) | Block::Table(_) => {}
        }
    }
}
