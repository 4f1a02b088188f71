//! Small models that the tests share, and how to run them.

use std::ops::Range;

use fude_runtime::graph::{
    ElementType, Graph, Layer, Operator, Parameters, PoolKind, Tensor, TensorId, Window, plan_arena,
};
use fude_runtime::kernels::oracle;
use fude_runtime::layout::WeightLayout;
use fude_runtime::package::{
    AlignedBytes, CRC32, Fit, LayerParameters, Manifest, Package, PackageBuilder, PackageError, Preprocessing,
    SectionKind,
};
use fude_runtime::profile::LayerObserver;
use fude_runtime::recognizer::Recognizer;
pub use fude_runtime::trial::Random;

/// Bounds that narrow nothing.
pub const INT8: (i16, i16) = (-128, 127);

/// Bytes of all values, or of the edges −128 and 127 alone.
pub fn random_bytes(random: &mut Random, count: usize) -> Vec<i8> {
    let edges = random.between(0, 3) == 0;
    (0..count).map(|_| if edges { random.pick(&[-128, 127]) } else { random.word() as i8 }).collect()
}

/// A model under construction: layers are appended to what is there.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub graph: Graph,
    pub parameters: PackageBuilder,
}

impl Model {
    /// A model with an input and no layers.
    pub fn new(height: u16, width: u16) -> Self {
        let mut model = Self::default();
        model.tensor((height, width, 1), -128);
        model
    }

    pub fn tensor(&mut self, (height, width, channels): (u16, u16, u16), zero_point: i16) -> TensorId {
        let scale = 1.0 / 255.0;
        let element = ElementType::Int8;
        let tensor = Tensor { height, width, channels, element, zero_point, scale, offset: 0 };
        self.graph.tensors.push(tensor).expect("a test model is small");
        self.graph.tensors.len() as u8 - 1
    }

    pub fn layer(&mut self, operator: Operator, input: TensorId, output: TensorId) {
        self.graph.layers.push(Layer { operator, input, output }).expect("a test model is small");
    }

    /// The tensor that layer `index` writes.
    pub fn output(&mut self, index: usize) -> &mut Tensor {
        &mut self.graph.tensors[usize::from(self.graph.layers[index].output)]
    }

    pub fn shape(&self, id: TensorId) -> (u16, u16, u16) {
        let tensor = &self.graph.tensors[usize::from(id)];
        (tensor.height, tensor.width, tensor.channels)
    }

    /// Places the tensors; the package of what there is so far.
    pub fn pack(&mut self, labels: &[&str]) -> Vec<u8> {
        plan_arena(&mut self.graph, WeightLayout::Portable);
        self.finish(labels).expect("a test model is sound")
    }

    /// The package of the graph as it is.
    pub fn finish(&self, labels: &[&str]) -> Result<Vec<u8>, PackageError> {
        self.parameters.finish(&self.manifest(), labels)
    }

    pub fn manifest(&self) -> Manifest {
        Manifest {
            name: "test".try_into().expect("a short name"),
            preprocessing: Preprocessing::ink_box(6),
            label_bytes: 1,
            graph: self.graph.clone(),
        }
    }

    /// Packs the model with `inputs` as golden vectors, whose outputs are the oracle's.
    pub fn pack_with_golden(&mut self, labels: &[&str], inputs: &[Vec<u8>]) -> Vec<u8> {
        let bytes = AlignedBytes::copy_of(&self.pack(labels));
        let package = Package::new_checked(bytes.as_slice()).expect("written by the writer");
        for input in inputs {
            let logits = oracle_layers(&package, input).pop().expect("a model has layers");
            self.parameters.push_golden(input, &logits);
        }
        self.pack(labels)
    }
}

/// Two classes over a 4×4 image: the mean of its left half and of its right half, each less 128.
pub fn halves() -> Vec<u8> {
    let mut model = Model::new(4, 4);
    let logits = model.tensor((1, 1, 2), -128);
    let left: Vec<i8> = [1, 1, 0, 0].repeat(4);
    let right: Vec<i8> = [0, 0, 1, 1].repeat(4);
    // The input's zero point folded in, −(−128) · 8; the mean of 8 pixels is 2³⁰ / 2³³ of their sum.
    let offset = model.parameters.push_parameters(&[1024; 2], &[1 << 30; 2], &[left, right].concat());
    let parameters = Parameters { offset, shift: 33, bounds: INT8 };
    model.layer(Operator::Dense { parameters }, 0, logits);
    plan_arena(&mut model.graph, WeightLayout::Portable);

    let left_half: Vec<u8> = [127, 127, 128, 128].repeat(4); // as i8: 127, 127, −128, −128
    model.parameters.push_golden(&left_half, &[127, 128]);
    model
        .parameters
        .set_label_bitmaps(
            5,
            &[bitmap(["...#.", "..##.", ".###.", "..##.", "...#."]), bitmap([".#..", ".##.", ".###", ".##.", ".#.."])],
        )
        .expect("small bitmaps");
    let manifest = Manifest {
        name: "halves".try_into().expect("a short name"),
        preprocessing: Preprocessing { fit: Fit::WholeImage, ink_threshold: 64 },
        ..model.manifest()
    };
    model.parameters.finish(&manifest, &["左", "右"]).expect("a test model is sound")
}

