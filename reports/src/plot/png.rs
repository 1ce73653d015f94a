//! Small pictures in one colour as PNG (ISO/IEC 15948), for drawings with too many squares for SVG.
//!
//! A palette of one colour in [`LEVELS`] opacities, so that a picture suits a light and a dark page.

use miniz_oxide::deflate::compress_to_vec_zlib;

/// Shades, from transparent to opaque.
pub(super) const LEVELS: u8 = 16;

/// Level of the smallest output.
const BEST: u8 = 9;

/// Rows of shades below [`LEVELS`], all of equal length.
pub(super) struct Picture {
    pub(super) colour: (u8, u8, u8),
    pub(super) rows: Vec<Vec<u8>>,
}

impl Picture {
    /// As an address that holds the picture itself.
    pub(super) fn data_uri(&self) -> String {
        format!("data:image/png;base64,{}", base64(&self.encode()))
    }

    fn encode(&self) -> Vec<u8> {
        let (width, height) = (self.rows.first().map_or(0, Vec::len), self.rows.len());
        let mut header = Vec::new();
        header.extend((width as u32).to_be_bytes());
        header.extend((height as u32).to_be_bytes());
        // Four bits a pixel, indices into a palette, the only compression and filter, not interlaced.
        header.extend([4, 3, 0, 0, 0]);
        let (r, g, b) = self.colour;
        let palette = [r, g, b].repeat(usize::from(LEVELS));
        let opacities: Vec<u8> =
            (0..LEVELS).map(|level| level * (u8::MAX / (LEVELS - 1))).collect();
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        chunk(&mut file, b"IHDR", &header);
        chunk(&mut file, b"PLTE", &palette);
        chunk(&mut file, b"tRNS", &opacities);
        chunk(&mut file, b"IDAT", &compress_to_vec_zlib(&self.scanlines(), BEST));
        chunk(&mut file, b"IEND", &[]);
        file
    }

    /// Each row with filter type 0 before it, two pixels a byte.
    fn scanlines(&self) -> Vec<u8> {
        let pair = |pixels: &[u8]| pixels[0] << 4 | pixels.get(1).copied().unwrap_or(0);
        self.rows.iter().flat_map(|row| [0].into_iter().chain(row.chunks(2).map(pair))).collect()
    }
}

fn chunk(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend((data.len() as u32).to_be_bytes());
    let start = file.len();
    file.extend(kind);
    file.extend(data);
    let sum = crc32(&file[start..]);
    file.extend(sum.to_be_bytes());
}

fn crc32(data: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !data.iter().fold(u32::MAX, byte)
}

fn base64(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(data.len().div_ceil(3) * 4);
    for group in data.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, i| bits << 8 | u32::from(*group.get(i).unwrap_or(&0)));
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_the_published_one() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn base64_has_the_vectors_of_rfc_4648() {
        assert_eq!(
            ["", "f", "fo", "foo", "foob"].map(|t| base64(t.as_bytes())),
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg=="]
        );
    }

    #[test]
    fn a_picture_says_its_size_and_holds_its_rows() {
        let file =
            Picture { colour: (1, 2, 3), rows: vec![vec![15, 0, 1], vec![2, 3, 4]] }.encode();
        assert_eq!(file[16..24], [0, 0, 0, 3, 0, 0, 0, 2]);
        let at = file.windows(4).position(|name| name == b"IDAT").expect("data");
        let length = u32::from_be_bytes(file[at - 4..at].try_into().expect("four")) as usize;
        let data = &file[at + 4..at + 4 + length];
        let rows = miniz_oxide::inflate::decompress_to_vec_zlib(data).expect("a zlib stream");
        assert_eq!(rows, [0, 0xf0, 0x10, 0, 0x23, 0x40]);
    }
}
