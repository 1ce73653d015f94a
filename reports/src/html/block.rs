//! What a page consists of.

use askama::Template;

use super::table::TableView;

/// One element of a page.
pub(super) enum Block {
    /// A paragraph.
    Text(String),
    /// A paragraph that must not be overlooked.
    Warn(String),
    /// A list.
    List(Vec<String>),
    /// Preformatted text.
    Pre(String),
    /// A table.
    Table(TableView),
    /// A plot with its caption and the commands that repeat its runs; `id` finds its data.
    Figure { id: String, svg: String, caption: String, commands: Vec<String> },
    /// Something folded away.
    Fold { summary: String, inner: Blocks },
}

/// Elements in order.
#[derive(Template, Default)]
#[template(path = "blocks.html")]
pub(super) struct Blocks {
    pub(super) blocks: Vec<Block>,
}

impl Blocks {
    pub(super) fn new(blocks: Vec<Block>) -> Self {
        Self { blocks }
    }
}

/// A headed part of a page.
pub(super) struct Section {
    pub(super) id: String,
    pub(super) heading: String,
    pub(super) blocks: Blocks,
}

impl Section {
    /// A section, unless it is empty.
    pub(super) fn new(id: String, heading: &str, blocks: Vec<Block>) -> Option<Self> {
        let blocks = Blocks::new(blocks);
        (!blocks.blocks.is_empty()).then(|| Self { id, heading: heading.to_owned(), blocks })
    }
}