/// A bitmap drawn with `#`.
fn bitmap<const ROWS: usize>(rows: [&str; ROWS]) -> Vec<bool> {
    rows.concat().chars().map(|pixel| pixel == '#').collect()
}

/// Labels of [`every_operator`].
pub const LABELS: [&str; 3] = ["あ", "7", "漢"];

/// Every operator once or more, logits of 16 bits, two golden vectors, a bitmap of two labels; planned.
pub fn every_operator() -> Model {
    let mut random = Random::new(1);
    let mut model = Model::new(8, 8);
    let padded = Window { size: (3, 3), stride: (2, 2), pad_rows: (0, 1), pad_columns: (1, 0) };
    let stem = model.parametric(&mut random, Some((padded, false)), 0, 6, (-128, 127));
    let filtered = model.parametric(&mut random, Some((Window::square(3, 1, 1), true)), stem, 6, (-20, 127));
    let mean = model.pool(&mut random, filtered, Window::square(4, 1, 0), true);
    let gates = model.parametric(&mut random, None, mean, 6, INT8);
    let gated = model.gate(&mut random, filtered, gates);
    let mixed = model.parametric(&mut random, Some((Window::square(1, 1, 0), false)), gated, 6, INT8);
    let sum = model.add(&mut random, mixed, stem, INT8);
    let largest = model.pool(&mut random, sum, Window::square(2, 2, 0), false);
    model.logits(&mut random, largest, 3, ElementType::Int16);
    let inputs: Vec<Vec<u8>> = (0..2).map(|_| (0..64).map(|_| random.word() as u8).collect()).collect();
    // あ in a cell of nine columns, 7 in five of them, 漢 without a bitmap.
    let a = ["..#......", ".#######.", "..#..#...", ".######..", "#.#.#..##", "#..#...#.", ".##...#.."];
    let seven = ["#####", "....#", "...#.", "...#.", "..#..", "..#..", "..#.."];
    model.parameters.set_label_bitmaps(7, &[bitmap(a), bitmap(seven), Vec::new()]).expect("small bitmaps");
    model.pack_with_golden(&LABELS, &inputs);
    model
}

/// A random graph of about `layers` layers whose tensors are read near and far; `labels` fit its classes.
pub fn random_model(seed: u64, layers: usize) -> (Model, Vec<String>) {
    let mut random = Random::new(seed);
    let side = |random: &mut Random| random.between(1, 12) as u16;
    let mut model = Model::new(side(&mut random), side(&mut random));
    while model.graph.layers.len() < layers {
        let newest = model.graph.tensors.len() as u8 - 1;
        let from = if random.between(0, 3) == 0 { random.between(0, newest.into()) as u8 } else { newest };
        model.random_layer(&mut random, from);
    }
    let classes = random.between(1, 9) as u16;
    let element = random.pick(&[ElementType::Int8, ElementType::Int16]);
    let newest = model.graph.tensors.len() as u8 - 1;
    model.logits(&mut random, newest, classes, element);
    (model, (0..classes).map(|class| class.to_string()).collect())
}

impl Model {
    pub fn random_layer(&mut self, random: &mut Random, from: TensorId) {
        let (height, width, channels) = self.shape(from);
        match random.between(0, 6) {
            0 | 1 => {
                let window = random_window(random, (height, width), true);
                let outputs = random.between(1, 9) as u16;
                self.parametric(random, Some((window, false)), from, outputs, INT8);
            }
            2 => {
                let window = random_window(random, (height, width), true);
                self.parametric(random, Some((window, true)), from, channels, INT8);
            }
            3 => {
                let window = random_window(random, (height, width), false);
                let average = random.between(0, 1) == 0;
                self.pool(random, from, window, average);
            }
            4 => {
                let gate = self.find(random, (1, 1, channels));
                let gate = gate.unwrap_or_else(|| self.parametric(random, None, from, channels, INT8));
                self.gate(random, from, gate);
            }
            5 => {
                let other = self.find(random, (height, width, channels)).expect("`from` itself at least");
                self.add(random, from, other, INT8);
            }
            _ => {
                let outputs = random.between(1, 9) as u16;
                self.parametric(random, None, from, outputs, INT8);
            }
        }
    }

