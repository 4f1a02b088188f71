//! The program `fude`, run as its users run it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The repository, in which `fude` finds boards and their images.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the trainer is a folder of the repository")
}

/// What a run of the program came to.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    pub fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("fude writes UTF-8");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The one JSON document of a run that went well; anything before or after it is an error.
    pub fn document(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that the run failed with one line that has all of `parts`, and wrote no result.
    pub fn assert_fails_naming(&self, parts: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        let mut lines = self.stderr.lines();
        let line = lines.next().unwrap_or_default();
        assert!(line.starts_with("fude: ") && lines.next().is_none(), "not one line: {}", self.stderr);
        parts.iter().for_each(|part| assert!(line.contains(part), "{part:?} is not in: {line}"));
    }
}

/// The program with `arguments`, in the repository.
pub fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fude"));
    command.args(arguments).current_dir(repository());
    command
}

/// Runs the program with `arguments`.
pub fn fude<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Finished {
    Finished::of(command(arguments).output().expect("cargo has built fude"))
}
