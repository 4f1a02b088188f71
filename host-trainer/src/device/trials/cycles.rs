//! Cycles of a trial, estimated: every instruction that the emulator ran, at its price in the core's reference manual.
//!
//! Emulators count instructions, not cycles. The estimate tells whether a kernel that runs fewer instructions runs fewer
//! cycles as well; it is no measurement. Assumed are one instruction at a time, memory without wait states, and
//!
//! | instruction | Cortex-M3 | M4, M7, M33, M55 | M0+ |
//! |---|---|---|---|
//! | load or store of one register | 2 | 2 | 2 |
//! | of N registers (`ldm`, `ldrd`, `push` …) | N + 1 | N + 1 | N + 1 |
//! | `mla`, `mls` | 2 | 1 | – |
//! | 64-bit product | 4 | 1 | – |
//! | division | 7 | 7 | – |
//! | branch taken | 3 | 3 | 2 |
//! | vector instruction | – | 2 (M55) | – |
//! | anything else, the single-cycle multiplier of M0+ among it | 1 | 1 | 1 |
//!
//! Sources: the technical reference manuals DDI 0337 (M3), DDI 0439 (M4), DDI 0484 (M0+), whose pipelines merge
//! neighbouring loads; M7 issues two instructions at once and M55 overlaps vector loads with multiplications, so the
//! estimate is too high there.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use fude_runtime::trial::TrialBuilder;

use super::{Started, TrialsError};
use crate::device::board::Board;

/// Functions of the image that begin and end the counting.
const BEGIN: &str = "trial_begins";
const END: &str = "trial_ends";

/// A piece of code that the emulator runs from start to end.
struct Block {
    cycles: u64,
    /// The address behind its last instruction.
    end: u64,
}

/// What a core's pipeline asks for.
#[derive(Clone, Copy)]
struct Prices {
    multiply_accumulate: u64,
    long_product: u64,
    /// On top of a branch's own cycle where it is taken.
    taken: u64,
}

impl Prices {
    fn of(core: &str) -> Self {
        match core {
            "cortex-m3" => Self { multiply_accumulate: 2, long_product: 4, taken: 2 },
            "cortex-m0" | "cortex-m0plus" => Self { multiply_accumulate: 1, long_product: 1, taken: 1 },
            _ => Self { multiply_accumulate: 1, long_product: 1, taken: 2 },
        }
    }

    /// Cycles of one instruction, as the emulator's disassembler writes it.
    fn of_instruction(self, mnemonic: &str, operands: &str) -> u64 {
        let is_one_of = |names: &[&str]| names.iter().any(|name| mnemonic.starts_with(name));
        let registers = || operands.split_once('{').map_or(1, |(_, list)| list.split(',').count() as u64);
        if is_one_of(&["ldm", "stm", "push", "pop"]) {
            1 + registers()
        } else if is_one_of(&["ldrd", "strd"]) {
            3
        } else if is_one_of(&["ldr", "str", "tbb", "tbh", "v", "."]) {
            // What the disassembler does not know starts with a dot: vector instructions.
            2
        } else if is_one_of(&["smull", "umull", "smlal", "umlal"]) {
            self.long_product
        } else if is_one_of(&["mla", "mls"]) {
            self.multiply_accumulate
        } else if is_one_of(&["sdiv", "udiv"]) {
            7
        } else {
            1
        }
    }
}

/// Estimates the cycles of `trial` on `board`; nothing where its emulator does not say what it runs.
///
/// # Errors
/// [`TrialsError`].
pub fn estimate(board: &Board, trial: &TrialBuilder) -> Result<Option<u64>, TrialsError> {
    let failed = |source| TrialsError::Io { board: board.name.clone(), source };
    let log = tempfile::NamedTempFile::new().map_err(failed)?;
    let mut traced = board.clone();
    let Some(emulator) = traced.emulator.as_mut().filter(|emulator| emulator.program.starts_with("qemu")) else {
        return Ok(None);
    };
    let path = log.path().display().to_string();
    emulator.arguments.extend(["-d", "in_asm,exec,nochain", "-D", &path].map(String::from));
    let bytes = trial.write(board.weights).map_err(|problem| TrialsError::Arrange { index: 0, problem })?;
    let mut started = Started::new(&traced, &bytes, false)?;
    started.line.read_to_string(&mut String::new()).map_err(failed)?;
    // Killed, it would leave the end of its log unwritten.
    started.emulator.wait()?;
    let log = BufReader::new(File::open(log.path()).map_err(failed)?);
    sum(log, Prices::of(&board.core)).map_err(failed)
}

/// Cycles between the two functions, by a log of blocks: disassembled once (`IN:`) and named each time they run
/// (`Trace`).
fn sum(log: impl BufRead, prices: Prices) -> std::io::Result<Option<u64>> {
    let mut blocks: HashMap<String, Block> = HashMap::new();
    let (mut pending, mut expected): (Option<Block>, Option<u64>) = (None, None);
    let (mut total, mut is_counting) = (None, false);
    for line in log.lines() {
        let line = line?;
        if let Some(trace) = line.strip_prefix("Trace ") {
            let mut words = trace.split_whitespace();
            let (Some(host), Some(place)) = (words.nth(1), words.next()) else { continue };
            let address = place.split('/').nth(1).and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0);
            if let Some(block) = pending.take() {
                blocks.insert(host.to_owned(), block);
            }
            match words.next() {
                Some(BEGIN) => (is_counting, total) = (true, Some(0)),
                Some(END) => is_counting = false,
                _ => {}
            }
            if let (true, Some(total), Some(block)) = (is_counting, total.as_mut(), blocks.get(host)) {
                // Code that goes on elsewhere than behind the last block has branched.
                let branched = expected.is_some_and(|expected| expected != address);
                *total += block.cycles + if branched { prices.taken } else { 0 };
                expected = Some(block.end);
            }
        } else if line.starts_with("IN:") {
            pending = Some(Block { cycles: 0, end: 0 });
        } else if let (Some(block), Some((address, text))) = (pending.as_mut(), line.split_once(": ")) {
            let mut words = text.split_whitespace().skip_while(|word| is_code(word));
            let mnemonic = words.next().unwrap_or(".");
            let operands: String = words.collect();
            let address = u64::from_str_radix(address.trim_start_matches("0x"), 16).unwrap_or(0);
            block.cycles += prices.of_instruction(mnemonic, &operands);
            block.end = address + 2 * text.split_whitespace().take_while(|word| is_code(word)).count() as u64;
        }
    }
    Ok(total)
}

/// Whether a word of a disassembled line is a halfword of code.
fn is_code(word: &str) -> bool {
    word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}
