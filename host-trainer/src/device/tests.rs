//! The device end to end: each board's own image in its emulator, against the same runtime on the host.
//!
//! These tests need the emulators and the images (`make test` gets both); without them they fail and say so.

#[path = "../../../firmware/tests/freshness/mod.rs"]
mod freshness;

use std::fs;
use std::path::PathBuf;

use fude_firmware::app;
use fude_firmware::link::message::Refusal;
use fude_runtime::ink;
use fude_runtime::package::{AlignedBytes, CRC32, Package, repack};
use fude_runtime::profile::LayerHashes;
use fude_runtime::recognizer::Recognizer;
use tempfile::TempDir;

use super::*;
use crate::package::PackageFile;

/// A package with every operator and two golden vectors, which the runtime keeps readable for ever.
const PACKAGE: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../edge-runtime/tests/packages/format-1.0.fude"));
/// The same, with layers that run band by band.
const BANDED_PACKAGE: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../edge-runtime/tests/packages/format-1.2.fude"));

/// A bare board, and a program for two instruction sets: what depends on this alone is tested on these.
const OF_EACH_KIND: [&str; 3] = ["qemu-m4", "rpi-linux", "rpi-linux-armv7"];

/// The package after `change`, with a matching checksum.
fn changed(package: &[u8], change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = package.to_vec();
    let (body, checksum) = bytes.split_last_chunk_mut().unwrap();
    change(body);
    *checksum = CRC32.checksum(body).to_le_bytes();
    bytes
}

/// Pixels of a square image with some ink, different for every seed.
fn drawing(side: u16, seed: u32) -> Vec<u8> {
    let stripe = |place: u32| (place * (2 * seed + 1) / 7).is_multiple_of(5);
    let pixel = |place: u32| if stripe(place) { (place * 31 + seed * 17) as u8 | 64 } else { 0 };
    (0..u32::from(side) * u32::from(side)).map(pixel).collect()
}

fn image(side: u16, pixels: &[u8]) -> Image<'_> {
    Image { width: side, height: side, pixels, top_k: 2 }
}

struct OnDisk {
    _folder: TempDir,
    path: PathBuf,
}

fn on_disk(package: &[u8]) -> OnDisk {
    let folder = tempfile::tempdir().unwrap();
    // QEMU gives commas a meaning of their own.
    let path = folder.path().join("model, second try.fude");
    fs::write(&path, package).unwrap();
    OnDisk { _folder: folder, path }
}

/// A built-in board with its image.
pub fn built_in(name: &str) -> (Board, Firmware) {
    let board = Board::find(name).unwrap();
    let firmware = Firmware::find(&board, None).unwrap_or_else(|error| panic!("{error}"));
    freshness::assert_fresh(firmware.path(), &format!("make firmware BOARD={name}"));
    (board, firmware)
}

/// Starts a built-in board with `package`, laid out for it.
fn boot(name: &str, package: &[u8], counting: bool) -> Result<Device, DeviceError> {
    let (board, firmware) = built_in(name);
    let package = repack(package, board.weights).unwrap();
    Device::boot(&board, &firmware, &on_disk(&package).path, counting)
}

#[test]
fn every_board_computes_what_the_host_computes() {
    assert_boards_equal_the_host(PACKAGE);
}

#[test]
fn every_board_computes_band_by_band_what_the_host_computes() {
    assert_boards_equal_the_host(BANDED_PACKAGE);
}

