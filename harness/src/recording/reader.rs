//! Reads a recording as a stream: one line in memory at a time, so that its size does not matter.

use std::io::{self, BufRead};

use super::error::{Fault, MOST_FAULTS, Problem, RecordingError};
use super::operation::{MAGIC, Operation, What};
use super::pages::{Pages, Step as PageStep};

/// No right line is longer, comments included.
const MOST_BYTES: usize = 4096;

/// The lines of a file, each with its number, none longer than [`MOST_BYTES`].
pub(super) struct Lines<R> {
    input: R,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, number: 0, line: Vec::new() }
    }

    /// The next line without its end, or what is wrong with it.
    pub(super) fn next(&mut self) -> Option<(u64, Result<&str, Problem>)> {
        self.line.clear();
        let mut limited = io::Read::take(&mut self.input, MOST_BYTES as u64 + 1);
        let read = limited.read_until(b'\n', &mut self.line);
        self.number += 1;
        let number = self.number;
        let found = match read {
            Err(why) => Err(Problem::Unreadable(why.to_string())),
            Ok(0) => return None,
            Ok(_) => self.checked(),
        };
        Some((number, found))
    }

    fn checked(&mut self) -> Result<&str, Problem> {
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if self.line.len() > MOST_BYTES {
            return Err(self.skip_rest());
        } else {
            return Err(Problem::Truncated);
        }
        str::from_utf8(&self.line).map_err(|_| Problem::NotText)
    }

    /// Goes to the next line without keeping this one.
    fn skip_rest(&mut self) -> Problem {
        loop {
            match self.input.fill_buf() {
                Ok([]) => break,
                Ok(bytes) => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let used = end.map_or(bytes.len(), |at| at + 1);
                    self.input.consume(used);
                    if end.is_some() {
                        break;
                    }
                }
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Problem::Unreadable(why.to_string()),
            }
        }
        Problem::TooLong { most: MOST_BYTES }
    }
}

/// The operations of a recording, in its order. It goes on after a wrong line, and ends when reading
/// itself fails.
pub struct Reader<R> {
    lines: Lines<R>,
    clock: String,
    latest_ns: u64,
    ended: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// It is not that of a recording.
    pub fn new(input: R) -> Result<Self, Fault> {
        let mut lines = Lines::new(input);
        let clock = loop {
            let (line, found) =
                lines.next().unwrap_or_else(|| (1, Err(Problem::Header { found: String::new() })));
            let text = found.map_err(|problem| Fault { line, problem })?;
            let text = without_comment(text);
            if text.trim_ascii().is_empty() {
                continue;
            }
            break clock(text).map_err(|problem| Fault { line, problem })?;
        };
        Ok(Self { lines, clock, latest_ns: 0, ended: false })
    }

    /// The clock that its times are of.
    #[must_use]
    pub fn clock(&self) -> &str {
        &self.clock
    }

    fn in_order(&mut self, operation: Operation) -> Result<Operation, Problem> {
        let time_ns = operation.time_ns;
        if time_ns < self.latest_ns {
            let back_ns = self.latest_ns - time_ns;
            return Err(Problem::OutOfOrder { time_ns, back_ns });
        }
        self.latest_ns = time_ns;
        Ok(operation)
    }
}

fn without_comment(text: &str) -> &str {
    text.split('#').next().unwrap_or_default()
}

fn clock(text: &str) -> Result<String, Problem> {
    let wrong = || Problem::Header { found: text.chars().take(40).collect() };
    let rest = text.trim_ascii().strip_prefix(MAGIC).ok_or_else(wrong)?;
    let name = rest.trim_ascii_start().strip_prefix("clock=").ok_or_else(wrong)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(plain) || rest.starts_with("clock=") {
        return Err(wrong());
    }
    Ok(name.to_owned())
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<(u64, Operation), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.ended {
                return None;
            }
            let (line, found) = self.lines.next()?;
            let parsed = found.and_then(|text| Operation::parse(without_comment(text)));
            match parsed.and_then(|found| found.map(|found| self.in_order(found)).transpose()) {
                Ok(Some(operation)) => return Some(Ok((line, operation))),
                Ok(None) => {}
                Err(problem) => {
                    self.ended = matches!(problem, Problem::Unreadable(_));
                    return Some(Err(Fault { line, problem }));
                }
            }
        }
    }
}

