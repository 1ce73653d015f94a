//! The probe in plain words, one screen of 80 columns.

use core::fmt;

use super::{Probe, State};

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Real SEAMCALLs on this host (nothing was changed)\n")?;
        for check in &self.checks {
            let mark = match check.state {
                State::Met => "yes",
                State::Missing => "no",
                State::Unknown => "?",
            };
            writeln!(f, "  {mark:<4}{:<27}{}", check.name, check.found)?;
        }
        if !self.facts.options.is_empty() {
            writeln!(f, "\nKernel options: {}", self.facts.options.join(" "))?;
        }
        let open: Vec<_> = self.checks.iter().filter(|check| !check.remedy.is_empty()).collect();
        match (self.usable(), open.is_empty()) {
            (true, true) => return writeln!(f, "\nReady: the helper's device answers."),
            (true, false) => {
                writeln!(
                    f,
                    "\nThe helper's device answers. For a real TDX module it still takes:"
                )?;
            }
            (false, _) => writeln!(f, "\nNot usable yet. What to do, in this order:")?,
        }
        for (number, check) in open.iter().enumerate() {
            writeln!(f, "  {}. {}", number + 1, check.remedy)?;
        }
        writeln!(
            f,
            "Guide: docs/running-on-tdx.md. Without TDX, `cargo xtask vm-test` runs the same"
        )?;
        writeln!(
            f,
            "path against an emulated module (no performance result), or use --backend sim."
        )
    }
}
