//! `fude lr-find`: a learning rate to train with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use fude_runtime::package::Preprocessing;
use plotters::prelude::{ChartBuilder, IntoLogRange, LineSeries, PathElement};
use plotters::style::Color;
use serde::Serialize;

use super::data::{DataArguments, Part, glyph_side};
use super::outcome::rows;
use super::progress::{bar, say};
use super::recipe::{RecipeArguments, StageArguments};
use super::{CliError, Outcome};
use crate::dataset::Distortion;
use crate::files::write_atomically;
use crate::model::Network;
use crate::plot::{BLUE, GREY, ORANGE, PAPER, PlotError, svg};
use crate::train::{
    BatchStream, ComputeChoice, RATES, RangeTest, RatePoint, TrainConfig, TrainError, compute_device, range_test,
    set_learning_rate,
};

/// Size of the plot, in pixels.
const PLOT: (u32, u32) = (720, 400);

/// Find a learning rate: train while it rises from 1e-7 to 10, and see where the loss falls fastest.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude lr-find --data fonts:/usr/share/fonts --characters grade1
  fude lr-find --config digits.toml --accept && fude train --config digits.toml --out runs/digits")]
pub struct LrFindArguments {
    #[command(flatten)]
    pub recipe: RecipeArguments,
    /// Steps of the test.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(20..))]
    pub steps: u64,
    /// Where the plot is written.
    #[arg(long, value_name = "FILE.svg", default_value = "lr-find.svg")]
    pub plot: PathBuf,
    /// Write the suggestion into the configuration file as its `learning-rate`, without asking.
    #[arg(long, requires = "config")]
    pub accept: bool,
    /// Processor that trains.
    #[arg(long, value_enum, default_value_t)]
    pub device: ComputeChoice,
}

/// What the test came to.
#[derive(Debug, Serialize)]
struct Found<'a> {
    suggestion: Option<f64>,
    accepted: bool,
    diverged: bool,
    plot: &'a Path,
    points: &'a [RatePoint],
}

/// Runs the subcommand.
pub fn run(arguments: &LrFindArguments) -> Result<Outcome, CliError> {
    let config = arguments.recipe.resolve(&StageArguments::default(), |config| &mut config.float)?;
    let test = test(arguments, &config)?;
    let suggestion = test.suggestion();
    write_atomically(&arguments.plot, plot(&test)?.as_bytes())?;
    let accepted = match (&arguments.recipe.config, suggestion) {
        (Some(path), Some(rate)) if arguments.accept => set_learning_rate(path, rate).map(|()| true)?,
        _ => false,
    };
    let found =
        Found { suggestion, accepted, diverged: test.has_diverged(), plot: &arguments.plot, points: test.points() };
    let last = test.points().last().map_or(RATES.0, |point| point.rate);
    let ended = if found.diverged { format!("diverged at {last:.1e}") } else { format!("reached {last:.1e}") };
    let next = match (suggestion, &arguments.recipe.config) {
        (None, _) => "the loss fell nowhere: check the data, or give more --steps".to_owned(),
        (Some(_), Some(path)) if accepted => format!("fude train --config {} --out RUN", path.display()),
        (Some(rate), _) => format!("fude train --learning-rate {rate:e} …"),
    };
    let table = [
        ("suggestion", suggestion.map_or("none".to_owned(), |rate| format!("{rate:e}"))),
        ("test", format!("{} steps, {ended}", test.points().len())),
        ("plot", arguments.plot.display().to_string()),
        ("next", next),
    ];
    Ok(Outcome::new(&found, rows(&table))?.succeeding(suggestion.is_some()))
}

fn test(arguments: &LrFindArguments, config: &TrainConfig) -> Result<RangeTest, CliError> {
    let (preset, seed) = (config.model.preset, config.run.seed);
    let device = compute_device(arguments.device, seed)?;
    let dataset = DataArguments::from(&config.data).load(Part::Training, true)?;
    preset.check_classes(dataset.classes.len())?;
    let network = Network::new(preset.architecture(dataset.classes.len()), &device);
    let stream = BatchStream {
        preprocessing: Preprocessing::ink_box(preset.longer_side()),
        side: preset.side(),
        batch_size: config.float.batch * config.float.accumulate,
        seed,
        sampling: config.data.sampling.clone(),
        distortion: Distortion { side: glyph_side(&dataset.samples), ..config.data.distortion.distortion() },
        dataset: Arc::new(dataset),
    };
    let (samples, batch) = (stream.dataset.samples.len(), stream.batch_size);
    if stream.batches_per_epoch() == 0 {
        return Err(TrainError::TooFewSamples { samples, batch }.into());
    }
    let steps = arguments.steps as usize;
    say(&format!("{steps} steps at rates from {:e} to {:e}", RATES.0, RATES.1));
    let progress = bar(steps, "learning-rate range test");
    let epochs = steps.div_ceil(stream.batches_per_epoch());
    let batches = stream.start(0, epochs);
    let test = range_test(&network, batches, &config.float, (seed, steps), &device, |_| progress.inc(1));
    progress.finish_and_clear();
    Ok(test)
}

/// Loss over rate as an SVG document: every batch's, their mean, and the suggestion.
fn plot(test: &RangeTest) -> Result<String, PlotError> {
    let points = test.points();
    let first = points.first().map_or(1.0, |point| point.mean);
    let lowest = points.iter().map(|point| point.mean).fold(first, f64::min);
    // What diverges would flatten the rest.
    let (low, high) = (0.9 * lowest, 1.4 * first);
    let shown = |value: fn(&RatePoint) -> f64| {
        let pairs = points.iter().map(move |point| (point.rate, value(point)));
        pairs.take_while(move |&(_, loss)| loss <= high).collect::<Vec<_>>()
    };
    svg(PLOT, |area| {
        let suggestion = test.suggestion().map_or("none".to_owned(), |rate| format!("{rate:e}"));
        let caption = format!("Loss of each batch (grey), its mean (blue), suggestion {suggestion} (orange)");
        let mut chart = ChartBuilder::on(area)
            .caption(caption, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(52)
            .build_cartesian_2d((RATES.0..RATES.1).log_scale(), low..high)?;
        chart
            .configure_mesh()
            .x_desc("learning rate")
            .y_desc("loss")
            .x_label_formatter(&|rate| format!("{rate:.0e}"))
            .light_line_style(PAPER)
            .draw()?;
        chart.draw_series(LineSeries::new(shown(|point| point.loss.max(0.0)), GREY))?;
        chart.draw_series(LineSeries::new(shown(|point| point.mean), BLUE.stroke_width(2)))?;
        if let Some(rate) = test.suggestion() {
            chart.draw_series([PathElement::new([(rate, low), (rate, high)], ORANGE.stroke_width(2))])?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plot_shows_both_curves_and_the_suggestion() {
        let mut test = RangeTest::new(100);
        while let Some(rate) = test.next_rate() {
            test.record(1.2 - 1.0 / (1.0 + (-3.0 * (rate.log10() + 3.0)).exp()));
        }
        let svg = plot(&test).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for colour in ["#BBBBBB", "#1F5FBF", "#C2571A"] {
            assert!(svg.contains(colour), "{colour} is missing");
        }
        assert!(svg.contains("learning rate"));
        let mut flat = RangeTest::new(100);
        (0..100).for_each(|_| flat.record(1.0));
        assert!(!plot(&flat).unwrap().contains("#C2571A"));
    }
}
