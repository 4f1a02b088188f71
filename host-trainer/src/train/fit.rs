//! The training loop, for floats and for fake quantisation alike.
//!
//! A stage can stop after any step and go on in another process, to the bit: what later steps depend on is in a
//! [`TrainingState`], and nothing else is.

use std::error::Error;
use std::time::Instant;

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::store::RecordError;
use burn::tensor::Device;
use thiserror::Error as ThisError;

use super::learner::tensors;
use super::{
    Batch, BatchStream, EpochReport, FitSettings, Learner, Progress, Step, Teacher, TrainingState, Verdict,
    WeightAverage,
};
use crate::model::{Mode, Network};
use crate::quantize::{Range, RangeSource};

/// Glyphs that are validated at a time.
const VALIDATION_BATCH: usize = 64;

/// What the loop tells, and asks, between two steps. An error ends training.
pub trait Observer {
    /// A step was done.
    fn step_done(&mut self, progress: &Progress) -> Result<Next, Box<dyn Error>>;

    /// An epoch ended; its report is the history's last.
    fn epoch_ended(&mut self, progress: &Progress) -> Result<(), Box<dyn Error>>;

    /// `state` is to be kept as the latest or, with `is_best`, as that of the smallest loss.
    fn save(&mut self, state: &TrainingState, is_best: bool) -> Result<(), Box<dyn Error>>;

    /// The state that was last saved as the best.
    fn best(&mut self) -> Result<TrainingState, Box<dyn Error>>;
}

/// What to do before the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    GoOn,
    /// Save.
    Save,
    /// Save and stop.
    Stop,
}

/// How the loop ended.
#[derive(Debug)]
pub enum Fitted {
    /// All epochs are done; the network is without automatic differentiation.
    Done(Box<Network>, Progress),
    /// The observer stopped it after this many steps; the state was saved.
    Stopped(usize),
}

