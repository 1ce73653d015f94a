//! How fast a core runs, by a chain of instructions of known length.

use super::figure::Figure;

/// Cycles of a 64-bit IMUL whose result the next one waits for: 3 on every Intel core since Nehalem and
/// every AMD core since Zen (Fog, instruction tables; uops.info).
#[cfg(target_arch = "x86_64")]
const IMUL_CYCLES: f64 = 3.0;

/// Cycles a ns while this CPU works; `None` where no instruction of known length is.
#[cfg(target_arch = "x86_64")]
pub(super) fn ghz(cpu: usize) -> Option<Figure> {
    use std::time::Instant;

    const BLOCKS: u32 = 2_000;
    const BLOCK: u32 = 8;
    let samples = super::crew::on(cpu, || {
        let window = |_| {
            let begun = Instant::now();
            let mut x = std::hint::black_box(3_u64);
            for _ in 0..BLOCKS {
                // SAFETY: works on one register of its own, and touches neither memory nor stack.
                unsafe {
                    core::arch::asm!(
                        "imul {x}, {x}", "imul {x}, {x}", "imul {x}, {x}", "imul {x}, {x}",
                        "imul {x}, {x}", "imul {x}, {x}", "imul {x}, {x}", "imul {x}, {x}",
                        x = inout(reg) x,
                        options(nomem, nostack),
                    );
                }
            }
            std::hint::black_box(x);
            begun.elapsed().as_nanos() as f64 / f64::from(BLOCKS * BLOCK)
        };
        // The first windows wake the clock up.
        (0..400).map(window).skip(100).collect::<Vec<_>>()
    });
    // From the median window up: a slower one was interrupted, it did not run at a lower clock.
    let ghz = |ns: f64| IMUL_CYCLES / ns;
    let ns = Figure::of(&samples)?;
    Some(Figure { least: ghz(ns.median), p90: ghz(ns.least), ..ns.map(ghz) })
}

/// Cycles a ns while this CPU works; `None` where no instruction of known length is.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn ghz(_cpu: usize) -> Option<Figure> {
    None
}
