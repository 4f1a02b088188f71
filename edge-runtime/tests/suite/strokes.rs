//! Strokes: lines against their definition in floating point, and what a glyph of strokes depends on.

use std::f64::consts::{PI, TAU};

use fude_runtime::ink::canvas::{Canvas, Dot};
use fude_runtime::ink::strokes::{self, Point, SIDE, Style};
use fude_runtime::limits::MAX_IMAGE_SIDE;
use proptest::prelude::*;

const STYLE: Style = Style::STANDARD;

/// The picture of one stroke.
fn drawn(width: usize, height: usize, dots: &[Dot]) -> Vec<u8> {
    let mut pixels = vec![0; width * height];
    Canvas::new(width, height, &mut pixels).unwrap().stroke(dots.iter().copied());
    pixels
}

/// The glyph of some strokes.
fn glyph(strokes: &[Vec<Point>], style: Style) -> Vec<u8> {
    let mut pixels = vec![0xa5; SIDE * SIDE];
    let mut canvas = Canvas::new(SIDE, SIDE, &mut pixels).unwrap();
    strokes::draw(strokes.iter().map(Vec::as_slice), style, &mut canvas);
    pixels
}

/// The definition of `canvas`, line by line and pixel by pixel.
fn reference(width: usize, height: usize, dots: &[Dot]) -> Vec<f64> {
    let real = |dot: &Dot| [f64::from(dot.x), f64::from(dot.y), f64::from(dot.width / 2)].map(|value| value / 256.0);
    let ends: Vec<[f64; 3]> = dots.iter().map(real).collect();
    let lines: Vec<(usize, usize)> =
        if dots.len() == 1 { vec![(0, 0)] } else { (1..dots.len()).map(|end| (end - 1, end)).collect() };
    let ink = |(place, &(from, to)): (usize, &(usize, usize))| {
        let [x, y] = [place % width, place / width].map(|pixel| pixel as f64 + 0.5);
        let ([x0, y0, r0], [x1, y1, r1]) = (ends[from], ends[to]);
        let (dx, dy) = (x1 - x0, y1 - y0);
        let squared = dx * dx + dy * dy;
        let share = if squared > 0.0 { (((x - x0) * dx + (y - y0) * dy) / squared).clamp(0.0, 1.0) } else { 0.0 };
        let distance = (x0 + share * dx - x).hypot(y0 + share * dy - y);
        let radius = r0 + share * (r1 - r0);
        255.0 * (radius + 0.5 - distance).clamp(0.0, f64::min(1.0, 2.0 * radius))
    };
    (0..width * height).map(|place| lines.iter().map(|line| ink((place, line))).fold(0.0, f64::max)).collect()
}

/// Ink in units of a black pixel.
fn mass(pixels: &[u8]) -> f64 {
    pixels.iter().map(|&pixel| f64::from(pixel)).sum::<f64>() / 255.0
}

fn dot(x: f64, y: f64, width: f64) -> Dot {
    let fixed = |value: f64| (value * 256.0).round();
    Dot { x: fixed(x) as i32, y: fixed(y) as i32, width: fixed(width) as u16 }
}

