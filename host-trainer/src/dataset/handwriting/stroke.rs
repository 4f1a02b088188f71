//! What happens to a single stroke.

use std::f32::consts::PI;

use fude_runtime::ink::strokes::Point;
use rand::Rng;

use super::Handwriting;
use crate::dataset::distort::normal;
use crate::dataset::strokes::SPAN;

/// A point of a stroke on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dot {
    /// Place, in the units of [`Strokes`](crate::dataset::Strokes).
    pub(super) at: [f32; 2],
    /// Width as a share of the pen's.
    pub(super) width: f32,
}

impl Dot {
    pub(super) fn of(point: &Point) -> Self {
        let width = f32::from(point.width) / f32::from(Point::PEN);
        Self { at: [point.x.into(), point.y.into()], width }
    }
}

/// Bends, stretches, turns and moves a stroke, in this order.
pub(super) fn bend(dots: &mut [Dot], settings: &Handwriting, rng: &mut impl Rng) {
    let (bow, twist) = (normal(settings.curvature, rng), normal(settings.curvature / 4.0, rng));
    let stretch = normal(settings.length, rng).exp();
    let (sin, cos) = normal(settings.rotation.to_radians(), rng).sin_cos();
    let shift = [(); 2].map(|()| normal(settings.shift, rng) * SPAN as f32);
    let (Some(first), Some(last)) = (dots.first().map(|dot| dot.at), dots.last().map(|dot| dot.at)) else { return };

    let chord = [last[0] - first[0], last[1] - first[1]];
    let middle = [first[0] + chord[0] * stretch / 2.0, first[1] + chord[1] * stretch / 2.0];
    let shares = shares_of_length(dots);
    for (dot, share) in dots.iter_mut().zip(shares) {
        // The chord turned by a quarter, so that an offset is a share of its length.
        let offset = bow * (PI * share).sin() + twist * (2.0 * PI * share).sin();
        let bent = [dot.at[0] - chord[1] * offset, dot.at[1] + chord[0] * offset];
        let stretched = [0, 1].map(|axis| first[axis] + (bent[axis] - first[axis]) * stretch - middle[axis]);
        dot.at = [
            middle[0] + cos * stretched[0] - sin * stretched[1] + shift[0],
            middle[1] + sin * stretched[0] + cos * stretched[1] + shift[1],
        ];
    }
}

/// Takes the last `share` of a stroke's length away; the first dot always stays.
pub(super) fn cut_end(dots: &mut Vec<Dot>, share: f32) {
    if share <= 0.0 {
        return;
    }
    let shares = shares_of_length(dots);
    let end = 1.0 - share;
    let Some(beyond) = shares.iter().position(|&at| at > end).filter(|&beyond| beyond > 0) else { return };
    let (from, to) = (dots[beyond - 1], dots[beyond]);
    let part = (end - shares[beyond - 1]) / (shares[beyond] - shares[beyond - 1]);
    dots.truncate(beyond);
    dots.push(Dot { at: [0, 1].map(|axis| from.at[axis] + (to.at[axis] - from.at[axis]) * part), width: to.width });
}

/// How far along the stroke each dot is, from 0 to 1; all 0 where it has no length.
fn shares_of_length(dots: &[Dot]) -> Vec<f32> {
    let mut length = 0.0;
    let mut shares = vec![0.0; dots.len()];
    for (share, pair) in shares.iter_mut().skip(1).zip(dots.windows(2)) {
        length += (pair[1].at[0] - pair[0].at[0]).hypot(pair[1].at[1] - pair[0].at[1]);
        *share = length;
    }
    if length > 0.0 {
        shares.iter_mut().for_each(|share| *share /= length);
    }
    shares
}
