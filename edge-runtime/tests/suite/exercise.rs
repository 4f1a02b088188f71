//! Everything that can be done with a package, whoever wrote it. Also used by the fuzz targets.

use fude_runtime::graph::{Graph, Layer, Operator};
use fude_runtime::ink::Image;
use fude_runtime::limits::MAX_LABEL;
use fude_runtime::package::{AlignedBytes, Package, PackageError};
use fude_runtime::recognizer::{Recognizer, RecognizerError};

use crate::models::{Recorder, oracle_layers, runtime_layers};

/// Opens a package and does with it all that can be done. A panic is a failure, as is a layer that is not the
/// oracle's.
///
/// A package may ask for more work and memory than there is time and room for, and still be sound: one that takes
/// more than `limit` steps for an image and its golden vectors, or as many bytes of arena, is opened but not run.
///
/// # Errors
/// What the door refuses, which is as good an end as any.
pub fn exercise(bytes: &[u8], limit: u64) -> Result<(), PackageError> {
    let bytes = AlignedBytes::copy_of(bytes);
    let package = Package::new_checked(bytes.as_slice())?;
    assert!(package.labels().all(|label| label.len() <= MAX_LABEL));
    assert_eq!(package.label(package.classes()), "");
    let _ = package.model_id();
    for bitmap in (0..=package.classes()).filter_map(|class| package.label_bitmap(class)) {
        let (width, height) = (bitmap.width(), bitmap.height());
        assert!(width > 0 && height > 0);
        let places = (0..height + 2).flat_map(|y| (0..width + 9).map(move |x| (x, y)));
        assert!(places.filter(|&(x, y)| bitmap.is_ink(x, y)).all(|(x, y)| x < width && y < height));
    }

    let inferences = 1 + package.golden().count() as u64;
    if inferences * steps(package.graph()) + package.arena_bytes() as u64 > limit {
        return Ok(());
    }
    let input: Vec<u8> = (0..package.input().bytes()).map(|place| (place * 37) as u8).collect();
    assert_eq!(runtime_layers(&package, &input), oracle_layers(&package, &input));

    let mut arena = vec![0x5a; package.arena_bytes()];
    let mut recognizer = Recognizer::new(&package, &mut arena).expect("the arena is large enough");
    let pixels: Vec<u8> = (0..63).map(|place| (place * 91) as u8).collect();
    let image = Image::new(9, 7, &pixels).expect("63 pixels");
    let answers = recognizer.recognize_observed(&image, 10, &mut Recorder::default()).expect("it runs");
    assert_eq!(answers.len(), recognizer.package().classes().min(10));
    assert!(matches!(recognizer.self_test(), Ok(_) | Err(RecognizerError::SelfTest { .. })));
    Ok(())
}

/// Elements read during one inference, about: [`Graph::total_cost`] is of weights alone, and a pool has none.
fn steps(graph: &Graph) -> u64 {
    let of_layer = |layer: &Layer| {
        let (Some(input), Some(output)) = (graph.tensor(layer.input), graph.tensor(layer.output)) else { return 0 };
        let reads = match layer.operator {
            Operator::Convolution { window, .. } => window.area() * usize::from(input.channels),
            Operator::Depthwise { window, .. } | Operator::Pool { window, .. } => window.area(),
            Operator::Dense { .. } => input.elements(),
            Operator::Gate { .. } | Operator::Add { .. } => 1,
        };
        output.elements() as u64 * reads as u64
    };
    graph.layers.iter().map(of_layer).sum()
}
