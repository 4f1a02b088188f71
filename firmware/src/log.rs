//! Log macros: defmt where there is a logger, nothing where there is none.
//!
//! A host build of this library has no defmt logger to link with; the arguments still count as used.

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

#[cfg(not(feature = "defmt"))]
macro_rules! log {
    ($level:ident, $format:literal $(, $argument:expr)* $(,)?) => {{ $(let _ = &$argument;)* }};
}

pub(crate) use {error, info, log};
