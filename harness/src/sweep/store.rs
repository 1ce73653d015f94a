//! The folder of a sweep.
//!
//! `sweep.json` says which plan and build it belongs to, `results/ab/ID.json` holds a result each,
//! `failed/ID.json` the reason of a failure each. Every file is written beside its place and renamed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use pamt_reports::schema::{Run, sorted};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::job::{Job, content_id};

/// Part of the names of unfinished files: sweeps of one process may share a folder, too.
static UNIQUE: AtomicU64 = AtomicU64::new(0);

/// Why a folder cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The system refused.
    #[error("cannot {doing} {path}: {source}; free space or name another folder, then run again")]
    Io {
        /// `write`, `read`, ...
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It belongs to something else.
    #[error(
        "{path} holds a sweep of another {what} ({found}, this is {wanted}): name another folder"
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// `plan` or `build`.
        what: &'static str,
        /// What it belongs to.
        found: String,
        /// What it should belong to.
        wanted: String,
    },
    /// It holds no sweep.
    #[error("{0} holds no sweep: run `pamt-bench sweep PLAN.toml -o {0}` first")]
    NoSweep(PathBuf),
    /// A file in it was changed.
    #[error("{path} is damaged ({problem}): remove it and run the sweep again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        problem: String,
    },
}

/// What a folder belongs to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    build: String,
    plan: Value,
}

/// Why a job has no result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The experiment.
    pub experiment: Value,
    /// Why it failed.
    pub reason: String,
}

/// A result file is `{"digest":"DIGEST","run":RUN}`. The digest is of RUN's bytes, which are merged as
/// they are: numbers never go through a reader that might round them.
const BEFORE_DIGEST: &str = "{\"digest\":\"";
const AFTER_DIGEST: &str = "\",\"run\":";
const AFTER_RUN: &str = "}\n";

/// An open folder.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    lock: fs::File,
}

impl Store {
    /// Opens `folder` for this plan and build, and makes it if it is not there.
    ///
    /// # Errors
    /// [`StoreError`] when it belongs to another plan or build, or cannot be written.
    pub fn open(folder: &Path, plan: &Value, build: &str) -> Result<Self, StoreError> {
        for part in ["results", "failed"] {
            make_folder(&folder.join(part))?;
        }
        let store = Self::at(folder)?;
        let header = Header { build: build.to_owned(), plan: sorted(plan.clone()) };
        match store.header()? {
            None => store.write(&folder.join("sweep.json"), &to_text(&header))?,
            Some(found) => {
                let foreign = |what, found: &str, wanted: &str| StoreError::Foreign {
                    path: folder.to_owned(),
                    what,
                    found: found.to_owned(),
                    wanted: wanted.to_owned(),
                };
                if found.plan != header.plan {
                    let id = |plan: &Value| content_id(&plan.to_string());
                    return Err(foreign("plan", &id(&found.plan), &id(&header.plan)));
                }
                if found.build != header.build {
                    return Err(foreign("build", &found.build, &header.build));
                }
            }
        }
        Ok(store)
    }

    /// Opens a folder that holds a sweep, with its plan.
    ///
    /// # Errors
    /// [`StoreError`] when there is none.
    pub fn open_existing(folder: &Path) -> Result<(Self, Value), StoreError> {
        if !folder.join("sweep.json").exists() {
            return Err(StoreError::NoSweep(folder.to_owned()));
        }
        let store = Self::at(folder)?;
        let header = store.header()?.ok_or_else(|| StoreError::NoSweep(folder.to_owned()))?;
        Ok((store, header.plan))
    }

