//! `pamt-bench seamcall`: scripts of SEAMCALLs on CPUs of the stepped world.
//!
//! A script names a module, calls leaves on CPUs, and says what it expects; parallel blocks run in a
//! given order or in every order. `docs/seamcall-script.md` specifies the language. The conformance
//! suite of the module model is written in it.

mod cursor;
mod parse;
mod place;
mod print;
mod run;
mod script;
mod words;

pub use parse::{Loader, parse};
pub use place::{Place, ScriptError};
pub use print::print;
pub use run::{Failure, Report, run};
pub use script::{Script, Stated};
