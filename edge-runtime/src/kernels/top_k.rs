//! The best few classes of the logits.

use core::mem;

use heapless::Vec;

use crate::graph::ElementType;
use crate::limits::MAX_TOP_K;

/// One class with its score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Answer {
    /// Index of the class.
    pub class: u16,
    /// Its logit, in steps of the logits' scale.
    pub score: i16,
}

/// Classes from best to worst.
pub type Answers = Vec<Answer, MAX_TOP_K>;

/// The `k` largest logits, best first, at most [`MAX_TOP_K`]; among equals the lower class index wins.
#[inline(never)] // once in every image
pub fn top_k(logits: &[u8], element: ElementType, k: usize) -> Answers {
    let mut best = Answers::new();
    let k = k.min(MAX_TOP_K);
    for (class, score) in scores(logits, element).enumerate() {
        if best.len() == k && best.last().is_none_or(|worst| score <= worst.score) {
            continue;
        }
        let rank = best.iter().take_while(|answer| answer.score >= score).count();
        let mut answer = Answer { class: class as u16, score };
        for worse in best.iter_mut().skip(rank) {
            mem::swap(worse, &mut answer);
        }
        // The answer pushed out of a full list is dropped.
        if best.len() < k {
            let _ = best.push(answer);
        }
    }
    best
}

/// The logits as numbers.
pub fn scores(logits: &[u8], element: ElementType) -> impl Iterator<Item = i16> + '_ {
    logits.chunks_exact(element.bytes()).map(|bytes| match *bytes {
        [low, high] => i16::from_le_bytes([low, high]),
        [byte] => i16::from(byte as i8),
        _ => 0,
    })
}