    fn at(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("lock");
        let lock = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| StoreError::Io { doing: "write", path, source })?;
        Ok(Self { folder: folder.to_owned(), lock })
    }

    /// Marks the folder as in use until the process ends. Returns whether nobody else uses it: others
    /// do no harm (a result is the same whoever writes it), but the work may be done twice.
    #[must_use]
    pub fn alone(&self) -> bool {
        let alone = self.lock.try_lock().is_ok();
        // A shared lock from here on, so that the next one sees that it is not alone. Where the file
        // system has no locks the note is missing, nothing else.
        let _ = if alone { self.lock.unlock() } else { Ok(()) };
        let _ = self.lock.try_lock_shared();
        alone
    }

    fn header(&self) -> Result<Option<Header>, StoreError> {
        let path = self.folder.join("sweep.json");
        read(&path)?.map(|text| parse(&path, &text)).transpose()
    }

    fn result_path(&self, id: &str) -> PathBuf {
        self.folder.join("results").join(&id[..2]).join(format!("{id}.json"))
    }

    fn failure_path(&self, id: &str) -> PathBuf {
        self.folder.join("failed").join(format!("{id}.json"))
    }

    /// Whether the job has its result.
    #[must_use]
    pub fn is_done(&self, job: &Job) -> bool {
        self.result_path(&job.id).exists()
    }

    /// Whether the job failed.
    #[must_use]
    pub fn has_failed(&self, job: &Job) -> bool {
        self.failure_path(&job.id).exists()
    }

    /// Keeps a result, and forgets an earlier failure.
    ///
    /// # Errors
    /// The system refused.
    pub fn keep_result(&self, job: &Job, run: &Run) -> Result<(), StoreError> {
        let path = self.result_path(&job.id);
        if let Some(parent) = path.parent() {
            make_folder(parent)?;
        }
        let text = to_text(run);
        let text = text.trim_end();
        let digest = content_id(text);
        let file = format!("{BEFORE_DIGEST}{digest}{AFTER_DIGEST}{text}{AFTER_RUN}");
        self.write(&path, &file)?;
        match fs::remove_file(self.failure_path(&job.id)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                let path = self.failure_path(&job.id);
                Err(StoreError::Io { doing: "remove", path, source })
            }
            _ => Ok(()),
        }
    }

    /// Keeps the reason of a failure.
    ///
    /// # Errors
    /// The system refused.
    pub fn keep_failure(&self, job: &Job, reason: &str) -> Result<(), StoreError> {
        let failure = Failure { experiment: job.experiment.clone(), reason: reason.to_owned() };
        self.write(&self.failure_path(&job.id), &to_text(&failure))
    }

    /// The written form of the job's result, if it is there.
    ///
    /// # Errors
    /// It cannot be read, or was changed since it was written.
    pub fn result(&self, job: &Job) -> Result<Option<String>, StoreError> {
        let path = self.result_path(&job.id);
        let Some(text) = read(&path)? else { return Ok(None) };
        let parts = text
            .strip_prefix(BEFORE_DIGEST)
            .and_then(|rest| rest.strip_suffix(AFTER_RUN))
            .and_then(|rest| rest.split_once(AFTER_DIGEST));
        match parts {
            Some((digest, run)) if digest == content_id(run) => Ok(Some(run.to_owned())),
            _ => {
                let problem = "its digest is not that of its content".to_owned();
                Err(StoreError::Damaged { path, problem })
            }
        }
    }

    /// The reason of the job's failure, if it failed.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn failure(&self, job: &Job) -> Result<Option<Failure>, StoreError> {
        let path = self.failure_path(&job.id);
        read(&path)?.map(|text| parse(&path, &text)).transpose()
    }

    /// Writes beside and renames, so that nobody ever sees half a file.
    fn write(&self, path: &Path, text: &str) -> Result<(), StoreError> {
        let number = UNIQUE.fetch_add(1, Ordering::Relaxed);
        let beside = path.with_extension(format!("{}-{number}.tmp", std::process::id()));
        let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
        written.map_err(|source| {
            // Best effort: what is left is never read, and the first error is the one to report.
            let _ = fs::remove_file(&beside);
            StoreError::Io { doing: "write", path: path.to_owned(), source }
        })
    }
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(path).map_err(|source| StoreError::Io {
        doing: "make",
        path: path.to_owned(),
        source,
    })
}

fn to_text(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).expect("plain data with string keys is always JSON");
    let mut text = sorted(value).to_string();
    text.push('\n');
    text
}

fn read(path: &Path) -> Result<Option<String>, StoreError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { doing: "read", path: path.to_owned(), source }),
    }
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Damaged { path: path.to_owned(), problem: error.to_string() })
}
