//! Burn's full-screen display of training.

use std::sync::Arc;

use burn_train::Interrupter;
use burn_train::logger::TrainingProgressLogger;
use burn_train::metric::{
    MetricAttributes, MetricDefinition, MetricEntry, MetricId, NumericAttributes, NumericEntry, SerializedEntry,
};
use burn_train::renderer::tui::TuiMetricsRendererWrapper;
use burn_train::renderer::{MetricState, MetricsRenderer, MetricsRendererTraining};

use super::Length;
use crate::train::{EpochReport, Progress};

/// Curves in their order: name, unit, whether more is better.
const CURVES: [(&str, Option<&str>, bool); 4] =
    [("loss", None, false), ("top-1", Some("%"), true), ("rate", None, true), ("speed", Some("images/s"), true)];

/// The screen, which is given back when this is dropped.
pub struct Screen {
    length: Length,
    renderer: TuiMetricsRendererWrapper,
    interrupter: Interrupter,
}

impl Screen {
    /// Takes the screen.
    pub fn new(length: Length) -> Self {
        let interrupter = Interrupter::new();
        let mut renderer = TuiMetricsRendererWrapper::new(interrupter.clone(), None);
        for (name, unit, higher_is_better) in CURVES {
            renderer.register_metric(MetricDefinition {
                metric_id: id(name),
                name: Arc::new(name.to_owned()),
                description: None,
                attributes: MetricAttributes::Numeric(NumericAttributes {
                    unit: unit.map(str::to_owned),
                    higher_is_better,
                }),
            });
        }
        renderer.start(length.epochs, 1, Some(length.steps_per_epoch), None);
        renderer.start_split("train", length.steps_per_epoch);
        Self { length, renderer, interrupter }
    }

    /// A step was done. Whether the user has asked to stop.
    pub fn step_done(&mut self, progress: &Progress) -> bool {
        let done = (progress.step - 1) % self.length.steps_per_epoch + 1;
        self.renderer.update_train(curve("loss", progress.epoch_loss / done as f64));
        self.renderer.update_split(done);
        self.interrupter.should_stop()
    }

    /// An epoch ended.
    pub fn epoch_ended(&mut self, report: &EpochReport) {
        self.renderer.update_train(curve("rate", report.learning_rate));
        self.renderer.update_train(curve("speed", report.images_per_second));
        if let (Some(loss), Some(top1)) = (report.validation_loss, report.validation_top1) {
            self.renderer.update_valid(curve("loss", loss));
            self.renderer.update_valid(curve("top-1", 100.0 * top1));
        }
        self.renderer.update_epoch(report.epoch);
    }
}

fn id(name: &str) -> MetricId {
    MetricId::new(Arc::new(name.to_owned()))
}

/// The next point of a curve.
fn curve(name: &str, value: f64) -> MetricState {
    let text = if value.abs() < 0.01 { format!("{value:.2e}") } else { format!("{value:.3}") };
    let entry = MetricEntry::new(id(name), SerializedEntry::new(text, value.to_string()));
    MetricState::Numeric(entry, Some(NumericEntry::Value(value)))
}