fn assert_boards_equal_the_host(bytes: &[u8]) {
    let aligned = AlignedBytes::copy_of(bytes);
    let package = Package::new_checked(aligned.as_slice()).unwrap();
    let mut arena = vec![0; package.arena_bytes()];
    let mut host = Recognizer::new(&package, &mut arena).unwrap();
    for (board, _) in fude_boards::BUILT_IN {
        let mut device = boot(board, bytes, false).unwrap_or_else(|error| panic!("{board}: {error}"));
        let hello = device.hello().unwrap();
        assert_eq!((hello.board, hello.model), (*board, package.manifest().name.as_str()));
        assert_eq!(usize::from(hello.classes), package.classes());
        assert_eq!(usize::from(device.self_test().unwrap()), package.golden().count());
        for (side, seed) in (8..33).step_by(3).zip(0..) {
            let pixels = drawing(side, seed);
            let mut hashes = LayerHashes::default();
            let expected = ink::Image::new(side.into(), side.into(), &pixels).unwrap();
            let expected = host.recognize_observed(&expected, 2, &mut hashes).unwrap();
            let found = device.recognize(image(side, &pixels)).unwrap();
            assert_eq!(found.output, host.logits(), "{board}");
            assert_eq!(found.layers.hashes.as_slice(), hashes.0, "{board}");
            let expected: Vec<_> = expected.iter().map(|answer| (answer.class, answer.score)).collect();
            let found: Vec<_> = found.top.iter().map(|candidate| (candidate.class, candidate.score)).collect();
            assert_eq!(found, expected, "{board}");
        }
        let log = device.shutdown().unwrap();
        assert!(log.iter().any(|line| line.text.contains("golden vectors as on the host")), "{board}: {log:?}");
    }
}

#[test]
fn displays_of_every_size_are_read_back() {
    let drawing = drawing(20, 7);
    for (board, size) in
        [("qemu-m33", (128, 64)), ("qemu-m3", (160, 128)), ("qemu-m7", (320, 240)), ("qemu-m55", (800, 480))]
    {
        let mut device = boot(board, PACKAGE, false).unwrap();
        device.show(image(20, &drawing)).unwrap();
        let screen = device.screen().unwrap();
        assert_eq!((screen.width, screen.height), size, "{board}");
        let greys = screen.pixels.iter().any(|pixel| (1..255).contains(pixel));
        assert_eq!((greys, screen.pixels.contains(&255)), (board != "qemu-m33", true), "{board}");
    }
}

#[test]
fn a_small_board_says_what_it_cannot_do() {
    let mut device = boot("qemu-microbit", PACKAGE, false).unwrap();
    let refused = device.show(image(20, &drawing(20, 7))).unwrap_err();
    assert!(matches!(refused, DeviceError::Link(LinkError::Refused(Refusal::NoDisplay))), "{refused}");
    let refused = device.recognize(image(33, &drawing(33, 7))).unwrap_err();
    assert!(matches!(refused, DeviceError::Link(LinkError::ImageTooLarge { max_pixels: 1024, .. })), "{refused}");

    // Its description names the arena that its firmware has.
    let arena = Board::find("qemu-microbit").unwrap().budget.arena.unwrap();
    let log = device.log().unwrap();
    assert!(log.iter().any(|line| line.text.contains(&format!("of {arena} bytes"))), "{log:?}");

    // The model has 27 layers, and this board's runtime room for 16.
    let quickstart = include_bytes!("../../../models/quickstart.fude");
    let refused = boot("qemu-microbit", quickstart, false).map(drop).unwrap_err();
    assert!(matches!(refused, DeviceError::Ended { code, .. } if code == i32::from(app::exit::CAPACITY)), "{refused}");
    assert!(refused.to_string().contains("choose a smaller model"), "{refused}");
}

#[test]
fn a_board_with_another_model_is_not_taken_for_this_one() {
    let file = |bytes: &[u8]| PackageFile::new(bytes, "a test's".as_ref()).unwrap();
    let layout = Board::find("qemu-m4").unwrap().weights;
    let [own, other] =
        [PACKAGE, include_bytes!("../../../models/quickstart.fude")].map(|bytes| file(bytes).laid_out(layout).unwrap());
    let mut device = boot("qemu-m4", PACKAGE, false).unwrap();
    device.check_model(own.model()).unwrap();
    let error = device.check_model(other.model()).unwrap_err();
    assert!(matches!(error, DeviceError::OtherModel { .. }), "{error}");
    for package in [own, other] {
        assert!(error.to_string().contains(&package.model().to_string()), "{error}");
    }
}

