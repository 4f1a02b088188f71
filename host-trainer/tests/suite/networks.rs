//! Networks and glyphs drawn from seeds, so that every run of the tests sees the same.

use burn::module::{Module, Param, RunningState};
use burn::tensor::{Device, Tensor, TensorData};
use fude_runtime::package::Preprocessing;
use fude_trainer::model::{Architecture, Mode, Network, Preset};
use fude_trainer::quantize::{Range, RangeSource};
use fude_trainer::tensors::glyph_tensor;
use fude_trainer::train::{DistortionStrength, FitSettings, RunInfo, Stage, StageConfig};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub const PRESETS: [Preset; 6] =
    [Preset::Nano, Preset::Micro, Preset::Small, Preset::Reference, Preset::Residual, Preset::ResidualSeparable];
/// Classes of the networks here: few, so that little is computed.
pub const CLASSES: usize = 5;

/// Numbers drawn evenly from `low..high`.
pub fn uniform<const D: usize>(shape: [usize; D], (low, high): (f32, f32), rng: &mut ChaCha8Rng) -> Tensor<D> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(low..high)).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

/// A network as training might leave it: every weight, bias, γ, β and running statistic is its own random number.
pub fn random_network(architecture: Architecture, seed: u64) -> Network {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut network = Network::new(architecture, &Device::flex()).valid();
    for layer in &mut network.layers {
        let shape = layer.weight.val().dims();
        // The variance of He et al., drawn evenly.
        let bound = (6.0 / (shape[1] * shape[2] * shape[3]) as f32).sqrt();
        layer.weight = Param::from_tensor(uniform(shape, (-bound, bound), &mut rng));
        let mut per_channel = |range| uniform([shape[0]], range, &mut rng);
        if let Some(norm) = &mut layer.norm {
            norm.gamma = Param::from_tensor(per_channel((-0.5, 1.5)));
            norm.beta = Param::from_tensor(per_channel((-0.5, 0.5)));
            norm.running_mean = RunningState::new(per_channel((-0.3, 0.3)));
            norm.running_var = RunningState::new(per_channel((0.2, 2.0)));
        }
        if let Some(bias) = &mut layer.bias {
            *bias = Param::from_tensor(per_channel((-0.5, 0.5)));
        }
    }
    network
}

/// The same with ranges that have been observed on a few glyphs, and learning begun from them.
pub fn observed_network(architecture: Architecture, seed: u64) -> Network {
    let mut network = random_network(architecture, seed);
    let side = network.architecture().input.height;
    for batch in 0..3 {
        let glyphs = glyph_tensor(&random_glyphs(side, 4, 1000 + batch), side, &Device::flex());
        network.forward(glyphs, Mode::FakeQuantized(RangeSource::Observe));
    }
    network.ranges = network.ranges.into_iter().map(Range::start_learning).collect();
    network
}

/// Pixels of `count` glyphs of `side × side`: ink that comes and goes along the rows, with some noise.
pub fn random_glyphs(side: usize, count: usize, seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut ink = 0.0_f32;
    let pixel = |_| {
        ink = (0.8 * ink + rng.random_range(-90.0..110.0)).clamp(-120.0, 255.0);
        ink.max(0.0) as u8
    };
    (0..count * side * side).map(pixel).collect()
}

/// The description of a run of `preset` with [`CLASSES`] classes.
pub fn run_info(preset: Preset, stage: Stage) -> RunInfo {
    let settings = |stage| FitSettings { stage, config: StageConfig::default() };
    RunInfo {
        name: "random".to_owned(),
        preset,
        classes: (0..CLASSES).map(|class| class.to_string()).collect(),
        preprocessing: Preprocessing::ink_box(preset.longer_side()),
        seed: 1,
        data: vec!["folder:glyphs".to_owned()],
        samples: 64,
        validation: 0,
        distortion: DistortionStrength::Full,
        sampling: fude_trainer::dataset::Sampling::Uniform,
        float: settings(Stage::Float),
        qat: (stage != Stage::Float).then(|| settings(stage)),
    }
}
