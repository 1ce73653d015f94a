//! Progress of several runs, on standard error, and only if that is a terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar over the runs of a command, or nothing.
pub(super) fn bar(runs: usize, wanted: bool) -> ProgressBar {
    if !wanted || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(runs as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} runs  {elapsed}  {wide_msg}") {
        bar.set_style(style);
    }
    bar
}

/// A bar over the experiments of a sweep, with the time that is left; or nothing.
pub(super) fn sweep_bar(experiments: usize, wanted: bool) -> ProgressBar {
    let bar = bar(experiments, wanted);
    if let Ok(style) =
        ProgressStyle::with_template("{pos}/{len} experiments  {elapsed}  {eta} left  {wide_bar}")
    {
        bar.set_style(style);
    }
    bar
}
