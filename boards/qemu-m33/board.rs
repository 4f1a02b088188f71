//! Cortex-M33 of an Arm MPS2 board with FPGA image AN505, **emulated** by QEMU (`-M mps2-an505`).
//!
//! The core starts in secure state and stays there, so every address is the secure alias.

use embedded_graphics::pixelcolor::BinaryColor;

use crate::cmsdk_uart::CmsdkUart;
use crate::mps::mps_board;
use crate::systick::SysTickCounter;

mps_board! {
    name: "qemu-m33",
    // Address and receive interrupt: AN505, memory map and table of interrupts.
    uart0: CmsdkUart<0x5020_0000, 32>,
    // A count at 20 MHz is 50 instructions of 1 ns.
    systick: SysTickCounter<50>,
    // Size and colours of a common small OLED.
    display: BinaryColor, 128, 64,
}
