//! The script language: errors name line, column and what was expected; failures are found.

use pamt_harness::seamcall::{self, Failure, Script, ScriptError};
use proptest::prelude::*;

fn no_files(name: &str) -> Result<String, String> {
    Err(format!("there is no {name}"))
}

fn parse(text: &str) -> Result<Script, ScriptError> {
    seamcall::parse("t.seam", text, &no_files)
}

fn failures(text: &str) -> Vec<Failure> {
    seamcall::run(&parse(text).expect("a script")).expect("a module").failures
}

#[test]
fn an_error_names_line_column_and_what_was_expected() {
    let cases = [
        (
            "# a comment\n\n  cpu 0: PHYMEM.PAMT.ADDD rcx=1",
            "t.seam:3:10: expected a leaf (`PHYMEM.PAMT.ADD` is one), found `PHYMEM.PAMT.ADDD`",
        ),
        (
            "cpu 9: MEM.TRACK",
            "t.seam:1:5: expected a CPU below 4 (raise `module cpus=`), found `9:`",
        ),
        (
            "cpu 0: MEM.TRACK rbx=1",
            "t.seam:1:18: expected a register: `rcx`, `rdx`, or `r8` to `r13`, found `rbx=1`",
        ),
        (
            "let page = 1:0\ncpu 0: MEM.TRACK rcx=pag",
            "t.seam:2:22: expected a number, a name, or a page as `region:page` (`page` is one), found `pag`",
        ),
        (
            "cpu 0: MEM.TRACK\nexpect OPERAND_BUS",
            "t.seam:2:8: expected a status (`OPERAND_BUSY` is one), found `OPERAND_BUS`",
        ),
        ("expect SUCCESS", "t.seam:1:1: expected `expect` right after a call, found `expect`"),
        ("par {\ncpu 0: MEM.TRACK", "t.seam:2:1: expected `}`, found the end of the file"),
        ("include \"x\"", "t.seam:1:9: cannot read x: there is no x"),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).expect_err(text).to_string(), expected);
    }
}

#[test]
fn a_failed_expectation_says_what_came_instead() {
    let add = "cpu 0: PHYMEM.PAMT.ADD rcx=1:0|1 rdx=2:0 r8=2:1\n";
    let messages = |text: &str| -> Vec<String> {
        failures(&format!("{add}{text}")).iter().map(Failure::to_string).collect()
    };
    assert_eq!(messages("expect SUCCESS rmw=15"), [""; 0]);
    assert_eq!(
        messages("expect HPA_RANGE_NOT_FREE"),
        ["t.seam:2:1: expected HPA_RANGE_NOT_FREE, TDH.PHYMEM.PAMT.ADD returned SUCCESS"]
    );
    assert_eq!(
        messages("expect SUCCESS rmw=14"),
        ["t.seam:2:1: expected rmw=14, TDH.PHYMEM.PAMT.ADD took 15"]
    );
    assert_eq!(messages("expect SUCCESS r8=0"), ["t.seam:2:1: expected r8=0x0, found 0x401000"]);
}

#[test]
fn outcomes_are_exact_in_both_directions() {
    let block = "par every {\n\
        cpu 0: PHYMEM.PAMT.ADD rcx=4:0|1 rdx=2:0 r8=2:1\n\
        cpu 1: PHYMEM.PAMT.ADD rcx=5:0|1 rdx=2:2 r8=2:3\n}\n";
    assert!(failures(&format!("{block}outcomes {{\nSUCCESS, SUCCESS\n}}")).is_empty());
    let wrong = failures(&format!("{block}outcomes {{\nSUCCESS, OPERAND_BUSY\n}}"));
    assert_eq!(wrong.len(), 2, "{wrong:?}");
}

#[test]
fn a_given_order_brings_the_race_that_it_describes() {
    // Each ADD takes two locked instructions to hold the entries shared; then both try to promote.
    let text = "par order 0*2 1*2 0 1 {\n\
        cpu 0: PHYMEM.PAMT.ADD rcx=4:0|1 rdx=2:0 r8=2:1\n\
        cpu 1: PHYMEM.PAMT.ADD rcx=4:0|1 rdx=2:2 r8=2:3\n}\n\
        outcomes {\nOPERAND_BUSY|RCX, OPERAND_BUSY|RCX\n}";
    assert_eq!(failures(text), []);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_a_place(text in "[ -~\n]{0,300}") {
        if let Err(error) = parse(&text) {
            prop_assert!(error.to_string().starts_with("t.seam:"));
        }
    }

    #[test]
    fn scripts_of_known_words_neither_panic_nor_hang(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "cpu 0: ", "cpu 1: ", "MEM.PAGE.AUG ", "PHYMEM.PAMT.ADD ", "TD.EXIT ", "rcx=", "rdx=",
                "1:0", "2:1", "|1 ", " ", "\n", "expect ", "SUCCESS ", "OPERAND_BUSY", "|RCX ", "par {\n",
                "}\n", "outcomes {\n", "audit\n", "let a = ", "a ", "module ", "cpus=", "3 ", "order 0*3 ",
            ]),
            0..40,
        ),
    ) {
        if let Ok(script) = parse(&words.concat()) {
            let report = seamcall::run(&script).expect("a module");
            let _ = seamcall::print(&report);
        }
    }
}
