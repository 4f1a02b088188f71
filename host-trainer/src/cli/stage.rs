//! One stage of training on the command line: progress, checkpoints, Ctrl-C, and going on from where it stopped.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::tensor::Device;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use thiserror::Error;

use super::data::{at_least_one, glyph_side};
use super::display::{Display, Length};
use super::outcome::rows;
use super::progress::say;
use super::{CliError, Outcome};
use crate::dataset::{Dataset, Distortion};
use crate::evaluate::image_of;
use crate::model::Network;
use crate::train::{
    Batch, BatchStream, Checkpoints, EpochReport, FitSettings, Fitted, Next, Observer, Progress, RunFolder, RunInfo,
    RunLock, Stage, Teacher, Training, TrainingState, device_name, image_to_input,
};

/// Exit status after Ctrl-C, as shells have it: 128 and the signal's number.
pub const INTERRUPTED_STATUS: u8 = 130;

/// One sitting of training: what it goes on from, saves and shows.
#[derive(Debug, Clone, Args)]
pub struct SittingArguments {
    /// Go on from the latest checkpoint, or from this one, exactly as if training had not been stopped.
    #[arg(long, value_name = "CHECKPOINT", num_args = 0..=1, require_equals = true, conflicts_with = "restart")]
    pub resume: Option<Option<PathBuf>>,
    /// Start again although training in this folder was stopped; its checkpoints are removed.
    #[arg(long)]
    pub restart: bool,
    /// Save a checkpoint whenever this many seconds have passed.
    #[arg(long, value_name = "S", default_value_t = 120.0)]
    pub checkpoint_seconds: f64,
    /// Keep this many checkpoints besides the best.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = at_least_one())]
    pub keep: usize,
    /// Show curves on the whole screen; `q` asks whether to stop. Needs a build with `--features tui`.
    #[arg(long)]
    pub tui: bool,
}

/// Training was stopped by its user.
#[derive(Debug, Error)]
#[error("stopped after step {step} of {steps} and saved in {run}; to go on, give the same command with --resume")]
pub struct Interrupted {
    run: String,
    step: usize,
    steps: usize,
}

/// What a stage of training came to.
#[derive(Debug, Serialize)]
pub struct StageOutcome {
    run: PathBuf,
    classes: usize,
    samples: usize,
    last_epoch: Option<EpochReport>,
}

impl StageOutcome {
    /// Samples of one pass.
    pub const fn samples(&self) -> usize {
        self.samples
    }

    /// Prints the last epoch and what to do next.
    pub fn outcome(&self, next: &str) -> Result<Outcome, CliError> {
        let mut table = vec![
            ("run", self.run.display().to_string()),
            ("classes", self.classes.to_string()),
            ("samples", self.samples.to_string()),
        ];
        if let Some(epoch) = &self.last_epoch {
            table.push(("loss", format!("{:.4}", epoch.loss)));
            if let Some(top1) = epoch.validation_top1 {
                table.push(("validation", super::outcome::percent(top1)));
            }
            table.push(("seconds", format!("{:.0}", epoch.seconds)));
            table.push(("images/s", format!("{:.0}", epoch.images_per_second)));
            table.push(("data wait", super::outcome::percent(epoch.waiting)));
        }
        table.push(("next", next.to_owned()));
        Outcome::new(self, rows(&table))
    }
}

/// Trains one stage on the first data set, measures every epoch on the second unless it is empty, and writes the run.
/// The caller holds the folder's lock.
pub fn run_stage(
    (folder, _lock): (&RunFolder, &RunLock),
    info: RunInfo,
    settings: FitSettings,
    network: Network,
    [dataset, held_back]: [Dataset; 2],
    device: &Device,
    arguments: &SittingArguments,
) -> Result<StageOutcome, CliError> {
    let validation = (!held_back.samples.is_empty()).then(|| preprocessed(&held_back, &info)).transpose()?;
    let config = &settings.config;
    let input = (info.preset.side(), info.preprocessing);
    let teacher = config.distillation.as_ref().map(|from| from.teacher(&info.classes, input, device)).transpose()?;
    let description = description(&info, &settings, &[&dataset, &held_back], teacher.as_ref())?;
    let stream = BatchStream {
        preprocessing: info.preprocessing,
        side: info.preset.side(),
        batch_size: config.batch * config.accumulate,
        // Another stage sees other distortions.
        seed: info.seed ^ u64::from(settings.stage != Stage::Float) << 32,
        distortion: Distortion { side: glyph_side(&dataset.samples), ..info.distortion.distortion() },
        sampling: info.sampling.clone(),
        dataset: Arc::new(dataset),
    };
    let parameters = network.num_params();
    let mut training =
        Training::new(network, stream, validation, settings.clone(), teacher, description.clone(), device)?;
    let checkpoints = Checkpoints::new(folder.path(), settings.stage);
    if let Some((path, state)) = start(&checkpoints, arguments)? {
        state.check(&description, &path)?;
        if state.threads != rayon::current_num_threads() {
            say(&format!(
                "note: {} threads computed so far and {} do now: sums may differ in their last bits",
                state.threads,
                rayon::current_num_threads()
            ));
        }
        say(&format!("going on from step {} ({})", state.progress.step, path.display()));
        training = training.resumed(&state)?;
    }
    let (parameters, epochs, device) = (parameters, config.epochs, device_name(device));
    say(&format!(
        "{parameters} parameters, {} samples, {} classes, {epochs} epochs, {device}",
        info.samples,
        info.classes.len()
    ));
    let steps = training.steps();
    let mut watch = Watch {
        display: Display::new(Length { steps_per_epoch: steps / epochs, epochs }, arguments.tui)?,
        stage: settings.stage,
        folder,
        checkpoints,
        keep: arguments.keep,
        save_every: Duration::from_secs_f64(arguments.checkpoint_seconds.clamp(0.0, 1e9)),
        saved: Instant::now(),
        interrupted: interrupted(),
    };
    let fitted = training.run(&mut watch);
    watch.display.close();
    let (network, progress) = match fitted? {
        Fitted::Done(network, progress) => (network, progress),
        Fitted::Stopped(step) => {
            return Err(Interrupted { run: folder.path().display().to_string(), step, steps }.into());
        }
    };
    folder.write(&info, settings.stage, &network)?;
    folder.write_history(settings.stage, &progress.history)?;
    Ok(StageOutcome {
        run: folder.path().to_owned(),
        classes: info.classes.len(),
        samples: info.samples,
        last_epoch: progress.history.last().copied(),
    })
}

