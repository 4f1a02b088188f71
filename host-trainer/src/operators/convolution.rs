//! Convolution over all channels.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Dispatch, Flex};
use burn::tensor::Tensor;

use super::columns::{columns, planes};
use super::{Operators, Primitive, Window, by_burn, contiguous, extents, is_on_processor, record};

/// Parts in which the gradient of a weight is summed, where each is of [`SMALLEST_PART`] places at least.
const PARTS: usize = 8;
const SMALLEST_PART: usize = 256;

/// Convolves `input` `[in, batch, height, width]` with `weight` `[out, in, size, size]`.
pub fn convolve(input: Tensor<4>, weight: Tensor<4>, window: Window) -> Tensor<4> {
    if is_on_processor(&input) {
        let result = <Dispatch as Operators>::convolve(input.into_dispatch(), weight.into_dispatch(), window);
        return Tensor::from_dispatch(result);
    }
    if window == Window::POINT {
        let ([channels, batch, height, width], outputs) = (input.dims(), weight.dims()[0]);
        let pixels = input.reshape([channels, batch * height * width]);
        return weight.reshape([outputs, channels]).matmul(pixels).reshape([outputs, batch, height, width]);
    }
    by_burn(input, weight, window, 1)
}

pub(super) fn forward(input: &Primitive, weight: Primitive, window: Window) -> Primitive {
    let [_, batch, height, width] = extents(input);
    let weight = matrix(weight);
    let [outputs, _] = extents(&weight);
    let shape = [outputs, batch, window.places(height), window.places(width)];
    Flex::float_matmul(weight, columns(input, window)).reshape(shape.into())
}

/// Weights `[out, in, size, size]` as `[out, in · size²]`.
fn matrix(weight: Primitive) -> Primitive {
    let [outputs, inputs, rows, columns] = extents(&weight);
    contiguous(&weight).reshape([outputs, inputs * rows * columns].into())
}

/// The operation with its gradients.
pub(super) fn tracked<C: CheckpointStrategy>(
    input: FloatTensor<Autodiff<Flex, C>>,
    weight: FloatTensor<Autodiff<Flex, C>>,
    window: Window,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = [input.node(), weight.node()];
    let (input, weight) = (input.into_primitive(), weight.into_primitive());
    let output = forward(&input, weight.clone(), window);
    record::<C, _, _>(Gradient, nodes, (input, weight, window), output)
}

/// The product of the gradient `[out, places]` and the transposed `columns` `[in, places]`.
///
/// It is small and its sums are long, so a matrix product has little to share out among threads: each takes some of the
/// places instead. The number of parts does not depend on that of threads, and so neither does the result.
fn of_weight(gradient: &Primitive, columns: &Primitive) -> Primitive {
    let [outputs, places] = extents(gradient);
    let [inputs, _] = extents(columns);
    let parts = if places.is_multiple_of(PARTS) && places / PARTS >= SMALLEST_PART { PARTS } else { 1 };
    let part = |tensor: &Primitive, rows: usize| tensor.reshape([rows, parts, places / parts].into()).transpose(0, 1);
    let products = Flex::float_matmul(part(gradient, outputs), part(columns, inputs).transpose(1, 2));
    Flex::float_sum_dim(products, 0)
}

#[derive(Debug)]
struct Gradient;

impl Backward<Flex, 2> for Gradient {
    // The input, not its columns: those are as often as large as the window has taps, and quickly gathered again.
    type State = (Primitive, Primitive, Window);

    fn backward(self, operation: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = contiguous(&gradients.consume::<Flex>(&operation.node));
        let (input, weight, window) = operation.state;
        let [input_node, weight_node] = operation.parents;
        let [outputs, batch, height, width] = extents(&gradient);
        let gradient = gradient.reshape([outputs, batch * height * width].into());
        if let Some(node) = input_node {
            let of_columns = Flex::float_matmul(matrix(weight.clone()).transpose(0, 1), gradient.clone());
            gradients.register::<Flex>(node.id, planes(&of_columns, extents(&input), window));
        }
        if let Some(node) = weight_node {
            let shape: [usize; 4] = extents(&weight);
            let of_weight = of_weight(&gradient, &columns(&input, window));
            gradients.register::<Flex>(node.id, of_weight.reshape(shape.into()));
        }
    }
}
