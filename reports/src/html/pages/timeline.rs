//! The timeline of one chosen window of each run that has one.

use super::Page;
use crate::figure::time;
use crate::html::block::{Block, Section};
use crate::html::commands::commands;
use crate::plot::lanes;
use crate::scenario::Cell;

pub(super) fn section(page: &Page<'_>) -> Option<Section> {
    let blocks = page.scenario.cells.iter().filter_map(|cell| figure(page, cell)).collect();
    Section::new(page.id("timeline"), "Timeline", blocks)
}

fn figure(page: &Page<'_>, cell: &Cell<'_>) -> Option<Block> {
    let (index, run) = cell.shown();
    let timeline = run.result.timeline.as_ref()?;
    let [from, to] = [timeline.from_ns, timeline.to_ns].map(|at| time(at as f64));
    let title = format!("{} from {from} to {to}", cell.strategy());
    let desc = format!(
        "What each CPU did, by its innermost operation; at most 64 CPUs. For all events of a run see \
         --trace. {}",
        page.basis()
    );
    let svg = lanes(timeline, &title, &desc)?;
    let caption = format!("{title}. {desc}");
    let (id, commands) = (page.id(&format!("timeline-{index}")), commands(std::iter::once(run)));
    Some(Block::Figure { id, svg, caption, commands })
}
