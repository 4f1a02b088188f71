//! Training as it stands between two steps, on disk.
//!
//! ```text
//! RUN/checkpoints/float-00001200.checkpoint      the latest of a stage, and some before it
//! RUN/checkpoints/float-best.checkpoint          where the samples held back for validation scored best
//! ```
//!
//! A checkpoint holds everything that later steps depend on, at full precision; what is random is drawn from (seed,
//! epoch, sample) and needs no storing. The file is postcard (a version, [`Progress`], the run's description, and the
//! weights and the optimiser's moments as Burn's own records) followed by the SHA-256 of all that. It is written beside
//! its place and renamed; one whose bytes do not match their hash is refused, never skipped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{EarlyStoppingState, EpochReport, ScheduleState, Stage};
use crate::files::{self, FileError, write_atomically};

/// Changes whenever a checkpoint of before cannot be read any more.
const VERSION: u32 = 1;
const HASH_BYTES: usize = 32;
const EXTENSION: &str = "checkpoint";

/// How far a stage has come.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    /// Sum of the losses of the epoch that has begun.
    pub epoch_loss: f64,
    /// Seconds of training, over all sittings.
    pub seconds: f64,
    /// Of these, the seconds that training waited for batches.
    pub seconds_waited: f64,
    /// Smallest loss of an epoch so far, that of validation where there is one, and the epoch that had it.
    pub best: Option<(f64, usize)>,
    /// What the learning rate's schedule remembers.
    pub schedule: ScheduleState,
    /// What early stopping remembers.
    pub stopping: EarlyStoppingState,
    /// Whether early stopping has ended training.
    pub stopped_early: bool,
    /// The epochs that have ended.
    pub history: Vec<EpochReport>,
}

/// Everything that the steps to come depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingState {
    /// How far the stage has come.
    pub progress: Progress,
    /// Steps of the whole stage.
    pub steps: usize,
    /// What is trained on what, as JSON: training goes on only where all of it is the same.
    pub description: String,
    /// Threads that computed. Sums over another number of threads may differ in their last bits.
    pub threads: usize,
    /// The weights, as Burn's record.
    pub network: Vec<u8>,
    /// The optimiser's moments, as Burn's record.
    pub optimizer: Vec<u8>,
    /// The moving average of the weights, where there is one.
    pub average: Option<Vec<u8>>,
}

/// Why training cannot go on from a checkpoint.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is none.
    #[error("{folder}: no checkpoint of {stage} training; leave --resume out to start it")]
    Missing {
        /// Where it was looked for.
        folder: PathBuf,
        /// `float` or `qat`.
        stage: &'static str,
    },
    /// The bytes are not those that were written.
    #[error("{path}: damaged ({problem}); {remedy}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// The checkpoint before it, or how to start again.
        remedy: String,
    },
    /// Training of something else.
    #[error("{path}: its training differs: {difference}; give the command it was started with, or --restart")]
    Other {
        /// The file.
        path: PathBuf,
        /// The first difference.
        difference: String,
    },
}

/// The checkpoints of one stage in a run's folder.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
    stage: &'static str,
}

impl Checkpoints {
    /// Those of `stage` in the run in `run`.
    pub fn new(run: &Path, stage: Stage) -> Self {
        Self { folder: run.join("checkpoints"), stage: stage.name() }
    }

