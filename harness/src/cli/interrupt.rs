//! Ctrl-C: the first asks for an end, a second one ends the process at once.
//!
//! A command that can keep what it has calls [`watch`] and looks at the flag between its steps. All
//! others end as the shell expects, by the signal.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::CliError;
use pamt_reports::exit::Exit;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether the user wants an end.
#[derive(Clone, Debug)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// True from the first signal on.
    pub(super) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag itself, for threads that look at it while they measure.
    pub(in crate::cli) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

/// Takes over SIGINT and SIGTERM.
///
/// # Errors
/// The system refused.
pub(super) fn watch() -> Result<Interrupt, CliError> {
    let failed = |source| CliError::Io { doing: "watch", path: "SIGINT".to_owned(), source };
    take_over().map_err(failed)
}

fn take_over() -> io::Result<Interrupt> {
    let (asked, again) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let code = i32::from(Exit::Interrupted.code());
    for signal in [SIGINT, SIGTERM] {
        // A signal runs what is registered, in this order. From the first line on it leaves its mark, so none is
        // lost between two lines; and only the second one finds the flag that the first has set last.
        flag::register(signal, Arc::clone(&asked))?;
        flag::register_conditional_shutdown(signal, code, Arc::clone(&again))?;
        flag::register(signal, Arc::clone(&again))?;
    }
    Ok(Interrupt(asked))
}
