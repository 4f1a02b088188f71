//! The seeds: what the fuzz targets start from.
//!
//! Files of a telling name come from here, written by the project's own writers; `FUDE_BLESS=1 cargo test` writes them
//! again. Those called `found-…` were found by fuzzing and reach code that the others do not.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use fude_boards::Tick;
use fude_firmware::link::message::{Candidate, Hello, Layers, Recognition, Refusal, Request, Response, ScreenPart};
use fude_fuzz::dataset::{Glyph, write_png};
use fude_fuzz::models::{LABELS, every_operator, halves, random_model};
use fude_runtime::graph::fit_arena;
use fude_runtime::layout::WeightLayout;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage, RgbaImage};
use serde::Serialize;

/// Most bytes of all seeds: they are in the repository.
const MOST_BYTES: u64 = 300_000;

type Seeds = BTreeMap<String, Vec<u8>>;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds")
}

fn packages() -> Seeds {
    let mut seeds =
        Seeds::from([("every-operator.fude".into(), every_operator().pack(&LABELS)), ("halves.fude".into(), halves())]);
    let mut banded = every_operator();
    fit_arena(&mut banded.graph, WeightLayout::Portable, 240).expect("it fits");
    seeds.insert("bands.fude".into(), banded.finish(&LABELS).expect("the reader accepts it"));
    for layers in [1, 2, 3, 5, 8, 13] {
        let (mut model, labels) = random_model(layers as u64, layers);
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        seeds.insert(format!("random-{layers}-layers.fude"), model.pack(&labels));
    }
    seeds
}

/// An input of the target `link`: a selector and pieces of (kind, content).
fn conversation(selector: u8, pieces: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut input = vec![selector];
    for (kind, content) in pieces {
        input.push(*kind);
        input.extend((content.len() as u16).to_le_bytes());
        input.extend(content);
    }
    input
}

const NOISE: u8 = 0;
const MESSAGE: u8 = 1;
const FRAME: u8 = 2;
const IMAGE: u8 = 3;
const SCREEN: u8 = 4;

fn message(message: &impl Serialize) -> (u8, Vec<u8>) {
    (MESSAGE, postcard::to_stdvec(message).unwrap())
}

fn conversations() -> Seeds {
    let requests = [Request::Hello, Request::SelfTest, Request::Screen { first: 7 }, Request::Shutdown { code: 0 }]
        .map(|r| message(&r));
    let image = |shown| (IMAGE, [vec![5, 3, shown], [0, 200, 255, 90].repeat(5)].concat());
    let mut sound = requests.to_vec();
    let screen = (SCREEN, 20_000_u32.to_le_bytes().to_vec());
    sound.splice(1..1, [image(0), image(1), screen]);
    let unsound = [
        (NOISE, vec![0, 0, 9, 200, 0, 3, 1, 0]),
        (FRAME, vec![9, 1, 2]),
        (FRAME, vec![]),
        message(&200_u8),
        (MESSAGE, [vec![1, 5, 3, 10], vec![7; 10]].concat()),
    ];

    let hello = Hello {
        board: "mock",
        firmware: "1.2.3",
        tick: Tick::Instructions(40),
        model: "halves",
        model_id: 0xDEAD_BEEF,
        classes: 2,
        max_pixels: 64,
    };
    let recognition = Recognition {
        top: [Candidate { class: 1, score: -5 }].into_iter().collect(),
        output: &[8, 9],
        layers: Layers { hashes: [1, 2].into_iter().collect(), ticks: [30, 40].into_iter().collect() },
        ticks: 70,
        stack_bytes: Some(9),
    };
    let part = |pixels| message(&Response::Screen(ScreenPart { width: 3, height: 2, pixels }));
    let answers = [
        message(&Response::Hello(hello)),
        message(&Response::Recognition(recognition.clone())),
        message(&Response::Recognition(recognition)),
        part(&[1, 2, 3, 4]),
        part(&[5, 6]),
        message(&Response::SelfTest { vectors: 2 }),
        message(&Response::ShuttingDown),
        message(&Response::Refused(Refusal::NoDisplay)),
    ];
    let (board, host) = (0, 1);
    Seeds::from([
        ("requests".into(), conversation(board, &sound)),
        ("unsound-requests".into(), conversation(board, &unsound)),
        ("answers".into(), conversation(host, &answers)),
        ("answers-to-others".into(), conversation(host | 3 << 1, &answers)),
        ("unsound-answers".into(), conversation(host, &unsound)),
    ])
}

