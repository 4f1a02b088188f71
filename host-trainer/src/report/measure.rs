//! Evaluating a run in every form there is, on the same samples.

use std::path::Path;

use burn::tensor::Device;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::cluster::clusters;
use super::confusion::{ConfusionMatrix, MacroAverage, Mistake};
use super::history::History;
use super::interval::wilson;
use super::metrics::{
    Agreement, Form, FormMetrics, LabelledCluster, METRICS_VERSION, Metrics, PackageMetrics, Pair, Samples, Training,
};
use super::{PairExamples, Report, ReportError};
use crate::dataset::{Glyph, hexadecimal};
use crate::evaluate::{TestSet, rank_by_checkpoint, rank_by_package};
use crate::package::{PackageFile, pack};
use crate::train::{Checkpoint, RunFolder, RunInfo, Stage};

/// Most pairs in `metrics.json`.
const MOST_PAIRS: usize = 100;
/// Pairs that are shown with examples.
const PAIRS_WITH_EXAMPLES: usize = 24;
/// Examples of each side of a pair.
const EXAMPLES: usize = 5;

/// What a report is made of.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The run.
    pub folder: &'a RunFolder,
    /// Samples with their classes in the run.
    pub set: TestSet,
    /// The samples' data, as on the command line.
    pub data: Vec<String>,
    /// The package that was made of the run; its latest checkpoint is lowered in memory otherwise.
    pub package: Option<PackageFile>,
}

/// One form's answers: classes from best to worst, a sample.
struct Answers {
    form: Form,
    rankings: Vec<Vec<u16>>,
}

impl Subject<'_> {
    /// How many forms of the run `info` there are to evaluate.
    pub fn forms(&self, info: &RunInfo) -> usize {
        let is_quantized = info.qat.is_some();
        1 + usize::from(is_quantized) + usize::from(is_quantized || self.package.is_some())
    }

    /// Evaluates every form there is: the float checkpoint, and once there is a quantised one or a package,
    /// fake-quantised and INT8. Tells `progress` which form computes and how many samples more are done.
    ///
    /// # Errors
    /// Where the run or its package cannot be read or do not belong together, or no sample has a label.
    pub fn measure(self, device: &Device, progress: impl Fn(Form, usize) + Sync) -> Result<Report, ReportError> {
        let Self { folder, set, data, package } = self;
        let info = folder.read_info()?;
        let set = labelled(set);
        if set.truth.is_empty() {
            return Err(ReportError::NoLabels(data.join(" ")));
        }
        if let Some(package) = &package {
            check_classes(package, &info)?;
        }
        let rank = |checkpoint: &Checkpoint, form| {
            let mut before = 0;
            let step = |done| {
                progress(form, done - before);
                before = done;
            };
            let rankings = rank_by_checkpoint(checkpoint, checkpoint.stage.evaluation_mode(), &set, device, step)?;
            Ok::<_, ReportError>(Answers { form, rankings })
        };

        let mut answers = vec![rank(&folder.read_float(device)?, Form::Float)?];
        let latest = folder.read_latest(device)?;
        let is_quantized = latest.stage != Stage::Float;
        if is_quantized {
            answers.push(rank(&latest, Form::FakeQuantized)?);
        }
        let path = package.as_ref().map(|package| package.path().to_owned());
        let package = match package {
            Some(package) => Some(package),
            None if is_quantized => Some(PackageFile::new(&pack(&latest, &[], None)?, folder.path())?),
            None => None,
        };
        let mut sizes = None;
        if let Some(package) = &package {
            let rankings = rank_by_package(package, &set, |count| progress(Form::Int8, count as usize))?;
            answers.push(Answers { form: Form::Int8, rankings });
            sizes = Some(sizes_of(package, path.as_deref())?);
        }
        let history = History::read(folder.path())?;
        Ok(report_of(&info, &set, data, &answers, sizes, history))
    }
}

/// Samples without a label say nothing about accuracy: they count as skipped.
fn labelled(set: TestSet) -> TestSet {
    let mut kept = TestSet { skipped: set.skipped, ..TestSet::default() };
    for (glyph, truth) in set.glyphs.into_iter().zip(set.truth) {
        if truth.is_some() {
            kept.glyphs.push(glyph);
            kept.truth.push(truth);
        } else {
            kept.skipped += 1;
        }
    }
    kept
}

fn check_classes(package: &PackageFile, info: &RunInfo) -> Result<(), ReportError> {
    if package.open()?.labels().eq(info.classes.iter().map(String::as_str)) {
        return Ok(());
    }
    Err(ReportError::OtherClasses(package.path().to_owned()))
}

