//! The plots of the report as PNG files, one each: black on white, two pixels a unit, drawn from their SVG
//! by resvg with the one font that is embedded, and so equal on all machines.

use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::{ExportError, Exporter, Part};
use crate::html::figures;
use crate::schema::Document;

/// DejaVu Sans, Latin letters only; LICENSES/Bitstream-Vera-DejaVu.txt.
const FONT: &[u8] = include_bytes!("../../fonts/DejaVuSans-latin.ttf");
/// Its name.
const FAMILY: &str = "DejaVu Sans";
/// Pixels a unit of the drawing.
const SCALE: f32 = 2.0;

/// The format.
pub(super) struct Png;

impl Exporter for Png {
    fn name(&self) -> &'static str {
        "png"
    }

    fn suffix(&self) -> &'static str {
        ".png"
    }

    fn about(&self) -> &'static str {
        "the plots of the report, a picture each"
    }

    fn export(&self, document: &Document) -> Result<Vec<Part>, ExportError> {
        let mut options = Options::default();
        let fonts = options.fontdb_mut();
        fonts.load_font_data(FONT.to_vec());
        fonts.set_sans_serif_family(FAMILY);
        let parts: Vec<Part> = figures(document)
            .into_iter()
            .map(|figure| Part { bytes: drawn(&figure.svg, &options), name: figure.id })
            .collect();
        if parts.is_empty() {
            return Err(ExportError::Empty { format: self.name(), what: "anything to plot" });
        }
        Ok(parts)
    }
}

/// The drawing as a PNG file.
fn drawn(svg: &str, options: &Options<'_>) -> Vec<u8> {
    let tree = Tree::from_str(svg, options).expect("our own drawings are well-formed");
    let size = tree.size().to_int_size().scale_by(SCALE).expect("a plot is not empty");
    let mut picture = Pixmap::new(size.width(), size.height()).expect("of a size above 0");
    picture.fill(Color::WHITE);
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut picture.as_mut());
    picture.encode_png().expect("writing to memory cannot fail")
}