/// Goes through the recording `input` of `file`: checks every line, and that each page is got and put in
/// turn, and calls `each` for the right ones. Gives the name of the clock.
///
/// # Errors
/// All wrong lines, up to [`MOST_FAULTS`].
pub fn scan(
    file: &str,
    input: impl BufRead,
    mut each: impl FnMut(&Operation, Option<PageStep>),
) -> Result<String, RecordingError> {
    let failed = |faults| RecordingError::Faults { file: file.to_owned(), faults };
    let mut reader = Reader::new(input).map_err(|fault| failed(vec![fault]))?;
    let (mut pages, mut faults) = (Pages::default(), Vec::new());
    while faults.len() < MOST_FAULTS {
        let Some(found) = reader.next() else { break };
        let checked = found.and_then(|(line, operation)| {
            let step = match operation.what {
                What::Get { pfn, .. } => pages.get(pfn).map(Some),
                What::Put { pfn, .. } => pages.put(pfn).map(Some),
                What::Wait { .. } => Ok(None),
            };
            Ok((operation, step.map_err(|problem| Fault { line, problem })?))
        });
        match checked {
            Ok((operation, step)) => each(&operation, step),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(reader.clock) } else { Err(failed(faults)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "pamt-trace 1 clock=test\n";

    fn faults(text: &[u8]) -> Vec<(u64, String)> {
        match scan("t", text, |_, _| {}) {
            Ok(_) => Vec::new(),
            Err(RecordingError::Faults { faults, .. }) => {
                faults.into_iter().map(|fault| (fault.line, fault.problem.to_string())).collect()
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn first_fault(lines: &str) -> (u64, String) {
        faults(format!("{HEAD}{lines}").as_bytes()).swap_remove(0)
    }

    #[test]
    fn a_hand_written_file_with_comments_and_either_number_form_is_read() {
        let text = format!(
            "# by hand\n\n{HEAD}0 0 1 get 0x200 # a page\n5 1 1 put 512 48\n7 1 1 wait 3 9\n"
        );
        let mut seen = Vec::new();
        let clock = scan("t", text.as_bytes(), |operation, _| seen.push(*operation));
        assert_eq!(clock.as_deref(), Ok("test"));
        let get = What::Get { pfn: 512, took_ns: None };
        assert_eq!(seen[0], Operation { time_ns: 0, cpu: 0, td: 1, what: get });
        assert_eq!(seen[1].what, What::Put { pfn: 512, took_ns: Some(48) });
        assert_eq!(seen[2].what, What::Wait { lock: 3, waited_ns: 9 });
    }

    #[test]
    fn a_wrong_line_is_named_by_its_number_and_what_is_wrong() {
        let cases = [
            ("5 0 1 gett 1\n", 2, "`gett` is no operation"),
            ("5 0 1 get\n", 2, "`pfn` is missing"),
            ("5 0 1 get 0x\n", 2, "pfn is `0x`"),
            ("5 0 1 get -1\n", 2, "pfn is `-1`"),
            ("5 70000 1 get 1\n", 2, "at most 0xffff"),
            ("5 0 1 get 1 2 3\n", 2, "`3` stands after the last field"),
            ("5 0 1 get 1\n4 0 1 put 1\n", 3, "1 ns before"),
            ("5 0 1 get 1\n5 0 1 get 1\n", 3, "pfn 0x1 is got again"),
            ("5 0 1 put 1\n5 0 1 put 1\n", 3, "pfn 0x1 is put again"),
            ("5 0 1 get 1", 2, "the file was cut off"),
        ];
        for (lines, number, what) in cases {
            let (line, problem) = first_fault(lines);
            assert_eq!(line, number, "{lines}: {problem}");
            assert!(problem.contains(what), "{lines}: {problem}");
        }
        assert!(faults(b"1 0 1 get 1\n")[0].1.contains("pamt-trace 1 clock=NAME"));
        assert!(faults(b"")[0].1.contains("pamt-trace 1"));
    }

    #[test]
    fn the_rest_of_a_file_is_checked_up_to_a_stated_number_of_wrong_lines() {
        let text = format!("{HEAD}{}", "wrong\n1 0 1 get 1\n1 0 1 put 1\n".repeat(100));
        let found = faults(text.as_bytes());
        let lines: Vec<u64> = found.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, (0..MOST_FAULTS as u64).map(|n| 2 + 3 * n).collect::<Vec<_>>());
    }

    #[test]
    fn a_line_of_any_length_is_skipped_and_not_kept() {
        let text = format!("{HEAD}{}\n1 0 1 gett 1\n", "x".repeat(3 * MOST_BYTES));
        let found = faults(text.as_bytes());
        assert_eq!(found[0].0, 2);
        assert!(found[0].1.contains("more than 4096 bytes"), "{found:?}");
        assert_eq!(found[1].0, 3);
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let took = prop::option::of(any::<u64>());
        let what = (0..3_u8, 0_u64..1 << 40, took).prop_map(|(kind, pfn, took_ns)| match kind {
            0 => What::Get { pfn, took_ns },
            1 => What::Put { pfn, took_ns },
            _ => What::Wait { lock: pfn, waited_ns: took_ns.unwrap_or(7) },
        });
        (any::<u64>(), any::<u16>(), any::<u32>(), what)
            .prop_map(|(time_ns, cpu, td, what)| Operation { time_ns, cpu, td, what })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(operation in operation()) {
            prop_assert_eq!(Operation::parse(&operation.to_string()), Ok(Some(operation)));
        }

        #[test]
        fn no_bytes_panic_and_the_number_of_faults_is_bounded(
            headed in any::<bool>(), bytes in prop::collection::vec(any::<u8>(), 0..600),
        ) {
            let head = if headed { HEAD.as_bytes() } else { b"" };
            prop_assert!(faults(&[head, &bytes].concat()).len() <= MOST_FAULTS);
        }

        #[test]
        fn no_line_of_right_words_in_a_wrong_order_panics(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "0", "1", "0x", "0xffffffffffffffff", "18446744073709551616", "get", "put", "wait",
                    "\n", "#", " ", "pamt-trace", "clock=", "-1", "+1",
                ]),
                0..60,
            ),
        ) {
            let text = format!("{HEAD}{}", words.join(" "));
            prop_assert!(faults(text.as_bytes()).len() <= MOST_FAULTS);
        }
    }
}