fn idx(element: u8, dimensions: &[u32], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, element, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|dimension| dimension.to_be_bytes()));
    bytes.extend(body);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn idx_files() -> Seeds {
    let images = idx(0x08, &[2, 2, 3], &[0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 255]);
    let bytes = idx(0x08, &[2], &[1, 0]);
    let shorts = idx(0x0B, &[2], &[0x0B, 0xB8, 0, 7]);
    let input = |form: u8, images: &[u8], labels: &[u8]| {
        [&[form][..], &(images.len() as u16).to_le_bytes(), images, labels].concat()
    };
    let (gzipped_images, gzipped_labels, labels, classes, fitted) = (1, 2, 4, 8, 16);
    Seeds::from([
        ("images".into(), input(0, &images, &[])),
        ("images-and-labels".into(), input(labels, &images, &bytes)),
        ("images-and-short-labels".into(), input(labels | gzipped_images, &images, &shorts)),
        ("fitted-images-labels-and-classes".into(), input(labels | classes | fitted, &images, &bytes)),
        ("images-labels-and-classes".into(), input(labels | classes | gzipped_labels, &images, &bytes)),
        ("fitted-images-and-labels".into(), input(labels | fitted, &images, &bytes)),
        ("fitted-images-and-short-labels".into(), input(labels | fitted | gzipped_images, &images, &shorts)),
        ("gzip".into(), input(labels, &gzip(&images), &gzip(&bytes))),
        ("many-images".into(), input(0, &gzip(&idx(0x08, &[1000, 3, 3], &[9; 9000])), &[])),
        ("a-header-that-lies".into(), input(0, &idx(0x08, &[u32::MAX; 3], &[7; 32]), &[])),
    ])
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn pictures() -> Seeds {
    let colours = DynamicImage::ImageRgb8(RgbImage::from_fn(13, 9, |x, y| Rgb([(x * 19) as u8, (y * 28) as u8, 90])));
    let glyph = Glyph { width: 7, height: 5, pixels: (0..35).map(|place| place * 7).collect() };
    let dir = tempfile::tempdir().unwrap();
    write_png(&dir.path().join("glyph.png"), &glyph).unwrap();
    let mut seeds = Seeds::from([
        ("glyph.png".into(), fs::read(dir.path().join("glyph.png")).unwrap()),
        ("gaku.png".into(), include_bytes!("../../../docs/images/gaku.png").to_vec()),
        ("colours.jpg".into(), encoded(&colours, ImageFormat::Jpeg)),
        ("grey.jpg".into(), encoded(&colours.to_luma8().into(), ImageFormat::Jpeg)),
        ("empty.png".into(), encoded(&RgbaImage::new(1, 1).into(), ImageFormat::Png)),
    ]);
    let depths = [
        ("grey-alpha", DynamicImage::from(colours.to_luma_alpha8())),
        ("grey-16", colours.to_luma16().into()),
        ("colours-16", colours.to_rgb16().into()),
        ("colours-alpha-16", colours.to_rgba16().into()),
    ];
    for (name, image) in depths {
        seeds.insert(format!("{name}.png"), encoded(&image, ImageFormat::Png));
    }
    seeds
}

#[test]
fn seeds_are_what_the_writers_write() {
    let targets = [("package", packages()), ("link", conversations()), ("idx", idx_files()), ("image", pictures())];
    for (target, seeds) in targets {
        for (name, bytes) in seeds {
            let path = folder().join(target).join(name);
            if env::var_os("FUDE_BLESS").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &bytes).unwrap();
            }
            assert!(fs::read(&path).is_ok_and(|committed| committed == bytes), "{}: FUDE_BLESS=1", path.display());
        }
    }
}

#[test]
fn seeds_are_few_and_small() {
    let mut bytes = 0;
    for target in ["package", "link", "idx", "image"] {
        let files: Vec<_> = fs::read_dir(folder().join(target)).unwrap().map(Result::unwrap).collect();
        assert!(files.len() <= 60, "{target} has {} seeds", files.len());
        bytes += files.iter().map(|file| file.metadata().unwrap().len()).sum::<u64>();
    }
    assert!(bytes <= MOST_BYTES, "{bytes} bytes of seeds");
}

/// Every seed runs, without libFuzzer.
#[test]
fn every_seed_runs() {
    let run_all = |target: &str, run: fn(&[u8])| {
        for file in fs::read_dir(folder().join(target)).unwrap() {
            run(&fs::read(file.unwrap().path()).unwrap());
        }
    };
    run_all("package", fude_fuzz::package::run);
    run_all("link", fude_fuzz::link::run);
    run_all("idx", fude_fuzz::idx::run);
    run_all("image", fude_fuzz::image::run);
}
