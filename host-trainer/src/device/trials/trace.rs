//! QEMU's log of what it ran: blocks of code, disassembled once (`IN:`) and named each time they run (`Trace`).
//!
//! A block ends at a branch or a system call, so one that was entered was run to its end. Only an exception in its midst, which
//! a trial raises nowhere, would leave it earlier.

use std::collections::HashMap;
use std::io::{self, BufRead};

/// What QEMU has to log (`-d`). Blocks that are chained would be named once only.
pub const FLAGS: &str = "in_asm,exec,nochain";

/// Functions that begin and end the counting.
const BEGIN: &[u8] = b"trial_begins";
const END: &[u8] = b"trial_ends";

/// What an instruction counts.
pub trait Pricing {
    /// That of one instruction, as the emulator's disassembler writes it.
    fn of_instruction(&self, mnemonic: &str, operands: &str) -> u64;

    /// On top of a branch's own price where it is taken.
    fn of_branch_taken(&self) -> u64;
}

/// Every instruction counts one.
pub struct Instructions;

impl Pricing for Instructions {
    fn of_instruction(&self, _mnemonic: &str, _operands: &str) -> u64 {
        1
    }

    fn of_branch_taken(&self) -> u64 {
        0
    }
}

/// A piece of code that the emulator runs from start to end.
#[derive(Default)]
struct Block {
    price: u64,
    /// The address behind its last instruction.
    end: u64,
}

/// The sums between each call of the first function and the next of the second.
///
/// # Errors
/// Where the log cannot be read.
pub fn sums(mut log: impl BufRead, pricing: impl Pricing) -> io::Result<Vec<u64>> {
    let mut blocks: HashMap<Vec<u8>, Block> = HashMap::new();
    let (mut pending, mut expected): (Option<Block>, Option<u64>) = (None, None);
    let (mut sums, mut is_counting) = (Vec::new(), false);
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line)? > 0 {
        if let Some(trace) = line.strip_prefix(b"Trace ") {
            // `Trace CPU: HOST [FLAGS/ADDRESS/…] FUNCTION`; HOST is where the translated block lies. A log has many millions
            // of these lines, most of them outside.
            let mut words = trace.split(u8::is_ascii_whitespace).skip(1);
            let (Some(host), Some(place)) = (words.next(), words.next()) else { continue };
            if let Some(block) = pending.take() {
                blocks.insert(host.to_owned(), block);
            }
            match words.next() {
                Some(BEGIN) => {
                    sums.push(0);
                    (is_counting, expected) = (true, None);
                }
                Some(END) => is_counting = false,
                _ => {}
            }
            if let (true, Some(sum), Some(block)) = (is_counting, sums.last_mut(), blocks.get(host)) {
                // Code that goes on elsewhere than behind the last block has branched.
                let branched = expected.is_some_and(|expected| Some(expected) != address(place));
                *sum += block.price + if branched { pricing.of_branch_taken() } else { 0 };
                expected = Some(block.end);
            }
        } else if line.starts_with(b"IN:") {
            pending = Some(Block::default());
        } else if let Some(block) = pending.as_mut() {
            let line = String::from_utf8_lossy(&line);
            if let Some((address, text)) = line.split_once(": ") {
                let mut words = text.split_whitespace().skip_while(|word| is_code(word));
                let mnemonic = words.next().unwrap_or(".");
                let operands: String = words.collect();
                let address = u64::from_str_radix(address.trim_start_matches("0x"), 16).unwrap_or(0);
                block.price += pricing.of_instruction(mnemonic, &operands);
                block.end = address + 2 * text.split_whitespace().take_while(|word| is_code(word)).count() as u64;
            }
        }
        line.clear();
    }
    Ok(sums)
}

/// The address in a block's name.
fn address(place: &[u8]) -> Option<u64> {
    let text = place.split(|&byte| byte == b'/').nth(1)?;
    u64::from_str_radix(str::from_utf8(text).ok()?, 16).ok()
}

/// Whether a word of a disassembled line is a halfword of Thumb code. (A64's code words are taken for mnemonics; what they
/// say matters to no pricing so far.)
fn is_code(word: &str) -> bool {
    word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}
