//! A board's emulator: a child process whose serial line is a TCP connection and whose standard output is the log.
//!
//! The process ends with its [`Emulator`]. Only a host that is killed (`SIGKILL`) cannot end it; the emulated board
//! then takes the silent line for closed and ends by itself, after minutes in which it sleeps.

use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::board::{Board, Emulation};
use crate::doctor::remedy_for_program;

/// How long the emulator may take to connect, and a board to answer one request. The slowest request is a
/// recognition of some tens of millions of instructions, seconds on a slow host.
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// How often to look whether something happened that cannot be waited for.
const POLL: Duration = Duration::from_millis(5);

/// A running emulator. Dropping it ends the process.
pub struct Emulator {
    child: Child,
    listener: TcpListener,
    output: Capture,
    errors: Capture,
    program: String,
}

/// Why an emulator does not run.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The board has none.
    #[error("the board {board:?} has no [emulator] in its board.toml, and serial ports are not supported yet")]
    NotEmulated {
        /// The board.
        board: String,
    },
    /// The program is missing.
    #[error("{program} is not installed: {}", remedy_for_program(.program))]
    Missing {
        /// The program.
        program: String,
    },
    /// The program, or its connection, failed.
    #[error("{program}: {source}")]
    Io {
        /// The program.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// The package cannot be read.
    #[error("{}: {source}", path.display())]
    Package {
        /// The package's file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The package is larger than the model partition.
    #[error("{}: {bytes} bytes do not fit the board's model partition of {partition}", path.display())]
    PackageTooLarge {
        /// The package's file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The partition's size.
        partition: u64,
    },
    /// It ended before it connected.
    #[error("{program} ended at once ({status}): {message}")]
    EndedAtOnce {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to its standard error.
        message: String,
    },
    /// It did nothing within the time limit.
    #[error("{program} did not {what} within {} s", TIME_LIMIT.as_secs())]
    TimeLimit {
        /// The program.
        program: String,
        /// What it should have done.
        what: &'static str,
    },
}

impl Emulator {
    /// Starts the emulator of `board` with the image and the package in these files.
    ///
    /// With `counting` its counter is exact, and it runs slower.
    ///
    /// # Errors
    /// [`EmulatorError`].
    pub fn start(board: &Board, firmware: &Path, package: &Path, counting: bool) -> Result<Self, EmulatorError> {
        let emulation =
            board.emulator.as_ref().ok_or_else(|| EmulatorError::NotEmulated { board: board.name.clone() })?;
        check_fits(package, board.memory.as_ref().map(|memory| memory.model.size))?;
        let program = emulation.program.clone();
        let failed = |source| EmulatorError::Io { program: program.clone(), source };

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let mut child = Command::new(&program)
            .args(arguments(board, emulation, port, firmware, package, counting))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => EmulatorError::Missing { program: program.clone() },
                _ => failed(source),
            })?;
        let output = Capture::of(child.stdout.take());
        let errors = Capture::of(child.stderr.take());
        Ok(Self { child, listener, output, errors, program })
    }

    /// Waits for the emulator to connect the board's serial line.
    ///
    /// # Errors
    /// [`EmulatorError::EndedAtOnce`] with the emulator's own message, or [`EmulatorError::TimeLimit`].
    pub fn line(&mut self) -> Result<TcpStream, EmulatorError> {
        // Not blocking: an emulator that ended will never connect.
        self.listener.set_nonblocking(true).map_err(|source| self.failed(source))?;
        let start = Instant::now();
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    return prepare(&stream).map(|()| stream).map_err(|source| self.failed(source));
                }
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(self.failed(error)),
                Err(_) => {}
            }
            if let Some(status) = self.child.try_wait().map_err(|source| self.failed(source))? {
                let message = String::from_utf8_lossy(&self.errors.finish()).trim().to_owned();
                return Err(EmulatorError::EndedAtOnce { program: self.program.clone(), status, message });
            }
            if start.elapsed() > TIME_LIMIT {
                return Err(self.too_slow("connect"));
            }
            thread::sleep(POLL);
        }
    }

    /// Waits for the board's program to end; returns its exit code, 128 + signal if the emulator was killed.
    ///
    /// # Errors
    /// [`EmulatorError::TimeLimit`].
    pub fn wait(&mut self) -> Result<i32, EmulatorError> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().map_err(|source| self.failed(source))? {
                self.output.finish();
                return Ok(exit_code(status));
            }
            if start.elapsed() > TIME_LIMIT {
                return Err(self.too_slow("end"));
            }
            thread::sleep(POLL);
        }
    }

    /// What the board has written to its log so far; all of it after [`Self::wait`].
    pub fn output(&self) -> Vec<u8> {
        self.output.bytes()
    }

    fn failed(&self, source: io::Error) -> EmulatorError {
        EmulatorError::Io { program: self.program.clone(), source }
    }

    fn too_slow(&self, what: &'static str) -> EmulatorError {
        EmulatorError::TimeLimit { program: self.program.clone(), what }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Both fail only when the process is already gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn check_fits(package: &Path, partition: Option<u64>) -> Result<(), EmulatorError> {
    let metadata = fs::metadata(package);
    let bytes = metadata.map_err(|source| EmulatorError::Package { path: package.into(), source })?.len();
    match partition {
        Some(partition) if bytes > partition => {
            Err(EmulatorError::PackageTooLarge { path: package.into(), bytes, partition })
        }
        _ => Ok(()),
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIME_LIMIT))?;
    stream.set_write_timeout(Some(TIME_LIMIT))
}

/// The emulator's arguments, placeholders filled in.
fn arguments(
    board: &Board,
    emulation: &Emulation,
    port: u16,
    firmware: &Path,
    package: &Path,
    counting: bool,
) -> Vec<String> {
    let model_address = board.memory.as_ref().map_or(0, |memory| memory.model.address);
    let package = package.to_string_lossy();
    let fill = |argument: &String| {
        // Among an option's values QEMU reads a comma as the end of one, and two as one comma.
        let is_among_values = argument != "{package}";
        let package = if is_among_values { package.replace(',', ",,") } else { package.to_string() };
        argument
            .replace("{port}", &port.to_string())
            .replace("{model_address}", &format!("{model_address:#x}"))
            .replace("{package}", &package)
            .replace("{firmware}", &firmware.to_string_lossy())
    };
    let count_arguments = if counting { emulation.count_arguments.as_slice() } else { &[] };
    emulation.arguments.iter().chain(count_arguments).map(fill).collect()
}

#[cfg(unix)]
fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or_default()
}

#[cfg(not(unix))]
fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_default()
}

/// Collects a pipe's bytes in the background, so that the process never waits for a reader.
struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = pipe.map(|mut pipe| {
            thread::spawn(move || {
                let mut chunk = [0; 4096];
                while let Ok(count @ 1..) = pipe.read(&mut chunk) {
                    sink.lock().unwrap_or_else(PoisonError::into_inner).extend(&chunk[..count]);
                }
            })
        });
        Self { bytes, reader }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the pipe to close and returns all of it.
    fn finish(&mut self) -> Vec<u8> {
        if let Some(reader) = self.reader.take() {
            // The reader cannot panic; if it did, what it had collected still stands.
            let _ = reader.join();
        }
        self.bytes()
    }
}
