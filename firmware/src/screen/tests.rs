//! The screen as pictures, compared pixel for pixel with those in `golden/`: `FUDE_BLESS=1 cargo test` writes them.

use core::convert::Infallible;
use std::path::Path;
use std::vec::Vec;

use embedded_graphics::pixelcolor::{BinaryColor, Gray8, Rgb565, Rgb888};
use image::{ImageBuffer, Rgb};

use super::*;

/// A display of any size and colour.
struct Canvas<C> {
    size: Size,
    pixels: Vec<C>,
}

impl<C: PixelColor + From<Gray8>> Canvas<C> {
    /// What `screen` looks like on a display of this size.
    fn showing(screen: &Screen<'_>, width: u32, height: u32) -> Self {
        let pixels = std::vec![C::from(Gray8::new(0x77)); (width * height) as usize];
        let mut canvas = Self { size: Size::new(width, height), pixels };
        screen.draw(&mut canvas).unwrap();
        canvas
    }

    fn at(&self, x: i32, y: i32) -> C {
        self.pixels[(y * self.size.width as i32 + x) as usize]
    }
}

impl<C> OriginDimensions for Canvas<C> {
    fn size(&self) -> Size {
        self.size
    }
}

impl<C: PixelColor> DrawTarget for Canvas<C> {
    type Color = C;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<C>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(place, color) in pixels {
            if self.bounding_box().contains(place) {
                self.pixels[(place.y * self.size.width as i32 + place.x) as usize] = color;
            }
        }
        Ok(())
    }
}

const SIDE: usize = 48;

/// Something with a stroke in each direction, inside the margin that every glyph has.
fn glyph() -> Vec<u8> {
    let near = |distance: i32| (255 - 90 * (distance.abs() - 1)).clamp(0, 255) as u8;
    let ink = |x: i32, y: i32| {
        if !(4..44).contains(&x) || !(4..44).contains(&y) {
            return 0;
        }
        let legs = if y > 16 { near((x - 24).abs() - (y - 16) * 2 / 3) } else { 0 };
        near(y - 16).max(near(x - 24)).max(legs)
    };
    (0..SIDE * SIDE).map(|place| ink((place % SIDE) as i32, (place / SIDE) as i32)).collect()
}

/// Unifont's.
const BITMAPS: [(&str, [u8; 32]); 5] = [
    (
        "学",
        [
            0x11, 0x04, 0x08, 0x88, 0x00, 0x10, 0x3f, 0xfe, 0x20, 0x02, 0x2f, 0xfa, 0x00, 0x30, 0x00, 0xc0, 0x00, 0x80,
            0x7f, 0xff, 0x00, 0x80, 0x00, 0x80, 0x00, 0x80, 0x00, 0x80, 0x03, 0x80, 0x00, 0x00,
        ],
    ),
    (
        "字",
        [
            0x00, 0x80, 0x00, 0x80, 0x3f, 0xfe, 0x20, 0x02, 0x20, 0x02, 0x0f, 0xf8, 0x00, 0x10, 0x00, 0x60, 0x00, 0x80,
            0x3f, 0xfe, 0x00, 0x80, 0x00, 0x80, 0x00, 0x80, 0x00, 0x80, 0x03, 0x80, 0x00, 0x00,
        ],
    ),
    (
        "早",
        [
            0x00, 0x00, 0x0f, 0xf8, 0x08, 0x08, 0x08, 0x08, 0x0f, 0xf8, 0x08, 0x08, 0x08, 0x08, 0x0f, 0xf8, 0x00, 0x80,
            0x00, 0x80, 0x7f, 0xff, 0x00, 0x80, 0x00, 0x80, 0x00, 0x80, 0x00, 0x80, 0x00, 0x00,
        ],
    ),
    (
        "犬",
        [
            0x00, 0x90, 0x00, 0x88, 0x00, 0x84, 0x00, 0x80, 0x7f, 0xff, 0x00, 0x80, 0x00, 0x80, 0x01, 0x40, 0x01, 0x40,
            0x02, 0x20, 0x02, 0x20, 0x04, 0x10, 0x08, 0x08, 0x10, 0x04, 0x60, 0x03, 0x00, 0x00,
        ],
    ),
    (
        "先",
        [
            0x00, 0x80, 0x08, 0x80, 0x08, 0x80, 0x0f, 0xfc, 0x10, 0x80, 0x20, 0x80, 0x00, 0x80, 0x3f, 0xfe, 0x02, 0x20,
            0x02, 0x20, 0x02, 0x20, 0x04, 0x20, 0x04, 0x21, 0x08, 0x21, 0x30, 0x1f, 0x00, 0x00,
        ],
    ),
];

