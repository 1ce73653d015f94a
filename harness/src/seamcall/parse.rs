//! Reads a script. Every error names the place and what was expected there.

use std::collections::BTreeMap;
use std::rc::Rc;

use pamt_sim::tdx::{BackingLock, TargetLock};
use pamt_strategies::module::{Leaf, Operand, Regs, Status, StatusName};
use pamt_strategies::spec::nearest;
use pamt_strategies::units::{PAGE_BYTES, PAGES_PER_REGION};

use super::place::{Place, ScriptError};
use super::script::{
    Action, Call, CallKind, DEFAULT_CPUS, Expect, Order, Outcome, Par, REGISTERS, Register, Script,
    Statement, StatusPattern, TD_EXIT, default_module,
};

type Parsed<T> = Result<T, ScriptError>;

/// Reads an included file: given the name in the script, its text or why it cannot be read.
pub type Loader<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Includes may nest this deep.
const MOST_NESTED: usize = 8;
/// Most CPUs, regions, TDs and so on of a script's module.
const MOST: u64 = 256;
/// Unforced switches of `par every` that does not say.
const DEFAULT_PREEMPTIONS: usize = 2;

/// Parses the script `text` of `file`.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(file: &str, text: &str, load: Loader<'_>) -> Parsed<Script> {
    let module = default_module();
    let script = Script { module, cpus: DEFAULT_CPUS, statements: Vec::new() };
    let mut parser = Parser { script, names: BTreeMap::new(), load, nested: 0 };
    parser.file(file, text)?;
    Ok(parser.script)
}

struct Parser<'a> {
    script: Script,
    names: BTreeMap<String, u64>,
    load: Loader<'a>,
    nested: usize,
}

/// The lines of a file that hold something.
struct Lines<'t> {
    file: Rc<str>,
    lines: std::iter::Enumerate<std::str::Lines<'t>>,
    last: usize,
}

impl<'t> Lines<'t> {
    fn next(&mut self) -> Option<Cursor<'t>> {
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
    fn in_block(&mut self) -> Parsed<Option<Cursor<'t>>> {
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
struct Cursor<'t> {
    file: Rc<str>,
    line: usize,
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn place(&self) -> Place {
        let column = self.text[..self.at].chars().count() + 1;
        Place { file: Rc::clone(&self.file), line: self.line, column }
    }

    fn wrong<T>(&self, expected: &str) -> Parsed<T> {
        let token: String = self.rest().chars().take_while(|c| !c.is_whitespace()).collect();
        let found =
            if token.is_empty() { "the end of the line".into() } else { format!("`{token}`") };
        let message = format!("expected {expected}, found {found}");
        Err(ScriptError { place: self.place(), message })
    }

    fn blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn ended(&self) -> bool {
        self.rest().is_empty()
    }

    fn end(&self) -> Parsed<()> {
        if self.ended() { Ok(()) } else { self.wrong("the end of the line") }
    }

    fn eat(&mut self, token: &str) -> bool {
        let eaten = self.rest().starts_with(token);
        if eaten {
            self.at += token.len();
            self.blanks();
        }
        eaten
    }

    fn need(&mut self, token: &str) -> Parsed<()> {
        if self.eat(token) { Ok(()) } else { self.wrong(&format!("`{token}`")) }
    }

    /// A run of letters, digits, `_` and `.`; empty when there is none.
    fn peek_word(&self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
        &rest[..end.unwrap_or(rest.len())]
    }

    fn word(&mut self) -> &'t str {
        let word = self.peek_word();
        self.at += word.len();
        self.blanks();
        word
    }

    /// A whole word, if it is this one.
    fn keyword(&mut self, keyword: &str) -> bool {
        let found = self.peek_word() == keyword;
        if found {
            self.word();
        }
        found
    }

    fn number(&mut self, expected: &str) -> Parsed<u64> {
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

    fn number_up_to(&mut self, most: u64, what: &str) -> Parsed<u64> {
        let before = self.at;
        let number = self.number(what)?;
        if (1..=most).contains(&number) {
            return Ok(number);
        }
        self.at = before;
        self.wrong(&format!("{what} from 1 to {most}"))
    }

    fn quoted(&mut self) -> Parsed<&'t str> {
        let text = self.rest().strip_prefix('"').and_then(|rest| rest.split_once('"'));
        let Some((text, _)) = text else {
            return self.wrong("a file name in quotes");
        };
        self.at += text.len() + 2;
        self.blanks();
        Ok(text)
    }
}

