//! Knowledge distillation: a network learns from another's answers (Hinton, Vinyals and Dean, 2015).

use std::path::PathBuf;

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use fude_runtime::package::Preprocessing;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Checkpoint, RunFolder, RunFolderError};
use crate::model::Mode;

/// A network to learn from, and how much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Distillation {
    /// Folder of the teacher's run; its latest stage teaches.
    pub teacher: PathBuf,
    /// What logits are divided by before they are compared: above 1, the classes that come second count more.
    #[serde(default = "default_temperature")]
    pub temperature: f64,
    /// Share of the loss that is the teacher's; the labels have the rest.
    #[serde(default = "default_weight")]
    pub weight: f64,
}

const fn default_temperature() -> f64 {
    4.0
}
const fn default_weight() -> f64 {
    0.7
}

/// Why a teacher cannot teach.
#[derive(Debug, Error)]
pub enum TeacherError {
    /// Its run cannot be read.
    #[error(transparent)]
    Run(#[from] RunFolderError),
    /// Its logits are of other classes.
    #[error("{path}: the teacher knows other classes: {difference}; distil from a run on the same classes")]
    Classes {
        /// The teacher's run.
        path: PathBuf,
        /// The first difference.
        difference: String,
    },
    /// It reads glyphs of another size, or prepared otherwise.
    #[error(
        "{path}: the teacher reads glyphs of {teacher}×{teacher} pixels, or prepares them otherwise, the student \
         {student}×{student}; distil between presets of one input size"
    )]
    Input {
        /// The teacher's run.
        path: PathBuf,
        /// Side of its input.
        teacher: usize,
        /// Side of the student's input.
        student: usize,
    },
}

/// A trained network that teaches. It is read only, so nothing of it belongs into a checkpoint.
#[derive(Debug)]
pub struct Teacher {
    checkpoint: Checkpoint,
    sha256: String,
    temperature: f64,
    weight: f64,
}

/// Learning from the run in `teacher`, with the default numbers.
impl From<PathBuf> for Distillation {
    fn from(teacher: PathBuf) -> Self {
        Self { teacher, temperature: default_temperature(), weight: default_weight() }
    }
}

impl Distillation {
    /// What is wrong with the numbers, as `key: reason`.
    ///
    /// # Errors
    /// The first number that has no meaning, with what it must be.
    pub fn check(&self) -> Result<(), String> {
        let Self { temperature, weight, .. } = *self;
        if !(temperature > 0.0 && temperature.is_finite()) {
            return Err(format!("temperature: {temperature} must be a number above 0"));
        }
        if !(0.0..=1.0).contains(&weight) {
            return Err(format!("weight: {weight} must be from 0 to 1"));
        }
        Ok(())
    }

    /// Reads the teacher for a student of `classes` whose input is `side` pixels square. `device` is without automatic
    /// differentiation.
    ///
    /// # Errors
    /// [`TeacherError`] where the run cannot be read, or is of other classes or another input.
    pub fn teacher(
        &self,
        classes: &[String],
        (side, preprocessing): (usize, Preprocessing),
        device: &Device,
    ) -> Result<Teacher, TeacherError> {
        let folder = RunFolder::new(&self.teacher);
        let checkpoint = folder.read_latest(device)?;
        let sha256 = folder.weights_sha256(checkpoint.stage)?;
        let (path, info) = (self.teacher.clone(), &checkpoint.info);
        if let Some(difference) = difference(&info.classes, classes) {
            return Err(TeacherError::Classes { path, difference });
        }
        if info.preset.side() != side || info.preprocessing != preprocessing {
            return Err(TeacherError::Input { path, teacher: info.preset.side(), student: side });
        }
        Ok(Teacher { checkpoint, sha256, temperature: self.temperature, weight: self.weight })
    }
}

impl Teacher {
    /// The SHA-256 of its weights' file: what is learned depends on them, so a stopped run goes on with no others.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The loss of the student's logits `[batch, classes]` for `glyphs` `[batch, 1, side, side]`.
    ///
    /// Glyphs and logits are on a device with automatic differentiation; the teacher computes without it.
    pub fn loss(
        &self,
        glyphs: Tensor<4>,
        student: Tensor<2>,
        labels: Tensor<1, Int>,
        label_smoothing: f32,
    ) -> Tensor<1> {
        let mode: Mode = self.checkpoint.stage.evaluation_mode();
        let logits = Tensor::from_inner(self.checkpoint.network.forward(glyphs.inner(), mode));
        distillation_loss(student, logits, labels, label_smoothing, (self.temperature, self.weight))
    }
}

