//! PNG and JPEG files as glyphs, and glyphs as PNG files.

use std::io::Cursor;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use image::error::{DecodingError, ImageFormatHint};
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbaImage};

use super::{DatasetError, Glyph};
use crate::files::write_atomically;

/// Longest side of a picture that is read, in pixels; a character needs far fewer.
pub(super) const MAX_SIDE: u32 = 8192;
/// Most pixels of a picture that is read, a good camera's: a file of a few hundred bytes can promise any number, and
/// memory for what is promised is taken before the first of them is decoded.
pub(super) const MAX_PIXELS: u32 = 1 << 24;
/// Most bytes that a decoder may take: pixels of four 16-bit channels.
const MAX_DECODER_BYTES: u64 = 8 * MAX_PIXELS as u64;

/// Reads a PNG or JPEG of any size and colour type as a glyph of the same size.
///
/// Colour becomes luma (Rec. 709 weights, as the `image` crate has them) and transparency is laid
/// over white paper. Then ink becomes 255 on 0: where the median of the border pixels is bright the
/// picture is dark ink on light paper and is inverted, else it is already light ink on dark paper.
/// The border decides because ink rarely reaches it, however heavy the writing.
///
/// # Errors
/// [`DatasetError::Io`] when the file cannot be opened, [`DatasetError::Image`] when it is not a
/// PNG or JPEG, [`DatasetError::ImageSize`] when it has a side of more than 8192 pixels or more than 2²⁴ pixels.
pub fn load_glyph(path: &Path) -> Result<Glyph, DatasetError> {
    let image_error = |source| DatasetError::Image { path: path.to_owned(), source };
    let io_error = || DatasetError::io(path, "read");
    let mut reader = ImageReader::open(path).map_err(io_error())?.with_guessed_format().map_err(io_error())?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(image_error)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS.into() {
        return Err(DatasetError::ImageSize { path: path.to_owned(), width, height });
    }
    // A damaged JPEG can make its decoder (zune-jpeg 0.5) panic; what it had begun is dropped.
    let decoded = panic::catch_unwind(AssertUnwindSafe(|| DynamicImage::from_decoder(decoder)));
    let image = decoded.unwrap_or_else(|_| Err(damaged())).map_err(image_error)?;

    let luma = DynamicImage::ImageRgba8(over_white(image.into_rgba8())).into_luma8();
    // MAX_SIDE fits 16 bits.
    let (width, height) = (luma.width() as u16, luma.height() as u16);
    let mut glyph = Glyph { width, height, pixels: luma.into_raw() };
    if border_median(&glyph) >= 128 {
        invert(&mut glyph.pixels);
    }
    Ok(glyph)
}

/// What is said of a picture on which its decoder fails.
fn damaged() -> ImageError {
    ImageError::Decoding(DecodingError::new(ImageFormatHint::Unknown, "the decoder gave up: it is damaged"))
}

/// Writes a glyph as an 8-bit grey PNG, dark ink on white paper, which [`load_glyph`] reads back as
/// it was (unless ink covers most of its border).
///
/// # Errors
/// As [`write_grey_png`].
pub fn write_png(path: &Path, glyph: &Glyph) -> Result<(), DatasetError> {
    let mut pixels = glyph.pixels.clone();
    invert(&mut pixels);
    write_grey_png(path, (glyph.width, glyph.height), &pixels)
}

/// Writes pixels of `size` (width, height), row by row with 0 as black, as an 8-bit grey PNG.
///
/// The file appears whole or not at all: it is written under a temporary name and renamed.
///
/// # Errors
/// [`DatasetError::Write`] when the file cannot be written, [`DatasetError::Image`] when the sides do not match
/// the pixels.
pub fn write_grey_png(path: &Path, size: (u16, u16), pixels: &[u8]) -> Result<(), DatasetError> {
    let mut encoded = Vec::new();
    image::write_buffer_with_format(
        &mut Cursor::new(&mut encoded),
        pixels,
        size.0.into(),
        size.1.into(),
        image::ExtendedColorType::L8,
        ImageFormat::Png,
    )
    .map_err(|source| DatasetError::Image { path: path.to_owned(), source })?;

    Ok(write_atomically(path, &encoded)?)
}