#[test]
fn counted_instructions_are_repeatable() {
    let (board, _) = built_in("qemu-m4");
    let count = || {
        let mut device = boot("qemu-m4", PACKAGE, true).unwrap();
        let recognition = device.recognize(image(20, &drawing(20, 7))).unwrap();
        let layers: u64 = recognition.layers.ticks.iter().map(|&ticks| u64::from(ticks)).sum();
        assert!(layers > 0 && layers <= recognition.ticks, "{layers} of {} ticks in layers", recognition.ticks);
        board.instructions(recognition.ticks).unwrap()
    };
    let (first, second) = (count(), count());
    assert_eq!(first, second);
    // The core does two multiplications in an instruction at best.
    let bytes = AlignedBytes::copy_of(PACKAGE);
    let macs = Package::new_checked(bytes.as_slice()).unwrap().graph().total_cost().macs;
    assert!(first > macs / 2, "{first} instructions for {macs} MACs");
}

#[test]
fn the_display_shows_what_it_is_asked_to_and_costs_nothing_else() {
    for (name, size) in OF_EACH_KIND.into_iter().zip([(160, 128), (320, 240), (320, 240)]) {
        let (board, _) = built_in(name);
        let mut device = boot(name, PACKAGE, true).unwrap();
        let drawings = [drawing(20, 7), drawing(20, 8)];
        let quiet = device.recognize(image(20, &drawings[0])).unwrap().ticks;
        let dark = device.screen().unwrap();
        assert_eq!((dark.width, dark.height), size);
        assert!(dark.pixels.iter().all(|&pixel| pixel == 0), "{name}: drawn without being asked to");

        let shown = device.show(image(20, &drawings[0])).unwrap().ticks;
        // Where the emulator cannot count, there is nothing to compare.
        let (shown, quiet) = (board.instructions(shown), board.instructions(quiet));
        assert_eq!((shown.is_some(), shown), (name == "qemu-m4", quiet), "{name}: drawing was counted");
        let first = device.screen().unwrap();
        assert!(first.pixels.contains(&255), "{name}: the best answer is white");
        device.recognize(image(20, &drawings[1])).unwrap();
        assert_eq!(device.screen().unwrap(), first, "{name}: drawn without being asked to");
        device.show(image(20, &drawings[1])).unwrap();
        assert_ne!(device.screen().unwrap(), first, "{name}");
    }
}

#[test]
fn an_emulated_clock_is_not_shown_on_the_display() {
    for (name, shows_cost) in [("qemu-m7", true), ("rpi-linux", false), ("rpi-linux-armv7", false)] {
        let mut device = boot(name, PACKAGE, false).unwrap();
        device.show(image(20, &drawing(20, 7))).unwrap();
        let screen = device.screen().unwrap();
        assert_eq!((screen.width, screen.height), (320, 240), "{name}");
        let last_rows = screen.pixels.chunks_exact(320).skip(240 - 16);
        let (left, right): (Vec<_>, Vec<_>) = last_rows.map(|row| row.split_at(160)).unzip();
        let is_lit = |half: Vec<&[u8]>| half.into_iter().flatten().any(|&pixel| pixel > 0);
        assert_eq!((is_lit(left), is_lit(right)), (shows_cost, true), "{name}: cost to the left, memory to the right");
    }
}

#[test]
fn a_board_refuses_a_bad_request_and_serves_the_next() {
    for (board, _) in fude_boards::BUILT_IN {
        let mut device = boot(board, PACKAGE, false).unwrap();
        let pixels = drawing(12, 1);
        let crooked = Image { height: 13, ..image(12, &pixels) };
        let refused = device.recognize(crooked).unwrap_err();
        assert!(matches!(refused, DeviceError::Link(LinkError::Refused(Refusal::BadImage))), "{refused}");
        let too_large = image(1000, &[0; 1_000_000]);
        let refused = device.recognize(too_large).unwrap_err();
        assert!(matches!(refused, DeviceError::Link(LinkError::ImageTooLarge { pixels: 1_000_000, .. })), "{refused}");
        device.recognize(image(12, &pixels)).unwrap();
    }
}

