//! The display as a window, the mouse as a pen.

use std::env;
use std::thread;
use std::time::{Duration, Instant};

use embedded_graphics::image::{Image, ImageRaw};
use embedded_graphics::pixelcolor::Gray8;
use embedded_graphics::prelude::*;
use embedded_graphics_simulator::sdl2::{Keycode, MouseButton};
use embedded_graphics_simulator::{OutputSettingsBuilder, SimulatorDisplay, SimulatorEvent, Window};
use fude_boards::Counter;
use fude_firmware::answer::Answer;

use super::{Pad, Simulator, written};
use crate::package::PackingError;

const TITLE: &str = "fude: write with the left button; right button clears, Enter recognises, Q quits";
/// A pixel of the display becomes a square, as large as fits this many pixels of the window.
const ROOM: Size = Size::new(960, 640);
/// Between two looks at the mouse.
const FRAME: Duration = Duration::from_millis(10);
/// A window is drawn again after this, though nothing has changed.
const REFRESH: Duration = Duration::from_millis(500);

/// Whether there is a screen to open a window on. The library that opens it panics where there is none.
pub fn is_possible() -> bool {
    let needs_server = cfg!(all(unix, not(target_os = "macos")));
    let names = ["DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"];
    !needs_server || names.iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Opens a window on the simulator's display and recognises what is written in it, until the window is closed.
/// `answered` is told of each answer.
///
/// # Errors
/// As [`Simulator::answer`], which ends it.
pub fn run<C: Counter>(
    simulator: &mut Simulator<'_, C>,
    mut answered: impl FnMut(&Simulator<'_, C>, &Answer),
) -> Result<(), PackingError> {
    let size = simulator.panel().size();
    let scale = (ROOM.width / size.width).min(ROOM.height / size.height).max(1);
    let mut window = Window::new(TITLE, &OutputSettingsBuilder::new().scale(scale).build());
    let mut display = SimulatorDisplay::new(size);
    let mut pad = Pad::default();
    let mut drawn = None;

    loop {
        // Drawing is what costs time. What covered the window may have left it blank, so it is done now and then anyway.
        if drawn.is_none_or(|at: Instant| at.elapsed() > REFRESH) {
            let pixels = ImageRaw::<Gray8>::new(simulator.panel().luma(), size.width);
            Image::new(&pixels, Point::zero()).draw(&mut display).unwrap_or_else(|never| match never {});
            window.update(&display);
            drawn = Some(Instant::now());
        } else {
            thread::sleep(FRAME);
        }

        let mut is_finished = false;
        let mut has_changed = false;
        for event in window.events() {
            match event {
                // The library makes a quit of Escape too.
                SimulatorEvent::Quit | SimulatorEvent::KeyDown { keycode: Keycode::Q, .. } => return Ok(()),
                SimulatorEvent::KeyDown { keycode: Keycode::Return | Keycode::KpEnter, .. } => is_finished = true,
                SimulatorEvent::KeyDown { keycode: Keycode::Backspace, .. }
                | SimulatorEvent::MouseButtonDown { mouse_btn: MouseButton::Right, .. } => {
                    pad.clear();
                    has_changed = true;
                }
                SimulatorEvent::MouseButtonDown { mouse_btn: MouseButton::Left, point } => {
                    pad.down(point.x as i16, point.y as i16);
                    has_changed = true;
                }
                SimulatorEvent::MouseMove { point } => has_changed |= pad.moved(point.x as i16, point.y as i16),
                SimulatorEvent::MouseButtonUp { mouse_btn: MouseButton::Left, .. } => pad.lifted(Instant::now()),
                _ => {}
            }
        }

        if has_changed {
            simulator.show_pad(&pad);
            drawn = None;
        }
        if (is_finished || pad.is_finished(Instant::now()))
            && let Some(strokes) = pad.take()
        {
            let glyph = written(&strokes);
            let answer = simulator.answer(&glyph)?;
            answered(simulator, &answer);
            drawn = None;
        }
    }
}