const STATEMENTS: &str = "`cpu`, `expect`, `par`, `let`, `module`, `include` or `audit`";

impl Parser<'_> {
    fn file(&mut self, file: &str, text: &str) -> Parsed<()> {
        let mut lines = Lines { file: file.into(), lines: text.lines().enumerate(), last: 0 };
        while let Some(line) = lines.next() {
            self.statement(line, &mut lines)?;
        }
        Ok(())
    }

    fn statement(&mut self, mut line: Cursor<'_>, lines: &mut Lines<'_>) -> Parsed<()> {
        let place = line.place();
        let action = match line.peek_word() {
            "cpu" => Action::Call(self.call(&mut line)?),
            "module" => return self.module(line),
            "let" => return self.name(line),
            "include" => return self.include(line),
            "expect" => Action::Expect(self.expect(&mut line)?),
            "par" => Action::Par(self.par(&mut line, lines)?),
            "audit" => {
                line.word();
                Action::Audit { guests: line.keyword("guests") }
            }
            "outcomes" => return self.outcomes(line, lines),
            _ => return line.wrong(STATEMENTS),
        };
        line.end()?;
        self.script.statements.push(Statement { place, action });
        Ok(())
    }

    fn module(&mut self, mut line: Cursor<'_>) -> Parsed<()> {
        if !self.script.statements.is_empty() {
            return line.wrong("`module` before the first call");
        }
        line.word();
        let module = &mut self.script.module;
        while !line.ended() {
            let start = line.at;
            let key = line.word();
            if !line.eat("=") {
                return line.wrong("`=`");
            }
            match key {
                "cpus" => self.script.cpus = line.number_up_to(MOST, "a number of CPUs")? as usize,
                "regions" => {
                    module.regions = line.number_up_to(MOST, "a number of regions")? as u32
                }
                "tds" => module.tds = line.number_up_to(MOST, "a number of TDs")? as u32,
                "vcpus" => module.vcpus = line.number_up_to(MOST, "a number of VCPUs")? as u32,
                "tables" => {
                    module.sept_pages = line.number_up_to(MOST, "a number of tables")? as u32
                }
                "packages" => {
                    module.packages = line.number_up_to(8, "a number of packages")? as u8;
                }
                "dynamic" => module.dynamic = choice(&mut line, &[("on", true), ("off", false)])?,
                "target" => {
                    let locks =
                        [("exclusive", TargetLock::Exclusive), ("shared", TargetLock::Shared)];
                    module.locking.target = choice(&mut line, &locks)?;
                }
                "backing" => {
                    let locks = [("shared", BackingLock::Shared), ("none", BackingLock::None)];
                    module.locking.backing = choice(&mut line, &locks)?;
                }
                _ => {
                    line.at = start;
                    return line.wrong(
                        "`cpus`, `regions`, `tds`, `vcpus`, `tables`, `packages`, `dynamic`, `target` or `backing`",
                    );
                }
            }
        }
        Ok(())
    }

    fn name(&mut self, mut line: Cursor<'_>) -> Parsed<()> {
        line.word();
        let name = line.peek_word();
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.contains('.') {
            return line.wrong("a name that starts with a small letter");
        }
        line.word();
        line.need("=")?;
        let value = self.expression(&mut line)?;
        self.names.insert(name.to_owned(), value);
        line.end()
    }

    fn include(&mut self, mut line: Cursor<'_>) -> Parsed<()> {
        line.word();
        let start = line.at;
        let file = line.quoted()?;
        line.end()?;
        if self.nested == MOST_NESTED {
            return line.wrong("includes that do not nest this deep");
        }
        let text = (self.load)(file).map_err(|why| {
            line.at = start;
            ScriptError { place: line.place(), message: format!("cannot read {file}: {why}") }
        })?;
        self.nested += 1;
        self.file(file, &text)?;
        self.nested -= 1;
        Ok(())
    }

    /// `term { (+ or |) term }`, from left to right.
    fn expression(&self, line: &mut Cursor<'_>) -> Parsed<u64> {
        let mut value = self.term(line)?;
        loop {
            if line.eat("+") {
                value = value.wrapping_add(self.term(line)?);
            } else if line.eat("|") {
                value |= self.term(line)?;
            } else {
                return Ok(value);
            }
        }
    }

    /// A number, a name, or `region:page`.
    fn term(&self, line: &mut Cursor<'_>) -> Parsed<u64> {
        const EXPECTED: &str = "a number, a name, or a page as `region:page`";
        if line.peek_word().starts_with(|c: char| c.is_ascii_digit()) {
            let number = line.number(EXPECTED)?;
            if !line.eat(":") {
                return Ok(number);
            }
            let page = line.number("the number of a page in its region")?;
            let pfn = number.wrapping_mul(PAGES_PER_REGION).wrapping_add(page);
            return Ok(pfn.wrapping_mul(PAGE_BYTES));
        }
        match self.names.get(line.peek_word()) {
            Some(value) => {
                line.word();
                Ok(*value)
            }
            None => {
                let near = nearest(line.peek_word(), self.names.keys().map(String::as_str));
                let hint = near.map_or(String::new(), |near| format!(" (`{near}` is one)"));
                line.wrong(&format!("{EXPECTED}{hint}"))
            }
        }
    }

    fn call(&mut self, line: &mut Cursor<'_>) -> Parsed<Call> {
        line.need("cpu")?;
        let before = line.at;
        let cpu = line.number("the number of a CPU")? as usize;
        if cpu >= self.script.cpus {
            line.at = before;
            return line.wrong(&format!("a CPU below {} (raise `module cpus=`)", self.script.cpus));
        }
        line.need(":")?;
        let leaf = leaf(line)?;
        let mut regs = Regs::default();
        while !line.ended() {
            if line.keyword("version") {
                line.need("=")?;
                regs.rax = (line.number("a version")? & 0xff) << 16;
                continue;
            }
            let register = register(line)?;
            (register.set)(&mut regs, self.expression(line)?);
        }
        Ok(Call { cpu, leaf, regs })
    }

    fn expect(&mut self, line: &mut Cursor<'_>) -> Parsed<Expect> {
        if !matches!(self.script.statements.last(), Some(Statement { action: Action::Call(_), .. }))
        {
            return line.wrong("`expect` right after a call");
        }
        line.word();
        let mut expect = Expect { status: status(line)?, rmw: None, regs: Vec::new() };
        while !line.ended() {
            if line.keyword("rmw") {
                line.need("=")?;
                expect.rmw = Some(line.number("a number of locked instructions")? as u32);
            } else {
                let register = register(line)?;
                expect.regs.push((register, self.expression(line)?));
            }
        }
        Ok(expect)
    }

    fn par(&mut self, line: &mut Cursor<'_>, lines: &mut Lines<'_>) -> Parsed<Par> {
        line.word();
        let order = self.order(line)?;
        line.need("{")?;
        let mut calls = Vec::new();
        while let Some(mut line) = lines.in_block()? {
            if line.peek_word() != "cpu" {
                return line.wrong("`cpu` or `}`");
            }
            calls.push(self.call(&mut line)?);
            line.end()?;
        }
        Ok(Par { order, calls, outcomes: None })
    }

    fn order(&self, line: &mut Cursor<'_>) -> Parsed<Order> {
        if !line.keyword("order") {
            line.keyword("every");
            let mut preemptions = DEFAULT_PREEMPTIONS;
            if line.keyword("preemptions") {
                line.need("=")?;
                preemptions = line.number_up_to(4, "a number of switches")? as usize;
            }
            return Ok(Order::Every { preemptions });
        }
        let mut turns = Vec::new();
        while !line.ended() && !line.rest().starts_with('{') {
            let cpu = line.number("the number of a CPU, or `{`")? as usize;
            let times =
                if line.eat("*") { line.number_up_to(MOST, "a number of turns")? } else { 1 };
            turns.extend(std::iter::repeat_n(cpu, times as usize));
        }
        Ok(Order::Given(turns))
    }

    fn outcomes(&mut self, mut line: Cursor<'_>, lines: &mut Lines<'_>) -> Parsed<()> {
        let last = self.script.statements.last();
        let Some(Statement { action: Action::Par(par), .. }) = last else {
            return line.wrong("`outcomes` right after a `par` block");
        };
        let calls = par.calls.len();
        line.word();
        line.need("{")?;
        line.end()?;
        let mut outcomes = Vec::new();
        while let Some(mut line) = lines.in_block()? {
            let place = line.place();
            let mut statuses = vec![status(&mut line)?];
            while line.eat(",") {
                statuses.push(status(&mut line)?);
            }
            line.end()?;
            if statuses.len() != calls {
                let message =
                    format!("expected {calls} statuses, one a call, found {}", statuses.len());
                return Err(ScriptError { place, message });
            }
            outcomes.push(Outcome { place, statuses });
        }
        if let Some(Statement { action: Action::Par(par), .. }) = self.script.statements.last_mut()
        {
            par.outcomes = Some(outcomes);
        }
        Ok(())
    }
}

