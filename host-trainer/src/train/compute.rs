//! Where tensors live while a network is trained.

use burn::tensor::Device;
use clap::ValueEnum;
use thiserror::Error;

/// The processor that trains, as named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ComputeChoice {
    /// The processor, by Burn's flex backend.
    #[default]
    Cpu,
    /// An NVIDIA GPU; needs a build with `--features cuda`.
    Cuda,
}

/// Why a processor cannot be used.
#[derive(Debug, Error)]
pub enum ComputeError {
    /// The program was built without the GPU backend.
    #[error("this fude was built without CUDA; build it with `cargo build --release --features cuda`")]
    NotBuilt,
}

/// The device of `choice`, seeded so that initial weights can be drawn again.
///
/// # Errors
/// Where this build does not have the device.
pub fn compute_device(choice: ComputeChoice, seed: u64) -> Result<Device, ComputeError> {
    let device = match choice {
        ComputeChoice::Cpu => Device::flex(),
        #[cfg(feature = "cuda")]
        ComputeChoice::Cuda => Device::cuda(burn::tensor::DeviceIndex::Default),
        #[cfg(not(feature = "cuda"))]
        ComputeChoice::Cuda => return Err(ComputeError::NotBuilt),
    };
    device.seed(seed);
    Ok(device)
}