    /// Writes the latest, and removes those before the `keep` latest.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write_latest(&self, state: &TrainingState, keep: usize) -> Result<(), CheckpointError> {
        self.write(&self.path(&format!("{:08}", state.progress.step)), state)?;
        for old in self.latest_first()?.into_iter().skip(keep.max(1)) {
            fs::remove_file(&old).map_err(|source| FileError::write(&old, source))?;
        }
        Ok(())
    }

    /// Writes the best so far.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write_best(&self, state: &TrainingState) -> Result<(), CheckpointError> {
        self.write(&self.best(), state)
    }

    /// The best one's file.
    pub fn best(&self) -> PathBuf {
        self.path("best")
    }

    /// Files of this stage but the best, the latest first.
    ///
    /// # Errors
    /// Where the folder is there but cannot be read.
    pub fn latest_first(&self) -> Result<Vec<PathBuf>, CheckpointError> {
        let mut steps = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|source| FileError::read(&self.folder, source))?,
        };
        for entry in entries {
            let path = entry.map_err(|source| FileError::read(&self.folder, source))?.path();
            steps.extend(self.step_of(&path).map(|step| (step, path)));
        }
        steps.sort_unstable();
        Ok(steps.into_iter().rev().map(|(_, path)| path).collect())
    }

    /// Reads the latest.
    ///
    /// # Errors
    /// Where there is none, or it is damaged: the one before it is named then, never taken unasked.
    pub fn read_latest(&self) -> Result<(PathBuf, TrainingState), CheckpointError> {
        let latest = self.latest_first()?.into_iter().next();
        let path = latest.ok_or(CheckpointError::Missing { folder: self.folder.clone(), stage: self.stage })?;
        let state = self.read(&path)?;
        Ok((path, state))
    }

    /// Reads one.
    ///
    /// # Errors
    /// Where it is missing or damaged.
    pub fn read(&self, path: &Path) -> Result<TrainingState, CheckpointError> {
        let bytes = files::read(path)?;
        parse(&bytes).map_err(|problem| {
            let remedy = match self.before(path) {
                Some(before) => format!("go on from the one before it: --resume={}", before.display()),
                None => "no whole one is before it: restore it, or start again with --restart".to_owned(),
            };
            CheckpointError::Damaged { path: path.to_owned(), problem, remedy }
        })
    }

    /// Removes all of this stage, the best among them.
    ///
    /// # Errors
    /// Where one cannot be removed.
    pub fn remove_all(&self) -> Result<(), CheckpointError> {
        let best = self.best();
        let files = self.latest_first()?.into_iter().chain(best.exists().then_some(best));
        for path in files {
            fs::remove_file(&path).map_err(|source| FileError::write(&path, source))?;
        }
        Ok(())
    }

    /// The latest whole one before `path`, or of all where `path` is the best.
    fn before(&self, path: &Path) -> Option<PathBuf> {
        let step = self.step_of(path).unwrap_or(usize::MAX);
        let is_before = |other: &PathBuf| self.step_of(other).is_some_and(|other| other < step);
        let mut others = self.latest_first().ok()?.into_iter().filter(is_before);
        others.find(|other| fs::read(other).is_ok_and(|bytes| parse(&bytes).is_ok()))
    }

    fn write(&self, path: &Path, state: &TrainingState) -> Result<(), CheckpointError> {
        let unserialisable = |error| FileError::write(path, io::Error::other(error));
        let mut bytes = postcard::to_stdvec(&(VERSION, state)).map_err(unserialisable)?;
        let hash = Sha256::digest(&bytes);
        bytes.extend(hash);
        Ok(write_atomically(path, &bytes)?)
    }

    fn path(&self, which: &str) -> PathBuf {
        self.folder.join(format!("{}-{which}.{EXTENSION}", self.stage))
    }

    /// The step in a file's name; `None` where it is none of this stage's.
    fn step_of(&self, path: &Path) -> Option<usize> {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix(self.stage)?.strip_prefix('-')?.strip_suffix(EXTENSION)?.strip_suffix('.')?.parse().ok()
    }
}

impl TrainingState {
    /// Whether no step is to come.
    pub const fn is_finished(&self) -> bool {
        self.progress.step >= self.steps || self.progress.stopped_early
    }

    /// Refuses to go on with what `description` says where that is not what the state is of.
    ///
    /// # Errors
    /// [`CheckpointError::Other`] with the first difference.
    pub fn check(&self, description: &str, path: &Path) -> Result<(), CheckpointError> {
        match difference(&self.description, description) {
            None => Ok(()),
            Some(difference) => Err(CheckpointError::Other { path: path.to_owned(), difference }),
        }
    }
}

/// Reads what [`Checkpoints::write`] wrote; the problem in words where these bytes are something else.
fn parse(bytes: &[u8]) -> Result<TrainingState, String> {
    let (content, hash) = bytes.split_last_chunk::<HASH_BYTES>().ok_or_else(|| "it is cut short".to_owned())?;
    if Sha256::digest(content).as_slice() != hash {
        return Err("its SHA-256 does not match".to_owned());
    }
    let (version, rest) = postcard::take_from_bytes::<u32>(content).map_err(|error| error.to_string())?;
    if version != VERSION {
        return Err(format!("version {version}, this program reads {VERSION}"));
    }
    postcard::from_bytes(rest).map_err(|error| error.to_string())
}

