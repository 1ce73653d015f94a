//! Words of the language that name something of the ABI: registers, leaves, statuses.

use pamt_strategies::module::{Leaf, Operand, Status, StatusName};
use pamt_strategies::spec::nearest;

use super::cursor::{Cursor, Parsed};
use super::script::{CallKind, REGISTERS, Register, STAND_INS, StatusPattern};

pub(super) fn choice<T: Copy>(line: &mut Cursor<'_>, choices: &[(&str, T)]) -> Parsed<T> {
    let found = choices.iter().find(|(name, _)| *name == line.peek_word());
    let Some((_, value)) = found else {
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        return line.wrong(&names.join(" or "));
    };
    line.word();
    Ok(*value)
}

pub(super) fn register(line: &mut Cursor<'_>) -> Parsed<Register> {
    let word = line.peek_word();
    let Some(register) = REGISTERS.iter().find(|register| register.name == word) else {
        return line.wrong("a register: `rcx`, `rdx`, or `r8` to `r13`");
    };
    line.word();
    line.need("=")?;
    Ok(*register)
}

pub(super) fn leaf(line: &mut Cursor<'_>) -> Parsed<CallKind> {
    let word = line.peek_word();
    let short = |leaf: &&Leaf| leaf.name().strip_prefix("TDH.").is_some_and(|name| name == word);
    let kind = match Leaf::ALL.iter().find(|leaf| leaf.name() == word || short(leaf)) {
        Some(leaf) => CallKind::Leaf(*leaf),
        None if let Some((_, kind)) = STAND_INS.iter().find(|(name, _)| *name == word) => *kind,
        None => {
            let prefix = if word.starts_with("TDH.") { "" } else { "TDH." };
            let short = |leaf: &'static Leaf| leaf.name().trim_start_matches(prefix);
            let stand_ins = STAND_INS.iter().map(|(name, _)| *name);
            let near = nearest(word, Leaf::ALL.iter().map(short).chain(stand_ins));
            let hint = near.map_or(String::new(), |near| format!(" (`{near}` is one)"));
            return line.wrong(&format!("a leaf{hint}"));
        }
    };
    line.word();
    Ok(kind)
}

/// `NAME`, `NAME|OPERAND`, `NAME|number`, or all 64 bits as a number.
pub(super) fn status(line: &mut Cursor<'_>) -> Parsed<StatusPattern> {
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
