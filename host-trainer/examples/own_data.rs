//! Training on data in a format of one's own.
//!
//! The format here is made up: text, a line `writer label` before each drawing of eight rows, ink as `#`.
//! [`Drawings`] is all that has to be written for it; from there on it is a data set like any other.
//!
//! `cargo run --release --example own_data`

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Int, Tensor};
use fude_runtime::package::Preprocessing;
use fude_trainer::dataset::{Dataset, DatasetError, Glyph, LoadOptions, NamedSample, SampleSource, Share, SplitPlan};
use fude_trainer::evaluate::image_of;
use fude_trainer::model::{Mode, Network, Preset};
use fude_trainer::tensors::glyph_tensor;
use fude_trainer::train::{ComputeChoice, compute_device, image_to_input};

/// A side of a drawing.
const SIDE: usize = 8;

/// The loader: an iterator over samples, reading line by line.
struct Drawings {
    path: PathBuf,
    /// Lines not yet read, with their numbers.
    lines: std::vec::IntoIter<(usize, String)>,
}

impl Drawings {
    fn open(path: &Path) -> std::io::Result<Self> {
        let text = fs::read_to_string(path)?;
        let lines: Vec<_> = (1..).zip(text.lines().map(str::to_owned)).collect();
        Ok(Self { path: path.to_owned(), lines: lines.into_iter() })
    }

    /// An error says where it is and what to do.
    fn fault(&self, line: usize, problem: &str) -> DatasetError {
        DatasetError::Record {
            path: self.path.clone(),
            place: format!("line {line}"),
            problem: problem.to_owned(),
            remedy: "write `writer label`, then eight rows of eight".to_owned(),
        }
    }
}

impl Iterator for Drawings {
    type Item = Result<NamedSample, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (number, head) = self.lines.next()?;
        let rows: Vec<String> = self.lines.by_ref().take(SIDE).map(|(_, row)| row).collect();
        let Some((writer, label)) = head.split_once(' ') else {
            return Some(Err(self.fault(number, "no writer and label")));
        };
        if rows.len() < SIDE || rows.iter().any(|row| row.len() != SIDE) {
            return Some(Err(self.fault(number + 1, "not eight rows of eight")));
        }
        // Ink is 255 on paper of 0.
        let pixels = rows.concat().bytes().map(|mark| if mark == b'#' { 255 } else { 0 }).collect();
        let glyph = Glyph { width: SIDE as u16, height: SIDE as u16, pixels };
        Some(Ok(NamedSample { glyph, label: Some(label.to_owned()), source: writer.to_owned() }))
    }
}

impl SampleSource for Drawings {
    fn origin(&self) -> &Path {
        &self.path
    }
}

/// Writes a file, loads it, divides it by writer, and takes a few steps of training.
pub fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("drawings.txt");
    fs::write(&path, drawings())?;

    let options = LoadOptions { labels_required: true, ..LoadOptions::default() };
    let dataset = Dataset::from_source(Drawings::open(&path)?, &options)?;
    println!("{} samples of {:?} by {:?}", dataset.samples.len(), dataset.classes.labels(), dataset.sources);
    let plan = SplitPlan::BySource { validation: Share::Count(0), test: Share::Fraction(0.25) };
    let splits = plan.divide(dataset, 1)?;

    let losses = train(&splits.training, 12)?;
    println!("loss {:.3} at first, {:.3} at last", losses[0], losses[losses.len() - 1]);
    if losses[losses.len() - 1] >= losses[0] {
        return Err("the loss has not fallen".into());
    }
    Ok(())
}

/// The loss at each of `steps` steps on all of `dataset` at once.
fn train(dataset: &Dataset, steps: usize) -> Result<Vec<f32>, Box<dyn Error>> {
    let preset = Preset::Nano;
    let device = compute_device(ComputeChoice::Cpu, 1)?.autodiff();
    let mut network = Network::new(preset.architecture(dataset.classes.len()), &device);
    let preprocessing = Preprocessing::ink_box(preset.longer_side());
    let mut pixels = Vec::new();
    for sample in &dataset.samples {
        pixels.extend(image_to_input(&image_of(&sample.glyph)?, preprocessing, preset.side()));
    }
    let labels: Vec<i32> = dataset.samples.iter().filter_map(|sample| sample.label).map(|label| label as i32).collect();
    let labels = Tensor::<1, Int>::from_data(labels.as_slice(), &device);
    let loss_function = CrossEntropyLossConfig::new().init(&device);
    let mut optimizer = AdamWConfig::new().init();
    let mut losses = Vec::new();
    for _ in 0..steps {
        let glyphs = glyph_tensor(&pixels, preset.side(), &device);
        let loss = loss_function.forward(network.forward(glyphs, Mode::Float), labels.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(1e-2, network, gradients);
        losses.push(loss.into_scalar::<f32>());
    }
    Ok(losses)
}

/// Drawings of 一 and 口 by four writers, each with a slip of the pen of their own.
fn drawings() -> String {
    let line = ["........", "........", "........", ".######.", "........", "........", "........", "........"];
    let mouth = ["........", ".######.", ".#....#.", ".#....#.", ".#....#.", ".#....#.", ".######.", "........"];
    let mut text = String::new();
    for (slip, writer) in ["ana", "ben", "chi", "dai"].into_iter().enumerate() {
        for (label, rows) in [("一", line), ("口", mouth)] {
            text.push_str(&format!("{writer} {label}\n"));
            for (number, row) in rows.into_iter().enumerate() {
                let row = if number == slip + 2 { row.replacen(".#", "##", 1) } else { row.to_owned() };
                text.push_str(&format!("{row}\n"));
            }
        }
    }
    text
}
