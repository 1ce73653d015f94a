//! pamt-bench.
fn main() {}
