//! Where results go: standard output, or a file that is never half-written.

use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use pamt_reports::csv;
use pamt_reports::schema::Document;
use pamt_reports::text::{markdown, terminal};

use super::CliError;

/// Form of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Tables for a terminal
    #[default]
    Text,
    /// One document of the checked-in schema
    Json,
    /// A line a run
    Csv,
    /// Tables for a mail or a pull request
    Markdown,
}

const EXTENSIONS: [(&str, Format); 4] =
    [("txt", Format::Text), ("json", Format::Json), ("csv", Format::Csv), ("md", Format::Markdown)];

/// Width of text that does not go to a terminal.
const PIPE_WIDTH: usize = 80;

/// What a file is.
pub(super) const PLAIN: terminal::View = terminal::View { width: PIPE_WIDTH, colour: false };

impl Format {
    /// The format that a file's extension asks for.
    pub(super) fn of(path: &Path) -> Result<Self, CliError> {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        EXTENSIONS
            .iter()
            .find(|(known, _)| *known == extension)
            .map(|(_, format)| *format)
            .ok_or_else(|| {
                let known: Vec<_> = EXTENSIONS.iter().map(|(e, _)| format!(".{e}")).collect();
                let remedy = if extension == "html" {
                    "; a report is made of a .json by `pamt-bench report`"
                } else {
                    ""
                };
                let (path, known) = (path.display(), known.join(", "));
                CliError::Usage(format!("-o {path}: end the name with one of {known}{remedy}"))
            })
    }

    fn render(self, document: &Document, view: terminal::View) -> String {
        match self {
            Self::Text => terminal::render(document, view),
            Self::Json => document.to_json(),
            Self::Csv => csv::render(document),
            Self::Markdown => markdown::render(document),
        }
    }
}

/// What standard output is.
pub(super) fn stdout_view() -> terminal::View {
    let stdout = io::stdout();
    let colour = stdout.is_terminal()
        && anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
    let columns = || std::env::var("COLUMNS").ok()?.parse().ok();
    let width = if stdout.is_terminal() {
        rustix::termios::tcgetwinsize(&stdout)
            .ok()
            .map(|size| usize::from(size.ws_col))
            .filter(|width| *width > 0)
            .unwrap_or(PIPE_WIDTH)
    } else {
        columns().unwrap_or(PIPE_WIDTH)
    };
    terminal::View { width, colour }
}

/// Writes a document to `file`, or to standard output.
pub(super) fn document(
    document: &Document,
    format: Format,
    file: Option<&PathBuf>,
) -> Result<(), CliError> {
    match file {
        None => text(&format.render(document, stdout_view())),
        Some(path) => write_beside(path, format.render(document, PLAIN).as_bytes()),
    }
}

/// Writes text to `file`, or to standard output.
pub(super) fn text_to(file: Option<&PathBuf>, content: &str) -> Result<(), CliError> {
    match file {
        None => text(content),
        Some(path) => write_beside(path, content.as_bytes()),
    }
}

/// Prints to standard output. A reader that went away is no error.
pub(super) fn text(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::Io { doing: "write", path: "standard output".into(), source: error })
        }
        _ => Ok(()),
    }
}

/// A file that is written beside `path` and then renamed, so that `path` is either as it was or complete.
pub(crate) struct Beside<'p> {
    path: &'p Path,
    part: PathBuf,
}

impl<'p> Beside<'p> {
    /// Nothing is written yet.
    pub(crate) fn new(path: &'p Path) -> Self {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        Self { path, part: path.with_file_name(name) }
    }

    /// Where to write.
    pub(crate) fn create(&self) -> Result<BufWriter<File>, CliError> {
        Ok(BufWriter::new(File::create(&self.part).map_err(|source| self.failed(source))?))
    }

    /// All is written.
    pub(crate) fn finish(self) -> Result<(), CliError> {
        fs::rename(&self.part, self.path).map_err(|source| self.failed(source))
    }

    /// What writing it said.
    pub(crate) fn failed(&self, source: io::Error) -> CliError {
        CliError::Io { doing: "write", path: self.path.display().to_string(), source }
    }
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        // What is left of a failed attempt is of no use to anyone; after `finish` nothing is left.
        let _ = fs::remove_file(&self.part);
    }
}

/// Writes a whole file beside `path`.
pub(crate) fn write_beside(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let beside = Beside::new(path);
    let mut out = beside.create()?;
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|source| beside.failed(source))?;
    beside.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_says_the_format() {
        assert_eq!(Format::of(Path::new("a/r.json")).expect("known"), Format::Json);
        let error = Format::of(Path::new("r.xlsx")).expect_err("unknown").to_string();
        assert!(error.contains("r.xlsx") && error.contains(".json"), "{error}");
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("missing").join("r.json");
        assert!(write_beside(&path, b"{}").is_err());
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 0);
    }
}
