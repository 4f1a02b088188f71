//! Memory that a board's `memory.x` names.

/// The model partition, all of it.
pub fn model_partition() -> &'static [u8] {
    unsafe extern "C" {
        static _model_start: u8;
        static _model_end: u8;
    }
    let (start, end) = (&raw const _model_start, &raw const _model_end);
    // SAFETY: `memory.x` defines both symbols as the ends of one region of readable memory that holds nothing of the
    // firmware's. The emulator's loader writes it before the core starts, and nobody after.
    unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
}
