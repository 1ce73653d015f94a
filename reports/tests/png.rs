//! The plots as PNG: all of them, at twice their size, with their letters.
#![cfg(feature = "png")]

mod fixture;

use pamt_reports::export::{Part, by_name};
use resvg::tiny_skia::Pixmap;

fn parts(format: &str) -> Vec<Part> {
    by_name(format).expect("a format").export(&fixture::document()).expect("plots")
}

/// What an SVG says of its size.
fn size(svg: &Part) -> [u32; 2] {
    let text = std::str::from_utf8(&svg.bytes).expect("text");
    ["width", "height"].map(|name| {
        let (_, rest) = text.split_once(&format!(" {name}=\"")).expect("a size");
        rest.split('"').next().and_then(|number| number.parse().ok()).expect("a number")
    })
}

fn decoded(part: &Part) -> Pixmap {
    Pixmap::decode_png(&part.bytes).expect("a PNG file")
}

#[test]
fn every_plot_is_a_picture_of_twice_its_size() {
    let (svg, png) = (parts("svg"), parts("png"));
    assert!(png.len() > 10 && svg.len() == png.len(), "{} and {}", svg.len(), png.len());
    for (svg, png) in svg.iter().zip(&png) {
        let picture = decoded(png);
        assert_eq!(svg.name, png.name);
        assert_eq!([picture.width(), picture.height()], size(svg).map(|n| 2 * n), "{}", png.name);
    }
}

#[test]
fn letters_are_drawn_in_black_on_white() {
    // Nothing but the letters of a bar plot is black.
    let parts = parts("png");
    let bars = parts.iter().find(|part| part.name == "s0-throughput").expect("the plot");
    let picture = decoded(bars);
    let shade = |wanted: u8| {
        let pixels = picture.pixels().iter();
        pixels.filter(|p| [p.red(), p.green(), p.blue()] == [wanted; 3] && p.alpha() == 255).count()
    };
    assert!(shade(255) > picture.pixels().len() / 2, "white around");
    assert!(shade(0) > 500, "{} black pixels", shade(0));
}
