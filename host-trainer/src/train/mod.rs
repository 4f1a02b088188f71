//! Training: batches, the loop, checkpoints, and measuring what came out.
//!
//! ```text
//!  Dataset ─► BatchStream (worker thread: distort, normalise) ─► fit ─► RunFolder
//!                                                                  │    run.json, *.safetensors, history.jsonl
//!                                                   evaluate ◄─────┘
//! ```
//!
//! Everything random is drawn from (seed, epoch, sample), so the same command gives the same batches.

mod batches;
mod compute;
mod config;
mod distill;
mod early_stopping;
mod ema;
mod fit;
mod lr_find;
mod optimizer;
mod run_folder;
mod schedule;

pub use batches::{Batch, BatchStream, image_to_input};
pub use compute::{ComputeChoice, ComputeError, compute_device, device_name};
pub use config::{
    ConfigError, DataConfig, DistortionStrength, ModelConfig, QuantizationConfig, RunConfig, StageConfig, TrainConfig,
    by_name, set_learning_rate,
};
pub use distill::{Distillation, Teacher, TeacherError, distillation_loss};
pub use early_stopping::{EarlyStopping, EarlyStoppingState, Verdict};
pub use ema::WeightAverage;
pub use fit::{EpochReport, FitSettings, Stage, TrainError, fit};
pub use lr_find::{RATES, RangeTest, RatePoint, range_test};
pub use optimizer::{GradientAccumulator, OptimizerSettings, WeightDecay, clip_by_norm, clip_by_value};
pub use run_folder::{Checkpoint, RunFolder, RunFolderError, RunInfo};
pub use schedule::{Schedule, ScheduleState};