fn sizes_of(file: &PackageFile, path: Option<&Path>) -> Result<PackageMetrics, ReportError> {
    let package = file.as_stored()?;
    let cost = package.graph().total_cost();
    Ok(PackageMetrics {
        file: path.map(Path::to_owned),
        package_bytes: package.package_bytes(),
        arena_bytes: package.arena_bytes(),
        parameters: cost.parameters,
        multiply_accumulates: cost.macs,
    })
}

fn report_of(
    info: &RunInfo,
    set: &TestSet,
    data: Vec<String>,
    answers: &[Answers],
    package: Option<PackageMetrics>,
    history: History,
) -> Report {
    let truths: Vec<u32> = set.truth.iter().flatten().copied().collect();
    let detail = &answers[answers.len() - 1];
    let pairs = truths.iter().zip(&detail.rankings).map(|(&truth, ranking)| (truth, u32::from(ranking[0])));
    let matrix = ConfusionMatrix::of(info.classes.len(), pairs);
    let label = |class: u32| info.classes[class as usize].clone();
    let mistakes = matrix.mistakes();
    let shown = &mistakes[..mistakes.len().min(PAIRS_WITH_EXAMPLES)];
    let examples = shown.iter().map(|mistake| examples_of(mistake, set, &truths, detail)).collect();
    let per_class = matrix.scores(&info.classes);
    let pair = |mistake: &Mistake| Pair {
        truth: label(mistake.truth),
        answer: label(mistake.answer),
        count: mistake.count,
        share: matrix.share(mistake.truth, mistake.answer),
    };
    let clusters = clusters(&matrix).into_iter().map(|cluster| LabelledCluster {
        labels: cluster.classes.into_iter().map(label).collect(),
        mistakes: cluster.mistakes,
    });
    let metrics = Metrics {
        version: METRICS_VERSION,
        name: info.name.clone(),
        preset: name_of(&info.preset),
        classes: info.classes.len(),
        samples: Samples { count: truths.len(), skipped: set.skipped, sha256: fingerprint(set, &info.classes), data },
        training: Training {
            samples: info.samples,
            data: info.data.clone(),
            images_per_second: history.images_per_second(),
            history,
        },
        forms: answers.iter().map(|answers| form_metrics(answers, &truths)).collect(),
        agreement: agreements(answers),
        package,
        detail_form: detail.form,
        macro_average: MacroAverage::of(&per_class),
        per_class,
        pairs: mistakes.iter().take(MOST_PAIRS).map(pair).collect(),
        clusters: clusters.collect(),
        confusion: matrix.cells().collect(),
    };
    Report { metrics, matrix, examples }
}

fn form_metrics(answers: &Answers, truths: &[u32]) -> FormMetrics {
    let within = |limit: usize| {
        let is_within =
            |(truth, ranking): &(&u32, &Vec<u16>)| ranking.iter().take(limit).any(|&class| u32::from(class) == **truth);
        truths.iter().zip(&answers.rankings).filter(is_within).count()
    };
    let share = |count: usize| count as f64 / truths.len() as f64;
    let correct = within(1);
    FormMetrics {
        form: answers.form,
        correct,
        top1: share(correct),
        top1_interval: wilson(correct, truths.len()),
        top5: share(within(5)),
        top10: share(within(10)),
    }
}

/// INT8 with fake-quantised, which it should equal but for rounding, then with float.
fn agreements(answers: &[Answers]) -> Vec<Agreement> {
    let [others @ .., last] = answers else { return vec![] };
    let agreement = |other: &Answers| {
        let same = other.rankings.iter().zip(&last.rankings).filter(|(a, b)| a.first() == b.first()).count();
        let share = same as f64 / last.rankings.len().max(1) as f64;
        Agreement { first: last.form, second: other.form, same, share }
    };
    others.iter().rev().map(agreement).collect()
}

fn examples_of(mistake: &Mistake, set: &TestSet, truths: &[u32], answers: &Answers) -> PairExamples {
    let glyphs_where = |truth: u32, answer: u32| -> Vec<Glyph> {
        let samples = set.glyphs.iter().zip(truths).zip(&answers.rankings);
        let wanted = samples.filter(|((_, is), ranking)| **is == truth && u32::from(ranking[0]) == answer);
        wanted.map(|((glyph, _), _)| glyph.clone()).take(EXAMPLES).collect()
    };
    PairExamples {
        mistaken: glyphs_where(mistake.truth, mistake.answer),
        answer: glyphs_where(mistake.answer, mistake.answer),
    }
}

