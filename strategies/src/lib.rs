//! Lock strategies for Dynamic PAMT, the locks under them, and the [`platform`] they are written for.
//!
//! Layout: [`platform`] (what a world offers), [`locks`] (one file a lock), [`pamt`] (one file a
//! strategy), [`registry`] (the table of them, with [`spec`] for their parameters), [`module`] (the
//! surface of the TDX module), [`measure`] (what a run reports).
//!
//! Invariant: nothing here knows of simulation, of a host model or of a report.

pub mod locks;
pub mod measure;
pub mod module;
pub mod pamt;
pub mod platform;
pub mod registry;
pub mod spec;
pub mod units;

/// Compiles the example of the page.
#[cfg(doctest)]
#[doc = include_str!("../../docs/adding-a-strategy.md")]
mod adding_a_strategy {}
