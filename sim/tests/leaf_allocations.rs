//! No leaf allocates: all memory is taken when the module is made, or at the first page of a region.

#[path = "../benches/common/mod.rs"]
mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::{Call, config, execute, life, pair, pair_read};
use pamt_sim::tdx::{CostTable, Module};
use pamt_strategies::module::Leaf;
use pamt_strategies::platform::Actor;
use pamt_strategies::platform::native::{self, Native, NativeBuild, NativeCpu, NativeOptions};
use pamt_strategies::units::CpuId;

/// Counts what this thread allocates.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on as it came; the count beside it does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise about `layout` is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: `ptr` came from `alloc` above, so from `System`, with this layout.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// Goes through `calls` once to take the memory, and again to count.
fn second_time(calls: Vec<Call>) -> impl FnOnce(&Module<Native>, &NativeCpu) + Send {
    move |module, cpu| {
        execute(module, cpu, &calls);
        let before = allocations();
        execute(module, cpu, &calls);
        assert_eq!(allocations() - before, 0);
    }
}

fn with_module(body: impl FnOnce(&Module<Native>, &NativeCpu) + Send + 'static) {
    let options = NativeOptions { record: false, ..NativeOptions::new(1, 1) };
    let mut build = NativeBuild::new(options).expect("a CPU");
    let module = Module::<Native>::new(&mut build, &config(), &CostTable::free()).expect("valid");
    let body = Box::new(move |cpu: &NativeCpu| body(&module, cpu));
    let actor = Actor { cpu: CpuId(0), name: "test".into(), body };
    native::run(build, vec![actor]).expect("a run");
}

#[test]
fn the_life_of_a_td_allocates_nothing_the_second_time() {
    with_module(second_time(life()));
    with_module(second_time(pair()));
    with_module(second_time(pair_read()));
}

#[test]
fn the_counted_life_has_every_leaf() {
    let calls = life();
    for leaf in Leaf::ALL {
        let called = calls.iter().flatten().any(|(called, _)| called == leaf);
        assert!(called, "{leaf} is not in it");
    }
}

#[test]
fn an_allocation_would_be_counted() {
    let before = allocations();
    let boxed = std::hint::black_box(Box::new(7_u64));
    assert_eq!((*boxed, allocations() - before), (7, 1));
}
