//! Aligned tables that fit a width by leaving out their least important columns.

use anstyle::{AnsiColor, Style};

/// How a cell is emphasised; never the only cue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Emphasis {
    /// Not at all.
    #[default]
    None,
    /// Winner.
    Good,
    /// Something that needs attention.
    Warn,
    /// Something broken.
    Bad,
    /// A heading.
    Heading,
}

impl Emphasis {
    /// `text` in this emphasis, for a terminal with colour.
    pub(super) fn paint(self, text: &str, colour: bool) -> String {
        let style = match self {
            Self::None => return text.to_owned(),
            Self::Good => Style::new().bold().fg_color(Some(AnsiColor::Green.into())),
            Self::Warn => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            Self::Bad => Style::new().bold().fg_color(Some(AnsiColor::Red.into())),
            Self::Heading => Style::new().bold(),
        };
        if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// One column.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) title: String,
    /// Numbers stand right, words left.
    pub(super) right: bool,
    /// 0 always stays; the greatest rank goes first.
    pub(super) rank: u8,
}

impl Head {
    pub(super) fn word(title: &str) -> Self {
        Self { title: title.to_owned(), right: false, rank: 0 }
    }

    pub(super) fn number(title: &str, rank: u8) -> Self {
        Self { title: title.to_owned(), right: true, rank }
    }
}

/// A row of cells in one emphasis.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    pub(super) emphasis: Emphasis,
}

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) heads: Vec<Head>,
    pub(super) rows: Vec<Row>,
}

/// Width of `text` on a terminal: all that we print is one column a character.
pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

/// `text` cut to `limit` columns, the cut shown by `~`.
pub(super) fn cut(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['~']).collect()
}

impl Table {
    pub(super) fn new(heads: impl Into<Vec<Head>>) -> Self {
        Self { heads: heads.into(), rows: Vec::new() }
    }

    pub(super) fn push(&mut self, cells: Vec<String>, emphasis: Emphasis) {
        debug_assert_eq!(cells.len(), self.heads.len(), "one cell a column");
        self.rows.push(Row { cells, emphasis });
    }

    /// Columns in which at least one row says something.
    fn filled(&self) -> Vec<usize> {
        let says = |at: &usize| self.rows.iter().any(|row| !row.cells[*at].is_empty());
        (0..self.heads.len()).filter(says).collect()
    }

    fn column_width(&self, at: usize) -> usize {
        let cells = self.rows.iter().map(|row| width(&row.cells[at]));
        cells.max().unwrap_or(0).max(width(&self.heads[at].title))
    }

    /// The columns that fit into `limit`, in order.
    fn fitting(&self, limit: usize) -> Vec<usize> {
        let mut columns = self.filled();
        let total = |columns: &[usize]| {
            columns.iter().map(|at| self.column_width(*at) + 1).sum::<usize>().saturating_sub(1)
        };
        while total(&columns) > limit {
            let last = columns.iter().copied().max_by_key(|at| (self.heads[*at].rank, *at));
            match last.filter(|at| self.heads[*at].rank > 0) {
                Some(dropped) => columns.retain(|at| *at != dropped),
                None => break,
            }
        }
        columns
    }

    /// The table as lines of at most `limit` columns (if its rank-0 columns allow).
    pub(super) fn lines(&self, limit: usize, colour: bool) -> Vec<String> {
        let columns = self.fitting(limit);
        let line = |cell: &dyn Fn(usize) -> String| {
            let cells = columns.iter().map(|at| {
                let (text, wide) = (cell(*at), self.column_width(*at));
                if self.heads[*at].right {
                    format!("{text:>wide$}")
                } else {
                    format!("{text:<wide$}")
                }
            });
            cells.collect::<Vec<_>>().join(" ").trim_end().to_owned()
        };
        let head = line(&|at| self.heads[at].title.clone());
        let rows = self
            .rows
            .iter()
            .map(|row| row.emphasis.paint(&line(&|at| row.cells[at].clone()), colour));
        std::iter::once(Emphasis::Heading.paint(&head, colour)).chain(rows).collect()
    }

    /// The table in GitHub's Markdown, all filled columns.
    pub(super) fn markdown(&self) -> String {
        let columns = self.filled();
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let escape = |text: &str| text.replace('|', "\\|");
        let mut text = line(columns.iter().map(|at| escape(&self.heads[*at].title)).collect());
        let rule = |at: &usize| if self.heads[*at].right { "---:" } else { "---" }.to_owned();
        text.push_str(&line(columns.iter().map(rule).collect()));
        for row in &self.rows {
            text.push_str(&line(columns.iter().map(|at| escape(&row.cells[*at])).collect()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table {
            heads: vec![
                Head::word("name"),
                Head::number("a", 1),
                Head::number("b", 2),
                Head::number("c", 0),
            ],
            rows: Vec::new(),
        };
        table.push(vec!["x".into(), "12345".into(), "6789".into(), String::new()], Emphasis::Good);
        table
    }

    #[test]
    fn the_greatest_rank_is_left_out_first_and_empty_columns_always() {
        assert_eq!(table().lines(80, false), ["name     a    b", "x    12345 6789"]);
        assert_eq!(table().lines(12, false), ["name     a", "x    12345"]);
        assert_eq!(table().lines(1, false), ["name", "x"]);
    }

    #[test]
    fn colour_changes_nothing_but_escapes() {
        let coloured = table().lines(80, true).join("\n");
        assert_ne!(coloured, table().lines(80, false).join("\n"));
        let plain = anstream::adapter::strip_str(&coloured).to_string();
        assert_eq!(plain, table().lines(80, false).join("\n"));
    }
}
