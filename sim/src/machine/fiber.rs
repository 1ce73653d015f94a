//! Coroutines: one stack for each simulated CPU, and the loop that runs the one whose turn it is.
//!
//! A body that must wait sets the machine's `next` and suspends; the loop resumes `next`. Stacks have a
//! guard page and are pooled for each host thread, because mapping them anew would cost more than many a
//! run. A panic in a body is carried to the caller of the run; bodies that have not ended then, or at a
//! deadlock, are forgotten without unwinding: unwinding would run their code against a dead engine.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use corosensei::stack::{DefaultStack, Stack, StackPointer};
use corosensei::{Coroutine, CoroutineResult, Yielder};

/// Bytes of a stack; only touched pages cost memory.
const STACK_BYTES: usize = 256 * 1024;

/// Bytes that the tops of two stacks are apart in their stacks: they would all fall into the same few
/// sets of the host's caches otherwise. A hand-over touches about as many.
const COLOUR_BYTES: usize = 9 * 64;
/// Colours: together a quarter of a stack.
const COLOURS: usize = STACK_BYTES / 4 / COLOUR_BYTES;

/// A stack whose top is lowered by its colour.
struct ColouredStack {
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
    /// Stacks of finished coroutines of this host thread.
    static POOL: RefCell<Vec<ColouredStack>> = const { RefCell::new(Vec::new()) };
}

/// How a body ended, if by panic: with its payload.
type Outcome = Result<(), Box<dyn Any + Send>>;

/// The coroutine of one CPU.
pub(super) struct Fiber {
    coroutine: Coroutine<(), (), Outcome, ColouredStack>,
}

/// What a body suspends through. Only valid on its own coroutine's stack.
pub(super) struct Suspend {
    yielder: *const Yielder<(), ()>,
}

impl Suspend {
    /// For bodies that never suspend: set-up code.
    pub(super) fn never() -> Self {
        Self { yielder: std::ptr::null() }
    }

    /// Gives the host thread to the run's loop, until it resumes this coroutine.
    pub(super) fn suspend(&self) {
        assert!(!self.yielder.is_null(), "set-up code must not wait");
        // SAFETY: not null, so made by `Fiber::new` for the coroutine that executes now; the yielder
        // lives at the bottom of its stack for as long as the body runs.
        unsafe { (*self.yielder).suspend(()) };
    }
}

impl Fiber {
    /// A coroutine that runs `body` when it is first resumed; those of a run have different colours.
    pub(super) fn new(colour: usize, body: impl FnOnce(Suspend) + 'static) -> Self {
        let pooled = POOL.with(|pool| pool.borrow_mut().pop());
        let stack = pooled.unwrap_or_else(|| {
            ColouredStack::new(colour)
                .expect("mapping 256 KiB fails only when the host is out of address space")
        });
        let coroutine = Coroutine::with_stack(stack, move |yielder: &Yielder<(), ()>, ()| {
            let suspend = Suspend { yielder };
            catch_unwind(AssertUnwindSafe(move || body(suspend)))
        });
        Self { coroutine }
    }

    /// Runs the body until it suspends or ends. `None`: it suspended.
    pub(super) fn resume(&mut self) -> Option<Outcome> {
        match self.coroutine.resume(()) {
            CoroutineResult::Yield(()) => None,
            CoroutineResult::Return(outcome) => Some(outcome),
        }
    }
}

impl Drop for Fiber {
    fn drop(&mut self) {
        if !self.coroutine.done() && self.coroutine.started() {
            // SAFETY: the body's frames are abandoned without running destructors: what they own
            // leaks, and nothing outside them points into them, since bodies are `'static` and the
            // machine stores plain data only.
            unsafe { self.coroutine.force_reset() };
        }
    }
}

/// Returns the stacks of ended coroutines to this thread's pool.
pub(super) fn recycle(fibers: Vec<Option<Fiber>>) {
    for fiber in fibers.into_iter().flatten() {
        if fiber.coroutine.done() {
            let fiber = std::mem::ManuallyDrop::new(fiber);
            // SAFETY: `fiber` is never used or dropped again, so the coroutine is moved out once.
            let coroutine = unsafe { std::ptr::read(&raw const fiber.coroutine) };
            POOL.with(|pool| pool.borrow_mut().push(coroutine.into_stack()));
        }
    }
}