/// `(1 − weight) · CE(student, labels) + weight · T² · KL(softmax(teacher / T) ‖ softmax(student / T))`, the mean over
/// the batch, of logits `[batch, classes]`.
///
/// T² keeps the gradients of both parts in proportion whatever the temperature. Labels are smoothed as without a
/// teacher; the teacher's answers are not.
pub fn distillation_loss(
    student: Tensor<2>,
    teacher: Tensor<2>,
    labels: Tensor<1, Int>,
    label_smoothing: f32,
    (temperature, weight): (f64, f64),
) -> Tensor<1> {
    let device = student.device();
    let cross_entropy = CrossEntropyLossConfig::new().with_smoothing(Some(label_smoothing)).init(&device);
    let of_labels = cross_entropy.forward(student.clone(), labels);
    let [batch, _] = student.dims();
    let teacher = log_softmax(teacher.detach() / temperature, 1);
    let student = log_softmax(student / temperature, 1);
    let divergence = (teacher.clone().exp() * (teacher - student)).sum() / batch as f64;
    of_labels * (1.0 - weight) + divergence * (weight * temperature * temperature)
}

/// The first difference between two lists of classes.
fn difference(teacher: &[String], student: &[String]) -> Option<String> {
    if teacher.len() != student.len() {
        return Some(format!("it has {}, the data {}", teacher.len(), student.len()));
    }
    let (index, (teacher, student)) = teacher.iter().zip(student).enumerate().find(|(_, (a, b))| a != b)?;
    Some(format!("class {index} is {teacher:?} there and {student:?} in the data"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensors::floats;

    fn logits(values: [[f32; 3]; 2]) -> Tensor<2> {
        Tensor::from_floats(values, &Device::flex())
    }

    fn labels() -> Tensor<1, Int> {
        Tensor::from_ints([2, 0], &Device::flex())
    }

    const STUDENT: [[f32; 3]; 2] = [[0.5, -1.0, 2.0], [0.0, 0.3, -0.7]];
    const TEACHER: [[f32; 3]; 2] = [[-0.4, 0.2, 3.0], [1.5, -2.0, 0.1]];

    fn loss(student: [[f32; 3]; 2], teacher: [[f32; 3]; 2], temperature: f64, weight: f64) -> f64 {
        let loss = distillation_loss(logits(student), logits(teacher), labels(), 0.0, (temperature, weight));
        f64::from(floats(loss)[0])
    }

    fn softmax(logits: [f32; 3], temperature: f64) -> [f64; 3] {
        let powers = logits.map(|logit| (f64::from(logit) / temperature).exp());
        powers.map(|power| power / powers.iter().sum::<f64>())
    }

    #[test]
    fn the_loss_is_hintons_formula() {
        for (temperature, weight) in [(1.0, 0.5), (4.0, 0.7), (2.5, 1.0), (3.0, 0.0)] {
            let mut expected = 0.0;
            for (row, label) in [2, 0].into_iter().enumerate() {
                let cross_entropy = -softmax(STUDENT[row], 1.0)[label].ln();
                let [p, q] = [TEACHER[row], STUDENT[row]].map(|logits| softmax(logits, temperature));
                let divergence: f64 = p.iter().zip(q).map(|(p, q)| p * (p / q).ln()).sum();
                expected += ((1.0 - weight) * cross_entropy + weight * temperature * temperature * divergence) / 2.0;
            }
            let loss = loss(STUDENT, TEACHER, temperature, weight);
            assert!((loss - expected).abs() < 1e-5, "{loss} is not {expected} at T = {temperature}");
        }
    }

    #[test]
    fn a_student_that_agrees_has_nothing_to_learn_from_the_teacher() {
        assert!(loss(TEACHER, TEACHER, 4.0, 1.0).abs() < 1e-6);
        assert!(loss(STUDENT, TEACHER, 4.0, 1.0) > 0.01);
    }

    #[test]
    fn smoothing_is_of_the_labels() {
        let smoothed =
            |weight| floats(distillation_loss(logits(STUDENT), logits(TEACHER), labels(), 0.2, (4.0, weight)))[0];
        assert!((f64::from(smoothed(1.0)) - loss(STUDENT, TEACHER, 4.0, 1.0)).abs() < 1e-6);
        assert!((f64::from(smoothed(0.0)) - loss(STUDENT, TEACHER, 4.0, 0.0)).abs() > 0.01);
    }

    /// Gradients flow to the student and not to the teacher.
    #[test]
    fn only_the_student_learns() {
        let device = Device::flex().autodiff();
        let [student, teacher] =
            [STUDENT, TEACHER].map(|values| Tensor::<2>::from_floats(values, &device).require_grad());
        let labels = Tensor::<1, Int>::from_ints([2, 0], &device);
        let gradients = distillation_loss(student.clone(), teacher.clone(), labels, 0.0, (4.0, 0.7)).backward();
        assert!(student.grad(&gradients).is_some_and(|gradient| floats(gradient).iter().any(|&value| value != 0.0)));
        assert!(teacher.grad(&gradients).is_none());
    }

    #[test]
    fn classes_are_compared_in_their_order() {
        let classes = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        assert_eq!(difference(&classes("abc"), &classes("abc")), None);
        assert!(difference(&classes("abc"), &classes("abd")).unwrap().contains("class 2"));
        assert!(difference(&classes("abc"), &classes("ab")).unwrap().contains("has 3"));
    }
}
