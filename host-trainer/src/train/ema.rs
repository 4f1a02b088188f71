//! A moving average of the weights, which often generalises better than the last of them (Polyak and Juditsky, 1992).

use burn::module::{Module, Param};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Bytes, Tensor};

use crate::model::Network;

/// Bytes that hold the number of updates, before the weights.
const COUNT_BYTES: usize = 8;

/// The exponential moving average of a network's weights.
///
/// Kernels, biases and the factors of batch normalisation are averaged. Its running statistics and the activation
/// ranges are copied: they are averages already, or learned slowly from where an observation left them.
#[derive(Debug)]
pub struct WeightAverage {
    decay: f64,
    updates: u64,
    /// Without automatic differentiation.
    average: Network,
}

impl WeightAverage {
    /// An average that starts as `network`. `decay` is the share of the old average that a step keeps.
    pub fn new(decay: f64, network: &Network) -> Self {
        Self { decay, updates: 0, average: network.valid() }
    }

    /// Takes in the weights after a step.
    ///
    /// The first steps count for more than `decay` says, (1 + n) / (10 + n) of the average being kept at most, so that
    /// a short run is not averaged with its random beginning.
    pub fn update(&mut self, network: &Network) {
        let count = self.updates as f64;
        let kept = self.decay.min((1.0 + count) / (10.0 + count)) as f32;
        self.updates += 1;
        // Everything that is not averaged is the newest.
        let mut next = network.valid();
        for (layer, old) in next.layers.iter_mut().zip(&self.average.layers) {
            blend(&mut layer.weight, &old.weight, kept);
            if let (Some(norm), Some(old)) = (&mut layer.norm, &old.norm) {
                blend(&mut norm.gamma, &old.gamma, kept);
                blend(&mut norm.beta, &old.beta, kept);
            }
            if let (Some(bias), Some(old)) = (&mut layer.bias, &old.bias) {
                blend(bias, old, kept);
            }
        }
        self.average = next;
    }

    /// The averaged network, without automatic differentiation.
    pub const fn network(&self) -> &Network {
        &self.average
    }

    /// The state at full precision, for a checkpoint: the number of updates, then the weights as Burn's record.
    ///
    /// # Errors
    /// Where Burn cannot write its record.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        let record = self.average.clone().into_record().into_bytes()?;
        Ok([self.updates.to_le_bytes().as_slice(), &record[..]].concat())
    }

    /// The average that [`Self::to_bytes`] wrote. `network` is one of the same architecture, whose weights do not
    /// matter.
    ///
    /// # Errors
    /// Where the bytes are not those of such a network.
    pub fn from_bytes(decay: f64, network: &Network, bytes: &[u8]) -> Result<Self, RecordError> {
        let (count, record) = bytes.split_first_chunk::<COUNT_BYTES>().unwrap_or((&[0; COUNT_BYTES], &[]));
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(record.to_vec()))?;
        let average = network.valid().try_load_record(record)?;
        Ok(Self { decay, updates: u64::from_le_bytes(*count), average })
    }
}

/// `kept · old + (1 − kept) · new`.
fn blend<const D: usize>(new: &mut Param<Tensor<D>>, old: &Param<Tensor<D>>, kept: f32) {
    let blended = old.val() * kept + new.val() * (1.0 - kept);
    *new = Param::initialized(new.id, blended);
}

#[cfg(test)]
mod tests {
    use burn::module::RunningState;
    use burn::tensor::Device;

    use super::*;
    use crate::model::Preset;
    use crate::tensors::floats;

    /// A network all of whose kernels, factors and running means are `value`.
    fn filled(value: f32) -> Network {
        let mut network = Network::new(Preset::Nano.architecture(3), &Device::flex().autodiff()).train();
        let device = Device::flex().autodiff();
        for layer in &mut network.layers {
            layer.weight = Param::initialized(layer.weight.id, Tensor::full(layer.weight.val().dims(), value, &device));
            if let Some(norm) = &mut layer.norm {
                let channels = norm.gamma.val().dims();
                norm.gamma = Param::initialized(norm.gamma.id, Tensor::full(channels, value, &device));
                norm.running_mean = RunningState::new(Tensor::full(channels, value, &device));
            }
        }
        network
    }

    #[track_caller]
    fn assert_all<const D: usize>(tensor: Tensor<D>, expected: f32) {
        let values = floats(tensor);
        assert!(values.iter().all(|value| (value - expected).abs() < 1e-6), "{} is not {expected}", values[0]);
    }

    #[test]
    fn weights_are_averaged_and_statistics_copied() {
        let mut average = WeightAverage::new(0.5, &filled(1.0));
        let mut expected = 1.0;
        for (count, value) in [3.0, 5.0, 2.0, 8.0, 9.0, 1.0, 7.0, 4.0, 6.0, 2.5].into_iter().enumerate() {
            average.update(&filled(value));
            let kept = 0.5_f32.min((1.0 + count as f32) / (10.0 + count as f32));
            expected = kept * expected + (1.0 - kept) * value;
            let layer = &average.network().layers[0];
            assert_all(layer.weight.val(), expected);
            let norm = layer.norm.as_ref().unwrap();
            assert_all(norm.gamma.val(), expected);
            assert_all(norm.running_mean.value_sync(), value);
        }
    }

    #[test]
    fn an_average_from_bytes_goes_on_to_the_bit() {
        let mut straight = WeightAverage::new(0.9, &filled(0.3));
        (0..5).for_each(|step| straight.update(&filled(0.1 * step as f32)));
        let bytes = straight.to_bytes().unwrap();
        let mut resumed = WeightAverage::from_bytes(0.9, &filled(0.0), &bytes).unwrap();
        for average in [&mut straight, &mut resumed] {
            average.update(&filled(0.7));
        }
        assert_eq!(resumed.to_bytes().unwrap().len(), straight.to_bytes().unwrap().len());
        for (left, right) in straight.network().layers.iter().zip(&resumed.network().layers) {
            assert_eq!(floats(left.weight.val()), floats(right.weight.val()));
            let mean = |layer: &crate::model::Layer| layer.norm.as_ref().map(|norm| floats(norm.running_mean.value()));
            assert_eq!(mean(left), mean(right));
        }
    }

    #[test]
    fn bytes_of_something_else_are_refused() {
        let network = filled(1.0);
        assert!(WeightAverage::from_bytes(0.9, &network, &[]).is_err());
        assert!(WeightAverage::from_bytes(0.9, &network, &[7; 100]).is_err());
        let other = Network::new(Preset::Micro.architecture(3), &Device::flex());
        let bytes = WeightAverage::new(0.9, &other).to_bytes().unwrap();
        assert!(WeightAverage::from_bytes(0.9, &network, &bytes).is_err());
    }
}
