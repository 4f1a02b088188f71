//! IDX, the file format of MNIST: a magic number, big-endian dimensions, then raw values.
//!
//! The magic is `00 00 TYPE DIMENSIONS`. Read here: images of unsigned bytes (type 0x08, three
//! dimensions: count, rows, columns) and labels of unsigned bytes (0x08) or signed 16-bit integers
//! (0x0B) in one dimension. Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", file formats.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::{ClassList, Dataset, DatasetError, Glyph, LoadOptions, Sample};

const UNSIGNED_BYTE: u8 = 0x08;
const SIGNED_SHORT: u8 = 0x0B;
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
/// Most memory that a file's images may take, in bytes: seven times that of the largest file of EMNIST. A gzip file of a
/// few kilobytes can hold millions of images that are mostly overhead.
pub(super) const MAX_BYTES: u64 = 1 << 32;
/// Memory that an image takes besides its pixels, in bytes: while samples are made of the glyphs there are both, and no
/// allocation is shorter than 32.
const OVERHEAD_BYTES: u64 = (size_of::<Glyph>() + size_of::<Sample>() + 32) as u64;
/// Ending of an image file's name; what stands before it names the set.
const IMAGES_SUFFIX: &str = "-images-idx3-ubyte";
/// Endings of the label files looked for beside it, in this order, each as it is and with `.gz`.
const LABEL_SUFFIXES: [&str; 2] = ["-labels-idx1-ubyte", "-labels-idx1-short"];

/// Loads an IDX image file with its labels.
///
/// Without `labels`, `X-images-idx3-ubyte[.gz]` is paired with `X-labels-idx1-ubyte[.gz]` or
/// `X-labels-idx1-short[.gz]` beside it. Labels index the class file of `options`; without one, the
/// set's classes are numbered 0 to its highest label.
pub(super) fn load(images: &Path, labels: Option<&Path>, options: &LoadOptions<'_>) -> Result<Dataset, DatasetError> {
    let labels = labels.map(Path::to_owned).or_else(|| labels_beside(images));
    if labels.is_none() && options.labels_required {
        return Err(DatasetError::NoLabels {
            path: images.to_owned(),
            remedy: "name them as idx:IMAGES,LABELS, or put X-labels-idx1-ubyte[.gz] beside X-images-idx3-ubyte[.gz]",
        });
    }
    let glyphs = read_images(images, options)?;
    let labels = labels.map(|path| Ok::<_, DatasetError>((read_labels(&path, images, glyphs.len())?, path)));
    let labels = labels.transpose()?;
    let (classes, indices) = resolve_labels(labels, options.class_list()?)?;
    let samples = glyphs
        .into_iter()
        .enumerate()
        .map(|(i, glyph)| Sample { glyph, strokes: None, label: indices.get(i).copied(), source: 0 })
        .collect();
    Ok(Dataset { samples, classes, sources: vec![set_name(images)], missing: Vec::new() })
}

/// The image file and, where there is one, the label file.
pub(super) fn files(images: &Path, labels: Option<&Path>) -> Vec<PathBuf> {
    let labels = labels.map(Path::to_owned).or_else(|| labels_beside(images));
    [Some(images.to_owned()), labels].into_iter().flatten().collect()
}

/// Checks every label against the class list, which is made up from the labels when none is given.
/// A set without labels gives no indices.
fn resolve_labels(
    labels: Option<(Vec<i32>, PathBuf)>,
    classes: Option<ClassList>,
) -> Result<(ClassList, Vec<u32>), DatasetError> {
    let Some((values, path)) = labels else {
        return Ok((classes.unwrap_or_else(|| ClassList::numbered(0)), Vec::new()));
    };
    // Without a list any label is its own class, but it still may not be negative.
    let class_count = classes.as_ref().map_or(1 << 15, ClassList::len);
    let mut indices = Vec::with_capacity(values.len());
    for (record, label) in values.into_iter().enumerate() {
        match u32::try_from(label) {
            Ok(index) if (index as usize) < class_count => indices.push(index),
            _ => {
                return Err(DatasetError::LabelOutOfRange { path, record, label, class_count });
            }
        }
    }
    let highest = indices.iter().max().map_or(0, |highest| highest + 1);
    Ok((classes.unwrap_or_else(|| ClassList::numbered(highest)), indices))
}

fn read_images(path: &Path, options: &LoadOptions<'_>) -> Result<Vec<Glyph>, DatasetError> {
    let ([count, rows, columns], _, mut body) = open(path, &[UNSIGNED_BYTE], "images (0x00000803)")?;
    let sides = (u16::try_from(columns), u16::try_from(rows));
    let (Ok(width @ 1..), Ok(height @ 1..)) = sides else {
        return Err(DatasetError::IdxImageSize { path: path.to_owned(), width: columns, height: rows });
    };
    let count = count as usize;
    if count == 0 {
        return Err(DatasetError::NoSamples {
            path: path.to_owned(),
            remedy: "the header counts 0 images; name a file that holds some",
        });
    }
    // Sides of 16 bits, a count of 32: no overflow.
    let bytes = count as u128 * (u128::from(rows) * u128::from(columns) + u128::from(OVERHEAD_BYTES));
    if bytes > MAX_BYTES.into() {
        return Err(DatasetError::IdxMemory { path: path.to_owned(), count, width, height });
    }
    let mut glyphs = Vec::with_capacity(count);
    for done in 1..=count {
        let mut pixels = vec![0; usize::from(width) * usize::from(height)];
        body.read_exact(&mut pixels).map_err(DatasetError::io(path, "read"))?;
        glyphs.push(Glyph { width, height, pixels });
        options.report(done, count);
    }
    Ok(glyphs)
}

