//! The registry as a reference page.

use std::fmt::Write;

use super::{Column, Direction, FIELD, LINE, LOCK, LOCK_BENCH, MEMORY, OP, RUN, SETTING, TD};

/// Markdown tables of all columns, for the docs.
#[must_use]
pub fn markdown_reference() -> String {
    let mut page = String::new();
    table(&mut page, "What was asked for", "runs[]", SETTING);
    table(&mut page, "A run", "result", RUN);
    table(&mut page, "An operation", "result.ops.NAME", OP);
    table(&mut page, "A lock", "result.locks.NAME", LOCK);
    table(&mut page, "An object or a cache line", "result.lines.NAME", LINE);
    table(&mut page, "A field of a line", "result.lines.NAME.top[].fields[]", FIELD);
    table(&mut page, "Memory", "result.memory", MEMORY);
    table(&mut page, "A TD", "result.tds[]", TD);
    table(&mut page, "A row of the lock benchmark", "rows[]", LOCK_BENCH);
    page
}

fn table<R>(page: &mut String, title: &str, below: &str, columns: &[Column<R>]) {
    let mut line = |text: std::fmt::Arguments<'_>| {
        page.write_fmt(text)
            .and_then(|()| page.write_char('\n'))
            .expect("a String takes all writes");
    };
    line(format_args!("## {title}\n\nIn the JSON below `{below}`.\n"));
    line(format_args!("| column | JSON key | unit | better | after | meaning |"));
    line(format_args!("|---|---|---|---|---|---|"));
    for column in columns {
        let better = match column.direction {
            Direction::Lower => "lower",
            Direction::Higher => "higher",
            Direction::Neutral => "",
        };
        let path = column.path.map_or_else(|| "computed".to_owned(), |path| format!("`{path}`"));
        let (unit, source) = (column.unit.name(), column.source.name());
        line(format_args!(
            "| {} | {path} | {unit} | {better} | {source} | {} |",
            column.header, column.help
        ));
    }
    line(format_args!(""));
}
