//! Batches of glyphs, prepared on threads of their own while the network trains.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use fude_runtime::ink::{Image, normalize};
use fude_runtime::package::Preprocessing;

use crate::dataset::{Dataset, Distortion, Sampling, render, rng_for};
use crate::evaluate::image_of;

/// Batches that may wait for the network: enough to hide a slow one, few enough to stop when nobody reads.
const BATCHES_AHEAD: usize = 4;
/// Most threads that make batches: a GPU that eight do not feed waits for memory, not for them.
const MAX_WORKERS: usize = 8;

/// Glyphs with their classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Pixels of all glyphs, `side × side` each, ink 255 on 0.
    pub pixels: Vec<u8>,
    /// One class a glyph.
    pub labels: Vec<u32>,
}

impl Batch {
    /// The batch in parts of at most `count` glyphs, each `side` pixels square.
    pub(super) fn parts(&self, count: usize, side: usize) -> impl Iterator<Item = BatchPart<'_>> {
        let parts = self.labels.chunks(count).zip(self.pixels.chunks(count * side * side));
        parts.map(|(labels, pixels)| BatchPart { pixels, labels })
    }
}

/// Some neighbouring glyphs of a [`Batch`].
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchPart<'a> {
    pub(super) pixels: &'a [u8],
    pub(super) labels: &'a [u32],
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
    /// How often an epoch sees each class.
    pub sampling: Sampling,
}

impl BatchStream {
    /// Batches of one epoch; none where a batch is larger than the data, or of no glyph.
    pub fn batches_per_epoch(&self) -> usize {
        self.dataset.samples.len().checked_div(self.batch_size).unwrap_or(0)
    }

    /// Starts worker threads; yields the batches of `epochs` epochs in order, without the first `skip`.
    pub fn start(self, skip: usize, epochs: usize) -> Batches {
        let steps = self.batches_per_epoch() * epochs;
        let workers = workers();
        let stream = Arc::new(self);
        let receivers = (0..workers).map(|worker| {
            let (sender, receiver) = sync_channel(BATCHES_AHEAD.div_ceil(workers));
            let stream = Arc::clone(&stream);
            thread::spawn(move || {
                let mut epoch = stream.epoch(0);
                for step in (skip + worker..steps).step_by(workers) {
                    let number = step / stream.batches_per_epoch();
                    if number != epoch.number {
                        epoch = stream.epoch(number);
                    }
                    // Nobody reads any more: training ended early.
                    if sender.send(stream.batch(&epoch, step % stream.batches_per_epoch())).is_err() {
                        return;
                    }
                }
            });
            receiver
        });
        Batches { receivers: receivers.collect(), turn: 0 }
    }

    fn epoch(&self, number: usize) -> Epoch {
        Epoch { number, order: self.sampling.order(&self.dataset, self.seed, number as u64) }
    }

    /// Batch `number` of an epoch.
    fn batch(&self, epoch: &Epoch, number: usize) -> Batch {
        let indices = &epoch.order[number * self.batch_size..][..self.batch_size];
        let mut batch = Batch { pixels: Vec::with_capacity(indices.len() * self.side * self.side), labels: vec![] };
        for &index in indices {
            let sample = &self.dataset.samples[index];
            let mut rng = rng_for(self.seed, epoch.number as u64, index as u64);
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

/// Batches in order, from as many threads as make them.
#[derive(Debug)]
pub struct Batches {
    receivers: Vec<Receiver<Batch>>,
    turn: usize,
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let batch = self.receivers[self.turn].recv().ok();
        self.turn = (self.turn + 1) % self.receivers.len();
        batch
    }
}

/// The order of one epoch.
struct Epoch {
    number: usize,
    order: Vec<usize>,
}

/// Threads that make batches: all cores but the one that trains.
fn workers() -> usize {
    thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).clamp(1, MAX_WORKERS))
}

/// Brings an image to the input of a network by the device's own code.
pub fn image_to_input(image: &Image<'_>, preprocessing: Preprocessing, side: usize) -> Vec<u8> {
    let mut input = vec![0; side * side];
    normalize(image, preprocessing, (side, side), &mut input);
    input
}
