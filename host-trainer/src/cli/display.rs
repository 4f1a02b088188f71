//! What people see while a stage is trained: a bar and lines, or the whole screen.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar};

use super::CliError;
use super::progress::{bar, say};
use crate::train::{EpochReport, Progress};

#[cfg(feature = "tui")]
mod screen;

/// How often a log file hears of a long epoch.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// How long a stage is.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    /// Steps of an epoch.
    pub steps_per_epoch: usize,
    /// Epochs.
    pub epochs: usize,
}

impl Length {
    /// Steps in all.
    const fn steps(self) -> usize {
        self.steps_per_epoch * self.epochs
    }
}

/// Shows training.
pub struct Display {
    length: Length,
    bar: ProgressBar,
    spoken: Instant,
    #[cfg(feature = "tui")]
    screen: Option<screen::Screen>,
}

impl Display {
    /// A display of a stage of this length, which takes the whole screen if `full_screen`.
    ///
    /// # Errors
    /// Where it is to take the screen and there is none, or this program was built without.
    pub fn new(length: Length, full_screen: bool) -> Result<Self, CliError> {
        if full_screen && cfg!(not(feature = "tui")) {
            return Err("this fude was built without --tui; build it with `--features tui`, or leave --tui out".into());
        }
        if full_screen && !(io::stdout().is_terminal() && io::stdin().is_terminal()) {
            return Err("--tui needs a terminal to draw on and to read keys from; leave it out".into());
        }
        let bar = if full_screen { ProgressBar::hidden() } else { bar(length.steps(), "training (batches)") };
        Ok(Self {
            length,
            bar,
            spoken: Instant::now(),
            #[cfg(feature = "tui")]
            screen: full_screen.then(|| screen::Screen::new(length)),
        })
    }

    /// A step was done. Whether the user has asked on the screen to stop.
    pub fn step_done(&mut self, progress: &Progress) -> bool {
        #[cfg(feature = "tui")]
        if let Some(screen) = &mut self.screen {
            return screen.step_done(progress);
        }
        self.bar.set_position(progress.step as u64);
        if self.spoken.elapsed() > LINE_EVERY && !io::stderr().is_terminal() {
            self.line(progress, &format!("step {:>6}/{}", progress.step, self.length.steps()));
        }
        false
    }

    /// An epoch ended.
    pub fn epoch_ended(&mut self, progress: &Progress, report: &EpochReport) {
        #[cfg(feature = "tui")]
        if let Some(screen) = &mut self.screen {
            return screen.epoch_ended(report);
        }
        // Every line on a terminal would bury what came before; a log keeps about ten.
        let epochs = self.length.epochs;
        if report.epoch == epochs || report.epoch.is_multiple_of(epochs.div_ceil(10)) {
            let mut line = format!("epoch {:>3}/{epochs}  loss {:.4}", report.epoch, report.loss);
            if let (Some(loss), Some(top1)) = (report.validation_loss, report.validation_top1) {
                line += &format!("  validation {loss:.4}, {:.2} %", 100.0 * top1);
            }
            line += &format!("  rate {:.1e}  {:.0} images/s", report.learning_rate, report.images_per_second);
            self.line(progress, &line);
        }
    }

    /// Gives the terminal back.
    pub fn close(&mut self) {
        self.bar.finish_and_clear();
        #[cfg(feature = "tui")]
        drop(self.screen.take());
    }

    /// A line that stays; a log file sees it as well.
    fn line(&mut self, progress: &Progress, line: &str) {
        let per_step = progress.seconds / progress.step.max(1) as f64;
        let left = Duration::from_secs_f64(per_step * self.length.steps().saturating_sub(progress.step) as f64);
        self.bar.suspend(|| say(&format!("{line}  {} left", HumanDuration(left))));
        self.spoken = Instant::now();
    }
}

#[cfg(all(test, not(feature = "tui")))]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_the_screen_says_how_to_get_it() {
        let length = Length { steps_per_epoch: 3, epochs: 2 };
        let error = Display::new(length, true).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("--features tui"), "{error}");
        assert!(Display::new(length, false).is_ok());
    }
}