fn choice<T: Copy>(line: &mut Cursor<'_>, choices: &[(&str, T)]) -> Parsed<T> {
    let found = choices.iter().find(|(name, _)| *name == line.peek_word());
    let Some((_, value)) = found else {
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        return line.wrong(&names.join(" or "));
    };
    line.word();
    Ok(*value)
}

fn register(line: &mut Cursor<'_>) -> Parsed<Register> {
    let word = line.peek_word();
    let Some(register) = REGISTERS.iter().find(|register| register.name == word) else {
        return line.wrong("a register: `rcx`, `rdx`, or `r8` to `r13`");
    };
    line.word();
    line.need("=")?;
    Ok(*register)
}

fn leaf(line: &mut Cursor<'_>) -> Parsed<CallKind> {
    let word = line.peek_word();
    let short = |leaf: &&Leaf| leaf.name().strip_prefix("TDH.").is_some_and(|name| name == word);
    let kind = match Leaf::ALL.iter().find(|leaf| leaf.name() == word || short(leaf)) {
        Some(leaf) => CallKind::Leaf(*leaf),
        None if word == TD_EXIT => CallKind::TdExit,
        None => {
            let prefix = if word.starts_with("TDH.") { "" } else { "TDH." };
            let short = |leaf: &'static Leaf| leaf.name().trim_start_matches(prefix);
            let near = nearest(word, Leaf::ALL.iter().map(short).chain([TD_EXIT]));
            let hint = near.map_or(String::new(), |near| format!(" (`{near}` is one)"));
            return line.wrong(&format!("a leaf{hint}"));
        }
    };
    line.word();
    Ok(kind)
}

