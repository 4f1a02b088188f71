//! Blocks of memory that are in use at different times, placed so that they take little room together.
//!
//! Blocks are placed one after the other, each at the lowest offset that is free over its whole life. Some order gives the
//! optimum: that of the optimum's own offsets. So a few blocks are placed in every order. For more of them the search
//! begins at three rules, of which largest first is the one that Pisarchyk and Lee (2020, "Efficient Memory Management for
//! Deep Neural Net Inference") found within a few per cent of the optimum, and goes on with random changes of the best.
//! It ends where the lower bound is reached, and is the same every time.

use core::cmp::Reverse;
use std::vec;
use std::vec::Vec;

/// Every block starts at a multiple of this, so that vector loads of any instruction set are aligned.
const ALIGNMENT: usize = 16;

/// Most blocks that are placed in every order: there are 5040 of seven.
const MOST_IN_EVERY_ORDER: usize = 7;

/// Random changes of the best order that are tried.
const CHANGES: usize = 4000;

/// A block of memory.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub bytes: usize,
    /// The layers during which it is in use: bit `i` is layer `i`.
    pub layers: u64,
    pub offset: usize,
}

/// The least memory that any placement takes: during one layer all blocks in use lie apart, and all but the last of them
/// end at a multiple of the alignment.
pub(super) fn lower_bound(blocks: &[Block]) -> usize {
    let during = |layer: u32| {
        let in_use = || blocks.iter().filter(move |block| block.layers >> layer & 1 == 1).map(|block| block.bytes);
        let apart: usize = in_use().map(|bytes| bytes.next_multiple_of(ALIGNMENT)).sum();
        apart - in_use().map(|bytes| bytes.next_multiple_of(ALIGNMENT) - bytes).max().unwrap_or(0)
    };
    (0..u64::BITS).map(during).max().unwrap_or(0)
}

/// Gives every block its offset.
pub(super) fn place(blocks: &mut [Block]) {
    let bound = lower_bound(blocks);
    let by_rule = RULES.iter().map(|rule| {
        let mut order: Vec<usize> = (0..blocks.len()).collect();
        order.sort_by_key(|&block| rule(&blocks[block]));
        Placement::in_order(blocks, order)
    });
    let Some(mut best) = by_rule.min_by_key(|placement| placement.bytes) else { return };
    if blocks.len() <= MOST_IN_EVERY_ORDER {
        let mut order: Vec<usize> = (0..blocks.len()).collect();
        while best.bytes > bound && next_permutation(&mut order) {
            best.replace_by(Placement::in_order(blocks, order.clone()));
        }
    } else {
        let mut random = Random(1);
        for _ in 0..CHANGES {
            if best.bytes == bound {
                break;
            }
            let mut order = best.order.clone();
            let moved = order.remove(random.below(order.len()));
            order.insert(random.below(order.len() + 1), moved);
            best.replace_by(Placement::in_order(blocks, order));
        }
    }
    for (block, offset) in blocks.iter_mut().zip(best.offsets) {
        block.offset = offset;
    }
}

/// What blocks are sorted by before they are placed.
type Rule = fn(&Block) -> (Reverse<usize>, u32);

/// The largest first, the longest in use, the first in use.
const RULES: [Rule; 3] = [
    |block| (Reverse(block.bytes), block.layers.trailing_zeros()),
    |block| (Reverse(block.layers.count_ones() as usize), block.layers.trailing_zeros()),
    |block| (Reverse(0), block.layers.trailing_zeros()),
];

/// Turns an order into the next one by the alphabet; `false` after the last.
fn next_permutation(order: &mut [usize]) -> bool {
    let Some(rising) = order.windows(2).rposition(|pair| pair[0] < pair[1]) else { return false };
    let larger = order.iter().rposition(|&index| index > order[rising]).unwrap_or(rising);
    order.swap(rising, larger);
    order[rising + 1..].reverse();
    true
}

/// What came of placing blocks in an order.
struct Placement {
    order: Vec<usize>,
    offsets: Vec<usize>,
    /// The end of the last block.
    bytes: usize,
}

impl Placement {
    fn in_order(blocks: &[Block], order: Vec<usize>) -> Self {
        let mut offsets = vec![0; blocks.len()];
        let mut bytes = 0;
        for (nth, &index) in order.iter().enumerate() {
            let block = &blocks[index];
            let beside = order[..nth].iter().filter(|&&other| blocks[other].layers & block.layers != 0);
            let mut taken: Vec<(usize, usize)> =
                beside.map(|&other| (offsets[other], offsets[other] + blocks[other].bytes)).collect();
            taken.sort_unstable();
            let mut offset = 0;
            for (start, end) in taken {
                if start >= offset + block.bytes {
                    break;
                }
                offset = offset.max(end.next_multiple_of(ALIGNMENT));
            }
            offsets[index] = offset;
            bytes = bytes.max(offset + block.bytes);
        }
        Self { order, offsets, bytes }
    }

    /// Takes `other` where it is no worse: the way to a better order leads over equal ones.
    fn replace_by(&mut self, other: Self) {
        if other.bytes <= self.bytes {
            *self = other;
        }
    }
}

/// Marsaglia's xorshift: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlap(a: &Block, b: &Block) -> bool {
        a.layers & b.layers != 0 && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes
    }

    /// The least memory below `limit`, or `limit`, when the blocks from `next` on go wherever the alignment lets them.
    fn least(blocks: &mut [Block], next: usize, limit: usize) -> usize {
        if next == blocks.len() {
            return blocks.iter().map(|block| block.offset + block.bytes).max().unwrap_or(0);
        }
        let mut least_yet = limit;
        for offset in (0..limit).step_by(ALIGNMENT) {
            blocks[next].offset = offset;
            let (placed, rest) = blocks.split_at(next);
            if offset + rest[0].bytes < least_yet && !placed.iter().any(|block| overlap(block, &rest[0])) {
                least_yet = least_yet.min(least(blocks, next + 1, least_yet));
            }
        }
        least_yet
    }

    #[test]
    fn a_few_blocks_take_the_least_memory_there_is() {
        let mut random = Random(7);
        let mut above_bound = 0;
        for _ in 0..2000 {
            let mut blocks: Vec<Block> = (0..5 + random.below(2))
                .map(|_| {
                    let layers = (u64::MAX >> (61 + random.below(3))) << random.below(5);
                    Block { bytes: 1 + random.below(70), layers, offset: 0 }
                })
                .collect();
            place(&mut blocks);
            let bytes = blocks.iter().map(|block| block.offset + block.bytes).max().unwrap();
            let apart = |(nth, block): (usize, &Block)| blocks[..nth].iter().all(|other| !overlap(block, other));
            assert!(blocks.iter().enumerate().all(apart), "{blocks:?}");
            above_bound += usize::from(bytes > lower_bound(&blocks));
            assert_eq!(least(&mut blocks.clone(), 0, bytes), bytes, "{blocks:?}");
        }
        assert!(above_bound > 0, "only the bound was tested");
    }
}
