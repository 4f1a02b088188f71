//! Between plain vectors and Burn's tensors.

use burn::tensor::{Device, Tensor, TensorData};

/// The elements of a tensor, row by row.
pub fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data_as::<f32>().try_to_vec().expect("the data was converted to f32")
}

/// Bytes of glyphs, `side × side` each with ink 255 on 0, as `[batch, 1, side, side]` with ink 1 on 0.
pub fn glyph_tensor(pixels: &[u8], side: usize, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    let count = pixels.len() / (side * side);
    Tensor::from_data(TensorData::new(values, [count, 1, side, side]), device)
}
