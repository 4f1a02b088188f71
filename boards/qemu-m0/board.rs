//! Code for a Cortex-M0 (ARMv6-M) on the Cortex-M3 of an Arm MPS2 board with FPGA image AN385, **emulated** by QEMU
//! (`-M mps2-an385`): a Cortex-M3 runs every ARMv6-M instruction, and QEMU's one board with a Cortex-M0, `qemu-microbit`,
//! has room for tiny models only.

use embedded_graphics::pixelcolor::Gray8;

use crate::cmsdk_uart::CmsdkUart;
use crate::mps::mps_board;
use crate::systick::SysTickCounter;

mps_board! {
    name: "qemu-m0",
    // Address and receive interrupt: AN385, memory map and table of interrupts.
    uart0: CmsdkUart<0x4000_4000, 0>,
    // A count at 25 MHz is 40 instructions of 1 ns.
    systick: SysTickCounter<40>,
    // The size of a common small display.
    display: Gray8, 160, 128,
}
