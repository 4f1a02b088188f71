//! Between planes and the columns of a matrix product (im2col and col2im).

use rayon::prelude::*;

use super::phases::Phases;
use super::{Primitive, Window, contiguous, elements, extents, primitive};

/// What every tap of the window meets: `[channels · size², batch · places]` of `input`
/// `[channels, batch, height, width]`.
pub(super) fn columns(input: &Primitive, window: Window) -> Primitive {
    let [channels, batch, height, width] = extents(input);
    let input = contiguous(input);
    if window == Window::POINT {
        return input.reshape([channels, batch * height * width].into());
    }
    let taps = window.size * window.size;
    let places = window.places(height) * window.places(width);
    let mut result = vec![0.0; channels * taps * batch * places];
    result
        .par_chunks_mut(taps * batch * places)
        .zip(elements(&input).par_chunks(batch * height * width))
        .for_each_init(|| Phases::new(height, width, window), |phases, (result, input)| gather(phases, input, result));
    primitive(result, [channels * taps, batch * places])
}

/// The gradient of the planes `[channels, batch, height, width]`, from that of their [`columns`].
pub(super) fn planes(gradient: &Primitive, shape: [usize; 4], window: Window) -> Primitive {
    let [_, batch, height, width] = shape;
    let gradient = contiguous(gradient);
    if window == Window::POINT {
        return gradient.reshape(shape.into());
    }
    let taps = window.size * window.size;
    let places = window.places(height) * window.places(width);
    let mut result = vec![0.0; shape.iter().product()];
    result
        .par_chunks_mut(batch * height * width)
        .zip(elements(&gradient).par_chunks(taps * batch * places))
        .for_each_init(
            || Phases::new(height, width, window),
            |phases, (result, gradient)| scatter(phases, gradient, result),
        );
    primitive(result, shape)
}

vectorized! {
    /// One channel of [`columns`].
    fn gather(phases: &mut Phases, input: &[f32], result: &mut [f32]) -> () {
        let (rows, columns) = phases.places();
        let batch = input.len() / phases.plane();
        for (image, input) in input.chunks_exact(phases.plane()).enumerate() {
            phases.read(input);
            for (&tap, result) in phases.taps().iter().zip(result.chunks_exact_mut(batch * rows * columns)) {
                let plane = &mut result[image * rows * columns..][..rows * columns];
                for (y, row) in plane.chunks_exact_mut(columns).enumerate() {
                    row.copy_from_slice(&phases.met(phases.row(y) + tap)[..columns]);
                }
            }
        }
    }
}

vectorized! {
    /// One channel of [`planes`].
    fn scatter(phases: &mut Phases, gradient: &[f32], result: &mut [f32]) -> () {
        let (rows, columns) = phases.places();
        let batch = result.len() / phases.plane();
        for (image, result) in result.chunks_exact_mut(phases.plane()).enumerate() {
            phases.clear();
            for (tap, gradient) in gradient.chunks_exact(batch * rows * columns).enumerate() {
                let plane = &gradient[image * rows * columns..][..rows * columns];
                for (y, row) in plane.chunks_exact(columns).enumerate() {
                    let start = phases.row(y) + phases.taps()[tap];
                    phases.met_mut(start).iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                }
            }
            phases.write(result);
        }
    }
}
