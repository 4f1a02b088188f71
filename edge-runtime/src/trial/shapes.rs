//! The shapes by which microcontroller kernels are compared here.

use super::{Random, TrialBuilder};
use crate::graph::{ElementType, Layer, Operator, Parameters, Tensor, Window};

/// A layer of a known kind and size.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// One letter.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Multiplications.
    pub macs: u64,
    /// Height and width of the input, channels of input and output.
    size: (u16, u16, u16),
    kind: fn(Parameters) -> Operator,
}

/// All of them.
pub const SHAPES: [Shape; 6] = [
    Shape {
        name: "a",
        description: "convolution 3×3, 64×64×1 → 32",
        macs: 1_179_648,
        size: (64, 1, 32),
        kind: |parameters| Operator::Convolution { window: Window::square(3, 1, 1), parameters },
    },
    Shape {
        name: "b",
        description: "depthwise 3×3, 32×32×64",
        macs: 589_824,
        size: (32, 64, 64),
        kind: |parameters| Operator::Depthwise { window: Window::square(3, 1, 1), parameters },
    },
    Shape {
        name: "c",
        description: "pointwise, 32×32×64 → 64",
        macs: 4_194_304,
        size: (32, 64, 64),
        kind: |parameters| Operator::Convolution { window: Window::square(1, 1, 0), parameters },
    },
    Shape {
        name: "d",
        description: "pointwise, 8×8×256 → 256",
        macs: 4_194_304,
        size: (8, 256, 256),
        kind: |parameters| Operator::Convolution { window: Window::square(1, 1, 0), parameters },
    },
    Shape {
        name: "e",
        description: "dense, 256 → 3036",
        macs: 777_216,
        size: (1, 256, 3036),
        kind: |parameters| Operator::Dense { parameters },
    },
    Shape {
        name: "f",
        description: "convolution 3×3, 16×16×64 → 64",
        macs: 9_437_184,
        size: (16, 64, 64),
        kind: |parameters| Operator::Convolution { window: Window::square(3, 1, 1), parameters },
    },
];

impl Shape {
    /// The layer with random weights over a random input; zero points −128 and −5.
    pub fn trial(&self, seed: u64) -> TrialBuilder {
        let mut random = Random::new(seed);
        let (side, inputs, outputs) = self.size;
        let tensor = |channels, zero_point| Tensor {
            height: side,
            width: side,
            channels,
            element: ElementType::Int8,
            zero_point,
            scale: 1.0,
            offset: 0,
        };
        let mut trial = TrialBuilder::new();
        let input = tensor(inputs, -128);
        let elements = (0..input.elements()).map(|_| random.word() as i8).collect();
        let (input, output) = (trial.input(input, elements), trial.tensor(tensor(outputs, -5)));
        let parameters = Parameters { offset: 0, shift: 40, bounds: (-128, 127) };
        trial.random_layer(Layer { operator: (self.kind)(parameters), input, output }, &mut random);
        trial
    }
}
