//! The least that an application links to recognise: open a package, run it, rank the classes. It is built and weighed
//! (`make size`), never run.
//!
//! The compiler knows nothing of the arguments, so every operator and every check is in it.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use fude_runtime::ink::Image;
use fude_runtime::package::Package;
use fude_runtime::recognizer::Recognizer;

/// What a caller hands over.
struct Call<'a> {
    flash: &'a [u8],
    arena: &'a mut [u8],
    image: Image<'a>,
}

/// Where the linker starts to look for what is needed.
// No other symbol of this name is linked: there is no start-up code.
#[unsafe(no_mangle)]
fn _start(call: &mut Call<'_>) {
    let Ok(package) = Package::new_checked(call.flash) else { return };
    let Ok(mut recognizer) = Recognizer::new(&package, call.arena) else { return };
    let Ok(answers) = recognizer.recognize(&call.image, 5) else { return };
    for answer in answers {
        black_box(recognizer.package().label(answer.class.into()));
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        black_box(());
    }
}
