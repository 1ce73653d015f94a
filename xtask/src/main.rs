//! Development tasks: `cargo xtask TASK`.
//!
//! | task | does |
//! |---|---|
//! | `test` | everything that CI runs, step by step, after installing what a step lacks |
//! | `test STEP...` | only these steps |
//! | `vm-test` | the kernel helper's tests in a virtual machine |
//! | `gate` | modelled numbers and instructions per run against the baseline |
//! | `baseline REASON` | accepts them as they are, and writes why into CHANGELOG.md |
//! | `long [STEP...]` | the checks that take too long for CI |
//! | `steps` | lists both |

mod gate;
mod long;
mod mutants;
mod peers;
mod setup;
mod step;
mod strategies;
mod test;
mod tidy;
mod vm_test;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = match args.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("", &[][..]),
    };
    match task {
        "test" => step::run(test::STEPS, rest),
        "vm-test" => step::run(&[vm_test::STEP], rest),
        "gate" => step::run(&[gate::STEP], rest),
        "baseline" => gate::baseline(rest),
        "long" => step::run(long::STEPS, rest),
        "steps" => {
            step::list("test", test::STEPS);
            step::list("long", long::STEPS);
            ExitCode::SUCCESS
        }
        other => {
            eprintln!(
                "cargo xtask: unknown task {other:?}; there are: test, vm-test, gate, baseline, long, steps"
            );
            ExitCode::from(2)
        }
    }
}