/// SHA-256 over width, height (16 bits each, little-endian), pixels, and label (its length in 32 bits before it) of
/// every sample in order, as hexadecimal digits.
fn fingerprint(set: &TestSet, classes: &[String]) -> String {
    let mut hash = Sha256::new();
    for (glyph, truth) in set.glyphs.iter().zip(set.truth.iter().flatten()) {
        let label = classes[*truth as usize].as_bytes();
        hash.update(glyph.width.to_le_bytes());
        hash.update(glyph.height.to_le_bytes());
        hash.update(&glyph.pixels);
        hash.update((label.len() as u32).to_le_bytes());
        hash.update(label);
    }
    hexadecimal(&hash.finalize())
}

/// What `preset` is called on the command line and in `run.json`.
fn name_of(preset: &impl serde::Serialize) -> String {
    match serde_json::to_value(preset) {
        Ok(Value::String(name)) => name,
        _ => "custom".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glyph(ink: u8) -> Glyph {
        Glyph { width: 2, height: 1, pixels: vec![ink, 0] }
    }

    fn set(samples: &[(u8, u32)]) -> TestSet {
        let (glyphs, truth) = samples.iter().map(|&(ink, truth)| (glyph(ink), Some(truth))).unzip();
        TestSet { glyphs, truth, skipped: 0 }
    }

    fn labels() -> Vec<String> {
        ["あ", "い", "う"].map(str::to_owned).into()
    }

    #[test]
    fn fingerprints_tell_pixels_labels_and_order_apart() {
        let first = fingerprint(&set(&[(1, 0), (2, 1)]), &labels());
        for other in [&[(1, 0), (2, 2)][..], &[(1, 0), (3, 1)], &[(2, 1), (1, 0)], &[(1, 0)], &[]] {
            assert_ne!(fingerprint(&set(other), &labels()), first, "{other:?}");
        }
        // The label counts, not its place among the model's classes.
        let reversed: Vec<String> = labels().into_iter().rev().collect();
        assert_eq!(fingerprint(&set(&[(1, 2), (2, 1)]), &reversed), first);
        assert_eq!(first.len(), 64);
    }

    #[test]
    fn ranks_count_within_their_limits() {
        // First, second, fifth, sixth.
        let rankings = vec![vec![0], vec![9, 1], vec![9, 8, 7, 6, 2], vec![9, 8, 7, 6, 5, 3]];
        let metrics = form_metrics(&Answers { form: Form::Int8, rankings }, &[0, 1, 2, 3]);
        assert_eq!((metrics.correct, metrics.top1, metrics.top5, metrics.top10), (1, 0.25, 0.75, 1.0));
        assert_eq!(metrics.top1_interval, wilson(1, 4));
    }

    #[test]
    fn agreement_is_of_first_answers_only() {
        let answers = [(Form::Float, [1, 1]), (Form::FakeQuantized, [0, 1]), (Form::Int8, [0, 0])]
            .map(|(form, first)| Answers { form, rankings: first.map(|class| vec![class, 2]).into() });
        let [fake, float] = agreements(&answers).try_into().unwrap();
        assert_eq!((fake.second, fake.same, fake.share), (Form::FakeQuantized, 1, 0.5));
        assert_eq!((float.first, float.second, float.same), (Form::Int8, Form::Float, 0));
        assert!(agreements(&answers[..1]).is_empty());
    }

    #[test]
    fn examples_are_of_the_mistake_and_of_what_it_was_taken_for() {
        let set = set(&[(10, 0), (20, 1), (30, 0), (40, 1)]);
        let rankings = [[1, 0], [1, 0], [0, 1], [0, 1]].map(Vec::from).into();
        let answers = Answers { form: Form::Int8, rankings };
        let mistake = Mistake { truth: 0, answer: 1, count: 1 };
        let examples = examples_of(&mistake, &set, &[0, 1, 0, 1], &answers);
        assert_eq!((examples.mistaken, examples.answer), (vec![glyph(10)], vec![glyph(20)]));
    }

    #[test]
    fn samples_without_a_label_are_skipped() {
        let mut set = set(&[(1, 0), (2, 1)]);
        set.truth[0] = None;
        set.skipped = 3;
        let kept = labelled(set);
        assert_eq!((kept.glyphs, kept.truth, kept.skipped), (vec![glyph(2)], vec![Some(1)], 4));
    }
}
