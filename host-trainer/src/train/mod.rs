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
mod fit;
mod lock;
mod run_folder;
mod schedule;
mod stage;

pub use batches::{Batch, BatchStream, Batches, image_to_input};
pub use checkpoint::{CheckpointError, Checkpoints, Progress, TrainingState};
pub use compute::{ComputeChoice, ComputeError, compute_device, device_name};
pub use fit::{Fitted, Next, Observer, TrainError, Training};
pub use lock::{LockError, RunLock};
pub use run_folder::{Checkpoint, RunFolder, RunFolderError, RunInfo};
pub use schedule::cosine_with_warm_up;
pub use stage::{EpochReport, FitSettings, Stage};
