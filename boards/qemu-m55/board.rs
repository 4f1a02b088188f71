//! Cortex-M55 of an Arm MPS3 board with FPGA image AN547, **emulated** by QEMU (`-M mps3-an547`).
//!
//! The core starts in secure state and stays there.

use embedded_graphics::pixelcolor::Gray8;

use crate::cmsdk_uart::CmsdkUart;
use crate::mps::mps_board;
use crate::systick::SysTickCounter;

mps_board! {
    name: "qemu-m55",
    // Address and receive interrupt: AN547, memory map and table of interrupts.
    uart0: CmsdkUart<0x5930_3000, 33>,
    // Four counts at 32 MHz are 125 instructions of 1 ns.
    systick: SysTickCounter<125, 4>,
    // The size of a common 7-inch display.
    display: Gray8, 800, 480,
}
