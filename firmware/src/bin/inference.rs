//! An image of the inference path alone, to see what it links. It is built and looked at (`tests/inference_image.rs`),
//! never run.
//!
//! It calls everything that a board calls of `fude_runtime`, with arguments of which the compiler can know nothing.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use fude_runtime::ink::{Image, normalize};
use fude_runtime::kernels;
use fude_runtime::package::{CRC32, Package};
use fude_runtime::profile::{LayerObserver, Unobserved};
use fude_runtime::recognizer::Recognizer;

/// What a caller hands over.
struct Call<'a> {
    flash: &'a [u8],
    arena: &'a mut [u8],
    image: (usize, usize, &'a [u8]),
    input: &'a [u8],
    number: usize,
}

/// Looks at whatever it is told.
struct Observer(u32);

impl LayerObserver for Observer {
    fn before(&mut self, index: usize) {
        self.0 ^= index as u32;
    }

    fn after(&mut self, _index: usize, output: &[u8]) {
        self.0 ^= CRC32.checksum(output);
    }
}

/// Where the linker starts to look for what is needed. No caller is known, so nothing is known of the arguments.
// No other symbol of this name is linked: there is no start-up code.
#[unsafe(no_mangle)]
fn _start(call: &mut Call<'_>) {
    let number = call.number;
    let package = match Package::new_checked(call.flash) {
        Ok(package) => package,
        Err(error) => {
            black_box(error);
            return;
        }
    };
    black_box((package.header(), package.manifest(), package.package_bytes(), package.arena_bytes()));
    black_box((package.classes(), package.input(), package.output(), package.label(number)));
    black_box((package.parameters(number), package.model_id()));
    if let Some(bitmap) = package.label_bitmap(number) {
        black_box((bitmap.width(), bitmap.height(), bitmap.is_ink(number as u32, number as u32)));
    }
    package.labels().for_each(|label| _ = black_box(label));
    package.golden().for_each(|vector| _ = black_box(vector));
    let (graph, layout) = (package.graph(), package.header().layout);
    for layer in &graph.layers {
        black_box((graph.tensor(layer.input), graph.parameter_sizes(layer), graph.scratch_bytes(layer, layout)));
        black_box((graph.cost(layer), layer.operator.name()));
    }
    black_box((graph.total_cost(), graph.arena_bytes(layout)));
    black_box(package.clone());

    let (width, height, pixels) = call.image;
    let Some(image) = Image::new(width, height, pixels) else { return };
    let preprocessing = package.manifest().preprocessing;
    let element = package.output().element;
    normalize(&image, preprocessing, (number, number), call.arena);
    black_box(kernels::top_k(call.arena, element, number));
    kernels::scores(call.arena, element).for_each(|score| _ = black_box(score));

    let mut recognizer = match Recognizer::new(&package, call.arena) {
        Ok(recognizer) => recognizer,
        Err(error) => {
            black_box(error);
            return;
        }
    };
    _ = black_box(recognizer.self_test());
    _ = black_box(recognizer.recognize(&image, number));
    _ = black_box(recognizer.recognize_observed(&image, number, &mut Observer(0)));
    _ = black_box(recognizer.infer(call.input, &mut Observer(0)));
    _ = black_box(recognizer.infer(call.input, &mut Unobserved));
    black_box(recognizer.logits());
    recognizer.scores().for_each(|score| _ = black_box(score));
    black_box(recognizer.package().package_bytes());
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    a_panic_is_linked()
}

/// Linked if any panic is.
// The name is this image's own.
#[unsafe(no_mangle)]
#[inline(never)]
fn a_panic_is_linked() -> ! {
    loop {
        black_box(());
    }
}
