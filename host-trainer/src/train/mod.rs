//! Training: batches, the loop, checkpoints, and measuring what came out.
//!
//! ```text
//!  Dataset ─► BatchStream (worker threads: distort, normalise) ─► Training ─► RunFolder
//!                                                                  │   ▲        run.json, *.safetensors, history.jsonl
//!                                             after any step: save │   │ resume
//!                                                                  ▼   │
//!                                                                Checkpoints
//! ```
//!
//! Everything random is drawn from (seed, epoch, sample), so the same command gives the same batches, and a
//! run that was killed goes on to the bit as if it had not been.

mod batches;
mod checkpoint;
mod compute;
mod config;
mod distill;
mod early_stopping;
mod ema;
mod fit;
mod learner;
mod lock;
mod lr_find;
mod optimizer;
mod run_folder;
mod schedule;
mod stage;

pub use batches::{Batch, BatchStream, Batches, image_to_input};
pub use checkpoint::{CheckpointError, Checkpoints, Progress, TrainingState};
pub use compute::{ComputeChoice, ComputeError, compute_device, device_name};
pub use config::{
    ConfigError, DataConfig, DistortionStrength, ModelConfig, Precision, QuantizationConfig, RunConfig, StageConfig,
    TrainConfig, by_name, set_learning_rate, toml_fault,
};
pub use distill::{Distillation, Teacher, TeacherError, distillation_loss};
pub use early_stopping::{EarlyStopping, EarlyStoppingState, Verdict};
pub use ema::WeightAverage;
pub use fit::{Fitted, Next, Observer, TrainError, Training};
pub use learner::{Learner, Step};
pub use lock::{LockError, RunLock};
pub use lr_find::{RATES, RangeTest, RatePoint, range_test};
pub use optimizer::{GradientAccumulator, OptimizerSettings, WeightDecay, clip_by_norm, clip_by_value};
pub use run_folder::{Checkpoint, RunFolder, RunFolderError, RunInfo};
pub use schedule::{Schedule, ScheduleState};
pub use stage::{EpochReport, FitSettings, Stage};
