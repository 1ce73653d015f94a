//! What a native run may ask the host for, on the command line.

use clap::Args;
use pamt_strategies::platform::native::Favours;

/// Arguments of native runs.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct FavourArgs {
    /// Real-time priority for the threads of a native run, where the host allows it. They spin: leave a CPU
    /// to the rest of the system
    #[arg(long)]
    realtime: bool,
    /// Huge pages under large arrays of a native run, where the host allows it
    #[arg(long)]
    huge_pages: bool,
}

impl FavourArgs {
    pub(super) fn asked(self) -> Favours {
        Favours { realtime: self.realtime, huge_pages: self.huge_pages }
    }
}
