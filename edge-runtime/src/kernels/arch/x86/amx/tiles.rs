//! The tile registers: whether they may be used, their shapes, and the one product that is made with them.

use core::arch::asm;
use core::arch::x86_64::{__cpuid, __cpuid_count};
use core::marker::PhantomData;
use std::sync::OnceLock;

use crate::layout::memory::LANES;

/// Rows of a tile.
pub const ROWS: usize = 16;
/// Bytes of a whole tile.
pub const TILE_BYTES: usize = ROWS * 64;
/// Groups of channels whose sums are kept in registers at a time.
pub const GROUPS: usize = 4;

/// Sums of 16 windows, `[group][window][channel]`.
#[repr(C, align(64))]
pub struct Sums(pub [[[i32; LANES]; ROWS]; GROUPS]);

/// What is added to the sums, `[group][channel]`.
#[repr(C, align(64))]
pub struct Bias(pub [i32; GROUPS * LANES]);

/// Whether the processor has tiles for bytes and the operating system lets this process use them: their 8 KiB are saved
/// with a thread's registers only after the process has asked for it.
pub fn are_permitted() -> bool {
    static PERMITTED: OnceLock<bool> = OnceLock::new();
    *PERMITTED.get_or_init(|| has_tiles() && ask_permission())
}

/// The bits `AMX-TILE` and `AMX-INT8` of the processor.
fn has_tiles() -> bool {
    const TILE_AND_INT8: u32 = 1 << 24 | 1 << 25;
    __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & TILE_AND_INT8 == TILE_AND_INT8
}

/// `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`; a kernel that does not know it has no tiles enabled.
#[cfg(target_os = "linux")]
fn ask_permission() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    let result: i64;
    // SAFETY: a system call that changes nothing but what the process may do, and the registers that are named.
    unsafe {
        asm!(
            "syscall",
            inout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn ask_permission() -> bool {
    false
}

/// The tile registers of this thread, configured while it lives: sums in the first four, windows in the next, weights in
/// two more.
pub struct Tiles {
    /// Steps of the sums' loop, and taps of each.
    steps: usize,
    taps: usize,
    /// Not for other threads.
    _this_thread: PhantomData<*const ()>,
}

impl Tiles {
    /// Tiles for windows of `taps` taps, in equal steps of 32 to 64; `None` where there are none of whole words.
    ///
    /// # Safety
    /// [`are_permitted`].
    pub unsafe fn configure(taps: usize) -> Option<Self> {
        let steps = (taps.div_ceil(64)..=taps / 32).find(|steps| taps.is_multiple_of(4 * steps))?;
        let tiles = Self { steps, taps: taps / steps, _this_thread: PhantomData };
        /// What `ldtilecfg` reads.
        #[repr(C, align(64))]
        struct Configuration {
            palette: u8,
            start_row: u8,
            reserved: [u8; 14],
            row_bytes: [u16; 16],
            rows: [u8; 16],
        }
        let mut configuration =
            Configuration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        configuration.row_bytes[..7].fill(64);
        configuration.rows[..7].fill(ROWS as u8);
        configuration.row_bytes[GROUPS] = tiles.taps as u16;
        configuration.rows[GROUPS + 1..7].fill((tiles.taps / 4) as u8);
        // SAFETY: 64 bytes are read. Nothing else uses these registers: no function is compiled for them.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &configuration, options(nostack, readonly)) };
        Some(tiles)
    }

    /// Steps of the sums' loop.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Rows of weights in a step, of four taps each.
    pub fn rows(&self) -> usize {
        self.taps / 4
    }

    /// `sums[g][p][c] = bias[g][c] + Σ windows[p][t] · weights[g][c][t]` for `groups` groups of channels, 1 to 4; the sums of
    /// others are garbage.
    ///
    /// # Safety
    /// `windows` points to 16 windows of all taps, one behind the other, and `weights` to a tile of [`TILE_BYTES`] for each
    /// step and group, `[step][group][tap / 4][channel][tap % 4]`.
    pub unsafe fn multiply(&self, windows: *const i8, weights: *const u8, bias: &Bias, groups: usize, sums: &mut Sums) {
        // SAFETY: read are the windows and weights that the caller promises, and the bias, which a stride of zero lays into
        // every row; written are the sums. All registers that are changed are named.
        unsafe {
            asm!(
                "tileloadd tmm0, [{bias} + {zero}]",
                "tileloadd tmm1, [{bias} + {zero} + 64]",
                "tileloadd tmm2, [{bias} + {zero} + 128]",
                "tileloadd tmm3, [{bias} + {zero} + 192]",
                "2:",
                "tileloadd tmm4, [{windows} + {pitch}]",
                "tileloadd tmm5, [{weights} + {line}]",
                "tdpbssd tmm0, tmm4, tmm5",
                "cmp {groups}, 2",
                "jb 3f",
                "tileloadd tmm6, [{weights} + {line} + 1024]",
                "tdpbssd tmm1, tmm4, tmm6",
                "je 3f",
                "tileloadd tmm5, [{weights} + {line} + 2048]",
                "tdpbssd tmm2, tmm4, tmm5",
                "cmp {groups}, 4",
                "jb 3f",
                "tileloadd tmm6, [{weights} + {line} + 3072]",
                "tdpbssd tmm3, tmm4, tmm6",
                "3:",
                "add {windows}, {taps}",
                "add {weights}, {step}",
                "dec {steps}",
                "jnz 2b",
                "tilestored [{sums} + {line}], tmm0",
                "tilestored [{sums} + {line} + 1024], tmm1",
                "tilestored [{sums} + {line} + 2048], tmm2",
                "tilestored [{sums} + {line} + 3072], tmm3",
                windows = inout(reg) windows => _,
                weights = inout(reg) weights => _,
                steps = inout(reg) self.steps => _,
                bias = in(reg) bias,
                sums = in(reg) sums,
                groups = in(reg) groups,
                pitch = in(reg) self.steps * self.taps,
                taps = in(reg) self.taps,
                step = in(reg) groups * TILE_BYTES,
                line = in(reg) 64_usize,
                zero = in(reg) 0_usize,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _,
                options(nostack),
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: they were configured. Released, they are not saved with the thread's registers.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}
