//! Packages: the door, and behind it everything that runs.

use fude_runtime::graph::{ElementType, Graph, Operator, check, fit_arena, plan_arena};
use fude_runtime::layout::WeightLayout;
use fude_runtime::package::{AlignedBytes, Fit, LabelBitmap, Package, PackageError};

use crate::exercise::exercise;
use crate::models::{Model, Random, reseal};
use crate::mutations::mutate;
use crate::tally::Tally;

/// Steps that one input may take, about 10 ms of the oracle's time; see [`exercise`].
const WORK: u64 = 1 << 18;
/// Bytes of header and checksum: no package is shorter.
const LEAST_BYTES: usize = 68;
/// Place of the package's length in its header.
const TOTAL_BYTES: std::ops::Range<usize> = 12..16;
/// Most layers of a graph for which stages are sought, which takes the longer the more there are.
const MOST_LAYERS_IN_BANDS: usize = 12;
/// Most classes whose bitmaps are drawn anew.
const MOST_DRAWN: usize = 64;

static TALLY: Tally = Tally::new("package");

/// Does with a package all that can be done; every layer must be the oracle's.
///
/// # Panics
/// Where the runtime has a defect.
pub fn run(bytes: &[u8]) {
    let outcome = exercise(bytes, WORK);
    TALLY.count(outcome.is_ok());
    match outcome {
        Ok(()) => check_places(bytes),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// An accepted package is the same with anything behind it, and refused where words cannot be read in place.
fn check_places(bytes: &[u8]) {
    let longer = AlignedBytes::copy_of(&[bytes, &[0xff; 5]].concat());
    assert!(Package::new_checked(longer.as_slice()).is_ok());
    for shift in 1..4 {
        let shifted = AlignedBytes::copy_of(&[&[0; 3][..shift], bytes].concat());
        let refused = Package::new_checked(&shifted.as_slice()[shift..]).err();
        assert_eq!(refused, Some(PackageError::Misaligned));
    }
}

/// Makes a new package of the one in `data[..size]`, of at most `max_size` bytes, and returns its length.
///
/// Bytes alone hardly ever pass the door: its checksum stops them first, then its lengths, then the graph. So half of
/// the mutations change the model itself and write it anew; the others change bytes (`mutate_bytes` is libFuzzer's
/// mutator) and mostly renew length and checksum.
pub fn mutate_package(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    mutate_bytes: fn(&mut [u8], usize, usize) -> usize,
) -> usize {
    let mut random = Random::new(seed.into());
    if random.between(0, 1) == 0
        && let Some(bytes) = mutated_model(&data[..size], &mut random)
        && bytes.len() <= max_size
    {
        data[..bytes.len()].copy_from_slice(&bytes);
        return bytes.len();
    }
    if size < LEAST_BYTES {
        return mutate_bytes(data, size, max_size);
    }
    let size = if random.between(0, 3) == 0 {
        mutate_bytes(data, size, max_size)
    } else {
        // Sections keep their places, so that what is mutated is what is in them.
        let start = random.between(0, size as i64 - 1) as usize;
        let length = (random.between(1, 64) as usize).min(size - start);
        mutate_bytes(&mut data[start..start + length], length, length);
        size
    };
    if size >= LEAST_BYTES && random.between(0, 15) != 0 {
        if random.between(0, 1) == 0 {
            data[TOTAL_BYTES].copy_from_slice(&(size as u32).to_le_bytes());
        }
        let total = u32::from_le_bytes([data[12], data[13], data[14], data[15]]) as usize;
        reseal(&mut data[..total.clamp(LEAST_BYTES, size)]);
    }
    size
}

/// The package with another model; `None` where there is none to begin with, or the writer refuses the new one.
fn mutated_model(bytes: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let bytes = AlignedBytes::copy_of(bytes);
    let package = Package::new_checked(bytes.as_slice()).ok()?;
    let mut model = Model::of(&package);
    let mut bitmaps = label_bitmaps(&package);
    let mut must_be_planned = random.between(0, 1) == 0;
    for _ in 0..random.between(1, 3) {
        if random.between(0, 2) == 0 {
            must_be_planned |= grow(&mut model, random);
        } else {
            mutate(&mut model.graph, random);
        }
    }
    if must_be_planned && can_be_planned(&model.graph) {
        model.graph.stages.clear();
        let bytes = plan_arena(&mut model.graph, WeightLayout::Portable).arena_bytes;
        let is_sound = check(&model.graph, WeightLayout::Portable, usize::MAX, bytes).is_ok();
        if is_sound && random.between(0, 1) == 0 && model.graph.layers.len() <= MOST_LAYERS_IN_BANDS {
            // Where there are no such stages, the graph stays as it is.
            let _ = fit_arena(&mut model.graph, WeightLayout::Portable, random.between(0, bytes as i64) as usize);
        }
    }
    let mut manifest = package.manifest().clone();
    if random.between(0, 7) == 0 {
        let longer_side = random.word() as u16;
        manifest.preprocessing.fit = random.pick(&[Fit::WholeImage, Fit::InkBox { longer_side }]);
        manifest.preprocessing.ink_threshold = random.word() as u8;
    }
    manifest.graph = model.graph;
    let classes = manifest.graph.layers.last().and_then(|layer| manifest.graph.tensor(layer.output))?.channels;
    let labels: Vec<&str> = package.labels().chain(std::iter::repeat("学")).take(classes.into()).collect();
    // One cell a class, or the door refuses all of them.
    bitmaps.resize_with(classes.into(), Vec::new);
    let height = mutate_bitmaps(&mut bitmaps, cell_height(&package), random);
    model.parameters.set_label_bitmaps(height, &bitmaps).ok()?;
    model.parameters.finish(&manifest, &labels).ok()
}

/// Rows of every bitmap; 0 where there is none.
fn cell_height(package: &Package<'_>) -> u8 {
    (0..package.classes()).find_map(|class| package.label_bitmap(class)).map_or(0, |bitmap| bitmap.height() as u8)
}

/// The labels' bitmaps, as [`PackageBuilder::set_label_bitmaps`] takes them.
///
/// [`PackageBuilder::set_label_bitmaps`]: fude_runtime::package::PackageBuilder::set_label_bitmaps
fn label_bitmaps(package: &Package<'_>) -> Vec<Vec<bool>> {
    let pixels = |bitmap: LabelBitmap<'_>| {
        (0..bitmap.height()).flat_map(|y| (0..bitmap.width()).map(move |x| bitmap.is_ink(x, y))).collect()
    };
    (0..package.classes()).map(|class| package.label_bitmap(class).map(pixels).unwrap_or_default()).collect()
}

/// In an eighth of the cases draws all bitmaps anew, in cells of another size; in a quarter draws one, of another width.
/// Returns the height.
fn mutate_bitmaps(bitmaps: &mut [Vec<bool>], height: u8, random: &mut Random) -> u8 {
    let side = |random: &mut Random| random.pick(&[0, 1, 2, 7, 8, 9, 16, 17, 24]);
    let drawn = |width: u8, height: u8, random: &mut Random| {
        (0..usize::from(width) * usize::from(height)).map(|_| random.between(0, 1) == 1).collect()
    };
    match random.between(0, 7) {
        // Where a mutation gave the model thousands of classes, pictures for all would take longer than what is tried.
        _ if bitmaps.len() > MOST_DRAWN => height,
        0 => {
            let height = side(random).max(1);
            for bitmap in bitmaps {
                *bitmap = drawn(side(random), height, random);
            }
            height
        }
        1 | 2 if height > 0 && !bitmaps.is_empty() => {
            let class = random.between(0, bitmaps.len() as i64 - 1) as usize;
            bitmaps[class] = drawn(side(random), height, random);
            height
        }
        _ => height,
    }
}

/// Puts a random layer and new logits in the place of the last layer, where there is room.
fn grow(model: &mut Model, random: &mut Random) -> bool {
    let (tensors, layers) = (model.graph.tensors.len(), model.graph.layers.len());
    let readable: Vec<u8> = (0..tensors as u8)
        .filter(|&id| {
            let tensor = &model.graph.tensors[usize::from(id)];
            tensor.element == ElementType::Int8 && (1..=256).contains(&tensor.elements())
        })
        .collect();
    if readable.is_empty() || tensors > 66 || layers > 60 {
        return false;
    }
    model.graph.layers.pop();
    let from = random.pick(&readable);
    model.random_layer(random, from);
    let newest = model.graph.tensors.len() as u8 - 1;
    let classes = random.between(1, 9) as u16;
    let element = random.pick(&[ElementType::Int8, ElementType::Int16]);
    model.logits(random, newest, classes, element);
    true
}

/// Whether every layer names tensors that there are.
fn can_be_planned(graph: &Graph) -> bool {
    let known = |id: u8| usize::from(id) < graph.tensors.len();
    !graph.tensors.is_empty()
        && graph
            .layers
            .iter()
            .all(|layer| known(layer.input) && known(layer.output) && layer.operator.second_input().is_none_or(known))
}

impl Model {
    /// The model of a package, to change it.
    fn of(package: &Package<'_>) -> Self {
        let mut model = Self { graph: package.graph().clone(), ..Self::default() };
        for (index, layer) in model.graph.layers.iter_mut().enumerate() {
            if let Operator::Convolution { parameters, .. }
            | Operator::Depthwise { parameters, .. }
            | Operator::Dense { parameters } = &mut layer.operator
            {
                let of_layer = package.parameters(index);
                parameters.offset =
                    model.parameters.push_parameters(of_layer.bias, of_layer.multipliers, of_layer.weights);
            }
        }
        let (input, output) = (package.input().bytes(), package.output().bytes());
        for vector in package.golden().filter(|vector| (vector.input.len(), vector.output.len()) == (input, output)) {
            model.parameters.push_golden(vector.input, vector.output);
        }
        model
    }
}
