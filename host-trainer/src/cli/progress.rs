//! Progress bars on standard error.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `length` steps of `what`; invisible where standard error is no terminal.
pub fn bar(length: usize, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:<28} {wide_bar} {pos}/{len} {per_sec} {eta}");
    // The template is a constant and valid; a plain bar is what would be shown otherwise.
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64).with_style(style).with_message(what.to_owned())
}

/// A line of progress that stays, above any bar; the only progress that a log file sees.
pub fn say(line: &str) {
    eprintln!("{line}");
}
