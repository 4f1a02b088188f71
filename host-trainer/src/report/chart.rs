//! Curves over the epochs of a run, as SVG.

use plotters::prelude::{ChartBuilder, Circle, EmptyElement, LineSeries, PathElement, RGBColor, Text};
use plotters::style::Color;
use plotters::style::text_anchor::HPos;

use super::history::{History, HistoryEpoch};
use super::metrics::{Form, Metrics};
use crate::plot::{self, Area, BLUE, GREEN, GRID, INK, ORANGE, PAPER, PlotError, svg, text};

/// Size in pixels; narrow, so that the lettering stays legible where a telephone scales the chart down.
const SIZE: (u32, u32) = (440, 300);
/// Height of the legend.
const LEGEND: u32 = 30;
/// Width of the lettering left of the values' axis: that of "100.00 %".
const LETTERING_LEFT: u32 = 76;

/// One curve: epochs counted through both stages, from 1, and values.
struct Series {
    name: &'static str,
    colour: RGBColor,
    points: Vec<(i32, f64)>,
}

/// What a chart's values are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantity {
    /// From 0 upwards.
    Amount,
    /// From 0 upwards, over many orders of magnitude.
    Rate,
    /// Near 1, shown as percentages.
    Accuracy,
}

struct Chart {
    series: Vec<Series>,
    quantity: Quantity,
    /// Epochs of the float stage and of both.
    stages: (i32, i32),
}

/// The chart of training loss, and of validation loss where it was measured.
///
/// # Errors
/// [`PlotError`] where it cannot be drawn.
pub fn loss(history: &History) -> Result<String, PlotError> {
    let series = vec![
        Series { name: "training loss", colour: BLUE, points: points(history, |epoch| epoch.loss) },
        Series { name: "validation loss", colour: ORANGE, points: points(history, |epoch| epoch.validation_loss) },
    ];
    Chart::of(history, Quantity::Amount, series).draw()
}

/// The chart of the learning rate at the end of each epoch.
///
/// # Errors
/// [`PlotError`] where it cannot be drawn.
pub fn learning_rate(history: &History) -> Result<String, PlotError> {
    let points = points(history, |epoch| epoch.learning_rate);
    Chart::of(history, Quantity::Rate, vec![Series { name: "learning rate", colour: BLUE, points }]).draw()
}

/// The chart of validation accuracy where it was measured, and of what the report measured at the end of the stages.
///
/// # Errors
/// [`PlotError`] where it cannot be drawn.
pub fn accuracy(metrics: &Metrics) -> Result<String, PlotError> {
    let history = &metrics.training.history;
    let (float, all) = (history.float_epochs() as i32, history.epochs.len() as i32);
    let measured = |form: Form, epoch: i32| metrics.form(form).map(|form| (epoch, form.top1)).into_iter().collect();
    let series = vec![
        Series { name: "validation", colour: BLUE, points: points(history, |epoch| epoch.validation_top1) },
        Series { name: "float, reported", colour: ORANGE, points: measured(Form::Float, float) },
        Series { name: "INT8, reported", colour: GREEN, points: measured(Form::Int8, all) },
    ];
    Chart::of(history, Quantity::Accuracy, series).draw()
}

fn points(history: &History, value: fn(&HistoryEpoch) -> Option<f64>) -> Vec<(i32, f64)> {
    let values = history.epochs.iter().zip(1..).filter_map(|(epoch, number)| Some((number, value(epoch)?)));
    values.filter(|(_, value)| value.is_finite()).collect()
}

impl Chart {
    fn of(history: &History, quantity: Quantity, mut series: Vec<Series>) -> Self {
        series.retain(|series| !series.points.is_empty());
        let stages = (history.float_epochs() as i32, (history.epochs.len() as i32).max(1));
        Self { series, quantity, stages }
    }

    /// The chart as an SVG document.
    fn draw(&self) -> Result<String, PlotError> {
        svg(SIZE, |area| self.draw_into(area))
    }

