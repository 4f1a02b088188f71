//! Where tensors live while a network is trained.

use burn::tensor::Device;
use clap::ValueEnum;
use thiserror::Error;

#[cfg(feature = "cuda")]
use crate::machine::shared_library;

/// The processor that trains, as named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ComputeChoice {
    /// The GPU where this build and this machine have one, else the processor.
    #[default]
    Auto,
    /// The processor, by Burn's flex backend.
    Cpu,
    /// An NVIDIA GPU; needs a build with `--features cuda`.
    Cuda,
}

/// Why a processor cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ComputeError {
    /// The program was built without the GPU backend.
    #[error("this fude was built without CUDA; build it with `make cuda`, or train with `--device cpu`")]
    NotBuilt,
    /// A library that the GPU backend needs is missing.
    #[error("CUDA needs {library} ({part}), which is not on this machine; {remedy}, or train with `--device cpu`")]
    Missing {
        /// The library's file.
        library: &'static str,
        /// What it belongs to.
        part: &'static str,
        /// How to get it.
        remedy: &'static str,
    },
}

/// The device of `choice`, seeded so that initial weights can be drawn again.
///
/// # Errors
/// [`ComputeError`] where CUDA was asked for and cannot be had. `Auto` never fails.
pub fn compute_device(choice: ComputeChoice, seed: u64) -> Result<Device, ComputeError> {
    let device = match choice {
        ComputeChoice::Cpu => Device::flex(),
        ComputeChoice::Cuda => cuda_device()?,
        ComputeChoice::Auto => cuda_device().unwrap_or_else(|_| Device::flex()),
    };
    device.seed(seed);
    Ok(device)
}

#[cfg(feature = "cuda")]
fn cuda_device() -> Result<Device, ComputeError> {
    check_libraries(|library| shared_library(library).is_some())?;
    Ok(Device::cuda(burn::tensor::DeviceIndex::Default))
}

#[cfg(not(feature = "cuda"))]
fn cuda_device() -> Result<Device, ComputeError> {
    Err(ComputeError::NotBuilt)
}

/// Looks for what CUDA needs. The backend loads these libraries at its first use, and panics without them.
///
/// # Errors
/// The first that is missing.
#[cfg(any(test, feature = "cuda"))]
fn check_libraries(has: impl Fn(&str) -> bool) -> Result<(), ComputeError> {
    let needed = [
        ("libcuda.so", "NVIDIA's driver", "install the driver"),
        ("libnvrtc.so", "of the CUDA toolkit", "install it or put its folder on LD_LIBRARY_PATH"),
    ];
    match needed.into_iter().find(|(library, ..)| !has(library)) {
        Some((library, part, remedy)) => Err(ComputeError::Missing { library, part, remedy }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cuda_lacks_is_named_with_its_remedy() {
        assert_eq!(check_libraries(|_| true), Ok(()));
        let without = |missing| check_libraries(|library| library != missing).unwrap_err().to_string();
        assert!(without("libcuda.so").contains("install the driver"));
        assert!(without("libnvrtc.so").contains("LD_LIBRARY_PATH"));
    }

    #[test]
    fn the_processor_is_always_there() {
        assert!(compute_device(ComputeChoice::Cpu, 0).is_ok());
        assert!(compute_device(ComputeChoice::Auto, 0).is_ok());
        #[cfg(not(feature = "cuda"))]
        assert_eq!(compute_device(ComputeChoice::Cuda, 0).unwrap_err(), ComputeError::NotBuilt);
    }
}
