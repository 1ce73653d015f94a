//! Stacks: mapped with a guard page, coloured, and pooled for each host thread, because mapping them anew
//! would cost more than many a run.

use std::cell::RefCell;

use corosensei::stack::{DefaultStack, Stack, StackPointer};

/// Bytes of a stack; only touched pages cost memory.
const STACK_BYTES: usize = 256 * 1024;
/// Bytes that the tops of two stacks are apart in their stacks: they would all fall into the same few
/// sets of the host's caches otherwise. A hand-over touches about as many.
const COLOUR_BYTES: usize = 9 * 64;
/// Colours: together a quarter of a stack.
const COLOURS: usize = STACK_BYTES / 4 / COLOUR_BYTES;

/// A stack whose top is lowered by its colour.
pub(super) struct ColouredStack {
    stack: DefaultStack,
    lowered: usize,
}

impl ColouredStack {
    fn new(colour: usize) -> std::io::Result<Self> {
        // Stack pointers are aligned to 16 bytes, and so is a colour.
        let lowered = colour % COLOURS * COLOUR_BYTES;
        Ok(Self { stack: DefaultStack::new(STACK_BYTES)?, lowered })
    }
}

// SAFETY: the memory is `stack`'s, which keeps the trait's promises for all of it; this uses a part of
// it that has the same limit and an aligned base above that.
unsafe impl Stack for ColouredStack {
    fn base(&self) -> StackPointer {
        let base = self.stack.base().get() - self.lowered;
        StackPointer::new(base).expect("a base inside of a mapping is not null")
    }

    fn limit(&self) -> StackPointer {
        self.stack.limit()
    }
}

thread_local! {
    /// Stacks of ended bodies of this host thread.
    static POOL: RefCell<Vec<ColouredStack>> = const { RefCell::new(Vec::new()) };
}

/// A stack from the pool, or a new one; those of a run get different colours.
pub(super) fn stack(colour: usize) -> ColouredStack {
    let pooled = POOL.with(|pool| pool.borrow_mut().pop());
    pooled.unwrap_or_else(|| {
        ColouredStack::new(colour)
            .expect("mapping 256 KiB fails only when the host is out of address space")
    })
}

/// Returns a stack that no body uses to the pool.
pub(super) fn recycle(stack: ColouredStack) {
    POOL.with(|pool| pool.borrow_mut().push(stack));
}
