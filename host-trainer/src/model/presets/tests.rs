use fude_runtime::limits::{MAX_LAYERS, MAX_TENSORS};

use super::*;

/// Multiply-accumulates of one glyph, in millions.
fn multiply_accumulates(preset: Preset, classes: usize) -> f64 {
    let architecture = preset.architecture(classes);
    let shapes = architecture.shapes();
    let macs = architecture.nodes.iter().enumerate().map(|(index, node)| {
        let (from, to) = (shapes[node.input], shapes[index + 1]);
        let outputs = to.height * to.width * to.channels;
        match node.operation {
            Operation::Convolution { size, .. } => outputs * size * size * from.channels,
            Operation::Depthwise { size, .. } => outputs * size * size,
            _ => 0,
        }
    });
    macs.sum::<usize>() as f64 / 1e6
}

#[test]
fn sizes_are_as_documented() {
    let documented = [
        (Preset::Nano, 10, 0.1),
        (Preset::Micro, 10, 0.7),
        (Preset::Small, 80, 2.4),
        (Preset::Reference, 3036, 15.0),
        (Preset::Residual, 47, 44.0),
        (Preset::ResidualSeparable, 47, 7.0),
    ];
    for (preset, classes, expected) in documented {
        let macs = multiply_accumulates(preset, classes);
        assert!((macs / expected - 1.0).abs() < 0.15, "{preset:?}: {macs} M");
    }
}

#[test]
fn every_preset_fits_a_package() {
    for preset in Preset::value_variants() {
        let nodes = preset.architecture(62).nodes.len();
        assert!(nodes <= MAX_LAYERS.min(MAX_TENSORS - 1), "{preset:?}: {nodes} nodes");
        assert_eq!(preset.architecture(62).classes(), 62);
    }
}

/// 1×32×32; 32 channels; stages of 64, 128 and 256 that halve the sides; mean; 512, with dropout of 0.4 and 0.3.
#[test]
fn the_residual_network_is_the_one_that_was_asked_for() {
    for preset in [Preset::Residual, Preset::ResidualSeparable, Preset::EmnistBalanced] {
        let architecture = preset.architecture(47);
        let shapes = architecture.shapes();
        let sums =
            architecture.nodes.iter().enumerate().filter(|(_, node)| matches!(node.operation, Operation::Add { .. }));
        let extents: Vec<_> = sums.map(|(node, _)| (shapes[node + 1].height, shapes[node + 1].channels)).collect();
        assert_eq!(extents, [(16, 64), (8, 128), (4, 256)], "{preset:?}");
        assert_eq!((shapes[0].height, shapes[1].height, shapes[1].channels), (32, 32, 32));
        let dropped: Vec<_> =
            architecture.dropout.iter().map(|dropped| (shapes[dropped.tensor].channels, dropped.permille)).collect();
        assert_eq!(dropped, [(256, 400), (512, 300)]);
        assert_eq!(architecture.dropout[1].tensor, architecture.nodes.last().unwrap().input);
    }
}

#[test]
fn the_emnist_presets_are_for_their_classes_alone() {
    assert_eq!(Preset::EmnistBalanced.check_classes(47), Ok(()));
    assert_eq!(Preset::EmnistByclass.check_classes(62), Ok(()));
    assert_eq!(Preset::EmnistBalanced.check_classes(62), Err(WrongClasses { found: 62, expected: 47 }));
    assert_eq!(Preset::Residual.check_classes(10), Ok(()));
}

#[test]
fn a_node_adds_up_what_has_one_shape() {
    for preset in Preset::value_variants() {
        let architecture = preset.architecture(5);
        let shapes = architecture.shapes();
        for node in &architecture.nodes {
            if let Operation::Add { other, .. } = node.operation {
                assert_eq!(shapes[node.input], shapes[other], "{preset:?}");
            }
        }
    }
}