/// Reads the labels of `image_count` images, those of the file `images`.
fn read_labels(path: &Path, images: &Path, image_count: usize) -> Result<Vec<i32>, DatasetError> {
    let ([count], element, mut body) = open(path, &[UNSIGNED_BYTE, SIGNED_SHORT], "labels (0x00000801 or 0x00000b01)")?;
    // Before they are read: a number that fits the images fits the memory.
    let label_count = count as usize;
    if label_count != image_count {
        let (images, labels) = (images.to_owned(), path.to_owned());
        return Err(DatasetError::CountMismatch { images, labels, image_count, label_count });
    }
    let mut bytes = Vec::new();
    body.read_to_end(&mut bytes).map_err(DatasetError::io(path, "read"))?;
    Ok(match element {
        SIGNED_SHORT => bytes.as_chunks().0.iter().map(|&pair| i16::from_be_bytes(pair).into()).collect(),
        _ => bytes.into_iter().map(i32::from).collect(),
    })
}

/// Opens an IDX file, checks its header, and gives its dimensions, its element type, and a reader
/// that stands at the first value.
///
/// A header may lie, so it is believed only after the data behind it has been counted: the caller
/// may allocate by the dimensions. Counting costs a second decompression, a fraction of a second
/// for MNIST.
fn open<const DIMENSIONS: usize>(
    path: &Path,
    elements: &[u8],
    expected: &'static str,
) -> Result<([u32; DIMENSIONS], u8, impl Read + use<DIMENSIONS>), DatasetError> {
    let io_error = || DatasetError::io(path, "read");
    let mut reader = decompressed(path).map_err(io_error())?;
    let header_bytes = 4 * (1 + DIMENSIONS as u64);
    let mut header = Vec::new();
    reader.by_ref().take(header_bytes).read_to_end(&mut header).map_err(io_error())?;
    let mut words = header.as_chunks().0.iter().map(|&word| u32::from_be_bytes(word));
    let magic = words.next().unwrap_or(0);
    let [zero_high, zero_low, element, dimension_count] = magic.to_be_bytes();
    if (zero_high, zero_low, usize::from(dimension_count)) != (0, 0, DIMENSIONS) || !elements.contains(&element) {
        return Err(DatasetError::IdxMagic { path: path.to_owned(), magic, expected });
    }
    let mut dimensions = [0; DIMENSIONS];
    for dimension in &mut dimensions {
        *dimension = words.next().ok_or_else(|| DatasetError::IdxLength {
            path: path.to_owned(),
            promised: header_bytes.into(),
            held: header.len().to_string(),
        })?;
    }

    let element_size = if element == SIGNED_SHORT { 2 } else { 1 };
    // Three factors of 32 bits and one of 2 fit 128 bits.
    let promised = dimensions.iter().map(|&d| u128::from(d)).product::<u128>() * element_size;
    // One byte past the promise is enough to know that there are too many.
    let limit = u64::try_from(promised).unwrap_or(u64::MAX).saturating_add(1);
    let held = io::copy(&mut reader.take(limit), &mut io::sink()).map_err(io_error())?;
    if u128::from(held) != promised {
        let held = if u128::from(held) > promised { "more".to_owned() } else { held.to_string() };
        return Err(DatasetError::IdxLength { path: path.to_owned(), promised, held });
    }

    let mut body = decompressed(path).map_err(io_error())?;
    io::copy(&mut body.by_ref().take(header_bytes), &mut io::sink()).map_err(io_error())?;
    // The file might grow between the two passes; the count must still hold.
    Ok((dimensions, element, body.take(held)))
}

/// Opens a file, through gzip if its first bytes say so: a file's name need not tell.
pub(super) fn decompressed(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut head = Vec::new();
    File::open(path)?.take(2).read_to_end(&mut head)?;
    let file = BufReader::new(File::open(path)?);
    Ok(if head == GZIP_MAGIC { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// The file's name without `-images-idx3-ubyte` and `.gz`.
pub(super) fn set_name(images: &Path) -> String {
    let name = images.file_name().unwrap_or(images.as_os_str()).to_string_lossy();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.strip_suffix(IMAGES_SUFFIX).unwrap_or(name).to_owned()
}

fn labels_beside(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_str()?;
    let set = name.strip_suffix(".gz").unwrap_or(name).strip_suffix(IMAGES_SUFFIX)?;
    LABEL_SUFFIXES
        .iter()
        .flat_map(|suffix| [format!("{set}{suffix}"), format!("{set}{suffix}.gz")])
        .map(|name| images.with_file_name(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests;