/// The checkpoint to go on from. Training that was stopped is neither gone on with nor thrown away unasked.
fn start(
    checkpoints: &Checkpoints,
    arguments: &SittingArguments,
) -> Result<Option<(PathBuf, TrainingState)>, CliError> {
    match &arguments.resume {
        Some(Some(path)) => return Ok(Some((path.clone(), checkpoints.read(path)?))),
        Some(None) => return Ok(Some(checkpoints.read_latest()?)),
        None => {}
    }
    if !arguments.restart && !checkpoints.latest_first()?.is_empty() {
        let (path, state) = checkpoints.read_latest()?;
        let step = state.progress.step;
        if !state.is_finished() {
            let what = format!("{}: training was stopped after step {step} of {}", path.display(), state.steps);
            return Err(format!("{what}; give --resume to go on, or --restart to throw it away").into());
        }
    }
    checkpoints.remove_all()?;
    Ok(None)
}

/// All that training depends on, as JSON; not what the model is called or where the data lies.
fn description(
    info: &RunInfo,
    settings: &FitSettings,
    data: &[&Dataset],
    teacher: Option<&Teacher>,
) -> Result<String, CliError> {
    let mut description = serde_json::to_value(info)?;
    description["name"].take();
    description["data"] = data.iter().map(|dataset| dataset.digest()).collect();
    description["stage"] = json!(settings);
    description["teacher"] = json!(teacher.map(Teacher::sha256));
    Ok(description.to_string())
}

/// All samples of `dataset` as the network's input.
fn preprocessed(dataset: &Dataset, info: &RunInfo) -> Result<Batch, CliError> {
    let mut batch = Batch { pixels: Vec::new(), labels: Vec::new() };
    for sample in &dataset.samples {
        let Some(label) = sample.label else { continue };
        batch.pixels.extend(image_to_input(&image_of(&sample.glyph)?, info.preprocessing, info.preset.side()));
        batch.labels.push(label);
    }
    Ok(batch)
}

/// Set by the first Ctrl-C or SIGTERM; the second ends the process.
fn interrupted() -> Arc<AtomicBool> {
    static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let register = || {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset. Where no handler can be set, a signal ends the
            // process at once, and the latest checkpoint is what is left.
            let _ =
                flag::register_conditional_shutdown(signal, i32::from(INTERRUPTED_STATUS), Arc::clone(&interrupted));
            let _ = flag::register(signal, Arc::clone(&interrupted));
        }
        interrupted
    };
    Arc::clone(INTERRUPTED.get_or_init(register))
}

/// Shows and saves what training does.
struct Watch<'a> {
    display: Display,
    stage: Stage,
    folder: &'a RunFolder,
    checkpoints: Checkpoints,
    keep: usize,
    save_every: Duration,
    saved: Instant,
    interrupted: Arc<AtomicBool>,
}

impl Observer for Watch<'_> {
    fn step_done(&mut self, progress: &Progress) -> Result<Next, CliError> {
        let is_asked_to_stop = self.display.step_done(progress);
        let must_save = self.saved.elapsed() >= self.save_every;
        if is_asked_to_stop || self.interrupted.load(Ordering::Relaxed) {
            self.display.close();
            say("stopping: saving (once more to stop at once)");
            return Ok(Next::Stop);
        }
        Ok(if must_save { Next::Save } else { Next::GoOn })
    }

    fn epoch_ended(&mut self, progress: &Progress) -> Result<(), CliError> {
        self.folder.write_history(self.stage, &progress.history)?;
        if let Some(report) = progress.history.last() {
            self.display.epoch_ended(progress, report);
        }
        Ok(())
    }

    fn best(&mut self) -> Result<TrainingState, CliError> {
        Ok(self.checkpoints.read(&self.checkpoints.best())?)
    }

    fn save(&mut self, state: &TrainingState, is_best: bool) -> Result<(), CliError> {
        if is_best {
            self.checkpoints.write_best(state)?;
        } else {
            self.checkpoints.write_latest(state, self.keep)?;
            self.saved = Instant::now();
        }
        Ok(())
    }
}
