//! Nested spans folded into a tree of self times: the source of "where the time goes", of folded
//! stacks and of the split of each operation into its parts.

use super::op::Op;
use crate::units::{CpuId, Cycles};

/// Index of a node.
type At = u32;

/// Nobody's child and nobody's sibling, so it also stands for none.
const ROOT: At = 0;

#[derive(Clone, Debug)]
struct Node {
    self_cycles: u64,
    count: u64,
    parent: At,
    op: Option<Op>,
}

/// The child for each operation, or [`ROOT`]: each begin of a span looks one up, and which operation that
/// is the host cannot foresee.
type Children = [At; Op::COUNT];

/// Self time by path.
#[derive(Clone, Debug)]
pub struct SpanTree {
    nodes: Vec<Node>,
    /// By node.
    children: Vec<Children>,
}

/// A path of the tree that recorded it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PathId(At);

/// One path of a [`SpanTree`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanPath {
    /// From the outermost operation to the innermost.
    pub ops: Vec<Op>,
    /// Cycles spent in the innermost one and in none that it contains.
    pub self_cycles: u64,
    /// How often it ended.
    pub count: u64,
}

impl SpanPath {
    /// Names joined by `;`, as folded stacks want them.
    #[must_use]
    pub fn names(&self) -> String {
        self.ops.iter().map(|op| op.name()).collect::<Vec<_>>().join(";")
    }
}

impl Node {
    const fn new(op: Option<Op>, parent: At) -> Self {
        Self { self_cycles: 0, count: 0, parent, op }
    }
}

impl Default for SpanTree {
    fn default() -> Self {
        Self { nodes: vec![Node::new(None, ROOT)], children: vec![[ROOT; Op::COUNT]] }
    }
}

impl SpanTree {
    fn node(&self, at: At) -> &Node {
        &self.nodes[at as usize]
    }

    fn node_mut(&mut self, at: At) -> &mut Node {
        &mut self.nodes[at as usize]
    }

    #[inline]
    fn child(&mut self, parent: At, op: Op) -> At {
        match self.children[parent as usize][op.index()] {
            ROOT => self.add_child(parent, op),
            child => child,
        }
    }

    /// In order of operation, which is that of its index.
    fn children(&self, parent: At) -> impl DoubleEndedIterator<Item = At> + '_ {
        self.children[parent as usize].iter().copied().filter(|child| *child != ROOT)
    }

    #[cold]
    fn add_child(&mut self, parent: At, op: Op) -> At {
        let child = self.nodes.len() as At;
        self.children[parent as usize][op.index()] = child;
        self.nodes.push(Node::new(Some(op), parent));
        self.children.push([ROOT; Op::COUNT]);
        child
    }

    /// All paths, parents before children, siblings in order of operation.
    pub fn paths(&self) -> impl Iterator<Item = SpanPath> + '_ {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut stack = vec![ROOT];
        while let Some(node) = stack.pop() {
            if node != ROOT {
                order.push(node);
            }
            stack.extend(self.children(node).rev());
        }
        order.into_iter().map(|node| self.path(node))
    }

    fn path(&self, node: At) -> SpanPath {
        let mut ops = Vec::new();
        let mut at = node;
        while let Some(op) = self.node(at).op {
            ops.push(op);
            at = self.node(at).parent;
        }
        ops.reverse();
        let Node { self_cycles, count, .. } = *self.node(node);
        SpanPath { ops, self_cycles, count }
    }

    /// Adds another tree.
    pub fn merge(&mut self, other: &Self) {
        for path in other.paths() {
            let at = path.ops.iter().fold(ROOT, |at, op| self.child(at, *op));
            let node = self.node_mut(at);
            node.self_cycles += path.self_cycles;
            node.count += path.count;
        }
    }
}

#[derive(Clone, Debug)]
struct Open {
    node: At,
    begun: Cycles,
    children: u64,
}

/// The open spans of all CPUs over one tree.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    tree: SpanTree,
    open: Vec<Vec<Open>>,
}

impl Spans {
    pub(super) fn new(cpus: usize) -> Self {
        Self { tree: SpanTree::default(), open: vec![Vec::new(); cpus] }
    }

    pub(super) fn begin(&mut self, cpu: CpuId, now: Cycles, op: Op) {
        let stack = &mut self.open[usize::from(cpu.0)];
        let parent = stack.last().map_or(ROOT, |open| open.node);
        let node = self.tree.child(parent, op);
        stack.push(Open { node, begun: now, children: 0 });
    }

    /// The innermost open path of a CPU.
    pub(super) fn here(&self, cpu: CpuId) -> PathId {
        PathId(self.open[usize::from(cpu.0)].last().map_or(ROOT, |open| open.node))
    }

    /// The operations of a path, from the outermost to the innermost.
    pub(super) fn ops(&self, path: PathId) -> Vec<Op> {
        self.tree.path(path.0).ops
    }

    pub(super) fn top(&self, cpu: CpuId) -> Option<Op> {
        self.open[usize::from(cpu.0)].last().and_then(|open| self.tree.node(open.node).op)
    }

    /// Ends the innermost span and returns its length.
    ///
    /// # Panics
    /// When the innermost span is not `op`: the caller's spans do not nest.
    pub(super) fn end(&mut self, cpu: CpuId, now: Cycles, op: Op) -> Cycles {
        let stack = &mut self.open[usize::from(cpu.0)];
        let innermost = stack.pop().map(|open| (self.tree.node_mut(open.node), open));
        let Some((node, open)) = innermost.filter(|(node, _)| node.op == Some(op)) else {
            panic!("span {} ends on CPU {cpu} but is not the innermost one", op.name());
        };
        let length = now - open.begun;
        node.self_cycles += length.0 - open.children;
        node.count += 1;
        if let Some(parent) = stack.last_mut() {
            parent.children += length.0;
        }
        length
    }

    pub(super) fn finish(self) -> SpanTree {
        self.tree
    }
}
