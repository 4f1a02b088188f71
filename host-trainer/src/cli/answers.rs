//! The best classes of one character, as `recognize` and `simulate` print them.

use fude_runtime::kernels::Answers;
use fude_runtime::recognizer::Recognizer;
use serde::Serialize;

/// What was recognised.
#[derive(Debug, Serialize)]
pub struct Recognition {
    answers: Vec<AnswerRow>,
}

#[derive(Debug, Serialize)]
struct AnswerRow {
    class: u16,
    label: String,
    /// The logit as a real number.
    logit: f32,
    /// Softmax over all classes.
    probability: f32,
}

impl Recognition {
    /// The `best` classes that `recognizer` has just given.
    pub fn of(recognizer: &Recognizer<'_>, best: &Answers) -> Self {
        let scale = recognizer.package().output().scale;
        let largest = best.first().map_or(0.0, |answer| f32::from(answer.score) * scale);
        let total: f32 = recognizer.scores().map(|score| (f32::from(score) * scale - largest).exp()).sum();
        let answers = best.iter().map(|answer| {
            let logit = f32::from(answer.score) * scale;
            let label = recognizer.package().label(answer.class.into()).to_owned();
            AnswerRow { class: answer.class, label, logit, probability: (logit - largest).exp() / total }
        });
        Self { answers: answers.collect() }
    }

    /// A line an answer, with a bar as long as it is likely.
    pub fn text(&self) -> String {
        let lines = self.answers.iter().map(|answer| {
            let bar = "█".repeat((30.0 * answer.probability).round() as usize);
            format!("{}  {:6.2} %  {bar}\n", answer.label, 100.0 * answer.probability)
        });
        lines.collect()
    }
}
