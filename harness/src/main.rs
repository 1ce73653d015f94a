//! pamt-bench: see [`pamt_harness::cli`].

fn main() -> std::process::ExitCode {
    pamt_harness::cli::main()
}