/// The first entry in which two JSON objects differ.
fn difference(stored: &str, asked: &str) -> Option<String> {
    if stored == asked {
        return None;
    }
    let object = |text| serde_json::from_str::<serde_json::Map<_, _>>(text).unwrap_or_default();
    let (stored, asked) = (object(stored), object(asked));
    let differs = |key: &&String| stored.get(*key) != asked.get(*key);
    let Some(key) = stored.keys().chain(asked.keys()).find(differs) else {
        return Some("its description is of another form".to_owned());
    };
    let shown = |value: Option<&serde_json::Value>| match value.map(ToString::to_string) {
        Some(text) if text.chars().count() <= 60 => text,
        Some(text) => format!("{}…", text.chars().take(60).collect::<String>()),
        None => "nothing".to_owned(),
    };
    Some(format!("{key} was {} and is now {}", shown(stored.get(key)), shown(asked.get(key))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(step: usize) -> TrainingState {
        let progress = Progress { step, epoch_loss: 0.1 + step as f64, best: Some((0.3, 1)), ..Progress::default() };
        let description = r#"{"seed":1,"epochs":4}"#.to_owned();
        TrainingState {
            progress,
            steps: 40,
            description,
            threads: 2,
            network: vec![1, 2, 3],
            optimizer: vec![4, 5],
            average: None,
        }
    }

    fn checkpoints() -> (tempfile::TempDir, Checkpoints) {
        let run = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(run.path(), Stage::Float);
        (run, checkpoints)
    }

    #[test]
    fn the_latest_are_kept_and_the_best_beside_them() {
        let (run, checkpoints) = checkpoints();
        checkpoints.write_best(&state(1)).unwrap();
        for step in [1, 2, 30, 4] {
            checkpoints.write_latest(&state(step), 2).unwrap();
        }
        let names: Vec<_> = checkpoints.latest_first().unwrap();
        let names: Vec<_> = names.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["float-00000030.checkpoint", "float-00000004.checkpoint"]);
        assert_eq!(checkpoints.read_latest().unwrap().1, state(30));
        assert_eq!(checkpoints.read(&checkpoints.best()).unwrap(), state(1));
        let qat = Checkpoints::new(run.path(), Stage::Qat { learn_ranges: true });
        assert!(matches!(qat.read_latest(), Err(CheckpointError::Missing { stage: "qat", .. })));
        checkpoints.remove_all().unwrap();
        assert!(matches!(checkpoints.read_latest(), Err(CheckpointError::Missing { stage: "float", .. })));
    }

    #[test]
    fn any_damage_is_refused_by_name_and_the_whole_one_before_is_offered() {
        let (_run, checkpoints) = checkpoints();
        for step in [1, 2, 3] {
            checkpoints.write_latest(&state(step), 3).unwrap();
        }
        let files = checkpoints.latest_first().unwrap();
        let whole = fs::read(&files[0]).unwrap();
        for damage in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[damage] ^= 0x10;
            fs::write(&files[0], bytes).unwrap();
            let error = checkpoints.read_latest().unwrap_err().to_string();
            assert!(error.starts_with(&files[0].display().to_string()), "byte {damage}: {error}");
            assert!(error.ends_with(&format!("--resume={}", files[1].display())), "byte {damage}: {error}");
        }
        for length in 0..whole.len() {
            fs::write(&files[0], &whole[..length]).unwrap();
            assert!(matches!(checkpoints.read_latest(), Err(CheckpointError::Damaged { .. })), "{length} bytes");
        }
        // The one before is damaged as well: the next is offered.
        fs::write(&files[1], b"").unwrap();
        assert!(checkpoints.read_latest().unwrap_err().to_string().ends_with(&files[2].display().to_string()));
        fs::write(&files[2], b"").unwrap();
        assert!(checkpoints.read_latest().unwrap_err().to_string().contains("--restart"));
    }

    #[test]
    fn another_version_is_named() {
        let mut bytes = postcard::to_stdvec(&(VERSION + 1, state(1))).unwrap();
        bytes.extend(Sha256::digest(&bytes));
        assert_eq!(parse(&bytes).unwrap_err(), "version 2, this program reads 1");
    }

    #[test]
    fn training_of_something_else_is_told_apart() {
        let path = Path::new("float-00000001.checkpoint");
        state(1).check(r#"{"seed":1,"epochs":4}"#, path).unwrap();
        let error = state(1).check(r#"{"seed":2,"epochs":4}"#, path).unwrap_err().to_string();
        assert!(error.contains("seed was 1 and is now 2"), "{error}");
        let error = state(1).check(r#"{"seed":1,"epochs":4,"mild":true}"#, path).unwrap_err().to_string();
        assert!(error.contains("mild was nothing and is now true"), "{error}");
    }
}