    /// A tensor of `shape`, if there is one.
    fn find(&self, random: &mut Random, shape: (u16, u16, u16)) -> Option<TensorId> {
        let ids: Vec<u8> = (0..self.graph.tensors.len() as u8).filter(|&id| self.shape(id) == shape).collect();
        (!ids.is_empty()).then(|| random.pick(&ids))
    }

    /// A convolution, depthwise where the flag is set, or without a window a fully connected layer.
    pub fn parametric(
        &mut self,
        random: &mut Random,
        window: Option<(Window, bool)>,
        input: TensorId,
        channels: u16,
        bounds: (i16, i16),
    ) -> TensorId {
        let (height, width, _) = self.shape(input);
        let size = window.and_then(|(window, _)| window.output_size(height, width)).unwrap_or((1, 1));
        let output = self.tensor((size.0, size.1, channels), random.between(-128, 127) as i16);
        let parameters = Parameters { offset: 0, shift: 0, bounds };
        let operator = match window {
            Some((window, true)) => Operator::Depthwise { window, parameters },
            Some((window, false)) => Operator::Convolution { window, parameters },
            None => Operator::Dense { parameters },
        };
        self.layer(operator, input, output);
        self.fill_last(random);
        output
    }

    /// A fully connected layer whose output may have 16 bits.
    pub fn logits(&mut self, random: &mut Random, input: TensorId, classes: u16, element: ElementType) {
        let zero_point = if element == ElementType::Int8 { random.between(-128, 127) as i16 } else { 0 };
        let output = self.tensor((1, 1, classes), zero_point);
        self.graph.tensors[usize::from(output)].element = element;
        let (min, max) = element.range();
        let parameters = Parameters { offset: 0, shift: 0, bounds: (min as i16, max as i16) };
        self.layer(Operator::Dense { parameters }, input, output);
        self.fill_last(random);
    }

    /// Gives the last layer parameters whose results spread over the range of its output.
    fn fill_last(&mut self, random: &mut Random) {
        let last = self.graph.layers.len() - 1;
        let sizes = self.graph.parameter_sizes(&self.graph.layers[last]).expect("a layer with parameters");
        let bias: Vec<i32> = (0..sizes.channels).map(|_| random.between(-5000, 5000) as i32).collect();
        let (spread, shift) = match self.output(last).element {
            ElementType::Int8 => (64.0, 35),
            ElementType::Int16 => (16_384.0, 33),
        };
        // Products of random bytes are about 5000, sums of n of them √n times that.
        let fan_in = (sizes.weights / sizes.channels) as f64;
        let largest = i64::from((spread * 2_f64.powi(shift) / (5000.0 * fan_in.sqrt())) as i32); // saturates
        let multipliers: Vec<i32> = (0..sizes.channels).map(|_| random.between(0, largest) as i32).collect();
        let place = self.parameters.push_parameters(&bias, &multipliers, &random_bytes(random, sizes.weights));
        match &mut self.graph.layers[last].operator {
            Operator::Convolution { parameters, .. }
            | Operator::Depthwise { parameters, .. }
            | Operator::Dense { parameters } => {
                parameters.offset = place;
                parameters.shift = shift as u8;
            }
            other => panic!("{} has no parameters", other.name()),
        }
    }

    fn pool(&mut self, random: &mut Random, input: TensorId, window: Window, average: bool) -> TensorId {
        let (height, width, channels) = self.shape(input);
        let (rows, columns) = window.output_size(height, width).expect("the window fits");
        let zero_point = self.graph.tensors[usize::from(input)].zero_point;
        let output = self.tensor((rows, columns, channels), zero_point);
        let kind = if average {
            PoolKind::Average {
                multiplier: random.between(0, i32::MAX.into()) as i32 / window.area() as i32,
                shift: 34,
            }
        } else {
            PoolKind::Max
        };
        self.layer(Operator::Pool { window, kind }, input, output);
        output
    }

    /// The mean of all pixels.
    pub fn mean(&mut self, random: &mut Random, input: TensorId) -> TensorId {
        let (height, width, _) = self.shape(input);
        let window = Window { size: (height as u8, width as u8), ..Window::square(1, 1, 0) };
        self.pool(random, input, window, true)
    }

