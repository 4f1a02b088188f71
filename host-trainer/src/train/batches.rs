//! Batches of glyphs, prepared on a thread of their own while the network trains.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use fude_runtime::ink::{Image, normalize};
use fude_runtime::package::Preprocessing;
use rand::seq::SliceRandom;

use crate::dataset::{Dataset, Distortion, render, rng_for};
use crate::evaluate::image_of;

/// Batches that may wait for the network: enough to hide a slow one, few enough to stop when nobody reads.
const BATCHES_AHEAD: usize = 4;
/// Stream of random numbers that orders an epoch; distortions use the epoch's number.
const ORDER_STREAM: u64 = 1 << 62;

/// Glyphs with their classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Pixels of all glyphs, `side × side` each, ink 255 on 0.
    pub pixels: Vec<u8>,
    /// One class a glyph.
    pub labels: Vec<u32>,
}

/// How samples become batches.
#[derive(Debug, Clone)]
pub struct BatchStream {
    /// The labelled samples.
    pub dataset: Arc<Dataset>,
    /// What happens to a glyph on the way to the input.
    pub preprocessing: Preprocessing,
    /// Side of the input, in pixels.
    pub side: usize,
    /// Glyphs a batch; the last of an epoch, if smaller, is left out.
    pub batch_size: usize,
    /// Seed of order and distortions.
    pub seed: u64,
    /// How glyphs are distorted.
    pub distortion: Distortion,
}

impl BatchStream {
    /// Batches of one epoch; none where a batch is larger than the data, or of no glyph.
    pub fn batches_per_epoch(&self) -> usize {
        self.dataset.samples.len().checked_div(self.batch_size).unwrap_or(0)
    }

    /// Starts the worker thread; the receiver yields the batches of `epochs` epochs in order.
    pub fn start(self, epochs: usize) -> Receiver<Batch> {
        let (sender, receiver) = sync_channel(BATCHES_AHEAD);
        thread::spawn(move || {
            for epoch in 0..epochs as u64 {
                let mut order: Vec<usize> = (0..self.dataset.samples.len()).collect();
                order.shuffle(&mut rng_for(self.seed, ORDER_STREAM, epoch));
                for indices in order.chunks_exact(self.batch_size) {
                    // Nobody reads any more: training ended early.
                    if sender.send(self.batch(epoch, indices)).is_err() {
                        return;
                    }
                }
            }
        });
        receiver
    }

    fn batch(&self, epoch: u64, indices: &[usize]) -> Batch {
        let mut batch = Batch { pixels: Vec::with_capacity(indices.len() * self.side * self.side), labels: vec![] };
        for &index in indices {
            let sample = &self.dataset.samples[index];
            let mut rng = rng_for(self.seed, epoch, index as u64);
            let glyph = render(sample, &self.distortion, &mut rng);
            // The distortion draws on a square of its own, which every recogniser takes.
            if let Ok(image) = image_of(&glyph) {
                batch.pixels.extend(image_to_input(&image, self.preprocessing, self.side));
                batch.labels.push(sample.label.unwrap_or(0));
            }
        }
        batch
    }
}

/// Brings an image to the input of a network by the device's own code.
pub fn image_to_input(image: &Image<'_>, preprocessing: Preprocessing, side: usize) -> Vec<u8> {
    let mut input = vec![0; side * side];
    normalize(image, preprocessing, (side, side), &mut input);
    input
}
