//! Reads a script. Every error names the place and what was expected there.

use std::collections::BTreeMap;

use pamt_sim::tdx::{BackingLock, SplitInterrupt, SystemState, TargetLock, TdParams};
use pamt_strategies::module::Regs;
use pamt_strategies::spec::nearest;
use pamt_strategies::units::{PAGE_BYTES, PAGES_PER_REGION};

use super::cursor::{Cursor, Lines, Parsed};
use super::place::ScriptError;
use super::script::{
    Action, Call, DEFAULT_CPUS, Expect, Order, Outcome, Outside, Par, Script, Statement,
    default_module,
};
use super::words::{choice, leaf, register, status};

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

const STATEMENTS: &str = "`cpu`, `expect`, `par`, `audit`, `wait`, `interrupt`, `entropy`, `params`, `let`, \
     `module` or `include`";

const MODULE_KEYS: &str = "`cpus`, `regions`, `tds`, `vcpus`, `tables`, `packages`, `dynamic`, `target`, `backing`, \
     `split` or `system`";

impl Parser<'_> {
    fn file(&mut self, file: &str, text: &str) -> Parsed<()> {
        let mut lines = Lines::new(file, text);
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
            "wait" | "interrupt" | "entropy" | "params" => {
                Action::Outside(self.outside(&mut line)?)
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
                "split" => {
                    let kinds = [
                        ("deferred", SplitInterrupt::Deferred),
                        ("restartable", SplitInterrupt::Restartable),
                    ];
                    module.split_interrupt = choice(&mut line, &kinds)?;
                }
                "system" => {
                    let states =
                        [("ready", SystemState::Ready), ("configured", SystemState::Configured)];
                    module.system = choice(&mut line, &states)?;
                }
                _ => {
                    line.at = start;
                    return line.wrong(MODULE_KEYS);
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

    fn cpu(&self, line: &mut Cursor<'_>) -> Parsed<usize> {
        let before = line.at;
        let cpu = line.number("the number of a CPU")? as usize;
        if cpu < self.script.cpus {
            return Ok(cpu);
        }
        line.at = before;
        line.wrong(&format!("a CPU below {} (raise `module cpus=`)", self.script.cpus))
    }

    /// What happens to the module from outside of any leaf.
    fn outside(&self, line: &mut Cursor<'_>) -> Parsed<Outside> {
        match line.word() {
            "wait" => {
                let cpu = self.cpu(line)?;
                Ok(Outside::Wait { cpu, ns: line.number("a time in ns")? })
            }
            "interrupt" => Ok(Outside::Interrupt { cpu: self.cpu(line)? }),
            "entropy" => Ok(Outside::Entropy(choice(line, &[("on", true), ("off", false)])?)),
            _ => {
                let hpa = self.expression(line)?;
                Ok(Outside::TdParams { hpa, params: self.td_params(line)? })
            }
        }
    }

    fn td_params(&self, line: &mut Cursor<'_>) -> Parsed<TdParams> {
        let mut params = TdParams::default();
        while !line.ended() {
            let field = match line.peek_word() {
                "attributes" => &mut params.attributes,
                "xfam" => &mut params.xfam,
                "max_vcpus" => &mut params.max_vcpus,
                "num_l2_vms" => &mut params.num_l2_vms,
                "eptp_controls" => &mut params.eptp_controls,
                "exec_controls" => &mut params.exec_controls,
                "tsc_frequency" => &mut params.tsc_frequency,
                "cpuid_config" => &mut params.cpuid_config,
                _ => {
                    return line.wrong(
                        "`attributes`, `xfam`, `max_vcpus`, `num_l2_vms`, `eptp_controls`, `exec_controls`, \
                         `tsc_frequency` or `cpuid_config`",
                    );
                }
            };
            line.word();
            line.need("=")?;
            *field = self.expression(line)?;
        }
        Ok(params)
    }

    fn call(&mut self, line: &mut Cursor<'_>) -> Parsed<Call> {
        line.need("cpu")?;
        let cpu = self.cpu(line)?;
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
