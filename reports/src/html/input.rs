//! The files of a report.

use std::path::Path;

use crate::schema::Document;

/// A result file.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// What is in it.
    pub document: Document,
}

/// A file that is not, or not whole, in the report, with the reason.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Reads each file; one that is no result is left out by name and reason, and the others remain.
#[must_use]
pub fn read_all<P: AsRef<Path>>(paths: &[P]) -> (Vec<Input>, Vec<Skipped>) {
    let (mut inputs, mut skipped) = (Vec::new(), Vec::new());
    for path in paths {
        let path = path.as_ref();
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        match Document::read(path) {
            Ok(document) => {
                let lacks = document.interruption();
                skipped.extend(lacks.map(|reason| Skipped { name: name.clone(), reason }));
                inputs.push(Input { name, document });
            }
            Err(error) => skipped.push(Skipped { name, reason: error.to_string() }),
        }
    }
    (inputs, skipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_result_is_shown_and_named_as_such() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut document = Document::new(Vec::new());
        document.unfinished.push("pamt-bench --seed 2".to_owned());
        let path = folder.path().join("half.json");
        std::fs::write(&path, document.to_json()).expect("writable");
        let (inputs, skipped) = read_all(&[path]);
        assert_eq!((inputs.len(), skipped.len()), (1, 1));
        assert!(skipped[0].reason.contains("1 of 1 runs are missing"), "{}", skipped[0].reason);
    }

    #[test]
    fn a_foreign_file_is_named_and_the_others_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("writable");
            path
        };
        let good = write("good.json", &Document::new(Vec::new()).to_json());
        let bad = write("bad.json", "{\"schema_version\": 1, \"runs\": ");
        let gone = folder.path().join("gone.json");
        let (inputs, skipped) = read_all(&[bad, good, gone]);
        assert_eq!(inputs.iter().map(|i| i.name.as_str()).collect::<Vec<_>>(), ["good.json"]);
        assert_eq!(
            skipped.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
            ["bad.json", "gone.json"]
        );
        assert!(skipped[0].reason.contains("line 1"), "{}", skipped[0].reason);
    }
}
