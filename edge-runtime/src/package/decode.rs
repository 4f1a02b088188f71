//! Reads a manifest: postcard's wire format, of the types that a manifest is made of.
//!
//! By hand, as what serde derives for these types takes four times the flash. The tests hold it against postcard.

use heapless::{String, Vec};

use super::{Fit, PackageError, Preprocessing};
use crate::graph::{ElementType, Graph, Layer, Operator, Parameters, PoolKind, Stage, Tensor, Window};
use crate::limits::MAX_STAGES;

/// Goes through the bytes. What does not decode is noticed at the end ([`Self::finish`]): from there on everything reads
/// as zero, so that not every number needs a branch.
pub(crate) struct Decoder<'a> {
    /// What is still to be read, unless something did not decode.
    rest: Option<&'a [u8]>,
}

impl<'a> Decoder<'a> {
    /// Starts at the first of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: Some(bytes) }
    }

    /// Whether everything decoded and no bytes are left.
    pub fn finish(self) -> bool {
        self.rest.is_some_and(<[u8]>::is_empty)
    }

    /// Reads a graph into an empty one.
    ///
    /// # Errors
    /// [`PackageError::Capacity`] where a list is too long for it.
    pub fn graph(&mut self, graph: &mut Graph) -> Result<(), PackageError> {
        self.list(&mut graph.tensors, Self::tensor)?;
        self.list(&mut graph.layers, Self::layer)?;
        let (start, _length) = (self.u32(), self.u32());
        // Never too long: there is room for as many layers.
        let _ = graph.scratch.resize(graph.layers.len(), start);
        Ok(())
    }

    /// Reads the schedule of a graph that has been read without.
    ///
    /// # Errors
    /// As [`Self::graph`].
    pub fn schedule(&mut self, graph: &mut Graph) -> Result<(), PackageError> {
        graph.scratch.clear();
        self.list(&mut graph.scratch, Self::u32)?;
        let length = self.length(MAX_STAGES)?;
        for _ in 0..length {
            let mut stage = Stage { first: self.u8(), rows: self.u16(), sums: self.u32(), buffers: Vec::new() };
            self.list(&mut stage.buffers, Self::u16)?;
            let _ = graph.stages.push(stage);
        }
        Ok(())
    }

    fn list<T, const N: usize>(
        &mut self,
        list: &mut Vec<T, N>,
        item: impl Fn(&mut Self) -> T,
    ) -> Result<(), PackageError> {
        for _ in 0..self.length(N)? {
            // There is room for all of them.
            let _ = list.push(item(self));
        }
        Ok(())
    }

    /// The length of a list of which there is room for so many elements.
    fn length(&mut self, most: usize) -> Result<usize, PackageError> {
        let length = self.u32() as usize;
        if length <= most { Ok(length) } else { Err(PackageError::Capacity) }
    }

    /// Reads a text into an empty one.
    pub fn string<const N: usize>(&mut self, string: &mut String<N>) {
        let length = self.u32() as usize;
        let text = core::str::from_utf8(self.take(length));
        if !text.is_ok_and(|text| string.push_str(text).is_ok()) {
            self.refuse();
        }
    }

    pub fn preprocessing(&mut self) -> Preprocessing {
        let fit = match self.variant(2) {
            0 => Fit::WholeImage,
            _ => Fit::InkBox { longer_side: self.u16() },
        };
        Preprocessing { fit, ink_threshold: self.u8() }
    }

    fn tensor(&mut self) -> Tensor {
        Tensor {
            height: self.u16(),
            width: self.u16(),
            channels: self.u16(),
            element: if self.variant(2) == 0 { ElementType::Int8 } else { ElementType::Int16 },
            zero_point: self.i16(),
            scale: f32::from_le_bytes([0; 4].map(|_| self.u8())),
            offset: self.u32(),
        }
    }

    fn layer(&mut self) -> Layer {
        Layer { operator: self.operator(), input: self.u8(), output: self.u8() }
    }

    fn operator(&mut self) -> Operator {
        match self.variant(6) {
            0 => Operator::Convolution { window: self.window(), parameters: self.parameters() },
            1 => Operator::Depthwise { window: self.window(), parameters: self.parameters() },
            2 => Operator::Dense { parameters: self.parameters() },
            3 => Operator::Pool { window: self.window(), kind: self.pool_kind() },
            4 => Operator::Gate { gate: self.u8(), multiplier: self.i32(), shift: self.u8() },
            _ => Operator::Add {
                other: self.u8(),
                multipliers: (self.i32(), self.i32()),
                shift: self.u8(),
                bounds: (self.i16(), self.i16()),
            },
        }
    }

    fn window(&mut self) -> Window {
        Window { size: self.pair(), stride: self.pair(), pad_rows: self.pair(), pad_columns: self.pair() }
    }

    #[inline(never)]
    fn pair(&mut self) -> (u8, u8) {
        (self.u8(), self.u8())
    }

    fn parameters(&mut self) -> Parameters {
        Parameters { offset: self.u32(), shift: self.u8(), bounds: (self.i16(), self.i16()) }
    }

    fn pool_kind(&mut self) -> PoolKind {
        match self.variant(2) {
            0 => PoolKind::Max,
            _ => PoolKind::Average { multiplier: self.i32(), shift: self.u8() },
        }
    }

    /// The index of one of `count` variants.
    #[inline(never)]
    fn variant(&mut self, count: u32) -> u32 {
        let index = self.u32();
        if index < count { index } else { self.refuse() }
    }

    #[inline(never)]
    pub fn u8(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    #[inline(never)]
    fn u16(&mut self) -> u16 {
        self.varint(u16::MAX.into()) as u16
    }

    #[inline(never)]
    fn u32(&mut self) -> u32 {
        self.varint(u32::MAX)
    }

    #[inline(never)]
    fn i16(&mut self) -> i16 {
        self.zigzag(u16::MAX.into()) as i16
    }

    #[inline(never)]
    fn i32(&mut self) -> i32 {
        self.zigzag(u32::MAX)
    }

    /// A signed number whose code is at most `most`: 0, −1, 1, −2, … are 0, 1, 2, 3, …
    #[inline(never)]
    fn zigzag(&mut self, most: u32) -> i32 {
        let code = self.varint(most);
        (code >> 1) as i32 ^ -((code & 1) as i32)
    }

    /// A number of at most `most`, seven bits a byte, the least significant first, in no more bytes than that takes.
    #[inline(never)]
    fn varint(&mut self, most: u32) -> u32 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = u32::from(self.u8());
            value |= (byte & 0x7f) << shift;
            // What this byte and all after it may hold.
            let room = most >> shift;
            if byte.min(room) <= 0x7f {
                return if byte <= room && self.rest.is_some() { value } else { self.refuse() };
            }
            shift += 7;
        }
    }

    /// The next `length` bytes, or none.
    #[inline(never)]
    fn take(&mut self, length: usize) -> &'a [u8] {
        let parts = self.rest.and_then(|rest| rest.split_at_checked(length));
        self.rest = parts.map(|(_, rest)| rest);
        parts.map(|(taken, _)| taken).unwrap_or_default()
    }

    /// Something did not decode: zero in its stead.
    fn refuse(&mut self) -> u32 {
        self.rest = None;
        0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::DeserializeOwned;
    use std::vec::Vec as StdVec;

    use super::*;
    use crate::limits::{MAX_LABEL, MAX_LAYERS, MAX_NAME, MAX_STAGE_LAYERS, MAX_TENSORS};
    use crate::package::Manifest;

    fn take<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), PackageError> {
        postcard::take_from_bytes(bytes).map_err(|_| PackageError::Manifest)
    }

    fn take_list<T: DeserializeOwned, const N: usize>(bytes: &[u8]) -> Result<(Vec<T, N>, &[u8]), PackageError> {
        let (length, _) = take::<u32>(bytes)?;
        if length as usize > N { Err(PackageError::Capacity) } else { take(bytes) }
    }

    /// What postcard makes of a manifest.
    fn by_postcard(bytes: &[u8]) -> Result<Manifest, PackageError> {
        // Where words have 64 bits it takes more for a length than 32 have.
        take::<u32>(bytes)?;
        let ((name, preprocessing, label_bytes), rest): ((String<MAX_NAME>, _, u8), _) = take(bytes)?;
        let (tensors, rest) = take_list::<_, MAX_TENSORS>(rest)?;
        let (layers, rest) = take_list::<_, MAX_LAYERS>(rest)?;
        let ((start, _), rest): ((u32, u32), _) = take(rest)?;
        if !rest.is_empty() || !(1..=MAX_LABEL).contains(&label_bytes.into()) {
            return Err(PackageError::Manifest);
        }
        let scratch = layers.iter().map(|_| start).collect();
        let graph = Graph { tensors, layers, scratch, stages: Vec::new() };
        Ok(Manifest { name, preprocessing, label_bytes, graph })
    }

    fn by_hand(bytes: &[u8]) -> Result<Manifest, PackageError> {
        let mut manifest = Manifest::empty();
        manifest.decode(bytes, &[]).map(|()| manifest)
    }

    /// With scales as bits, since some are no numbers.
    fn comparable(decoded: Result<Manifest, PackageError>) -> Result<(Manifest, StdVec<u32>), PackageError> {
        let mut manifest = decoded?;
        let scales = manifest.graph.tensors.iter_mut().map(|tensor| core::mem::take(&mut tensor.scale).to_bits());
        let scales = scales.collect();
        Ok((manifest, scales))
    }

    fn window() -> impl Strategy<Value = Window> {
        any::<[(u8, u8); 4]>().prop_map(|[size, stride, pad_rows, pad_columns]| Window {
            size,
            stride,
            pad_rows,
            pad_columns,
        })
    }

    fn parameters() -> impl Strategy<Value = Parameters> {
        any::<(u32, u8, (i16, i16))>().prop_map(|(offset, shift, bounds)| Parameters { offset, shift, bounds })
    }

    fn pool_kind() -> impl Strategy<Value = PoolKind> {
        let average = any::<(i32, u8)>().prop_map(|(multiplier, shift)| PoolKind::Average { multiplier, shift });
        prop_oneof![Just(PoolKind::Max), average]
    }

    fn operator() -> impl Strategy<Value = Operator> {
        prop_oneof![
            (window(), parameters()).prop_map(|(window, parameters)| Operator::Convolution { window, parameters }),
            (window(), parameters()).prop_map(|(window, parameters)| Operator::Depthwise { window, parameters }),
            parameters().prop_map(|parameters| Operator::Dense { parameters }),
            (window(), pool_kind()).prop_map(|(window, kind)| Operator::Pool { window, kind }),
            any::<(u8, i32, u8)>().prop_map(|(gate, multiplier, shift)| Operator::Gate { gate, multiplier, shift }),
            any::<(u8, (i32, i32), u8, (i16, i16))>().prop_map(|(other, multipliers, shift, bounds)| Operator::Add {
                other,
                multipliers,
                shift,
                bounds
            }),
        ]
    }

    fn tensor() -> impl Strategy<Value = Tensor> {
        let element = prop_oneof![Just(ElementType::Int8), Just(ElementType::Int16)];
        (any::<(u16, u16, u16, i16, u32, u32)>(), element).prop_map(|(numbers, element)| {
            let (height, width, channels, zero_point, scale, offset) = numbers;
            Tensor { height, width, channels, element, zero_point, scale: f32::from_bits(scale), offset }
        })
    }

    fn layer() -> impl Strategy<Value = Layer> {
        (operator(), any::<(u8, u8)>()).prop_map(|(operator, (input, output))| Layer { operator, input, output })
    }

    /// Any bytes of a manifest, those of its graph included; the label's are right three times in four.
    fn encoded() -> impl Strategy<Value = StdVec<u8>> {
        let name = prop::string::string_regex(".{0,12}").expect("any letters");
        let fit = prop_oneof![Just(Fit::WholeImage), any::<u16>().prop_map(|longer_side| Fit::InkBox { longer_side })];
        let lists = (prop::collection::vec(tensor(), 0..6), prop::collection::vec(layer(), 0..6));
        let rest = (any::<u8>(), 0..=(MAX_LABEL * 4 / 3) as u8, any::<(u32, u32)>());
        (name, fit, lists, rest).prop_map(|(name, fit, (tensors, layers), (ink_threshold, label_bytes, scratch))| {
            let preprocessing = Preprocessing { fit, ink_threshold };
            postcard::to_stdvec(&(name, preprocessing, label_bytes, tensors, layers, scratch)).expect("plain data")
        })
    }

    type Places = Vec<u32, MAX_LAYERS>;
    type Stages = Vec<Stage, MAX_STAGES>;

    /// Bytes of a schedule.
    fn schedule() -> impl Strategy<Value = StdVec<u8>> {
        let buffers = prop::collection::vec(any::<u16>(), 0..MAX_STAGE_LAYERS);
        let stage = (any::<(u8, u16, u32)>(), buffers).prop_map(|((first, rows, sums), buffers)| Stage {
            first,
            rows,
            sums,
            buffers: buffers.into_iter().collect(),
        });
        let lists = (prop::collection::vec(any::<u32>(), 0..6), prop::collection::vec(stage, 0..4));
        lists.prop_map(|lists| postcard::to_stdvec(&lists).expect("plain data"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn manifests_are_read_as_postcard_reads_them(bytes in encoded()) {
            prop_assert_eq!(comparable(by_hand(&bytes)), comparable(by_postcard(&bytes)));
        }

        /// Cut off, prolonged, or with a few bytes changed to others at the edges of varints.
        #[test]
        fn damaged_manifests_are_refused_as_postcard_refuses_them(
            mut bytes in encoded(),
            length in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), edge()), 0..4),
        ) {
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.resize(length.index(2 * bytes.len()).max(1), 0x80);
            prop_assert_eq!(comparable(by_hand(&bytes)), comparable(by_postcard(&bytes)));
        }

        #[test]
        fn random_bytes_are_read_as_postcard_reads_them(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(comparable(by_hand(&bytes)), comparable(by_postcard(&bytes)));
        }

        #[test]
        fn schedules_are_read_as_postcard_reads_them(
            mut bytes in schedule(),
            length in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), edge()), 0..3),
        ) {
            let is_cut = !changes.is_empty();
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(if is_cut { length.index(bytes.len()) + 1 } else { bytes.len() });
            let (mut decoder, mut graph) = (Decoder::new(&bytes), Graph::default());
            let is_read = decoder.schedule(&mut graph).is_ok() && decoder.finish();
            let expected: Option<(Places, Stages)> =
                postcard::take_from_bytes(&bytes).ok().filter(|(_, rest)| rest.is_empty()).map(|(parts, _)| parts);
            prop_assert_eq!(is_read.then_some((graph.scratch, graph.stages)), expected);
        }

        #[test]
        fn numbers_are_read_as_postcard_reads_them(bytes in prop::collection::vec(edge(), 0..8)) {
            fn equal<'a, T: DeserializeOwned + PartialEq>(bytes: &'a [u8], read: fn(&mut Decoder<'a>) -> T) -> bool {
                let mut decoder = Decoder::new(bytes);
                let read = read(&mut decoder);
                decoder.rest.map(|rest| (read, rest)) == postcard::take_from_bytes(bytes).ok()
            }
            prop_assert!(equal(&bytes, Decoder::u8), "u8");
            prop_assert!(equal(&bytes, Decoder::u16), "u16");
            prop_assert!(equal(&bytes, Decoder::u32), "u32");
            prop_assert!(equal(&bytes, Decoder::i16), "i16");
            prop_assert!(equal(&bytes, Decoder::i32), "i32");
        }
    }

    /// Bytes that end or continue a varint, some with digits that are one too many.
    fn edge() -> impl Strategy<Value = u8> {
        prop::sample::select(
            &[0, 1, 2, 3, 4, 5, 6, 0x0f, 0x10, 0x40, 0x7f, 0x80, 0x81, 0x83, 0x84, 0x8f, 0x90, 0xff][..],
        )
    }
}
