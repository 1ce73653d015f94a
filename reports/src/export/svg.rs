//! The plots of the report as SVG files, one each. Text and axes are in the colour of the text around
//! them (`currentColor`), so they are black where nothing says otherwise.

use super::{ExportError, Exporter, Part};
use crate::html::figures;
use crate::schema::Document;

/// The format.
pub(super) struct Svg;

impl Exporter for Svg {
    fn name(&self) -> &'static str {
        "svg"
    }

    fn suffix(&self) -> &'static str {
        ".svg"
    }

    fn about(&self) -> &'static str {
        "the plots of the report, a file each"
    }

    fn export(&self, document: &Document) -> Result<Vec<Part>, ExportError> {
        let figures = figures(document).into_iter();
        let parts: Vec<Part> = figures.map(|figure| Part::text(figure.id, figure.svg)).collect();
        if parts.is_empty() {
            return Err(ExportError::Empty { format: self.name(), what: "anything to plot" });
        }
        Ok(parts)
    }
}
