//! Tables made from the column registry.
//!
//! A row carries the JSON pointer of the object that it shows, a heading the rest of the path, so a
//! cell's source is the two together. Cells and rows are not closed (`</td>`) and the numbers of their
//! attributes not quoted: HTML needs neither, and a page has ten thousand of them. Columns in which no row has a figure are left out.

use askama::Template;

use crate::columns::{Column, Direction};
use crate::figure::{Figure, Unit, rounded};

/// A table.
#[derive(Template)]
#[template(path = "table.html")]
pub(super) struct TableView {
    id: String,
    caption: String,
    groups: Vec<Group>,
    heads: Vec<HeadView>,
    /// Places of the columns of words, from 1; a row's heading (1) needs none.
    words: Vec<usize>,
    rows: Vec<RowView>,
}

/// The last column that the style sheet knows as one of words by its place.
const LAST_STYLED: usize = 9;

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

/// A cell of a table whose figures are made of several of the file's.
pub(super) enum Entry {
    /// Text.
    Word(String),
    /// Text that leads to a part of the page.
    Link {
        /// Its id.
        to: String,
        /// The text.
        text: String,
    },
    /// A figure.
    Figure(Unit, Figure),
}

impl Entry {
    /// A figure in this unit.
    pub(super) fn of(unit: Unit, figure: impl Into<Figure>) -> Self {
        Self::Figure(unit, figure.into())
    }
}

impl From<String> for Entry {
    fn from(text: String) -> Self {
        Self::Word(text)
    }
}

impl From<&str> for Entry {
    fn from(text: &str) -> Self {
        Self::Word(text.to_owned())
    }
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
    /// The first is the row's heading.
    cells: Vec<CellView>,
}

struct CellView {
    shown: String,
    /// Empty when it is the same as shown.
    raw: String,
    /// It is text among numbers.
    word: bool,
    /// Id of the part that the text leads to; mostly empty.
    to: String,
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
            cells: row
                .labels
                .iter()
                .map(|label| CellView::word(label.clone()))
                .chain(columns.iter().map(|column| CellView::of(column, row.row)))
                .collect(),
        });
        let groups = groups(labels.len(), columns.iter().map(|column| column.group));
        Some(Self::new(id, caption, groups, heads.collect(), rows.collect()))
    }

    /// A table of entries. A column that holds figures and no word is one of numbers.
    pub(super) fn made(
        id: String,
        caption: String,
        heads: &[&str],
        rows: Vec<Vec<Entry>>,
    ) -> Option<Self> {
        if rows.is_empty() {
            return None;
        }
        let is_number = |column: usize| {
            let cells = || rows.iter().filter_map(|row| row.get(column));
            let says = |entry: &Entry| !matches!(entry, Entry::Word(text) if text.is_empty());
            cells().any(says) && cells().filter(|e| says(e)).all(|e| matches!(e, Entry::Figure(..)))
        };
        let head = |(column, title): (usize, &&str)| HeadView {
            word: !is_number(column),
            ..HeadView::word(title)
        };
        let heads: Vec<HeadView> = heads.iter().enumerate().map(head).collect();
        let row = |row: Vec<Entry>| {
            let cells = row.into_iter().map(CellView::entry).collect();
            RowView { pointer: String::new(), class: "", cells }
        };
        let rows = rows.into_iter().map(row).collect();
        Some(Self::new(id, caption, Vec::new(), heads, rows))
    }

    fn new(
        id: String,
        caption: String,
        groups: Vec<Group>,
        heads: Vec<HeadView>,
        mut rows: Vec<RowView>,
    ) -> Self {
        let styled = heads.iter().enumerate().take(LAST_STYLED).skip(1);
        let words: Vec<usize> =
            styled.filter(|(_, head)| head.word).map(|(at, _)| at + 1).collect();
        for row in &mut rows {
            for (at, cell) in row.cells.iter_mut().enumerate() {
                cell.word &= !cell.shown.is_empty() && !words.contains(&(at + 1));
            }
        }
        Self { id, caption, groups, heads, words, rows }
    }
}

/// The columns that have a figure other than 0 in some row, and the headings of those that are 0
/// throughout as a sentence for the caption.
pub(super) fn without_zeroes<R>(
    columns: &'static [Column<R>],
    rows: &[RowOf<'_, R>],
) -> (Vec<&'static Column<R>>, String) {
    let is_zero = |column: &Column<R>| {
        let mut figures = rows.iter().filter_map(|row| (column.value)(row.row)).peekable();
        figures.peek().is_some() && figures.all(|figure| figure.number() == Some(0.0))
    };
    let (zero, kept): (Vec<_>, Vec<_>) = columns.iter().partition(|column| is_zero(column));
    let names: Vec<String> = zero.iter().map(|column| column.full_header()).collect();
    let sentence = match names.as_slice() {
        [] => String::new(),
        names => format!(" 0 in every row, and so not shown: {}.", names.join(", ")),
    };
    (kept, sentence)
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
            word: column.unit == Unit::Word,
        }
    }
}

impl CellView {
    fn of<R>(column: &Column<R>, row: &R) -> Self {
        let figure = (column.value)(row);
        let word = matches!(figure, Some(Figure::Text(_)));
        let shown = figure.as_ref().map(|f| column.unit.show(f)).unwrap_or_default();
        let raw = figure.map(|f| f.raw()).filter(|raw| *raw != shown).unwrap_or_default();
        Self { shown, raw, word, to: String::new() }
    }

    fn word(shown: String) -> Self {
        Self { shown, raw: String::new(), word: true, to: String::new() }
    }

    fn entry(entry: Entry) -> Self {
        match entry {
            Entry::Word(text) => Self::word(text),
            Entry::Link { to, text } => Self { to, ..Self::word(text) },
            Entry::Figure(unit, figure) => {
                let shown = unit.show(&figure);
                let raw = match figure {
                    Figure::Real(value) => rounded(value).to_string(),
                    exact => exact.raw(),
                };
                let raw = if raw == shown { String::new() } else { raw };
                Self { shown, raw, word: false, to: String::new() }
            }
        }
    }
}
