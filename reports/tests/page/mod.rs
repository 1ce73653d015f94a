//! Reads a report's page as a reader does: tables by id, cells by row, what scripts see of the plots.

use std::collections::BTreeMap;

use serde_json::Value;

/// Text between `open` and the next `close`, for each `open`.
pub(crate) fn between<'a>(
    text: &'a str,
    open: &'a str,
    close: &'a str,
) -> impl Iterator<Item = &'a str> {
    text.split(open).skip(1).filter_map(move |rest| rest.split(close).next())
}

/// A table of the page.
pub(crate) struct Table {
    pub(crate) id: String,
    pub(crate) caption: String,
    pub(crate) heads: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Whether its rows name their places in the result file.
    pub(crate) is_registry: bool,
}

/// A cell: what people see, and what machines read.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) shown: String,
    pub(crate) raw: String,
}

impl Cell {
    pub(crate) fn number(&self) -> f64 {
        self.raw.parse().unwrap_or_else(|_| panic!("no number: {self:?}"))
    }
}

/// All tables, in the order of the page.
pub(crate) fn tables(page: &str) -> Vec<Table> {
    between(page, "<table class=\"data", "</table>").map(table).collect()
}

fn table(text: &str) -> Table {
    let body = text.split_once("<tbody>").map_or("", |(_, body)| body);
    Table {
        id: between(text, " id=\"", "\"").next().unwrap_or_default().to_owned(),
        caption: between(text, "<caption", "</caption>")
            .map(|caption| caption.split_once('>').map_or("", |(_, text)| text))
            .map(plain)
            .next()
            .unwrap_or_default(),
        heads: between(text, "<th scope=\"col\"", "</th>").map(cell).map(|c| c.shown).collect(),
        rows: body.split("<tr").skip(1).map(row).collect(),
        is_registry: body.contains("data-row="),
    }
}

fn row(text: &str) -> Vec<Cell> {
    let head = between(text, "<th scope=row", "<td").map(cell);
    head.chain(text.split("<td").skip(1).map(cell)).collect()
}

/// From the attributes of its tag on.
fn cell(text: &str) -> Cell {
    let (tag, inside) = text.split_once('>').unwrap_or(("", text));
    let shown = plain(inside);
    let raw = tag.split_once("data-v=").and_then(|(_, rest)| rest.split(' ').next());
    Cell { raw: raw.unwrap_or(&shown).to_owned(), shown }
}

/// Text without tags and escapes.
pub(crate) fn plain(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        let is_first = text.is_empty() && !html.starts_with('<');
        text.push_str(if is_first { part } else { part.split_once('>').map_or("", |(_, t)| t) });
    }
    let escapes = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    escapes.iter().fold(text, |text, (code, c)| text.replace(code, c)).trim().to_owned()
}

/// The data of the plots, by id.
pub(crate) fn plots(page: &str) -> BTreeMap<String, Value> {
    let text = between(page, "id=\"plots\">", "</script>").next().expect("a data block");
    serde_json::from_str(text).expect("JSON")
}

/// The items of the lists of class `verdict`.
pub(crate) fn verdicts(page: &str) -> Vec<String> {
    let lists = between(page, "<ul class=\"verdict\">", "</ul>");
    lists.flat_map(|list| between(list, "<li>", "</li>")).map(plain).collect()
}

/// A plot of the page: the drawing, and what stands below it.
pub(crate) struct Figure<'a> {
    pub(crate) id: &'a str,
    pub(crate) svg: &'a str,
    pub(crate) caption: String,
}

/// All plots, in the order of the page.
pub(crate) fn figures(page: &str) -> impl Iterator<Item = Figure<'_>> {
    between(page, "<figure class=\"plot\" id=\"", "</figure>").map(|text| Figure {
        id: text.split('"').next().unwrap_or_default(),
        svg: between(text, "<svg", "</svg>").next().unwrap_or_default(),
        caption: between(text, "<figcaption>", "<a ").map(plain).collect(),
    })
}

/// The elements `name` of a drawing: their attributes, and the text before the next element.
pub(crate) fn elements<'a>(svg: &'a str, name: &str) -> Vec<(&'a str, String)> {
    let tags = svg.match_indices('<').filter_map(|(at, _)| {
        let rest = svg[at + 1..].strip_prefix(name)?;
        rest.split_once('>').filter(|(tag, _)| tag.is_empty() || tag.starts_with(' '))
    });
    tags.map(|(tag, rest)| (tag, plain(rest.split('<').next().unwrap_or_default()))).collect()
}

/// The number in an attribute.
pub(crate) fn attribute(tag: &str, name: &str) -> Option<f64> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    rest.split('"').next()?.parse().ok()
}
