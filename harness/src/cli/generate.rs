//! `completions` and `man`: written from the same declaration as the arguments.

use clap::Args;
use clap_complete::Shell;
use pamt_reports::exit::Exit;

use super::{CliError, output};

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionArgs {
    /// Which shell
    shell: Shell,
}

pub(super) fn completions(
    args: &CompletionArgs,
    mut command: clap::Command,
) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "pamt-bench", &mut script);
    output::text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Passed)
}

pub(super) fn man(command: clap::Command) -> Result<Exit, CliError> {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut page);
    rendered.map_err(|source| CliError::Io {
        doing: "write",
        path: "the manual page".into(),
        source,
    })?;
    output::text(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Passed)
}
