//! The built script of `web/`, its style sheet, and what the page's policy must say to let it run.

/// The script: TypeScript of `web/src`, bundled with uPlot.
pub(super) const SCRIPT: &str = include_str!("../../web/dist/report.js");

/// The style of what the script makes.
pub(super) const CSS: &str = include_str!("../../web/dist/script.css");

/// Base64 of the script's SHA-256.
const SHA256: &str = include_str!("../../web/dist/report.js.sha256");

/// The page's Content-Security-Policy: nothing is loaded, no script runs but the embedded one.
pub(super) fn csp() -> String {
    format!(
        "default-src 'none'; script-src 'sha256-{SHA256}'; style-src 'unsafe-inline'; \
         img-src data:; base-uri 'none'; form-action 'none'"
    )
}