#[test]
fn a_board_that_ends_says_why() {
    for board in OF_EACH_KIND {
        let (board, firmware) = built_in(board);
        let sound = repack(PACKAGE, board.weights).unwrap();
        let bytes = AlignedBytes::copy_of(&sound);
        let package = Package::for_any_target(bytes.as_slice()).unwrap();
        let golden_output = package.golden().nth(1).unwrap().output.as_ptr().addr() - bytes.as_slice().as_ptr().addr();
        let mut damaged = sound.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let hungry = changed(&sound, |bytes| bytes[20..24].copy_from_slice(&0x2000_0000_u32.to_le_bytes()));
        let other_answer = changed(&sound, |bytes| bytes[golden_output] ^= 1);
        let other_target = changed(&sound, |bytes| bytes[16] = 0xee);
        // defmt prints an error's variant, a program its sentence.
        let cases: [(&[u8], u8, [&str; 2]); 5] = [
            (b"not a package", app::exit::PACKAGE, ["NotAPackage", "not a fude package"]),
            (&damaged, app::exit::PACKAGE, ["Checksum", "checksum"]),
            (&hungry, app::exit::ARENA, ["Arena { needed: 536870912", "the package needs 536870912"]),
            (
                &other_answer,
                app::exit::SELF_TEST,
                ["SelfTestFailed { vector: 1 }", "golden vector 1 came out different"],
            ),
            (&other_target, app::exit::PACKAGE, ["Layout { layout: 238 }", "laid out for another target"]),
        ];
        for (package, exit, causes) in cases {
            let name = &board.name;
            match Device::boot(&board, &firmware, &on_disk(package).path, false) {
                Err(DeviceError::Ended { code, log }) => {
                    let words = last_words(&log);
                    assert_eq!(code, i32::from(exit), "{name}: {words}");
                    let names_cause = causes.iter().any(|cause| words.contains(cause));
                    assert!(words.contains("ERROR") && names_cause, "{name}: {words}");
                }
                Err(other) => panic!("{name}: {other}"),
                Ok(_) => panic!("{name} serves"),
            }
        }
    }
}

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    let (board, firmware) = built_in("qemu-m4");
    let package = on_disk(&repack(PACKAGE, board.weights).unwrap());
    let start = |change: fn(&mut board::Emulation)| {
        let mut board = board.clone();
        change(board.emulator.as_mut().unwrap());
        match Device::boot(&board, &firmware, &package.path, false) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("the board serves"),
        }
    };
    let missing = start(|emulation| emulation.program = "no-such-emulator".into());
    assert_eq!(missing, "no-such-emulator is not installed: install it, and see that it is on PATH");
    let confused = start(|emulation| emulation.arguments.push("-no-such-option".into()));
    assert!(confused.contains("no-such-option"), "{confused}");

    let nowhere = Device::boot(&board, &firmware, "no such.fude".as_ref(), false).map(drop).unwrap_err().to_string();
    assert!(nowhere.starts_with("no such.fude: "), "{nowhere}");
    let large = on_disk(&vec![0; 0x0020_0001]);
    let large = Device::boot(&board, &firmware, &large.path, false).map(drop).unwrap_err().to_string();
    assert!(large.contains("2097153 bytes do not fit"), "{large}");

    let other = Board { name: "other-board".into(), ..board.clone() };
    let not_built = Firmware::find(&other, None).map(drop).unwrap_err().to_string();
    assert!(not_built.contains("make firmware") && not_built.contains("other-board"), "{not_built}");
    let not_elf = Firmware::find(&board, Some(&package.path)).map(drop).unwrap_err().to_string();
    assert!(not_elf.contains("is no firmware image"), "{not_elf}");
    let wrong = Device::boot(&other, &firmware, &package.path, false).map(drop).unwrap_err();
    assert!(matches!(wrong, DeviceError::WrongBoard { .. }), "{wrong}");
    let mut faster = board.clone();
    faster.counter.tick = Tick::Instructions(20);
    let wrong = Device::boot(&faster, &firmware, &package.path, false).map(drop).unwrap_err();
    assert!(matches!(wrong, DeviceError::OtherTick { .. }), "{wrong}");
    assert!(wrong.to_string().contains("40 instructions to its firmware and 20 instructions to"), "{wrong}");
}

