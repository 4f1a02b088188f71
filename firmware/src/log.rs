//! Log macros: defmt on a bare board, plain text under an operating system, nothing where there is no logger.
//!
//! A format has `{}` alone, which both loggers know. The host's build of this library has no logger; the arguments
//! still count as used.

macro_rules! info {
    ($($argument:tt)*) => { $crate::log::log!(info, $($argument)*) };
}

macro_rules! error {
    ($($argument:tt)*) => { $crate::log::log!(error, $($argument)*) };
}

#[cfg(feature = "defmt")]
macro_rules! log {
    ($level:ident, $($argument:tt)*) => { defmt::$level!($($argument)*) };
}

#[cfg(all(feature = "log", not(feature = "defmt")))]
macro_rules! log {
    ($level:ident, $($argument:tt)*) => { log::$level!($($argument)*) };
}

#[cfg(not(any(feature = "defmt", feature = "log")))]
macro_rules! log {
    ($level:ident, $format:literal $(, $argument:expr)* $(,)?) => {{ $(let _ = &$argument;)* }};
}

pub(crate) use {error, info, log};