fn screen(glyph: &[u8]) -> Screen<'_> {
    let answers = BITMAPS.iter().zip([(41, 93), (7, 5), (0, 2), (66, 0), (12, 0)]).map(|((label, bitmap), answer)| {
        ShownAnswer { class: answer.0, label, bitmap: LabelBitmap::new(16, 16, bitmap), percent: answer.1 }
    });
    Screen {
        title: "quickstart",
        glyph: Some(ImageRaw::new(glyph, SIDE as u32)),
        answers: answers.collect(),
        cost: Cost { ticks: 271_363, tick: Some(Tick::Instructions(40)) },
        arena_bytes: 27_648,
    }
}

/// The same with labels that the package has no bitmaps of.
fn screen_in_ascii(glyph: &[u8]) -> Screen<'_> {
    let mut screen = screen(glyph);
    let labels = ["\u{5B66}", "7", "\u{2000B}", "\u{4E00}\u{4E8C}", "seven"];
    for (answer, label) in screen.answers.iter_mut().zip(labels) {
        (answer.label, answer.bitmap) = (label, None);
    }
    screen
}

/// Compares with the picture of that name, every pixel `factor` pixels wide and high so that people can see them.
fn assert_golden<C: PixelColor + From<Gray8> + Into<Rgb888>>(
    screen: &Screen<'_>,
    size: (u32, u32),
    name: &str,
    factor: u32,
) {
    let canvas = Canvas::<C>::showing(screen, size.0, size.1);
    let picture = ImageBuffer::from_fn(size.0 * factor, size.1 * factor, |x, y| {
        let color: Rgb888 = canvas.at((x / factor) as i32, (y / factor) as i32).into();
        Rgb([color.r(), color.g(), color.b()])
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(std::format!("src/screen/golden/{name}.png"));
    if std::env::var_os("FUDE_BLESS").is_some() {
        picture.save(&path).unwrap();
    }
    let golden = image::open(&path).unwrap().into_rgb8();
    assert!(picture == golden, "{} differs: look at it, then FUDE_BLESS=1", path.display());
}

#[test]
fn displays_show_the_golden_pictures() {
    let glyph = glyph();
    let screen = screen(&glyph);
    assert_golden::<BinaryColor>(&screen, (128, 64), "128x64-monochrome", 4);
    assert_golden::<Gray8>(&screen, (160, 128), "160x128-grey", 3);
    assert_golden::<Rgb565>(&screen, (320, 240), "320x240-colour", 2);
    assert_golden::<Rgb565>(&screen, (240, 320), "240x320-colour", 2);
    assert_golden::<Rgb888>(&screen, (800, 480), "800x480-colour", 1);
}

#[test]
fn labels_without_bitmaps_are_written_in_ascii() {
    let glyph = glyph();
    let screen = screen_in_ascii(&glyph);
    assert_golden::<BinaryColor>(&screen, (128, 64), "128x64-ascii", 4);
    assert_golden::<Rgb565>(&screen, (320, 240), "320x240-ascii", 2);
}

#[test]
fn nothing_overlaps_or_leaves_the_display_at_any_size() {
    let small = (128..=330).step_by(7).flat_map(|width| (64..=330).step_by(5).map(move |height| (width, height)));
    let large = (331..=1024).step_by(31).flat_map(|width| (96..=800).step_by(29).map(move |height| (width, height)));
    for (width, height) in small.chain(large) {
        let area = Rectangle::new(Point::zero(), Size::new(width, height));
        let layout = Layout::of(area);
        let mut parts = std::vec![layout.title_bar, layout.glyph, layout.foot];
        for column in (0..ANSWERS).map(|index| layout.chart.column(index)) {
            assert!(column.bar.size.height >= 8, "{width}×{height}: {column:?}");
            assert!(column.percent.size.width >= 3 * layout.chart.lettering.column(), "{width}×{height}: {column:?}");
            assert!(column.label.size.width >= 16 && column.label.size.height >= 16, "{width}×{height}: {column:?}");
            parts.extend([column.percent, column.bar, column.label]);
        }
        for (index, part) in parts.iter().enumerate() {
            assert!(!part.is_zero_sized() && area.intersection(part) == *part, "{width}×{height}: {part:?}");
            for other in &parts[index + 1..] {
                assert!(part.intersection(other).is_zero_sized(), "{width}×{height}: {part:?}, {other:?}");
            }
        }
        let smaller = layout.glyph.size.width.min(layout.glyph.size.height);
        assert!(smaller >= 40 && 4 * smaller >= width.min(height), "{width}×{height}: {:?}", layout.glyph);
        assert!(layout.title.size.width / layout.lettering.column() >= 24, "{width}×{height}: {layout:?}");
    }
}

#[test]
fn a_display_too_small_for_it_is_no_panic() {
    let glyph = glyph();
    for (width, height) in [(1, 1), (8, 200), (200, 8), (64, 48)] {
        Canvas::<BinaryColor>::showing(&screen(&glyph), width, height);
        Canvas::<BinaryColor>::showing(&screen_in_ascii(&glyph), width, height);
    }
}

/// Where `canvas` is as dark as ink inside `area`.
fn ink(canvas: &Canvas<Gray8>, area: Rectangle) -> Vec<Point> {
    area.points().filter(|place| canvas.at(place.x, place.y).luma() < 0x40).collect()
}

#[test]
fn the_glyph_is_enlarged_pixel_for_pixel_and_centred() {
    let mut dot = [0; SIDE * SIDE];
    dot[24 * SIDE + 4] = 255; // four columns of margin, and so four on the other side
    let canvas = Canvas::<Gray8>::showing(&screen(&dot), 320, 240);
    let sheet = Layout::of(canvas.bounding_box()).glyph;
    let dots = ink(&canvas, sheet);
    let side = dots.len().isqrt();
    assert!(side == 3 && dots[0] + Point::new_equal(2) == dots[8], "a square of {dots:?}");
    let free = sheet.size.width as i32 - 40 * 3;
    assert_eq!(dots[0].x, sheet.top_left.x + free / 2);
}

#[test]
fn a_glyph_too_large_for_its_sheet_is_reduced() {
    let (side, factor) = (96, 3);
    let square = |place: usize| if (place % side).min(place / side) >= 48 { 255 } else { 0 };
    let mut pixels: Vec<u8> = (0..side * side).map(square).collect();
    pixels[0] = 1;
    let mut screen = screen(&[]);
    screen.glyph = Some(ImageRaw::new(&pixels, side as u32));
    let canvas = Canvas::<Gray8>::showing(&screen, 128, 64);
    let dark = ink(&canvas, Layout::of(canvas.bounding_box()).glyph);
    assert_eq!(dark.len(), (side / 2 / factor).pow(2));
}

#[test]
fn a_bar_is_as_high_as_its_answer_is_likely() {
    let lit = |percent| {
        let answer = ShownAnswer { class: 0, label: "", bitmap: None, percent };
        let mut screen = screen(&[]);
        (screen.glyph, screen.answers) = (None, core::iter::once(answer).collect());
        let canvas = Canvas::<Rgb565>::showing(&screen, 160, 128);
        let bar = Layout::of(canvas.bounding_box()).chart.column(0).bar;
        let white = bar.points().filter(|place| canvas.at(place.x, place.y) == Rgb565::WHITE).count() as u32;
        (white / bar.size.width, bar.size.height)
    };
    let (full, height) = lit(100);
    assert_eq!(full, height);
    assert_eq!([lit(60).0, lit(1).0, lit(0).0], [height * 60 / 100, 1, 1]);
}

#[test]
fn wide_labels_are_shown_smaller_and_too_wide_ones_in_ascii() {
    let wide = [0xff; 16 * 4];
    let mut screen = screen(&[]);
    (screen.glyph, screen.answers[2].bitmap) = (None, LabelBitmap::new(32, 16, &wide));
    let lit = |screen: &Screen<'_>, size: (u32, u32), index| {
        let canvas = Canvas::<Gray8>::showing(screen, size.0, size.1);
        let area = Layout::of(canvas.bounding_box()).chart.column(index).label;
        area.points().filter(|place| canvas.at(place.x, place.y).luma() > 0).count() as u32
    };
    let dots = BITMAPS[1].1.iter().map(|byte| byte.count_ones()).sum::<u32>();
    // 320×240 enlarges a label of 16 columns twice, one of 32 not, and then no other either.
    assert_eq!((lit(&screen, (320, 240), 2), lit(&screen, (320, 240), 1)), (32 * 16, dots));
    // On 128×64 it does not fit its column.
    assert!(lit(&screen, (128, 64), 2) < 16 * 8 && lit(&screen, (128, 64), 1) == dots);
    screen.answers[2].bitmap = None;
    assert_eq!(lit(&screen, (320, 240), 1), 4 * dots);
}
