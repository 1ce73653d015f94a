//! Lines of a script, and a position in one.

use std::rc::Rc;

use super::place::{Place, ScriptError};

/// What reading gives, or the first thing that is wrong.
pub(super) type Parsed<T> = Result<T, ScriptError>;

/// The lines of a file that hold something.
pub(super) struct Lines<'t> {
    pub(super) file: Rc<str>,
    pub(super) lines: std::iter::Enumerate<std::str::Lines<'t>>,
    pub(super) last: usize,
}

impl<'t> Lines<'t> {
    pub(super) fn new(file: &str, text: &'t str) -> Self {
        Self { file: file.into(), lines: text.lines().enumerate(), last: 0 }
    }

    pub(super) fn next(&mut self) -> Option<Cursor<'t>> {
        loop {
            let (index, line) = self.lines.next()?;
            self.last = index + 1;
            let text = line.split('#').next().unwrap_or_default();
            let mut cursor = Cursor { file: Rc::clone(&self.file), line: self.last, text, at: 0 };
            cursor.blanks();
            if !cursor.ended() {
                return Some(cursor);
            }
        }
    }

    /// The next line of a block that `}` ends.
    pub(super) fn in_block(&mut self) -> Parsed<Option<Cursor<'t>>> {
        match self.next() {
            Some(mut line) => {
                if line.eat("}") {
                    return line.end().map(|()| None);
                }
                Ok(Some(line))
            }
            None => {
                let place = Place { file: Rc::clone(&self.file), line: self.last, column: 1 };
                Err(ScriptError {
                    place,
                    message: "expected `}`, found the end of the file".into(),
                })
            }
        }
    }
}

/// A position in one line.
pub(super) struct Cursor<'t> {
    pub(super) file: Rc<str>,
    pub(super) line: usize,
    pub(super) text: &'t str,
    pub(super) at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn place(&self) -> Place {
        let column = self.text[..self.at].chars().count() + 1;
        Place { file: Rc::clone(&self.file), line: self.line, column }
    }

    pub(super) fn wrong<T>(&self, expected: &str) -> Parsed<T> {
        let token: String = self.rest().chars().take_while(|c| !c.is_whitespace()).collect();
        let found =
            if token.is_empty() { "the end of the line".into() } else { format!("`{token}`") };
        let message = format!("expected {expected}, found {found}");
        Err(ScriptError { place: self.place(), message })
    }

    pub(super) fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    pub(super) fn ended(&self) -> bool {
        self.rest().is_empty()
    }

    pub(super) fn end(&self) -> Parsed<()> {
        if self.ended() { Ok(()) } else { self.wrong("the end of the line") }
    }

    pub(super) fn eat(&mut self, token: &str) -> bool {
        let eaten = self.rest().starts_with(token);
        if eaten {
            self.at += token.len();
            self.blanks();
        }
        eaten
    }

    pub(super) fn need(&mut self, token: &str) -> Parsed<()> {
        if self.eat(token) { Ok(()) } else { self.wrong(&format!("`{token}`")) }
    }

    /// A run of letters, digits, `_` and `.`; empty when there is none.
    pub(super) fn peek_word(&self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
        &rest[..end.unwrap_or(rest.len())]
    }

    pub(super) fn word(&mut self) -> &'t str {
        let word = self.peek_word();
        self.at += word.len();
        self.blanks();
        word
    }

    /// A whole word, if it is this one.
    pub(super) fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.peek_word() == keyword;
        if found {
            self.word();
        }
        found
    }

    pub(super) fn number(&mut self, expected: &str) -> Parsed<u64> {
        let word = self.peek_word();
        let parsed = match word.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => word.parse(),
        };
        match parsed {
            Ok(number) => {
                self.word();
                Ok(number)
            }
            Err(_) => self.wrong(expected),
        }
    }

    pub(super) fn number_up_to(&mut self, most: u64, what: &str) -> Parsed<u64> {
        let before = self.at;
        let number = self.number(what)?;
        if (1..=most).contains(&number) {
            return Ok(number);
        }
        self.at = before;
        self.wrong(&format!("{what} from 1 to {most}"))
    }

    pub(super) fn quoted(&mut self) -> Parsed<&'t str> {
        let text = self.rest().strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let Some((text, _)) = text else {
            return self.wrong("a file name in quotes");
        };
        self.at += text.len() + 2;
        self.blanks();
        Ok(text)
    }
}
