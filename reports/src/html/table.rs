//! Tables made from the column registry.
//!
//! A row carries the JSON pointer of the object that it shows, a heading the rest of the path, so a
//! cell's source is the two together. Columns in which no row has a figure are left out.

use askama::Template;

use crate::columns::{Column, Direction};
use crate::figure::Figure;

/// A table.
#[derive(Template)]
#[template(path = "table.html")]
pub(super) struct TableView {
    id: String,
    caption: String,
    groups: Vec<Group>,
    heads: Vec<HeadView>,
    rows: Vec<RowView>,
}

struct Group {
    name: &'static str,
    span: usize,
}

struct HeadView {
    id: String,
    title: String,
    help: String,
    unit: &'static str,
    /// JSON pointer below the row's; empty for computed columns and words.
    path: String,
    /// `lower`, `higher` or empty.
    better: &'static str,
    word: bool,
}

/// A row before the columns are known.
pub(super) struct RowOf<'a, R> {
    /// Leading words, one for each label heading.
    pub(super) labels: Vec<String>,
    /// JSON pointer of `row`.
    pub(super) pointer: String,
    /// Its figures.
    pub(super) row: &'a R,
    /// CSS class: `winner`, `floor`, `bad`, `warn` or empty.
    pub(super) class: &'static str,
}

struct RowView {
    pointer: String,
    class: &'static str,
    labels: Vec<String>,
    cells: Vec<CellView>,
}

struct CellView {
    shown: String,
    /// Empty when it is the same as shown.
    raw: String,
    word: bool,
}

/// A key as one step of a JSON pointer (RFC 6901).
pub(super) fn step(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

impl TableView {
    /// A table of `columns` over `rows`; `None` without rows.
    pub(super) fn of<R>(
        id: String,
        caption: String,
        labels: &[&str],
        columns: &[&'static Column<R>],
        rows: &[RowOf<'_, R>],
    ) -> Option<Self> {
        if rows.is_empty() {
            return None;
        }
        let says = |column: &&&Column<R>| rows.iter().any(|row| (column.value)(row.row).is_some());
        let columns: Vec<&Column<R>> = columns.iter().filter(says).copied().collect();
        let words = labels.iter().map(|label| HeadView::word(label));
        let heads = words.chain(columns.iter().map(|column| HeadView::column(column)));
        let rows = rows.iter().map(|row| RowView {
            pointer: row.pointer.clone(),
            class: row.class,
            labels: row.labels.clone(),
            cells: columns.iter().map(|column| CellView::of(column, row.row)).collect(),
        });
        let heads: Vec<HeadView> = heads.collect();
        let groups = groups(labels.len(), columns.iter().map(|column| column.group));
        Some(Self { id, caption, groups, heads, rows: rows.collect() })
    }

    /// A table of words.
    pub(super) fn words(
        id: String,
        caption: String,
        heads: &[&str],
        rows: Vec<Vec<String>>,
    ) -> Option<Self> {
        let heads = heads.iter().map(|head| HeadView::word(head)).collect();
        let row = |labels| RowView { pointer: String::new(), class: "", labels, cells: Vec::new() };
        let rows: Vec<RowView> = rows.into_iter().map(row).collect();
        (!rows.is_empty()).then_some(Self { id, caption, groups: Vec::new(), heads, rows })
    }
}

/// Runs of equal group names; none when no column has a group.
fn groups(labels: usize, names: impl Iterator<Item = &'static str>) -> Vec<Group> {
    let mut groups = vec![Group { name: "", span: labels }];
    for name in names {
        match groups.last_mut().filter(|group| group.name == name) {
            Some(group) => group.span += 1,
            None => groups.push(Group { name, span: 1 }),
        }
    }
    if groups.iter().all(|group| group.name.is_empty()) { Vec::new() } else { groups }
}

impl HeadView {
    fn word(title: &str) -> Self {
        Self {
            id: title.to_lowercase().replace(' ', "_"),
            title: title.to_owned(),
            help: String::new(),
            unit: "",
            path: String::new(),
            better: "",
            word: true,
        }
    }

    fn column<R>(column: &Column<R>) -> Self {
        let better = match column.direction {
            Direction::Lower => "lower",
            Direction::Higher => "higher",
            Direction::Neutral => "",
        };
        Self {
            id: column.id.to_owned(),
            title: column.header.to_owned(),
            help: format!("{} ({})", column.help, column.source.name()),
            unit: column.unit.name(),
            path: column
                .path
                .map(|path| format!("/{}", path.replace('.', "/")))
                .unwrap_or_default(),
            better,
            word: column.unit == crate::figure::Unit::Word,
        }
    }
}

impl CellView {
    fn of<R>(column: &Column<R>, row: &R) -> Self {
        let figure = (column.value)(row);
        let word = matches!(figure, Some(Figure::Text(_)));
        let shown = figure.as_ref().map(|f| column.unit.show(f)).unwrap_or_default();
        let raw = figure.map(|f| f.raw()).filter(|raw| *raw != shown).unwrap_or_default();
        Self { shown, raw, word }
    }
}