    fn draw_into(&self, area: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
        let (legend, curves) = area.split_vertically(LEGEND);
        if self.series.is_empty() {
            let middle = (SIZE.0 as i32 / 2, (SIZE.1 - LEGEND) as i32 / 2);
            curves.draw(&Text::new("not recorded in this run", middle, text(HPos::Center)))?;
            return Ok(());
        }
        let names = self.series.iter().map(|series| (series.name, series.colour));
        plot::legend(&legend, (LETTERING_LEFT as i32, LEGEND as i32 / 2 + 2), names)?;

        let (low, high) = self.bounds();
        let (float, end) = self.stages;
        let mut chart = ChartBuilder::on(&curves)
            .margin_right(16)
            .margin_top(6)
            .x_label_area_size(44)
            .y_label_area_size(LETTERING_LEFT)
            .build_cartesian_2d(0..end, low..high)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(PAPER)
            .bold_line_style(GRID)
            .axis_style(INK)
            .x_labels(8)
            .y_labels(5)
            .x_desc("epoch")
            .y_label_formatter(&|value| self.lettering(*value, high - low))
            .label_style(text(HPos::Left))
            .axis_desc_style(text(HPos::Left))
            .draw()?;
        if (1..end).contains(&float) {
            let rule = vec![(float, low), (float, high)];
            chart.draw_series([PathElement::new(rule, INK.stroke_width(1))])?;
            // Beside the rule, on its roomier side, a little below the top.
            let (place, position) = if 2 * float < end { (5, HPos::Left) } else { (-5, HPos::Right) };
            let name = EmptyElement::at((float, high)) + Text::new("QAT", (place, 9), text(position));
            chart.draw_series([name])?;
        }
        for series in &self.series {
            chart.draw_series(LineSeries::new(series.points.iter().copied(), series.colour.stroke_width(2)))?;
            chart.draw_series(series.points.iter().map(|&point| Circle::new(point, 3, series.colour.filled())))?;
        }
        Ok(())
    }

    /// Lower and upper end of the values' axis.
    fn bounds(&self) -> (f64, f64) {
        let values = || self.series.iter().flat_map(|series| &series.points).map(|&(_, value)| value);
        if self.quantity == Quantity::Accuracy {
            let lowest = values().fold(1.0, f64::min);
            let room = (1.0 - lowest).max(0.005) * 1.25;
            return ((1.0 - room).max(0.0), 1.0);
        }
        let highest = values().fold(0.0, f64::max);
        (0.0, if highest > 0.0 { highest * 1.08 } else { 1.0 })
    }

    fn lettering(&self, value: f64, span: f64) -> String {
        match self.quantity {
            Quantity::Accuracy if span < 0.02 => format!("{:.2} %", 100.0 * value),
            Quantity::Accuracy if span < 0.2 => format!("{:.1} %", 100.0 * value),
            Quantity::Accuracy => format!("{:.0} %", 100.0 * value),
            Quantity::Rate if value != 0.0 => format!("{value:.1e}"),
            Quantity::Rate => "0".to_owned(),
            Quantity::Amount if span < 0.5 => format!("{value:.3}"),
            Quantity::Amount => format!("{value:.2}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(stages: &[(&str, usize)]) -> History {
        let epochs = stages.iter().flat_map(|&(stage, count)| {
            (1..=count).map(move |epoch| HistoryEpoch {
                stage: stage.to_owned(),
                epoch,
                loss: Some(1.0 / epoch as f64),
                learning_rate: Some(1e-3),
                validation_loss: (stage == "qat").then_some(0.25),
                validation_top1: None,
                images_per_second: None,
            })
        });
        History { epochs: epochs.collect(), unreadable_lines: 0 }
    }

    #[test]
    fn every_epoch_has_its_point_and_every_curve_its_name() {
        let svg = loss(&history(&[("float", 3), ("qat", 2)])).unwrap();
        assert_eq!(svg.matches("<circle").count(), 5 + 2);
        for part in ["training loss", "validation loss", "QAT", "epoch", "</svg>"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        // One stage has no border to another.
        assert!(!loss(&history(&[("float", 3)])).unwrap().contains("QAT"));
    }

    #[test]
    fn what_was_not_recorded_is_said_to_be_so() {
        for svg in [loss(&History::default()), learning_rate(&History::default())] {
            assert!(svg.unwrap().contains("not recorded"));
        }
    }

    #[test]
    fn a_loss_that_is_no_number_is_left_out() {
        let mut diverged = history(&[("float", 3)]);
        diverged.epochs[1].loss = Some(f64::INFINITY);
        diverged.epochs[2].loss = Some(f64::NAN);
        let svg = loss(&diverged).unwrap();
        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(svg.contains("1.00"), "the axis is that of the number that is left: {svg}");
    }

    #[test]
    fn axes_reach_from_nought_or_to_a_hundred_per_cent() {
        let chart = |quantity, values: &[f64]| {
            let points = values.iter().zip(1..).map(|(&value, number)| (number, value)).collect();
            let series = vec![Series { name: "x", colour: BLUE, points }];
            Chart { series, quantity, stages: (1, 1) }.bounds()
        };
        assert_eq!(chart(Quantity::Amount, &[2.0, 1.0]), (0.0, 2.16));
        assert_eq!(chart(Quantity::Amount, &[0.0]), (0.0, 1.0));
        assert_eq!(chart(Quantity::Accuracy, &[0.2, 0.6]), (0.0, 1.0));
        assert_eq!(chart(Quantity::Accuracy, &[1.0]), (1.0 - 0.00625, 1.0));
    }
}
