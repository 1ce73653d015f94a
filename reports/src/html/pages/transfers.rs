//! Who took lines from whom: heat maps from core to core, and the busiest pairs.

use std::collections::BTreeMap;

use super::{Page, pointer};
use crate::contention::pair_locks;
use crate::figure::Unit;
use crate::html::block::{Block, Blocks};
use crate::html::commands::commands;
use crate::html::table::{Entry, TableView};
use crate::plot::Heat;
use crate::scenario::Cell;
use crate::schema::{Run, Transfers};

/// Pairs in the table.
const PAIRS: usize = 6;

/// The maps of a strategy, folded away; the lock's own comes after that of all objects.
pub(super) fn fold(page: &Page<'_>, cell: &Cell<'_>) -> Option<Block> {
    let (index, run) = cell.shown();
    let objects = run.result.lines.iter();
    let matrices: Vec<(&String, &Transfers)> =
        objects.filter_map(|(name, object)| Some((name, object.transfers.as_ref()?))).collect();
    let all = sum(matrices.iter().map(|(_, transfers)| *transfers));
    let id = |part: &str| page.id(&format!("{part}-{index}"));
    let names: Vec<String> = matrices
        .iter()
        .map(|(name, t)| format!("{name} {}", Unit::Count.show(&moved(t).into())))
        .collect();
    let title = format!("Lines moved from core to core under {}", cell.strategy());
    let map = figure(page, run, &id("heat"), &title, &names.join(", "), &all)?;
    let mut blocks = vec![map];
    let of_lock = |name: &str| pair_locks(&run.result).any(|(lock, _)| lock == name);
    for (name, transfers) in matrices.iter().filter(|(name, _)| of_lock(name)) {
        let title = format!("Lines of {name} alone under {}", cell.strategy());
        blocks.extend(figure(page, run, &id(&format!("heat-{name}")), &title, name, transfers));
    }
    blocks.extend(pairs(&id("pairs"), &pointer(cell), &all));
    Some(Block::Fold { summary: title, inner: Blocks::new(blocks) })
}

fn moved(transfers: &Transfers) -> u64 {
    transfers.counts.iter().flatten().sum()
}

fn sum<'a>(matrices: impl Iterator<Item = &'a Transfers>) -> Transfers {
    let mut pairs = BTreeMap::<(u32, u32), u64>::new();
    for (from, to, count) in matrices.flat_map(Transfers::pairs) {
        *pairs.entry((from, to)).or_default() += count;
    }
    let pairs: Vec<_> = pairs.into_iter().map(|((from, to), count)| (from, to, count)).collect();
    Transfers::new(&pairs)
}

fn figure(
    page: &Page<'_>,
    run: &Run,
    id: &str,
    title: &str,
    objects: &str,
    transfers: &Transfers,
) -> Option<Block> {
    let heat = Heat {
        title: title.to_owned(),
        desc: format!("Lines that a row's core had alone and a column's core took: {objects}."),
        what: "CPU".into(),
        names: transfers.cpus.clone(),
        counts: transfers.counts.clone(),
    };
    let caption = format!(
        "{title}. {} A core is named by its first CPU; cores that moved nothing are left out; the \
         scale is logarithmic. {}",
        heat.desc,
        page.basis()
    );
    let (svg, commands) = (heat.svg()?, commands(std::iter::once(run)));
    Some(Block::Figure { id: id.to_owned(), svg, caption, commands })
}

/// The pairs with most moves.
fn pairs(id: &str, pointer: &str, all: &Transfers) -> Option<Block> {
    let mut pairs: Vec<_> = all.pairs().collect();
    pairs.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    pairs.truncate(PAIRS);
    let row = |(from, to, count): (u32, u32, u64)| {
        let cpu = |cpu: u32| Entry::of(Unit::Count, u64::from(cpu));
        vec![cpu(from), cpu(to), Entry::of(Unit::Count, count)]
    };
    let caption =
        format!("The pairs of cores between which most lines moved, from {pointer}/lines.");
    let rows = pairs.into_iter().map(row).collect();
    TableView::made(id.to_owned(), caption, &["from CPU", "to CPU", "lines"], rows)
        .map(Block::Table)
}