/// `NAME`, `NAME|OPERAND`, `NAME|number`, or all 64 bits as a number.
fn status(line: &mut Cursor<'_>) -> Parsed<StatusPattern> {
    let word = line.peek_word();
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return Ok(StatusPattern::Exact(Status(line.number("a status")?)));
    }
    let Some(name) = StatusName::ALL.iter().copied().find(|name| name.name() == word) else {
        let near = nearest(word, StatusName::ALL.iter().map(|name| name.name()));
        let hint = near.map_or(String::new(), |near| format!(" (`{near}` is one)"));
        return line.wrong(&format!("a status{hint}"));
    };
    line.word();
    if name == StatusName::Success {
        return Ok(StatusPattern::Exact(Status::SUCCESS));
    }
    if !line.eat("|") {
        return Ok(StatusPattern::Name(name));
    }
    let details = if line.peek_word().starts_with(|c: char| c.is_ascii_digit()) {
        line.number("details of a status")? as u32
    } else {
        let word = line.peek_word();
        let known = (0..256).map(Operand).find(|operand| operand.name() == Some(word));
        match known {
            Some(Operand(id)) => {
                line.word();
                id
            }
            None => return line.wrong("an operand, such as `RCX`, `TDR` or `SEPT_TREE`"),
        }
    };
    Ok(StatusPattern::Exact(Status::with(name, Operand(details))))
}
