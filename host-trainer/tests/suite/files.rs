//! Files are replaced whole or not at all, whatever happens meanwhile.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use fude_trainer::files::{FileError, write_atomically};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::fude::{Finished, command, fude};
use crate::trained::trained;

/// Names the file that a child of [`a_kill_while_a_file_is_rewritten_leaves_it_whole`] rewrites.
const REWRITE: &str = "FUDE_TEST_REWRITE";
/// What it writes in turn: so long that a write takes a while.
const CONTENTS: [(u8, usize); 2] = [(b'a', 3_000_000), (b'b', 2_000_000)];

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_and_its_folders_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/file");
    for bytes in [&b"first"[..], b"", b"second"] {
        write_atomically(&path, bytes).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    assert_eq!(names_in(path.parent().unwrap()), ["file"], "nothing but the file is left");
}

#[test]
fn a_temporary_file_that_was_left_behind_does_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(dir.path().join(".tmpAb12Cd"), b"half a file").unwrap();
    write_atomically(&path, b"whole").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
}

#[test]
fn a_failed_write_names_the_file_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    // A folder cannot be replaced by a file: this fails at the very end, when the file is renamed.
    let path = dir.path().join("folder");
    fs::create_dir_all(path.join("inside")).unwrap();
    let error = write_atomically(&path, b"bytes").unwrap_err();
    assert!(matches!(&error, FileError::Write { path: named, .. } if *named == path), "{error}");
    assert_eq!(names_in(dir.path()), ["folder"]);
}

/// A limit on the size of files stands in for a full disk: writing fails half way through a file.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_file_of_before() {
    let copy = trained().copy();
    let before = fs::read(copy.package()).unwrap();
    assert!(before.len() > 4 * 1024, "the package would fit under the limit");
    let limited = |arguments: &[&str]| {
        let mut shell = Command::new("sh");
        // Without the trap the signal ends the program before it can say anything. Units are 512 or 1024 bytes.
        shell.args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_fude")]);
        Finished::of(shell.args(arguments).output().unwrap())
    };
    let (run, package) = (copy.run().display().to_string(), copy.package().display().to_string());
    let export = limited(&["export", &run, "--out", &package, "--data", &copy.data()]);
    export.assert_fails_naming(&[&package, "cannot be written", "nothing was overwritten"]);
    assert_eq!(fs::read(copy.package()).unwrap(), before);
    assert_eq!(names_in(copy.package().parent().unwrap()), ["glyphs", "model.fude", "run"]);

    let weights = fs::read(copy.path("run/qat.safetensors")).unwrap();
    let qat = limited(&["qat", &run, "--epochs", "1", "--data", &copy.data()]);
    assert_eq!((qat.code, qat.stdout.as_str()), (Some(1), ""), "{qat:?}");
    let line = qat.stderr.lines().last().unwrap();
    assert!(line.contains(&run) && line.contains("cannot be written"), "{line}");
    assert_eq!(fs::read(copy.path("run/qat.safetensors")).unwrap(), weights);
    // The run is as it was.
    let again = copy.path("again.fude").display().to_string();
    fude(["export", &run, "--out", &again, "--data", &copy.data(), "--json"]).document();
    assert_eq!(fs::read(copy.path("again.fude")).unwrap(), before);
}

/// The test runs itself as a child that rewrites a file without end, and kills it at random moments.
#[test]
fn a_kill_while_a_file_is_rewritten_leaves_it_whole() {
    const KILLS: usize = 24;
    if let Some(path) = env::var_os(REWRITE) {
        for (byte, length) in CONTENTS.iter().cycle() {
            write_atomically(Path::new(&path), &vec![*byte; *length]).unwrap();
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let started = Instant::now();
    CONTENTS.iter().for_each(|&(byte, length)| write_atomically(&path, &vec![byte; length]).unwrap());
    let two_writes = started.elapsed();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut seen = [0; CONTENTS.len()];
    for kill in 0..KILLS {
        fs::remove_file(&path).unwrap();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "files::a_kill_while_a_file_is_rewritten_leaves_it_whole", "--nocapture"])
            .env(REWRITE, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while !path.exists() {
            assert!(child.try_wait().unwrap().is_none(), "the child writes without end");
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(two_writes.mul_f64(rng.random_range(0.0..2.0)));
        child.kill().unwrap();
        child.wait().unwrap();

        let bytes = fs::read(&path).unwrap();
        let whole =
            CONTENTS.iter().position(|&(byte, length)| bytes.len() == length && bytes.iter().all(|b| *b == byte));
        seen[whole.unwrap_or_else(|| panic!("kill {kill} left a torn file of {} bytes", bytes.len()))] += 1;
    }
    assert!(seen.iter().all(|&count| count > 0), "the child was never killed at work: {seen:?}");
    // What the killed left behind, if anything, does not keep the next from writing.
    write_atomically(&path, b"the end").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"the end");
}

/// Standard output on a full disk: the result is lost, and that is said.
#[cfg(target_os = "linux")]
#[test]
fn lost_output_is_a_failure() {
    let copy = trained().copy();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let package = copy.package().display().to_string();
    let output = command(["inspect", &package, "--json"]).stdout(full).output().unwrap();
    Finished::of(output).assert_fails_naming(&["standard output", "cannot be written"]);
}
