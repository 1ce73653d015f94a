//! Right-aligned columns under two heading rows, as perf's stdio reports have them.

/// A table of text.
pub(super) struct Grid {
    heads: Vec<(&'static str, &'static str)>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// Columns as (group, header); neighbours with one group share its heading.
    pub(super) fn new(heads: &[(&'static str, &'static str)]) -> Self {
        Self { heads: heads.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, a cell a column.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.heads.len(), "a cell a column");
        self.rows.push(cells);
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.heads.iter().map(|(_, head)| head.len()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        // The last column of a group makes room for the group's heading.
        for (first, last, group) in self.groups() {
            let room: usize = widths[first..=last].iter().sum::<usize>() + 2 * (last - first);
            let dashes = if first == last { 0 } else { 4 };
            widths[last] += (group.len() + dashes).saturating_sub(room);
        }
        widths
    }

    /// First column, last column and name of each named group.
    fn groups(&self) -> Vec<(usize, usize, &'static str)> {
        let mut groups: Vec<(usize, usize, &'static str)> = Vec::new();
        for (at, (group, _)) in self.heads.iter().enumerate() {
            match groups.last_mut() {
                Some((_, last, name)) if name == group && *last + 1 == at => *last = at,
                _ => groups.push((at, at, group)),
            }
        }
        groups.retain(|(_, _, name)| !name.is_empty());
        groups
    }

    /// The headings, each line after a `#`.
    pub(super) fn head(&self) -> String {
        let widths = self.widths();
        let mut top = String::new();
        let mut at = 0;
        for (first, last, group) in self.groups() {
            let gap: usize = widths[at..first].iter().map(|w| w + 2).sum();
            let room: usize = widths[first..=last].iter().sum::<usize>() + 2 * (last - first);
            let title = format!(" {group} ");
            let title =
                if first == last { format!("{group:>room$}") } else { format!("{title:-^room$}") };
            top.push_str(&format!("{:gap$}  {title}", ""));
            at = last + 1;
        }
        let heads: Vec<String> = self.heads.iter().map(|(_, head)| (*head).to_owned()).collect();
        let dots: Vec<String> = widths.iter().map(|w| ".".repeat(*w)).collect();
        let [bottom, rule] = [heads, dots].map(|cells| line(&cells, &widths));
        format!("#{}\n#{}\n#{}\n", top.trim_end(), bottom, rule)
    }

    /// The rows.
    pub(super) fn body(&self) -> String {
        let widths = self.widths();
        self.rows.iter().map(|row| format!(" {}\n", line(row, &widths).trim_end())).collect()
    }
}

fn line(cells: &[String], widths: &[usize]) -> String {
    cells.iter().zip(widths).map(|(cell, width)| format!("  {cell:>width$}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_spans_its_columns() {
        let mut grid = Grid::new(&[("", "n"), ("Load", "Total"), ("Load", "Lcl"), ("", "x")]);
        grid.row(["1", "2", "123456", "3"].map(str::to_owned).into());
        let head = ["#     --- Load ----", "#  n  Total     Lcl  x", "#  .  .....  ......  .", ""];
        assert_eq!(grid.head(), head.join("\n"));
        assert_eq!(grid.body(), "   1      2  123456  3\n");
    }
}
