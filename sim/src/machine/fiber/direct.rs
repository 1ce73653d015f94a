//! Switching from stack to stack, on x86-64.
//!
//! A context is a stack pointer, below which lie the address to go on at, RBP and RBX; the compiler saves
//! the other registers as far as they are live. Going on is a jump, not a return, so that the host's
//! return predictor keeps in step with the calls of each body. A body goes to the next one directly, and
//! to the run's loop at its end or when no CPU can run.

use std::arch::{asm, naked_asm};
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

use corosensei::stack::Stack;

use super::stack::{ColouredStack, recycle, stack};
use super::{Body, Outcome, outcome_of};

type Context = Cell<*mut u8>;

/// What the loop and the bodies of a run share.
struct Shared {
    /// Of the loop.
    main: Context,
    /// By CPU.
    contexts: Vec<Context>,
    /// Bodies that have not begun.
    bodies: RefCell<Vec<Option<Body>>>,
    /// Of the body that ended last, until the loop takes it.
    ended: Cell<Option<(u16, Outcome)>>,
}

/// The bodies of a run.
pub(in super::super) struct Fibers {
    shared: Box<Shared>,
    stacks: Vec<Option<ColouredStack>>,
}

/// What a body suspends through.
pub(in super::super) struct Suspend {
    shared: NonNull<Shared>,
    cpu: u16,
}

impl Suspend {
    fn shared(&self) -> &Shared {
        // SAFETY: `Fibers` owns it in a box and outlives every body that can still run.
        unsafe { self.shared.as_ref() }
    }

    #[inline]
    pub(super) fn suspend(&self, next: Option<u16>) {
        let shared = self.shared();
        let to = match next {
            Some(next) => &shared.contexts[usize::from(next)],
            None => &shared.main,
        };
        // SAFETY: `to` was saved by `switch` or made by `Fibers::add`, and is not the running one: the
        // engine never chooses the CPU that suspends, and nobody else goes to it before it is chosen.
        unsafe { switch(&shared.contexts[usize::from(self.cpu)], to.get()) };
    }
}

impl Fibers {
    pub(super) fn new(cpus: usize) -> Self {
        let none = || Cell::new(std::ptr::null_mut());
        let shared = Box::new(Shared {
            main: none(),
            contexts: (0..cpus).map(|_| none()).collect(),
            bodies: RefCell::new((0..cpus).map(|_| None).collect()),
            ended: Cell::new(None),
        });
        Self { shared, stacks: (0..cpus).map(|_| None).collect() }
    }

    pub(super) fn add(&mut self, cpu: u16, body: Body) {
        let stack = stack(usize::from(cpu));
        let start = Start { shared: NonNull::from(&*self.shared), cpu };
        let top = ((stack.base().get() - size_of::<Start>()) & !15) as *mut Start;
        // SAFETY: the stack is unused, and large enough for `start` and two words below it; `top` is
        // aligned to 16 bytes.
        let context = unsafe {
            top.write(start);
            let words = top.cast::<u64>();
            words.sub(1).write(top as u64);
            words.sub(2).write(begin as *const () as u64);
            words.sub(2).cast::<u8>()
        };
        self.shared.contexts[usize::from(cpu)].set(context);
        self.shared.bodies.borrow_mut()[usize::from(cpu)] = Some(body);
        self.stacks[usize::from(cpu)] = Some(stack);
    }

    pub(super) fn resume(&mut self, cpu: u16) -> Option<Outcome> {
        let to = self.shared.contexts[usize::from(cpu)].get();
        assert!(!to.is_null(), "only CPUs with bodies run, and none after its end");
        // SAFETY: as in `suspend`; the loop itself runs now, so `to` is not the running one.
        unsafe { switch(&self.shared.main, to) };
        let (ended, outcome) = self.shared.ended.take()?;
        self.shared.contexts[usize::from(ended)].set(std::ptr::null_mut());
        if let Some(stack) = self.stacks[usize::from(ended)].take() {
            recycle(stack);
        }
        Some(outcome)
    }
}

/// What a body begins with, at the top of its stack.
struct Start {
    shared: NonNull<Shared>,
    cpu: u16,
}

/// First code on a stack: takes the word on it as argument. Nothing called it, and
/// unwinders stop here, as it has no unwind information.
#[unsafe(naked)]
extern "sysv64" fn begin() {
    naked_asm!("xor ebp, ebp", "pop rdi", "call {run}", "ud2", run = sym run)
}

/// Runs the body of a stack to its end, and goes to the loop for good.
extern "sysv64" fn run(start: *const Start) -> ! {
    // SAFETY: `Fibers::add` wrote it to this stack.
    let Start { shared, cpu } = unsafe { start.read() };
    let suspend = Suspend { shared, cpu };
    // SAFETY: see `Suspend::shared`; the reference is not used after the last switch.
    let shared = unsafe { shared.as_ref() };
    let body = shared.bodies.borrow_mut()[usize::from(cpu)].take();
    let outcome = outcome_of(body.expect("a stack begins once"), super::Suspend::Direct(suspend));
    shared.ended.set(Some((cpu, outcome)));
    // SAFETY: the loop waits in `resume`. This context is never gone to again: `resume` clears it.
    unsafe { switch(&shared.contexts[usize::from(cpu)], shared.main.get()) };
    unreachable!("an ended body runs no more")
}

/// Saves the running context to `from` and goes on at `to`.
///
/// # Safety
/// `to` is a suspended context of this host thread whose stack is alive, and is gone to once.
#[inline(always)]
unsafe fn switch(from: &Context, to: *mut u8) {
    // SAFETY: all registers that the asm does not save itself are declared as overwritten, the flags and
    // the stack below its pointer too; memory may change, as the asm is not `nomem`. `from` gets its value
    // before the stack changes.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov [rdi], rsp",
            "mov rsp, rsi",
            "pop rax",
            "jmp rax",
            "2:",
            "pop rbp",
            "pop rbx",
            inout("rdi") from.as_ptr() => _,
            inout("rsi") to => _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("sysv64"),
        );
    }
}
