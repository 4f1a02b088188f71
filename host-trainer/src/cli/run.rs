//! `fude run`: a package on a board, from boot to shutdown.

use std::path::PathBuf;

use clap::Args;
use fude_firmware::link::message::Image;
use fude_runtime::limits::MAX_TOP_K;
use serde::Serialize;

use super::board::BoardArguments;
use super::outcome::{grouped, rows};
use super::{CliError, Outcome};
use crate::dataset::{Glyph, load_glyph, write_grey_png};
use crate::device::board::{Board, Status};
use crate::device::firmware::Firmware;
use crate::device::link::Screenshot;
use crate::device::log::LogLine;
use crate::device::{Device, DeviceError};
use crate::package::{LaidOut, PackageFile};

/// Boot a board with a package, have it recognise a picture, and read its log.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  fude run models/quickstart.fude --board qemu-m4
  fude run models/quickstart.fude --board qemu-m4 --image glyph.png --top-k 3 --json
  fude run models/quickstart.fude --board qemu-m4 --image glyph.png --screenshot screen.png

Exit status 1 where the board does not take the package.")]
pub struct RunArguments {
    /// The package.
    #[arg(value_name = "PACKAGE")]
    pub package: PathBuf,
    #[command(flatten)]
    pub board: BoardArguments,
    /// A PNG or JPEG of one character, dark on light or light on dark, of no more pixels than the board
    /// takes: 16,384 on most.
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// How many answers.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=MAX_TOP_K as i64))]
    pub top_k: u8,
    /// Write what the board's display shows of the answer, as a PNG.
    #[arg(long, value_name = "FILE", requires = "image")]
    pub screenshot: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Run {
    board: String,
    status: Status,
    model: String,
    classes: usize,
    log: Vec<LogLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answers: Option<Vec<AnswerRow>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<u64>,
    /// Why the board ended by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
}

#[derive(Debug, Serialize)]
struct AnswerRow {
    class: u16,
    label: String,
    /// The logit, in steps of the logits' scale.
    score: i16,
}

/// Runs the subcommand.
pub fn run(arguments: &RunArguments) -> Result<Outcome, CliError> {
    let run = boot(arguments)?;
    Ok(Outcome::new(&run, text(&run))?.succeeding(run.refusal.is_none()))
}

fn boot(arguments: &RunArguments) -> Result<Run, CliError> {
    let file = PackageFile::read(&arguments.package)?;
    let package = file.open()?;
    let (board, firmware) = arguments.board.find()?;
    let glyph = arguments.image.as_deref().map(load_glyph).transpose()?;

    let mut run = Run {
        board: board.name.clone(),
        status: board.status,
        model: package.manifest().name.to_string(),
        classes: package.classes(),
        log: Vec::new(),
        answers: None,
        instructions: None,
        refusal: None,
    };
    match converse(arguments, &file.laid_out(board.weights)?, &board, &firmware, glyph.as_ref()) {
        Ok(conversation) => {
            run.log = conversation.log;
            if let Some(Recognition { top, ticks }) = conversation.recognition {
                let label = |class: u16| package.label(class.into()).to_owned();
                let answers = top.into_iter().map(|(class, score)| AnswerRow { class, label: label(class), score });
                run.answers = Some(answers.collect());
                run.instructions = board.instructions(ticks);
            }
            if let (Some(path), Some(Screenshot { width, height, pixels })) =
                (&arguments.screenshot, &conversation.screenshot)
            {
                write_grey_png(path, (*width, *height), pixels)?;
            }
        }
        // The whole log says more than the last line of it, which the error has.
        Err(DeviceError::Ended { code, log }) => {
            run.refusal = Some(format!("the board ended with exit code {code}"));
            run.log = log;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(run)
}

/// What came of talking to the board.
struct Conversation {
    recognition: Option<Recognition>,
    screenshot: Option<Screenshot>,
    log: Vec<LogLine>,
}

struct Recognition {
    /// Classes and scores, best first.
    top: Vec<(u16, i16)>,
    ticks: u64,
}

fn converse(
    arguments: &RunArguments,
    package: &LaidOut,
    board: &Board,
    firmware: &Firmware,
    glyph: Option<&Glyph>,
) -> Result<Conversation, DeviceError> {
    let counting = glyph.is_some() && board.counts_instructions();
    let mut device = Device::boot(board, firmware, package.path(), counting)?;
    device.check_model(package.model())?;
    let mut recognition = None;
    let mut screenshot = None;
    if let Some(Glyph { width, height, pixels }) = glyph {
        let image = Image { width: *width, height: *height, pixels, top_k: arguments.top_k };
        let is_shown = arguments.screenshot.is_some();
        let reply = if is_shown { device.show(image)? } else { device.recognize(image)? };
        let top = reply.top.iter().map(|candidate| (candidate.class, candidate.score)).collect();
        recognition = Some(Recognition { top, ticks: reply.ticks });
        screenshot = is_shown.then(|| device.screen()).transpose()?;
    }
    Ok(Conversation { recognition, screenshot, log: device.shutdown()? })
}

fn text(run: &Run) -> String {
    let mut table = vec![
        ("board", format!("{} ({})", run.board, run.status)),
        ("model", format!("{}, {} classes", run.model, run.classes)),
    ];
    if let Some(instructions) = run.instructions {
        table.push(("instructions", grouped(instructions)));
    }
    let mut text = rows(&table);
    if let Some(answers) = &run.answers {
        text.push_str("\nanswers, with their logits\n");
        text.extend(answers.iter().map(|answer| format!("  {}  {:6}\n", answer.label, answer.score)));
    }
    text.push_str("\nlog of the board\n");
    text.extend(run.log.iter().map(|line| format!("  {line}\n")));
    if let Some(refusal) = &run.refusal {
        text.push_str(&format!("\n{refusal}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    //! These need `qemu-system-arm` and the board's image, as those of [`crate::device`].

    use std::fs;
    use std::path::Path;

    use fude_runtime::package::{CRC32, repack};

    use super::*;
    use crate::dataset::write_png;
    use crate::device::tests::built_in;

    const PACKAGE: &[u8] =
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../edge-runtime/tests/packages/format-1.0.fude"));

    fn board(name: &str) -> BoardArguments {
        built_in(name);
        BoardArguments { board: name.into(), firmware: None }
    }

    /// Arguments for `package`, which is written to `folder`.
    fn arguments(folder: &Path, package: &[u8]) -> RunArguments {
        let path = folder.join("model.fude");
        fs::write(&path, package).unwrap();
        RunArguments { package: path, board: board("qemu-m4"), image: None, top_k: 2, screenshot: None }
    }

    #[test]
    fn a_picture_is_recognised_and_the_display_photographed() {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = arguments(folder.path(), PACKAGE);
        let pixels = (0..400_u16).map(|place| if place % 20 == 9 { 255 } else { 0 }).collect();
        let (picture, screenshot) = (folder.path().join("picture.png"), folder.path().join("new/screen.png"));
        write_png(&picture, &Glyph { width: 20, height: 20, pixels }).unwrap();
        arguments.image = Some(picture);
        arguments.screenshot = Some(screenshot.clone());

        let run = boot(&arguments).unwrap();
        let answers = run.answers.as_ref().unwrap();
        assert!(answers.len() == 2 && answers[0].score >= answers[1].score, "{answers:?}");
        assert!(run.instructions.unwrap() > 0 && run.refusal.is_none());
        assert!(text(&run).contains("emulated") && text(&run).contains("INFO"), "{}", text(&run));
        let screen = image::open(screenshot).unwrap().into_luma8();
        assert_eq!(screen.dimensions(), (160, 128));
        assert!(screen.pixels().any(|pixel| pixel.0 == [255]), "the best answer is white");
    }

    #[test]
    fn an_emulated_clock_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = arguments(folder.path(), PACKAGE);
        arguments.board = board("rpi-linux");
        let picture = folder.path().join("picture.png");
        write_png(&picture, &Glyph { width: 4, height: 4, pixels: vec![255; 16] }).unwrap();
        arguments.image = Some(picture);
        let run = boot(&arguments).unwrap();
        assert!(run.answers.is_some() && run.instructions.is_none());
        assert!(!text(&run).contains("instructions"), "{}", text(&run));
    }

    #[test]
    fn the_labels_of_another_model_are_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = arguments(folder.path(), PACKAGE);
        let quickstart = folder.path().join("quickstart.fude");
        let bytes = include_bytes!("../../../models/quickstart.fude");
        fs::write(&quickstart, repack(bytes, Board::find("qemu-m4").unwrap().weights).unwrap()).unwrap();
        let (_, description) = fude_boards::BUILT_IN.iter().find(|(name, _)| *name == "qemu-m4").unwrap();
        fs::write(
            folder.path().join("board.toml"),
            description.replace("{package}", &quickstart.display().to_string()),
        )
        .unwrap();
        arguments.board.board = folder.path().display().to_string();
        let error = boot(&arguments).unwrap_err().to_string();
        assert!(error.contains("the board runs the model quickstart ("), "{error}");
    }

    #[test]
    fn without_a_picture_there_is_only_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let run = boot(&arguments(folder.path(), PACKAGE)).unwrap();
        assert!(run.answers.is_none() && run.instructions.is_none());
        assert!(run.log.last().unwrap().text.contains("shut down by the host"), "{:?}", run.log);
        let document = serde_json::to_value(&run).unwrap();
        assert_eq!(document["status"], "emulated");
        assert!(document.get("answers").is_none());
    }

    #[test]
    fn a_board_that_does_not_take_the_package_is_quoted() {
        let mut package = repack(PACKAGE, Board::find("qemu-m4").unwrap().weights).unwrap();
        let (body, checksum) = package.split_last_chunk_mut().unwrap();
        body[20..24].copy_from_slice(&0x0020_0000_u32.to_le_bytes()); // the arena that it asks for
        *checksum = CRC32.checksum(body).to_le_bytes();
        let folder = tempfile::tempdir().unwrap();
        let run = boot(&arguments(folder.path(), &package)).unwrap();
        assert_eq!(run.refusal.as_deref(), Some("the board ended with exit code 3"));
        assert!(run.log.iter().any(|line| line.level == "ERROR"), "{:?}", run.log);
    }
}