    pub fn gate(&mut self, random: &mut Random, input: TensorId, gate: TensorId) -> TensorId {
        let output = self.tensor(self.shape(input), random.between(-128, 127) as i16);
        let multiplier = random.between(0, 1 << 28) as i32;
        self.layer(Operator::Gate { gate, multiplier, shift: 34 }, input, output);
        output
    }

    pub fn add(&mut self, random: &mut Random, input: TensorId, other: TensorId, bounds: (i16, i16)) -> TensorId {
        let output = self.tensor(self.shape(input), random.between(-128, 127) as i16);
        let multipliers = (random.between(0, (1 << 21) - 1) as i32, random.between(0, (1 << 21) - 1) as i32);
        self.layer(Operator::Add { other, multipliers, shift: 20, bounds }, input, output);
        output
    }
}

/// A window that fits an input of `height` × `width`.
fn random_window(random: &mut Random, (height, width): (u16, u16), padded: bool) -> Window {
    let mut axis = |input: u16| {
        let size = random.between(1, i64::from(input.min(4))) as u8;
        let mut padding = || if padded { random.between(0, i64::from(size) - 1) as u8 } else { 0 };
        let padding = (padding(), padding());
        (size, random.between(1, 3) as u8, padding)
    };
    let (rows, columns) = (axis(height), axis(width));
    Window { size: (rows.0, columns.0), stride: (rows.1, columns.1), pad_rows: rows.2, pad_columns: columns.2 }
}

/// Place of the entry of `kind` in the section table of a package with all sections.
pub fn table_entry(kind: SectionKind) -> usize {
    64 + 12 * (kind as usize - 1)
}

/// Where the section of `kind` lies in a package with all sections.
pub fn section(package: &[u8], kind: SectionKind) -> Range<usize> {
    let word = |place: usize| u32::from_le_bytes(package[place..place + 4].try_into().expect("four bytes")) as usize;
    let entry = table_entry(kind);
    word(entry + 4)..word(entry + 4) + word(entry + 8)
}

/// Renews the checksum of a package that a test has changed.
pub fn reseal(package: &mut [u8]) {
    let body = package.len() - 4;
    let checksum = CRC32.checksum(&package[..body]);
    package[body..].copy_from_slice(&checksum.to_le_bytes());
}

/// The output bytes of every layer, as the oracle computes them.
pub fn oracle_layers(package: &Package<'_>, input: &[u8]) -> Vec<Vec<u8>> {
    let graph = package.graph();
    let mut tensors = vec![Vec::new(); graph.tensors.len()];
    tensors[0] = input.iter().map(|&byte| i32::from(byte as i8)).collect();
    let mut outputs = Vec::new();
    for (index, layer) in graph.layers.iter().enumerate() {
        let second = layer.operator.second_input().map_or(&[][..], |id| &tensors[usize::from(id)]);
        let of_layer = package.parameters(index);
        let portable = package.header().layout.to_portable(graph, layer, of_layer.weights);
        let parameters = LayerParameters { weights: &portable, ..of_layer };
        let output = oracle::layer(graph, layer, &parameters, &tensors[usize::from(layer.input)], second);
        outputs.push(to_bytes(&output, graph.tensors[usize::from(layer.output)].element));
        tensors[usize::from(layer.output)] = output;
    }
    outputs
}

/// Elements as they lie in the arena.
pub fn to_bytes(elements: &[i32], element: ElementType) -> Vec<u8> {
    elements.iter().flat_map(|value| value.to_le_bytes().into_iter().take(element.bytes())).collect()
}

/// Keeps what every layer wrote.
#[derive(Debug, Default)]
pub struct Recorder {
    pub started: Vec<usize>,
    pub outputs: Vec<Vec<u8>>,
}

impl LayerObserver for Recorder {
    fn before(&mut self, index: usize) {
        self.started.push(index);
    }

    fn after(&mut self, index: usize, output: &[u8]) {
        self.outputs.resize(self.outputs.len().max(index + 1), Vec::new());
        self.outputs[index].extend_from_slice(output);
    }
}

/// The output bytes of every layer, as the runtime computes them in an arena full of rubbish.
pub fn runtime_layers(package: &Package<'_>, input: &[u8]) -> Vec<Vec<u8>> {
    let mut arena = vec![0xa5; package.arena_bytes()];
    let mut recognizer = Recognizer::new(package, &mut arena).expect("the arena is large enough");
    let mut recorder = Recorder::default();
    recognizer.infer(input, &mut recorder).expect("an accepted package runs");
    recorder.outputs
}
