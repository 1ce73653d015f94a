//! Nested spans folded into a tree of self times: the source of "where the time goes", of folded
//! stacks and of the split of each operation into its parts.

use super::op::Op;
use crate::units::{CpuId, Cycles};

const ROOT: usize = 0;

#[derive(Clone, Debug)]
struct Node {
    op: Option<Op>,
    parent: usize,
    children: Vec<usize>,
    self_cycles: u64,
    count: u64,
}

/// Self time by path.
#[derive(Clone, Debug)]
pub struct SpanTree {
    nodes: Vec<Node>,
}

/// A path of the tree that recorded it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct PathId(usize);

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

impl Default for SpanTree {
    fn default() -> Self {
        let root = Node { op: None, parent: ROOT, children: Vec::new(), self_cycles: 0, count: 0 };
        Self { nodes: vec![root] }
    }
}

impl SpanTree {
    fn child(&mut self, parent: usize, op: Op) -> usize {
        let found = self.nodes[parent].children.iter().find(|c| self.nodes[**c].op == Some(op));
        if let Some(child) = found {
            return *child;
        }
        let child = self.nodes.len();
        self.nodes.push(Node {
            op: Some(op),
            parent,
            children: Vec::new(),
            self_cycles: 0,
            count: 0,
        });
        self.nodes[parent].children.push(child);
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
            let mut children = self.nodes[node].children.clone();
            children.sort_by_key(|c| core::cmp::Reverse(self.nodes[*c].op));
            stack.extend(children);
        }
        order.into_iter().map(|node| self.path(node))
    }

    fn path(&self, node: usize) -> SpanPath {
        let mut ops = Vec::new();
        let mut at = node;
        while let Some(op) = self.nodes[at].op {
            ops.push(op);
            at = self.nodes[at].parent;
        }
        ops.reverse();
        let Node { self_cycles, count, .. } = self.nodes[node];
        SpanPath { ops, self_cycles, count }
    }

    /// Adds another tree.
    pub fn merge(&mut self, other: &Self) {
        for path in other.paths() {
            let node = path.ops.iter().fold(ROOT, |at, op| self.child(at, *op));
            self.nodes[node].self_cycles += path.self_cycles;
            self.nodes[node].count += path.count;
        }
    }
}

#[derive(Clone, Debug)]
struct Open {
    node: usize,
    op: Op,
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
        stack.push(Open { node, op, begun: now, children: 0 });
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
        self.open[usize::from(cpu.0)].last().map(|open| open.op)
    }

    /// Ends the innermost span and returns its length.
    ///
    /// # Panics
    /// When the innermost span is not `op`: the caller's spans do not nest.
    pub(super) fn end(&mut self, cpu: CpuId, now: Cycles, op: Op) -> Cycles {
        let stack = &mut self.open[usize::from(cpu.0)];
        let open = stack.pop();
        let Some(open) = open.filter(|open| open.op == op) else {
            panic!("span {} ends on CPU {cpu} but is not the innermost one", op.name());
        };
        let length = now - open.begun;
        let node = &mut self.tree.nodes[open.node];
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
