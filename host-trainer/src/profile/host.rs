//! The host's half: the same recognition many times by this machine's clock.

use std::time::{Duration, Instant};

use fude_runtime::profile::{LayerObserver, Unobserved};
use fude_runtime::recognizer::Recognizer;

use super::{Measurement, Profile, ProfileError, Unit};
use crate::dataset::Glyph;
use crate::evaluate::image_of;
use crate::package::{PackageFile, PackingError};

/// Recognitions before the first that is measured: caches and the processor's clock have settled then.
const WARM_UP: usize = 20;
/// Most recognitions that are measured, and for how long at most; a few are measured however long they take.
const RUNS: usize = 500;
const TIME_LIMIT: Duration = Duration::from_secs(3);
const LEAST_RUNS: usize = 5;

/// Measures each layer of one recognition.
struct Stopwatch {
    started: Instant,
    layers: Vec<u64>,
}

impl LayerObserver for Stopwatch {
    fn before(&mut self, _index: usize) {
        self.started = Instant::now();
    }

    fn after(&mut self, index: usize, _output: &[u8]) {
        let band = nanoseconds(self.started);
        self.layers.resize(self.layers.len().max(index + 1), 0);
        self.layers[index] += band;
    }
}

fn nanoseconds(since: Instant) -> u64 {
    since.elapsed().as_nanos() as u64
}

/// Measures the recognition of `glyph` on this machine, many times. Whatever else the machine does only adds to a time,
/// so the least of each is taken.
///
/// # Errors
/// Where the package or the glyph cannot be used.
pub fn on_host(file: &PackageFile, glyph: &Glyph) -> Result<Profile, ProfileError> {
    let package = file.open()?;
    let image = image_of(glyph)?;
    let mut arena = vec![0; package.arena_bytes()];
    let mut recognizer = Recognizer::new(&package, &mut arena).map_err(PackingError::Run)?;
    for _ in 0..WARM_UP {
        recognizer.recognize_observed(&image, 1, &mut Unobserved).map_err(PackingError::Run)?;
    }
    let mut least = Measurement { layers: vec![u64::MAX; package.graph().layers.len()], whole: u64::MAX };
    let (started, mut runs) = (Instant::now(), 0);
    while runs < LEAST_RUNS || (runs < RUNS && started.elapsed() < TIME_LIMIT) {
        let whole = Instant::now();
        let mut stopwatch = Stopwatch { started: whole, layers: Vec::with_capacity(least.layers.len()) };
        recognizer.recognize_observed(&image, 1, &mut stopwatch).map_err(PackingError::Run)?;
        least.whole = least.whole.min(nanoseconds(whole));
        least.layers.iter_mut().zip(stopwatch.layers).for_each(|(least, layer)| *least = layer.min(*least));
        runs += 1;
    }
    Ok(Profile { runs, ..Profile::of(&package, &least, Unit::Nanoseconds) })
}
