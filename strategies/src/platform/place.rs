//! Where an array of words lies: the name it is reported under, its stride, and its home node.

use crate::units::NodeId;

/// A named part of a record, for reports: `pamt_2m[17].page_count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name, as the source of the layout spells it.
    pub name: &'static str,
    /// First byte inside the record.
    pub offset: u32,
    /// Bytes.
    pub bytes: u32,
}

/// Which node's memory (and home agent) backs an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// All of it on one node.
    Node(NodeId),
    /// Line by line, round robin over the nodes.
    Interleaved,
    /// Equal contiguous parts, the first on node 0: arrays that follow physical memory.
    Split,
    /// Record `i` on the node of CPU `i`: per-CPU arrays.
    PerCpu,
}

/// Who may touch the words of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Any CPU.
    Shared,
    /// Record `i` only by CPU `i`. A simulated world neither orders nor queues such accesses, and
    /// reports a second CPU that touches one as an error.
    Private,
}

/// Placement of an array of words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the object, as reports show it.
    pub object: String,
    /// Number of words.
    pub len: usize,
    /// Bytes from one word to the next; 0 stands for the word's own size (packed).
    pub stride_bytes: u32,
    /// Bytes of one record, for field names; 0 stands for the stride.
    pub record_bytes: u32,
    /// Named parts of a record.
    pub fields: &'static [Field],
    /// Alignment of the first word, a power of two; at least a line, so that objects never share one.
    pub align: u32,
    /// Home of its lines.
    pub home: Home,
    /// Who may touch it.
    pub sharing: Sharing,
}

impl Place {
    /// A packed array of `len` words, line-aligned, on node 0, shared.
    #[must_use]
    pub fn packed(object: impl Into<String>, len: usize) -> Self {
        Self {
            object: object.into(),
            len,
            stride_bytes: 0,
            record_bytes: 0,
            fields: &[],
            align: 64,
            home: Home::Node(NodeId(0)),
            sharing: Sharing::Shared,
        }
    }

    /// `len` words with a cache line each.
    #[must_use]
    pub fn padded(object: impl Into<String>, len: usize) -> Self {
        Self { stride_bytes: 64, ..Self::packed(object, len) }
    }

    /// Packed records of `record_bytes` with named fields.
    #[must_use]
    pub fn record(mut self, record_bytes: u32, fields: &'static [Field]) -> Self {
        self.record_bytes = record_bytes;
        self.fields = fields;
        self
    }

    /// Sets the home.
    #[must_use]
    pub fn home(mut self, home: Home) -> Self {
        self.home = home;
        self
    }

    /// Declares record `i` private to CPU `i`.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.sharing = Sharing::Private;
        self
    }
}
