//! Raspberry Pi under Linux. **Emulated** by QEMU's user mode; no hardware has run it.
//!
//! The application is a program among others here: the operating system starts it, gives it memory when it is
//! touched, and has the streams and the clock that are drivers elsewhere. What the user chooses, the package and
//! the line, comes from the command line, so the board is not [`BareMetal`](crate::BareMetal): the program puts its
//! [`Peripherals`](crate::Peripherals) together from the pieces here.

extern crate std;

use std::boxed::Box;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use embedded_graphics::framebuffer::{Framebuffer, buffer_size};
use embedded_graphics::pixelcolor::Gray8;
use embedded_graphics::pixelcolor::raw::{LittleEndian, RawU8};
use embedded_io::{ErrorType, Read, Write};

use crate::{Board, Counter, Tick};

/// A Raspberry Pi, or whatever machine runs the program.
pub struct Selected;

/// Memory of the size of a common display.
pub type DisplayMemory = Framebuffer<Gray8, RawU8, LittleEndian, 320, 240, { buffer_size::<Gray8>(320, 240) }>;

impl Board for Selected {
    const NAME: &'static str = if cfg!(feature = "rpi-linux-armv7") { "rpi-linux-armv7" } else { "rpi-linux" };
    /// A page that no package needs is never given out by the kernel, so this is only a limit.
    const ARENA_BYTES: usize = 64 * 1024 * 1024;
    const MAX_PIXELS: usize = 128 * 128;
    const MAX_OUTPUT_BYTES: usize = 16 * 1024;
    const PIXEL_BUFFER_BYTES: usize = 64 * 64;
    type Serial = Line;
    type Counter = MonotonicClock;
    type Display = DisplayMemory;
}

/// A host that vanished without a word, with its machine or its network, would be waited for for ever: after so long
/// without a byte a connection counts as closed, as on the other boards.
const SILENCE: Duration = Duration::from_secs(5 * 60);

/// The line to the host.
pub struct Line {
    input: Box<dyn BufRead>,
    output: Box<dyn io::Write>,
}

impl Line {
    /// Standard input and output, which nothing else may then use.
    pub fn standard_streams() -> Self {
        Self { input: Box::new(io::stdin().lock()), output: Box::new(io::stdout().lock()) }
    }

    /// Connects to a host that listens at `address`.
    ///
    /// # Errors
    /// Where nobody does.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect(address)?, SILENCE)
    }

    /// Waits for the first host that connects; later ones are turned away.
    ///
    /// # Errors
    /// Where the connection fails.
    pub fn accept(listener: TcpListener) -> io::Result<Self> {
        Self::over(listener.accept()?.0, SILENCE)
    }

    fn over(stream: TcpStream, silence: Duration) -> io::Result<Self> {
        // Each answer is written at once, and the host waits for it.
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(silence))?;
        Ok(Self { input: Box::new(BufReader::new(stream.try_clone()?)), output: Box::new(stream) })
    }
}

impl ErrorType for Line {
    type Error = io::Error;
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buffer) {
            // The read timeout: which of the two it is depends on the system.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => Ok(0),
            read => read,
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// The kernel's monotonic clock.
pub struct MonotonicClock {
    start: Instant,
    is_emulated: bool,
}

impl MonotonicClock {
    /// A clock that starts now. If `is_emulated`, it measures the emulator.
    pub fn start(is_emulated: bool) -> Self {
        Self { start: Instant::now(), is_emulated }
    }
}

impl Counter for MonotonicClock {
    const TICK: Tick = Tick::Nanoseconds(1);

    fn is_of_the_board(&self) -> bool {
        !self.is_emulated
    }

    fn restart(&mut self) {
        self.start = Instant::now();
    }

    fn ticks(&self) -> u64 {
        // 64 bits of nanoseconds are five hundred years.
        self.start.elapsed().as_nanos() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_silent_for_long_counts_as_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut host = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut line = Line::over(listener.accept().unwrap().0, Duration::from_millis(50)).unwrap();
        let mut byte = [0];
        host.write_all(&[7]).unwrap();
        assert_eq!((line.read(&mut byte).unwrap(), byte), (1, [7]));
        assert_eq!(line.read(&mut byte).unwrap(), 0, "the host is there and says nothing");
    }
}
