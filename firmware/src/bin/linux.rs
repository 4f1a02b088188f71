//! The application as a program under Linux: what the command line chooses, and where the log goes.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::{env, fs, panic};

use fude_boards::linux::{DisplayMemory, Line, MonotonicClock};
use fude_boards::{Board, Peripherals, Selected};
use fude_firmware::app::{self, Memory};
use fude_firmware::memory_of;
use fude_runtime::package::AlignedBytes;
use lexopt::prelude::*;
use log::{LevelFilter, Metadata, Record};

const USAGE: &str = "\
Recognises handwriting with the model in PACKAGE, for a host that speaks Fude's device link.

Usage: PROGRAM [--connect ADDRESS:PORT | --listen [ADDRESS:]PORT] [--emulated] PACKAGE

Options:
  --connect ADDRESS:PORT    connect to a host that listens there
  --listen [ADDRESS:]PORT   wait for a host; without an address only this machine can connect
  --emulated                show no times, which would be this emulator's
  --version                 print the version
  --help                    print this

Where no link is named it is standard input and output, as inetd and ssh have it. The log then goes to standard
error, else to standard output.

The link has no password and no encryption: listen to other machines only in a network that you trust.
";

/// Exit code of a program that could not start. The application's own codes are those of `app::exit`.
const EXIT_NOT_STARTED: u8 = 1;

/// The board's name, which messages start with.
const NAME: &str = Selected::NAME;

/// A static takes no memory until it is touched; on the stack it would not fit.
static MEMORY: Mutex<memory_of!(Selected)> = Mutex::new(Memory::ZERO);

fn main() -> ExitCode {
    let opened = match Command::parse(env::args_os().skip(1)) {
        Ok(Command::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Ok(Command::Run { link, is_emulated, package }) => {
            start_log(&link).and_then(|()| Ok((open(link)?, MonotonicClock::start(is_emulated), package)))
        }
        Err(error) => Err(format!("{error}; --help explains the options")),
    };
    let (line, counter, package) = match opened {
        Ok(opened) => opened,
        Err(message) => {
            eprintln!("{NAME}: {message}");
            return ExitCode::from(EXIT_NOT_STARTED);
        }
    };
    // From here on there is a host, which reads the log.
    match fs::read(&package) {
        Ok(bytes) => ExitCode::from(run(line, counter, &bytes)),
        Err(error) => {
            log::error!("{}: {error}", package.display());
            ExitCode::from(app::exit::PACKAGE)
        }
    }
}

fn run(line: Line, counter: MonotonicClock, package: &[u8]) -> u8 {
    // The application has what is leaked here until the program ends.
    let package: &'static AlignedBytes = Box::leak(Box::new(AlignedBytes::copy_of(package)));
    let display = Some(Box::leak(Box::new(DisplayMemory::new())));
    let peripherals = Peripherals { serial: line, counter, display, model_partition: package.as_slice() };
    let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    app::run::<Selected, _, _, _, _>(peripherals, &mut *memory)
}

/// What the command line asks for.
enum Command {
    Print(String),
    Run { link: Link, is_emulated: bool, package: PathBuf },
}

/// Where the host is.
enum Link {
    StandardStreams,
    Connect(SocketAddr),
    Listen(SocketAddr),
}

impl Command {
    fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self, lexopt::Error> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let (mut link, mut is_emulated, mut package) = (None, false, None);
        while let Some(argument) = parser.next()? {
            let other_link = match argument {
                Long("help") => return Ok(Self::Print(USAGE.to_owned())),
                Long("version") => return Ok(Self::Print(format!("{NAME} {}\n", env!("CARGO_PKG_VERSION")))),
                Long("connect") => link.replace(Link::Connect(parser.value()?.parse()?)),
                Long("listen") => link.replace(Link::Listen(parser.value()?.parse_with(address_to_listen_at)?)),
                Long("emulated") => {
                    is_emulated = true;
                    None
                }
                Value(path) if package.is_none() => {
                    package = Some(PathBuf::from(path));
                    None
                }
                _ => return Err(argument.unexpected()),
            };
            if other_link.is_some() {
                return Err("there is one link: give --connect or --listen, and that once".into());
            }
        }
        let package = package.ok_or("name the package to run")?;
        Ok(Self::Run { link: link.unwrap_or(Link::StandardStreams), is_emulated, package })
    }
}

/// A port alone is one of this machine's own.
fn address_to_listen_at(text: &str) -> Result<SocketAddr, std::net::AddrParseError> {
    match text.parse() {
        Ok(port) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        Err(_) => text.parse(),
    }
}

/// Opens the link and waits until there is a host.
fn open(link: Link) -> Result<Line, String> {
    match link {
        Link::StandardStreams => {
            if io::stdin().is_terminal() {
                log::warn!("the link is this terminal; --help names other links, Ctrl-D ends");
            }
            Ok(Line::standard_streams())
        }
        Link::Connect(address) => Line::connect(address).map_err(|error| format!("connecting to {address}: {error}")),
        Link::Listen(address) => {
            let failed = |error| format!("listening at {address}: {error}");
            let listener = TcpListener::bind(address).map_err(failed)?;
            log::info!("waiting for a host at {}", listener.local_addr().map_err(failed)?);
            Line::accept(listener).map_err(failed)
        }
    }
}

/// Puts the log where the link is not. A panic is logged as well: it reaches the host as any other message does.
fn start_log(link: &Link) -> Result<(), String> {
    let log = if matches!(link, Link::StandardStreams) { &Log::StandardError } else { &Log::StandardOutput };
    log::set_logger(log).map_err(|error| error.to_string())?;
    log::set_max_level(LevelFilter::Info);
    panic::set_hook(Box::new(|panic| log::error!("{}", panic.to_string().replace('\n', " "))));
    Ok(())
}

/// The log: a line a message, its level first, as `fude` shows those of other boards.
enum Log {
    StandardOutput,
    StandardError,
}

impl log::Log for Log {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{:5} {}\n", record.level(), record.args());
        // Whoever closed the log does not want it; the application goes on.
        let _ = match self {
            Self::StandardOutput => io::stdout().write_all(line.as_bytes()),
            Self::StandardError => io::stderr().write_all(line.as_bytes()),
        };
    }

    fn flush(&self) {}
}
