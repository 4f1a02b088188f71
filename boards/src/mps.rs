//! What the boards with Arm's MPS designs have in common: all but addresses, clock and display.
//!
//! SysTick counts, the CMSDK APB UART0 is the line to the host, and semihosting has the exit code and the defmt log, which
//! therefore appears on QEMU's standard output. QEMU shows no display that an application could draw on, so these boards
//! draw into memory, which the host can read.

/// Defines the board: its `uart0` with the line of the receive interrupt, its `systick`, the colour and size of its
/// `display`.
///
/// The address and the line have to be those of the board's UART0: the driver is started on this word.
macro_rules! mps_board {
    (
        name: $name:literal,
        uart0: $uart0:ty,
        systick: $systick:ty,
        display: $color:ty, $width:literal, $height:literal,
    ) => {
        /// The emulated board.
        pub struct Selected;

        /// Memory instead of a display.
        type DisplayMemory = embedded_graphics::framebuffer::Framebuffer<
            $color,
            <$color as embedded_graphics::pixelcolor::PixelColor>::Raw,
            embedded_graphics::pixelcolor::raw::LittleEndian,
            $width,
            $height,
            { embedded_graphics::framebuffer::buffer_size::<$color>($width, $height) },
        >;

        impl $crate::Board for Selected {
            const NAME: &'static str = $name;
            const ARENA_BYTES: usize = 1024 * 1024;
            const MAX_PIXELS: usize = 128 * 128;
            const MAX_OUTPUT_BYTES: usize = 16 * 1024;
            const PIXEL_BUFFER_BYTES: usize = 64 * 64;
            type Serial = $uart0;
            type Counter = $systick;
            type Display = DisplayMemory;

            fn stack_used() -> Option<u32> {
                Some($crate::stack::used())
            }
        }

        impl $crate::BareMetal for Selected {
            fn init() -> Option<$crate::Peripherals<$uart0, $systick, DisplayMemory>> {
                let core = cortex_m::Peripherals::take()?;
                Some($crate::Peripherals {
                    counter: <$systick>::start(core.SYST),
                    // SAFETY: address and line are UART0's, and `take` has let us come here once.
                    serial: unsafe { <$uart0>::start() },
                    display: cortex_m::singleton!(: DisplayMemory = DisplayMemory::new()),
                    model_partition: $crate::memory::model_partition(),
                })
            }

            fn exit(code: u8) -> ! {
                semihosting::process::exit(i32::from(code))
            }
        }
    };
}

pub(crate) use mps_board;
