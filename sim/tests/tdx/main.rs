//! The module model, leaf by leaf: statuses, page counts, hints and the published RMW counts.

mod cycles;
mod fuzz;
mod kvm;
mod life;
mod pages;
mod world;