#[test]
fn an_image_is_measured_by_what_it_loads() {
    let (board, firmware) = built_in("qemu-m4");
    let (memory, size) = (board.memory.unwrap(), firmware.size().unwrap());
    assert!((10_000..memory.flash.size).contains(&size.flash), "{size:?}");
    assert!((1024 * 1024..memory.ram.size).contains(&size.ram), "{size:?}");
    assert_eq!(built_in("rpi-linux").1.size(), None);
}

/// What a user of a Raspberry Pi starts: the program, with other links than the one that `fude` asks for.
mod program {
    use std::io::{self, BufRead, BufReader, Read, Write};
    use std::net::TcpStream;
    use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

    use super::*;

    /// The board's program in its emulator, with these arguments and pipes for all its streams.
    fn start(board: &str, arguments: &[&str]) -> Child {
        let (board, firmware) = built_in(board);
        let mut command = Command::new(board.emulator.unwrap().program);
        command.arg(firmware.path()).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// A program that would wait for ever where the test fails.
    struct Listening(Child);

    impl Drop for Listening {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    struct Streams(ChildStdout, ChildStdin);

    impl Read for Streams {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Streams {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.1.flush()
        }
    }

    #[test]
    fn serves_over_its_standard_streams_and_logs_beside_them() {
        let package = on_disk(PACKAGE);
        for board in ["rpi-linux", "rpi-linux-armv7"] {
            let mut child = start(board, &[package.path.to_str().unwrap()]);
            let mut link = Link::new(Streams(child.stdout.take().unwrap(), child.stdin.take().unwrap()));
            assert_eq!(link.hello().unwrap().board, board);
            link.shutdown(7).unwrap();
            let output = child.wait_with_output().unwrap();
            let log = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(7));
            assert!(log.ends_with("INFO  shut down by the host with code 7\n"), "{log}");
        }
    }

    #[test]
    fn tells_the_host_that_there_is_no_package() {
        let (mut board, firmware) = built_in("rpi-linux");
        *board.emulator.as_mut().unwrap().arguments.last_mut().unwrap() = "no such.fude".into();
        let ended = Device::boot(&board, &firmware, &on_disk(PACKAGE).path, false).map(drop).unwrap_err();
        let message = ended.to_string();
        assert!(message.contains("exit code 2") && message.contains("ERROR no such.fude: "), "{message}");
    }

    #[test]
    fn listens_on_this_machine_unless_told_otherwise() {
        let package = on_disk(PACKAGE);
        let mut program = Listening(start("rpi-linux", &["--listen", "0", package.path.to_str().unwrap()]));
        let mut log = BufReader::new(program.0.stdout.take().unwrap()).lines();
        let waiting = log.next().unwrap().unwrap();
        let address = waiting.strip_prefix("INFO  waiting for a host at ").unwrap();
        assert!(address.starts_with("127.0.0.1:"), "{address}");

        let mut link = Link::new(TcpStream::connect(address).unwrap());
        assert_eq!(link.self_test().unwrap(), 2);
        drop(link);
        assert_eq!(program.0.wait().unwrap().code(), Some(app::exit::LINE.into()));
        assert_eq!(log.last().unwrap().unwrap(), "ERROR the host left without a shutdown");
    }

    #[test]
    fn says_what_is_wrong_with_its_command_line() {
        for (arguments, complaint) in [
            (&[][..], "name the package"),
            (&["one.fude", "two.fude"], "unexpected argument \"two.fude\""),
            (&["--listen", "everywhere", "one.fude"], "everywhere"),
            (&["--listen", "1", "--connect", "127.0.0.1:1", "one.fude"], "there is one link"),
        ] {
            let output = start("rpi-linux", arguments).wait_with_output().unwrap();
            let errors = String::from_utf8(output.stderr).unwrap();
            assert!(errors.starts_with("rpi-linux: ") && errors.contains(complaint), "{arguments:?}: {errors}");
            assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &[][..]));
        }
    }
}
