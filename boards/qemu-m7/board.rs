//! Cortex-M7 of an Arm MPS2 board with FPGA image AN500, **emulated** by QEMU (`-M mps2-an500`).

use embedded_graphics::pixelcolor::Gray8;

use crate::cmsdk_uart::CmsdkUart;
use crate::mps::mps_board;
use crate::systick::SysTickCounter;

mps_board! {
    name: "qemu-m7",
    // Address and receive interrupt: AN500, memory map and table of interrupts.
    uart0: CmsdkUart<0x4000_4000, 0>,
    // A count at 25 MHz is 40 instructions of 1 ns.
    systick: SysTickCounter<40>,
    // The size of a common 2.4-inch display.
    display: Gray8, 320, 240,
}
