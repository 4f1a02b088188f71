//! The host's half: what every layer, the logits and the answers should be.

use fude_firmware::link::message::Recognition;
use fude_runtime::kernels::Answers;
use fude_runtime::limits::MAX_TOP_K;
use fude_runtime::profile::LayerHashes;
use fude_runtime::recognizer::Recognizer;
use rayon::prelude::*;

use crate::dataset::Glyph;
use crate::evaluate::{image_of, part_length};
use crate::package::{PackageFile, PackingError};

/// What the host computed for one glyph.
pub struct HostAnswer {
    hashes: LayerHashes,
    logits: Vec<u8>,
    answers: Answers,
}

/// Recognises all `glyphs` on the host, by all cores.
///
/// # Errors
/// [`PackingError`] where the package or a glyph cannot be used.
pub fn recognize_all(package: &PackageFile, glyphs: &[Glyph]) -> Result<Vec<HostAnswer>, PackingError> {
    let parts = glyphs.par_chunks(part_length(glyphs.len()));
    let answers: Vec<_> = parts.map(|part| recognize(package, part)).collect::<Result<_, _>>()?;
    Ok(answers.into_iter().flatten().collect())
}

fn recognize(package: &PackageFile, glyphs: &[Glyph]) -> Result<Vec<HostAnswer>, PackingError> {
    let package = package.open()?;
    let mut arena = vec![0; package.arena_bytes()];
    let mut recognizer = Recognizer::new(&package, &mut arena)?;
    let answer = |glyph| {
        let mut hashes = LayerHashes::default();
        let answers = recognizer.recognize_observed(&image_of(glyph)?, MAX_TOP_K, &mut hashes)?;
        Ok(HostAnswer { hashes, logits: recognizer.logits().to_vec(), answers })
    };
    glyphs.iter().map(answer).collect()
}

impl HostAnswer {
    /// The best class.
    pub fn first(&self) -> Option<u16> {
        self.answers.first().map(|answer| answer.class)
    }

    /// Where a board's `reply` differs: at a layer, or (`Some(None)`) in the answer only.
    pub fn difference(&self, reply: &Recognition<'_>) -> Option<Option<usize>> {
        let layer = self.differing_layer(&reply.layers.hashes);
        let same_answers = self.answers.len() == reply.top.len()
            && self.answers.iter().zip(&reply.top).all(|(a, b)| (a.class, a.score) == (b.class, b.score));
        let same = layer.is_none() && same_answers && self.logits == reply.output;
        (!same).then_some(layer)
    }

    fn differing_layer(&self, board: &[u32]) -> Option<usize> {
        let host = &self.hashes.0;
        if host.len() != board.len() {
            return Some(host.len().min(board.len()));
        }
        host.iter().zip(board).position(|(host, board)| host != board)
    }
}

#[cfg(test)]
mod tests {
    use fude_firmware::link::message::{Candidate, Layers};
    use fude_runtime::kernels::Answer;

    use super::*;

    const HASHES: [u32; 3] = [11, 22, 33];
    const ANSWERS: [(u16, i16); 2] = [(7, 900), (2, -5)];
    const LOGITS: [u8; 4] = [1, 2, 3, 4];

    /// The difference between a host that computed the constants above and a board that replied so.
    fn difference_from(hashes: &[u32], answers: &[(u16, i16)], logits: &[u8]) -> Option<Option<usize>> {
        let host = HostAnswer {
            hashes: LayerHashes(HASHES.into_iter().collect()),
            logits: LOGITS.into(),
            answers: ANSWERS.into_iter().map(|(class, score)| Answer { class, score }).collect(),
        };
        host.difference(&Recognition {
            top: answers.iter().map(|&(class, score)| Candidate { class, score }).collect(),
            output: logits,
            layers: Layers { hashes: hashes.iter().copied().collect(), ..Layers::default() },
            ticks: 0,
            stack_bytes: None,
        })
    }

    #[test]
    fn the_same_bytes_are_no_difference() {
        assert_eq!(difference_from(&HASHES, &ANSWERS, &LOGITS), None);
    }

    #[test]
    fn the_first_layer_that_differs_is_named() {
        assert_eq!(difference_from(&[11, 20, 30], &ANSWERS, &LOGITS), Some(Some(1)));
        // A board that ran fewer layers, or more.
        assert_eq!(difference_from(&[11, 22], &ANSWERS, &LOGITS), Some(Some(2)));
        assert_eq!(difference_from(&[11, 22, 33, 44], &ANSWERS, &LOGITS), Some(Some(3)));
        assert_eq!(difference_from(&[], &ANSWERS, &LOGITS), Some(Some(0)));
    }

    #[test]
    fn a_difference_in_the_answer_alone_is_one() {
        for answers in [&[(7, 900), (3, -5)][..], &[(7, 901), (2, -5)], &[(2, -5), (7, 900)], &[(7, 900)], &[]] {
            assert_eq!(difference_from(&HASHES, answers, &LOGITS), Some(None), "{answers:?}");
        }
        assert_eq!(difference_from(&HASHES, &ANSWERS, &[1, 2, 3, 5]), Some(None));
        assert_eq!(difference_from(&HASHES, &ANSWERS, &[1, 2, 3]), Some(None));
    }
}