/// Lays the picture over white: each colour becomes `(colour * alpha + 255 * (255 - alpha)) / 255`.
fn over_white(mut image: RgbaImage) -> RgbaImage {
    for pixel in image.pixels_mut() {
        let [red, green, blue, alpha] = pixel.0.map(u32::from);
        let compose = |colour| ((colour * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        pixel.0 = [compose(red), compose(green), compose(blue), 255];
    }
    image
}

/// Median of the outermost ring of pixels.
fn border_median(glyph: &Glyph) -> u8 {
    let (width, height) = (usize::from(glyph.width), usize::from(glyph.height));
    let mut border: Vec<u8> = glyph
        .pixels
        .iter()
        .enumerate()
        .filter(|(i, _)| {
            let (x, y) = (i % width, i / width);
            x == 0 || y == 0 || x == width - 1 || y == height - 1
        })
        .map(|(_, &pixel)| pixel)
        .collect();
    let middle = border.len() / 2;
    *border.select_nth_unstable(middle).1
}

fn invert(pixels: &mut [u8]) {
    for pixel in pixels {
        *pixel = 255 - *pixel;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgb, RgbImage, Rgba};

    /// A file in a folder of its own, which lives as long as the value.
    fn saved(image: &DynamicImage, name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        image.save(&path).unwrap();
        (dir, path)
    }

    /// A 7x5 glyph with one stroke.
    fn stroke() -> Glyph {
        let mut pixels = vec![0; 35];
        pixels[15..20].copy_from_slice(&[90, 255, 255, 200, 31]);
        Glyph { width: 7, height: 5, pixels }
    }

    /// Found by fuzzing: zune-jpeg 0.5.15 takes a slice that is not there.
    #[test]
    fn a_jpeg_that_its_decoder_panics_on_is_an_error() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/seeds/image/found-decoder-panic.jpg"));
        // In the fuzz crate, which holds this file as well, the seeds have a test of their own.
        if path.exists() {
            let error = load_glyph(path).unwrap_err();
            assert!(error.to_string().contains("found-decoder-panic.jpg"), "{error}");
        }
    }

    #[test]
    fn a_written_png_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("glyph.png");
        write_png(&path, &stroke()).unwrap();
        assert_eq!(load_glyph(&path).unwrap(), stroke());
        // Nothing but the file itself is left in the folder.
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn both_polarities_give_light_ink_on_dark_paper() {
        for (paper, ink) in [(250, 20), (5, 235)] {
            let mut image = GrayImage::from_pixel(9, 9, Luma([paper]));
            image.put_pixel(4, 4, Luma([ink]));
            let (_dir, path) = saved(&image.into(), "grey.png");
            let glyph = load_glyph(&path).unwrap();
            assert_eq!(glyph.pixels[4 * 9 + 4], 235);
            assert_eq!(glyph.pixels[0], 5);
        }
    }

    #[test]
    fn ink_that_covers_most_of_the_middle_does_not_flip_the_polarity() {
        let mut image = GrayImage::from_pixel(20, 20, Luma([255]));
        for (x, y) in (2..18).flat_map(|x| (2..18).map(move |y| (x, y))) {
            image.put_pixel(x, y, Luma([0]));
        }
        let (_dir, path) = saved(&image.into(), "heavy.png");
        assert_eq!(load_glyph(&path).unwrap().pixels[10 * 20 + 10], 255);
    }

    #[test]
    fn transparency_is_white_paper() {
        // Black everywhere; only the alpha channel draws the stroke.
        let mut image = RgbaImage::from_pixel(9, 9, Rgba([0, 0, 0, 0]));
        image.put_pixel(4, 4, Rgba([0, 0, 0, 255]));
        image.put_pixel(5, 4, Rgba([0, 0, 0, 100]));
        let (_dir, path) = saved(&image.into(), "alpha.png");
        let glyph = load_glyph(&path).unwrap();
        assert_eq!(glyph.pixels[0], 0);
        assert_eq!(glyph.pixels[4 * 9 + 4..4 * 9 + 6], [255, 100]);
    }

    #[test]
    fn a_colour_jpeg_is_read() {
        let mut image = RgbImage::from_pixel(32, 16, Rgb([255, 250, 240]));
        for (x, y) in (10..22).flat_map(|x| (5..11).map(move |y| (x, y))) {
            image.put_pixel(x, y, Rgb([20, 20, 120]));
        }
        let (_dir, path) = saved(&image.into(), "photo.jpg");
        let glyph = load_glyph(&path).unwrap();
        assert_eq!((glyph.width, glyph.height), (32, 16));
        assert!(glyph.pixels[8 * 32 + 16] > 200 && glyph.pixels[0] < 20);
    }

    /// The first bytes of a PNG with pixels of 8 bytes, which promise a picture and hold nothing of it.
    fn promise(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[16, 6, 0, 0, 0]].concat();
        for (kind, content) in [(b"IHDR", header), (b"IDAT", Vec::new())] {
            bytes.extend((content.len() as u32).to_be_bytes());
            let checked = [&kind[..], &content].concat();
            bytes.extend(&checked);
            bytes.extend(fude_runtime::package::CRC32.checksum(&checked).to_be_bytes());
        }
        bytes
    }

    #[test]
    fn pictures_that_promise_gigabytes_are_refused_by_their_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("promise.png");
        let load = |width, height| {
            std::fs::write(&path, promise(width, height)).unwrap();
            load_glyph(&path).unwrap_err()
        };
        for (width, height) in [(8193, 1), (1, 8193), (4097, 4096), (8192, 8192)] {
            let error = load(width, height);
            assert!(matches!(error, DatasetError::ImageSize { .. }), "{error}");
            assert!(error.to_string().contains(&format!("{width}x{height} pixels")), "{error}");
        }
        assert!(load(1 << 30, 1 << 30).to_string().contains("limit"), "a single row is too long for the decoder");
        for (width, height) in [(8192, 2048), (4096, 4096)] {
            let error = load(width, height).to_string();
            assert!(error.contains("not a usable PNG") && !error.contains("limit"), "empty, not too large: {error}");
        }
    }

    #[test]
    fn a_file_that_is_no_image_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("broken.png");
        std::fs::write(&path, b"\x89PNG\r\n\x1a\n and then nothing").unwrap();
        let error = load_glyph(&path).unwrap_err();
        assert!(matches!(error, DatasetError::Image { .. }));
        assert!(error.to_string().contains("broken.png"), "{error}");
        let missing = load_glyph(&dir.path().join("absent.png"));
        assert!(matches!(missing, Err(DatasetError::Io { .. })));
    }
}