/// Why training stopped.
#[derive(Debug, ThisError)]
pub enum TrainError {
    /// The loss is not a number any more.
    #[error("training diverged in epoch {epoch}: the loss is not finite; lower --learning-rate")]
    Diverged {
        /// The epoch.
        epoch: usize,
    },
    /// An epoch would have no batch.
    #[error("{samples} training samples do not fill one batch of {batch}; lower --batch or add data")]
    TooFewSamples {
        /// Samples there are.
        samples: usize,
        /// Samples of a batch.
        batch: usize,
    },
    /// Burn cannot write or read its own records.
    #[error("the weights and moments cannot be saved or restored: {0}")]
    Record(#[from] RecordError),
    /// The observer failed.
    #[error(transparent)]
    Observer(#[from] Box<dyn Error>),
}

/// A stage of training between two steps.
pub struct Training {
    stream: BatchStream,
    /// Preprocessed glyphs that are never trained on.
    validation: Option<Batch>,
    settings: FitSettings,
    description: String,
    device: Device,
    learner: Learner,
    mode: Mode,
    average: Option<WeightAverage>,
    progress: Progress,
}

impl Training {
    /// Training of `network` before its first step. Every batch of `stream` is one step, of as many micro-batches as the
    /// settings accumulate. `device` is without automatic differentiation; `description` says in JSON what is trained on
    /// what.
    ///
    /// # Errors
    /// [`TrainError::TooFewSamples`].
    pub fn new(
        network: Network,
        stream: BatchStream,
        validation: Option<Batch>,
        settings: FitSettings,
        teacher: Option<Teacher>,
        description: String,
        device: &Device,
    ) -> Result<Self, TrainError> {
        if stream.batches_per_epoch() == 0 {
            let (samples, batch) = (stream.dataset.samples.len(), stream.batch_size);
            return Err(TrainError::TooFewSamples { samples, batch });
        }
        let config = &settings.config;
        let steps = stream.batches_per_epoch() * config.epochs;
        let learner = Learner::new(network, config, teacher, device);
        Ok(Self {
            mode: settings.mode(0, steps),
            average: config.ema.map(|decay| WeightAverage::new(decay, learner.network())),
            learner,
            progress: Progress::default(),
            stream,
            validation,
            settings,
            description,
            device: device.clone(),
        })
    }

    /// The same training after the steps that `state` has done.
    ///
    /// # Errors
    /// [`TrainError::Record`] where the state is of another network.
    pub fn resumed(self, state: &TrainingState) -> Result<Self, TrainError> {
        let steps = self.steps();
        let learner = self.learner.restored(&state.network, &state.optimizer)?;
        let average = match (self.settings.config.ema, &state.average) {
            (Some(decay), Some(bytes)) => Some(WeightAverage::from_bytes(decay, learner.network(), bytes)?),
            _ => None,
        };
        Ok(Self {
            learner,
            average,
            mode: self.settings.mode(state.progress.step.saturating_sub(1), steps),
            progress: state.progress.clone(),
            ..self
        })
    }

    /// Steps in all.
    pub fn steps(&self) -> usize {
        self.stream.batches_per_epoch() * self.settings.config.epochs
    }

    /// What the steps to come depend on.
    ///
    /// # Errors
    /// [`TrainError::Record`].
    pub fn state(&self) -> Result<TrainingState, TrainError> {
        Ok(TrainingState {
            progress: self.progress.clone(),
            steps: self.steps(),
            description: self.description.clone(),
            threads: rayon::current_num_threads(),
            network: self.learner.weights()?,
            optimizer: self.learner.moments()?,
            average: self.average.as_ref().map(WeightAverage::to_bytes).transpose()?,
        })
    }

    /// Trains to the end, or until `observer` stops it.
    ///
    /// # Errors
    /// [`TrainError`].
    pub fn run(mut self, observer: &mut impl Observer) -> Result<Fitted, TrainError> {
        let steps_per_epoch = self.stream.batches_per_epoch();
        let before = (self.progress.seconds, self.progress.seconds_waited);
        let started = Instant::now();
        let mut waited = 0.0;
        let mut batches = self.stream.clone().start(self.progress.step, self.settings.config.epochs);
        while !self.progress.stopped_early {
            let waiting = Instant::now();
            let Some(batch) = batches.next() else { break };
            waited += waiting.elapsed().as_secs_f64();
            self = self.stepped(&batch);
            self.progress.seconds = before.0 + started.elapsed().as_secs_f64();
            self.progress.seconds_waited = before.1 + waited;
            let next = observer.step_done(&self.progress)?;
            if self.progress.step.is_multiple_of(steps_per_epoch) {
                let is_best = self.end_epoch()?;
                if is_best && (self.validation.is_some() || self.settings.config.early_stopping.is_some()) {
                    observer.save(&self.state()?, true)?;
                }
                observer.epoch_ended(&self.progress)?;
            }
            let is_last = self.progress.step == self.steps() || self.progress.stopped_early;
            if next != Next::GoOn || is_last {
                observer.save(&self.state()?, false)?;
            }
            if next == Next::Stop && !is_last {
                return Ok(Fitted::Stopped(self.progress.step));
            }
        }
        let progress = self.progress.clone();
        if self.settings.config.early_stopping.is_some() {
            self = self.resumed(&observer.best()?)?;
        }
        Ok(Fitted::Done(Box::new(self.evaluated()), progress))
    }

    /// One step further.
    fn stepped(mut self, batch: &Batch) -> Self {
        let number = self.progress.step;
        let mode = self.settings.mode(number, self.steps());
        let step = Step { mode, learning_rate: self.learning_rate(number), seed: self.stream.seed, number };
        let before = self.mode;
        let (learner, loss) = self.learner.with_network(|network| entering(mode, before, network)).step(batch, step);
        if let Some(average) = &mut self.average {
            average.update(learner.network());
        }
        self.progress.epoch_loss += loss;
        self.progress.step += 1;
        Self { learner, mode, ..self }
    }

    /// The network as it is evaluated: the average of its weights where there is one, without automatic differentiation.
    fn evaluated(&self) -> Network {
        let network = match &self.average {
            Some(average) => average.network().clone(),
            None => self.learner.network().valid(),
        };
        // A run of one step ends before ranges are learned.
        entering(self.settings.stage.evaluation_mode(), self.mode, network)
    }

    fn learning_rate(&self, step: usize) -> f64 {
        let config = &self.settings.config;
        config.schedule.rate(config.learning_rate, step, self.steps(), &self.progress.schedule)
    }

    /// Validates and adds the epoch to the history; whether it is the best so far.
    fn end_epoch(&mut self) -> Result<bool, TrainError> {
        let steps_per_epoch = self.stream.batches_per_epoch();
        let epoch = self.progress.step / steps_per_epoch;
        let loss = self.progress.epoch_loss / steps_per_epoch as f64;
        if !loss.is_finite() {
            return Err(TrainError::Diverged { epoch });
        }
        let validation = self.validation.as_ref().map(|samples| self.validate(samples));
        let learning_rate = self.learning_rate(self.progress.step - 1);
        let progress = &mut self.progress;
        progress.epoch_loss = 0.0;
        progress.history.push(EpochReport {
            stage: self.settings.stage,
            epoch,
            loss,
            learning_rate,
            seconds: progress.seconds,
            images_per_second: (progress.step * self.stream.batch_size) as f64 / progress.seconds,
            waiting: progress.seconds_waited / progress.seconds,
            validation_loss: validation.map(|(loss, _)| loss),
            validation_top1: validation.map(|(_, top1)| top1),
        });
        let loss = validation.map_or(loss, |(loss, _)| loss);
        let is_best = progress.best.is_none_or(|(best, _)| loss < best);
        if is_best {
            progress.best = Some((loss, epoch));
        }
        let config = &self.settings.config;
        progress.schedule.epoch_ended(&config.schedule, loss);
        if let Some(stopping) = &config.early_stopping {
            progress.stopped_early = progress.stopping.epoch_ended(stopping, loss) == Verdict::Stop;
        }
        Ok(is_best)
    }

    /// Mean loss and share of right answers.
    fn validate(&self, samples: &Batch) -> (f64, f64) {
        let network = self.evaluated();
        let loss_function = CrossEntropyLossConfig::new().init(&self.device);
        let side = self.stream.side;
        let (mut loss, mut right) = (0.0, 0.0);
        for part in samples.parts(VALIDATION_BATCH, side) {
            let (glyphs, truth) = tensors(part, side, &self.device);
            let logits = network.forward(glyphs, self.settings.stage.evaluation_mode());
            let answers = logits.clone().argmax(1).flatten::<1>(0, 1);
            right += f64::from(answers.equal(truth.clone()).float().sum().into_scalar::<f32>());
            loss += f64::from(loss_function.forward(logits, truth).into_scalar::<f32>()) * part.labels.len() as f64;
        }
        let count = samples.labels.len().max(1) as f64;
        (loss / count, right / count)
    }
}

/// The network as it goes from mode `from` to mode `to`: learned ranges start from the observed ones.
fn entering(to: Mode, from: Mode, mut network: Network) -> Network {
    if to != from && to == Mode::FakeQuantized(RangeSource::Learned) {
        network.ranges = network.ranges.into_iter().map(Range::start_learning).collect();
    }
    network
}