fn largest_difference(a: &[u8], b: &[u8]) -> u8 {
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

fn any_points() -> impl Strategy<Value = Vec<Vec<Point>>> {
    let point = (-500..500_i16, -500..500_i16).prop_map(|(x, y)| Point::new(x, y));
    prop::collection::vec(prop::collection::vec(point, 1..6), 1..5)
}

fn moved(points: &[Vec<Point>], place: impl Fn(Point) -> Point) -> Vec<Vec<Point>> {
    points.iter().map(|stroke| stroke.iter().map(|&point| place(point)).collect()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Within two levels of 255, where the width changes by no more than half the way.
    #[test]
    fn lines_equal_the_definition(
        places in prop::collection::vec((-5_000..15_000_i32, -5_000..15_000_i32), 1..6),
        width in 0..2_000_u16, changes in prop::collection::vec(-1.0..1.0_f64, 6), size in (1..50_usize, 1..50_usize),
    ) {
        let mut dots: Vec<Dot> = Vec::new();
        for ((x, y), change) in places.into_iter().zip(changes) {
            let width = dots.last().map_or(width, |last| {
                let way = f64::from(x - last.x).hypot(f64::from(y - last.y));
                (f64::from(last.width) + (change * way / 2.0).clamp(-500.0, 500.0)).clamp(0.0, 3_000.0) as u16
            });
            dots.push(Dot { x, y, width });
        }
        let exact = reference(size.0, size.1, &dots);
        for (place, (&level, &exact)) in drawn(size.0, size.1, &dots).iter().zip(&exact).enumerate() {
            prop_assert!((f64::from(level) - exact).abs() <= 2.0, "{level} for {exact} at {place} of {dots:?}");
        }
    }

    /// Nothing that a caller can say overflows (where debug assertions are on) or leaves the canvas.
    #[test]
    fn any_dot_can_be_drawn(dots in prop::collection::vec(any::<(i32, i32, u16)>(), 0..6), near in any::<(i16, i16, u16)>()) {
        let mut dots: Vec<Dot> = dots.into_iter().map(|(x, y, width)| Dot { x, y, width }).collect();
        dots.push(Dot { x: near.0.into(), y: near.1.into(), width: near.2 });
        drawn(7, 5, &dots);
        dots.reverse();
        drawn(MAX_IMAGE_SIDE, 1, &dots);
    }

    #[test]
    fn any_points_can_be_drawn(
        points in prop::collection::vec(any::<(i16, i16, u8)>(), 0..20), longer_side: u16, pen_width: u16,
    ) {
        let stroke: Vec<Point> = points.into_iter().map(|(x, y, width)| Point { x, y, width }).collect();
        glyph(&[stroke], Style { longer_side, pen_width });
    }

    /// Where the strokes lie does not matter at all; their size only by the rounding of places to 1/256 pixels.
    #[test]
    fn a_glyph_depends_on_the_shape_alone(points in any_points(), dx in -9_000..9_000_i16, dy in -9_000..9_000_i16, times in 2..40_i16) {
        let expected = glyph(&points, STYLE);
        let shifted = moved(&points, |point| Point { x: point.x + dx, y: point.y + dy, ..point });
        prop_assert_eq!(&glyph(&shifted, STYLE), &expected);
        let enlarged = moved(&points, |point| Point { x: point.x * times, y: point.y * times, ..point });
        prop_assert!(largest_difference(&glyph(&enlarged, STYLE), &expected) <= 3);
    }

    /// A mirrored or turned glyph is the glyph mirrored or turned.
    #[test]
    fn no_direction_is_preferred(points in any_points()) {
        let expected = glyph(&points, STYLE);
        let at = |x: usize, y: usize| expected[y * SIDE + x];
        let last = SIDE - 1;
        let picture = |at: &dyn Fn(usize, usize) -> u8| -> Vec<u8> {
            (0..SIDE * SIDE).map(|place| at(place % SIDE, place / SIDE)).collect()
        };
        let mirrored = glyph(&moved(&points, |point| Point { x: -point.x, ..point }), STYLE);
        prop_assert!(largest_difference(&mirrored, &picture(&|x, y| at(last - x, y))) <= 2);
        let turned = glyph(&moved(&points, |point| Point { x: point.y, y: -point.x, ..point }), STYLE);
        prop_assert!(largest_difference(&turned, &picture(&|x, y| at(last - y, x))) <= 2);
    }

    /// Darker counts: a line drawn twice is the line.
    #[test]
    fn overlapping_lines_add_no_ink(points in any_points()) {
        let twice: Vec<Vec<Point>> = points.iter().chain(&points).cloned().collect();
        prop_assert_eq!(glyph(&twice, STYLE), glyph(&points, STYLE));
    }
}

/// A line has the ink of its area, and is as thick as the pen, in every direction, to 0.15 pixels: what a rule of
/// distances alone cannot know is where the corners of a pixel point.
#[test]
fn lines_of_all_directions_have_the_same_weight() {
    for step in 0..360 {
        let (sine, cosine) = (TAU * f64::from(step) / 360.0).sin_cos();
        for width in [1.0, 2.4, 7.0] {
            let ends = [-20.0, 20.0].map(|way| dot(32.3 + way * cosine, 31.8 + way * sine, width));
            let pixels = drawn(SIDE, SIDE, &ends);
            let area = 40.0 * width + PI * width * width / 4.0;
            let ratio = mass(&pixels) / area;
            assert!((ratio - 1.0).abs() < 0.15 / width, "{ratio} of a line {width} wide at {step}°");

            // A cut through the middle, in the direction of an axis that crosses the line rather than follows it.
            let is_flat = cosine.abs() > sine.abs();
            let cut: Vec<u8> = (0..SIDE).map(|n| pixels[if is_flat { n * SIDE + 32 } else { 31 * SIDE + n }]).collect();
            let thickness = mass(&cut) * cosine.abs().max(sine.abs());
            assert!((thickness - width).abs() < 0.15, "{thickness} for {width} at {step}°");
        }
    }
}

/// Far places are drawn as if they were nearer, on the same side.
#[test]
fn a_line_through_everything() {
    let line = [i32::MIN, i32::MAX].map(|x| Dot { x, y: 128 + 256, width: 256 });
    assert_eq!(drawn(3, 3, &line), [0, 0, 0, 255, 255, 255, 0, 0, 0]);
    let beside = [i32::MIN, i32::MAX].map(|y| Dot { x: i32::MAX, y, width: u16::MAX });
    assert_eq!(drawn(3, 3, &beside), [0; 9]);
}

#[test]
fn a_dot_is_a_disc_in_the_middle() {
    let pixels = glyph(&[vec![Point::new(-7, 300)]], STYLE);
    assert!((mass(&pixels) - PI * 1.2 * 1.2).abs() < 0.45, "{}", mass(&pixels));
    for (place, &level) in pixels.iter().enumerate() {
        let (x, y) = (place % SIDE, place / SIDE);
        for (x, y) in [(SIDE - 1 - x, y), (x, SIDE - 1 - y), (y, x)] {
            assert_eq!(level, pixels[y * SIDE + x]);
        }
        // The corners of this square are out of reach.
        let [far_x, far_y] = [x, y].map(|place| (2 * place as i32 - 63).abs());
        assert_eq!(level > 0, far_x.max(far_y) <= 3 && far_x.min(far_y) <= 1, "{x}, {y}");
    }
}

/// The box of the points is centred and has the longer side that is asked for; the pen reaches half its width beyond.
#[test]
fn the_box_of_the_points_is_scaled() {
    let pixels = glyph(&[vec![Point::new(0, 0), Point::new(1000, 0)], vec![Point::new(400, 370)]], STYLE);
    let inked = |x: usize, y: usize| pixels[y * SIDE + x] > 0;
    let columns: Vec<usize> = (0..SIDE).filter(|&x| (0..SIDE).any(|y| inked(x, y))).collect();
    let rows: Vec<usize> = (0..SIDE).filter(|&y| (0..SIDE).any(|x| inked(x, y))).collect();
    // From 5 and 59 pixels, and from 22.01 and 41.99: half a pen further, and half a pixel of antialiasing.
    assert_eq!((columns[0], columns[columns.len() - 1]), (3, 60));
    assert_eq!((rows[0], rows[rows.len() - 1]), (20, 43));
    // The upper line at half its length, between two rows of the picture.
    let cut: Vec<u8> = (19..26).map(|y| pixels[y * SIDE + 20]).collect();
    let middle = 19.5
        + cut.iter().enumerate().map(|(n, &ink)| n as f64 * f64::from(ink)).sum::<f64>()
            / cut.iter().map(|&ink| f64::from(ink)).sum::<f64>();
    assert!((middle - 22.01).abs() < 0.02, "{middle}");
}

#[test]
fn styles_keep_the_proportions() {
    assert_eq!(STYLE, Style { longer_side: 54, pen_width: 614 });
    assert_eq!(Style::of_side(480), Style { longer_side: 405, pen_width: 4608 });
    assert_eq!(Style::of_side(0), Style { longer_side: 0, pen_width: 0 });
    assert_eq!(Style::of_side(u16::MAX).pen_width, u16::MAX);
}

#[test]
fn without_points_the_glyph_is_empty() {
    assert!(glyph(&[], STYLE).iter().chain(&glyph(&[vec![], vec![]], STYLE)).all(|&ink| ink == 0));
}

#[test]
fn a_width_of_its_own_for_each_point() {
    let line = |widths: [u8; 2]| {
        let ends = [(0, widths[0]), (100, widths[1])].map(|(x, width)| Point { x, y: 0, width });
        mass(&glyph(&[ends.to_vec()], STYLE))
    };
    let plain = line([Point::PEN; 2]);
    assert!((line([2 * Point::PEN; 2]) / plain - 2.0).abs() < 0.1);
    assert!((line([0, 2 * Point::PEN]) / plain - 1.0).abs() < 0.1);
    assert_eq!(line([0, 0]), 0.0);
}

#[test]
fn canvases_of_impossible_sizes_are_refused() {
    let mut sheet = vec![0; MAX_IMAGE_SIDE + 1];
    for (width, height, length) in
        [(0, 4, 0), (4, 0, 0), (4, 4, 15), (4, 4, 17), (MAX_IMAGE_SIDE + 1, 1, MAX_IMAGE_SIDE + 1)]
    {
        assert!(Canvas::new(width, height, &mut sheet[..length]).is_none(), "{width}×{height} of {length}");
    }
}
