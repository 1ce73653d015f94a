//! What stands behind the numbers: machine parameters, method, commands.

use crate::columns;
use crate::html::block::{Block, Blocks, Section};
use crate::html::table::{Entry, TableView};
use crate::schema::{Document, ModelParameter, ParameterKind};

fn kind(kind: ParameterKind) -> &'static str {
    match kind {
        ParameterKind::Measured => "measured",
        ParameterKind::Model => "vendor's model",
        ParameterKind::Derived => "derived",
        ParameterKind::Estimated => "estimated",
        ParameterKind::Fitted => "fitted",
    }
}

/// Parameters of each machine model.
pub(in crate::html) fn machines(document: &Document) -> Option<Section> {
    let table = |(index, (name, parameters)): (usize, (&String, &Vec<ModelParameter>))| {
        let row = |p: &ModelParameter| -> Vec<Entry> {
            let range = p.range.map(|[low, high]| format!("{low} to {high}")).unwrap_or_default();
            let value = p.value.as_str().map_or_else(|| p.value.to_string(), str::to_owned);
            vec![
                p.name.as_str().into(),
                value.into(),
                kind(p.kind).into(),
                range.into(),
                p.source.as_str().into(),
            ]
        };
        let caption = format!("Parameters of {name}, each with its kind and source.");
        let heads = ["parameter", "value", "kind", "range", "source"];
        let rows = parameters.iter().map(row).collect();
        let table = TableView::made(format!("machine-{index}"), caption, &heads, rows)?;
        let inner = Blocks::new(vec![Block::Table(table)]);
        Some(Block::Fold { summary: format!("Model of {name}"), inner })
    };
    let blocks = document.machines.iter().enumerate().filter_map(table).collect();
    Section::new("machines".into(), "Machine and model", blocks)
}

/// How to read the numbers.
pub(in crate::html) fn method() -> Option<Section> {
    let worlds = [
        "modelled: from the simulator. Deterministic: the same experiment gives the same bytes. It \
         follows from the model and its parameters, and is as right as they are.",
        "measured: from a real machine, with its spread. It holds for that machine.",
        "published: from a cited source.",
    ];
    let reading = [
        "The three kinds of evidence never share a table or a plot.",
        "Times are summed over all CPUs unless they belong to one operation. Percentiles come from \
         histograms with three significant digits.",
        "An empty cell means that the figure is not known in that run, which is not 0.",
        "A contention is any failed first attempt, as in lock_stat. 'Queued' counts those that \
         reached the queue, as the kernel's contention tracepoint does.",
        "A contention is true when the lock's holder works on the same 2 MiB region as the waiter, \
         else false: a lock per region would not have had it.",
        "HITM is a load or a locked operation that another cache answers from a modified line.",
        "Of several runs of one experiment the median one by throughput is shown; all its numbers \
         belong to one run.",
        "No ranking is claimed from a few seeds: it needs at least 30, and draws over the uncertain \
         parameters of the model.",
    ];
    let list = |items: &[&str]| Block::List(items.iter().map(|item| (*item).to_owned()).collect());
    let legend = Block::Pre(columns::markdown_reference());
    let inner = Blocks::new(vec![legend]);
    let legend =
        Block::Fold { summary: "Every column with its key in the result file".into(), inner };
    let blocks = vec![list(&worlds), list(&reading), legend];
    Section::new("method".into(), "Method", blocks)
}

/// Most commands that are not folded away.
const UNFOLDED: usize = 24;

/// The command behind each run.
pub(in crate::html) fn reproduce(document: &Document) -> Option<Section> {
    let rows = document.runs.iter().enumerate().filter_map(|(index, run)| {
        let p = run.provenance.as_ref()?;
        let build = p.commit.as_ref().map(|commit| format!(" ({commit})")).unwrap_or_default();
        Some(vec![
            Entry::from(index.to_string()),
            format!("{}{build}", p.tool_version).into(),
            p.time.clone().unwrap_or_default().into(),
            p.command.as_str().into(),
        ])
    });
    let caption = "The command that repeats each run alone. The number is its index in the file.";
    let heads = ["run", "version", "time", "command"];
    let table = TableView::made("commands".into(), caption.into(), &heads, rows.collect());
    let rows = document.runs.len();
    let block = table.map(|table| match rows {
        0..=UNFOLDED => Block::Table(table),
        _ => Block::Fold {
            summary: format!("The commands of {rows} runs"),
            inner: Blocks::new(vec![Block::Table(table)]),
        },
    });
    Section::new("reproduce".into(), "Reproduce", block.into_iter().collect())
}
