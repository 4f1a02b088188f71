//! Where tensors live while a network is trained.

use burn::tensor::Device;
use clap::ValueEnum;
use thiserror::Error;

#[cfg(feature = "cuda")]
use {crate::machine::shared_library, std::path::Path};

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
    /// No device of NVIDIA's driver is there.
    #[error("this machine, or container, has no NVIDIA GPU that its driver shows; train with `--device cpu`")]
    NoGpu,
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
/// [`ComputeError`] where CUDA was asked for and cannot be had. `Auto` takes the processor then.
pub fn compute_device(choice: ComputeChoice, seed: u64) -> Result<Device, ComputeError> {
    let device = match choice {
        ComputeChoice::Cpu => Device::flex(),
        ComputeChoice::Cuda => cuda_device()?,
        ComputeChoice::Auto => cuda_device().unwrap_or_else(|_| Device::flex()),
    };
    device.seed(seed);
    Ok(device)
}

/// What to call `device` before people.
pub fn device_name(device: &Device) -> &'static str {
    if *device == Device::flex() { "processor" } else { "GPU" }
}

#[cfg(feature = "cuda")]
fn cuda_device() -> Result<Device, ComputeError> {
    check_cuda(|library| shared_library(library).is_some(), |device| Path::new(device).exists())?;
    Ok(Device::cuda(burn::tensor::DeviceIndex::Default))
}

#[cfg(not(feature = "cuda"))]
fn cuda_device() -> Result<Device, ComputeError> {
    Err(ComputeError::NotBuilt)
}

/// Looks for what CUDA needs. The backend loads these libraries and opens the GPU at its first use, and panics without.
///
/// # Errors
/// The first that is missing.
#[cfg(any(test, feature = "cuda"))]
fn check_cuda(has_library: impl Fn(&str) -> bool, has_device: impl Fn(&str) -> bool) -> Result<(), ComputeError> {
    let libraries = [
        ("libcuda.so", "NVIDIA's driver", "install the driver"),
        ("libnvrtc.so", "of the CUDA toolkit", "install it or put its folder on LD_LIBRARY_PATH"),
    ];
    if let Some((library, part, remedy)) = libraries.into_iter().find(|(library, ..)| !has_library(library)) {
        return Err(ComputeError::Missing { library, part, remedy });
    }
    // Of the driver under Linux, and under WSL.
    if !["/dev/nvidiactl", "/dev/dxg"].into_iter().any(has_device) {
        return Err(ComputeError::NoGpu);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cuda_lacks_is_named_with_its_remedy() {
        assert_eq!(check_cuda(|_| true, |device| device == "/dev/dxg"), Ok(()));
        assert_eq!(check_cuda(|_| true, |_| false), Err(ComputeError::NoGpu));
        let without = |missing| check_cuda(|library| library != missing, |_| true).unwrap_err().to_string();
        assert!(without("libcuda.so").contains("install the driver"));
        assert!(without("libnvrtc.so").contains("LD_LIBRARY_PATH"));
    }

    #[test]
    fn the_processor_is_always_there() {
        assert_eq!(device_name(&compute_device(ComputeChoice::Cpu, 0).unwrap()), "processor");
        assert!(compute_device(ComputeChoice::Auto, 0).is_ok());
        #[cfg(not(feature = "cuda"))]
        assert_eq!(compute_device(ComputeChoice::Cuda, 0).unwrap_err(), ComputeError::NotBuilt);
    }
}
