//! Packages on the host: made from checkpoints, read from files.

use std::path::{Path, PathBuf};
use std::{env, fmt};

use fude_runtime::kernels::arch;
use fude_runtime::layout::WeightLayout;
use fude_runtime::limits::{MAX_IMAGE_SIDE, MAX_LABEL, MAX_NAME};
use fude_runtime::package::{
    AlignedBytes, Manifest, Package, PackageBuilder, PackageError, RepackError, repack, repack_within,
};
use fude_runtime::profile::Unobserved;
use fude_runtime::recognizer::{Recognizer, RecognizerError};
use tempfile::TempDir;
use thiserror::Error;

use crate::files::{self, FileError};
use crate::label_font::{self, LabelFont};
use crate::quantize::{LowerError, Lowered, lower};
use crate::train::{Checkpoint, RunInfo, Stage};

/// Why a package cannot be made or read.
#[derive(Debug, Error)]
pub enum PackingError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not a package that this program can run.
    #[error("{path}: {reason}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        reason: PackageError,
    },
    /// The weights cannot be laid out for a board.
    #[error("{path} cannot be laid out as `{layout}`: {reason}")]
    Layout {
        /// The file.
        path: PathBuf,
        /// The layout.
        layout: &'static str,
        /// Why.
        reason: RepackError,
    },
    /// The checkpoint has no activation ranges.
    #[error("the run was trained in float only; run `fude qat` on it first")]
    NotQuantized,
    /// The network cannot be written as integers.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The graph exceeds the format's limits.
    #[error("the model does not fit the package format: {0}")]
    Format(PackageError),
    /// The model's name is too long.
    #[error("the model's name {0:?} is longer than {MAX_NAME} bytes; choose a shorter --name")]
    Name(String),
    /// The label of a class is too long.
    #[error("the class {0:?} has a label of more than {MAX_LABEL} bytes; give it a shorter one")]
    Label(String),
    /// An image is larger than the recogniser takes, or empty.
    #[error("an image of {width}×{height} pixels: the recogniser takes sides of 1 to {MAX_IMAGE_SIDE}; resize it")]
    Image {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The packed model does not run.
    #[error("the packed model does not run: {0}")]
    Run(#[from] RecognizerError),
}

/// The bytes of a package that the reader has accepted.
#[derive(Debug, Clone)]
pub struct PackageFile {
    bytes: AlignedBytes,
    /// The same model for the fastest kernels of this machine, where the file is for others.
    for_this_machine: Option<AlignedBytes>,
    path: PathBuf,
    /// Whether the file at `path` holds the bytes.
    is_on_disk: bool,
}

impl PackageFile {
    /// Reads and checks a package.
    ///
    /// # Errors
    /// Where the file cannot be read or is refused.
    pub fn read(path: &Path) -> Result<Self, PackingError> {
        Ok(Self { is_on_disk: true, ..Self::new(&files::read(path)?, path)? })
    }

    /// Checks the bytes of a package; `path` is what errors call it.
    ///
    /// # Errors
    /// Where it is refused.
    pub fn new(bytes: &[u8], path: &Path) -> Result<Self, PackingError> {
        let bytes = AlignedBytes::copy_of(bytes);
        let mut file = Self { bytes, for_this_machine: None, path: path.to_owned(), is_on_disk: false };
        if file.as_stored()?.header().layout != arch::preferred() {
            file.for_this_machine = Some(AlignedBytes::copy_of(&file.repacked(arch::preferred())?));
        }
        Ok(file)
    }

    /// The package as this machine runs it: its weights may be laid out otherwise than in the file.
    ///
    /// # Errors
    /// Where the bytes are refused; [`Self::new`] has ruled that out.
    pub fn open(&self) -> Result<Package<'_>, PackingError> {
        let bytes = self.for_this_machine.as_ref().unwrap_or(&self.bytes);
        Package::new_checked(bytes.as_slice()).map_err(|reason| self.refused(reason))
    }

    /// The package as it is in the file, which this machine may not be able to run.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn as_stored(&self) -> Result<Package<'_>, PackingError> {
        Package::for_any_target(self.bytes.as_slice()).map_err(|reason| self.refused(reason))
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of the same model with its weights laid out as `layout` says.
    ///
    /// # Errors
    /// Where the layout cannot hold them.
    pub fn repacked(&self, layout: WeightLayout) -> Result<Vec<u8>, PackingError> {
        repack(self.bytes.as_slice(), layout).map_err(|reason| self.not_laid_out(layout, reason))
    }

    /// As [`Self::repacked`], with an arena of at most `limit` bytes: where it takes that, layers run band by band.
    ///
    /// # Errors
    /// As [`Self::repacked`], and where the layers need more.
    pub fn repacked_within(&self, layout: WeightLayout, limit: usize) -> Result<Vec<u8>, PackingError> {
        repack_within(self.bytes.as_slice(), layout, limit).map_err(|reason| self.not_laid_out(layout, reason))
    }

    fn not_laid_out(&self, layout: WeightLayout, reason: RepackError) -> PackingError {
        PackingError::Layout { path: self.path.clone(), layout: layout.name(), reason }
    }

    /// The model as a file for the kernels of `layout`: this one, or another that ends with what is returned.
    ///
    /// # Errors
    /// Where the layout cannot hold the weights or the file cannot be written.
    pub fn laid_out(&self, layout: WeightLayout) -> Result<LaidOut, PackingError> {
        let stored = self.as_stored()?;
        if self.is_on_disk && stored.header().layout == layout {
            return Ok(LaidOut { model: ModelId::of(&stored), path: self.path.clone(), _folder: None });
        }
        let folder = tempfile::tempdir().map_err(|source| FileError::Write { path: env::temp_dir(), source })?;
        let path = folder.path().join(self.path.file_name().unwrap_or("package.fude".as_ref()));
        let bytes = self.repacked(layout)?;
        files::write_atomically(&path, &bytes)?;
        let model = ModelId::of(&Self::new(&bytes, &path)?.as_stored()?);
        Ok(LaidOut { model, path, _folder: Some(folder) })
    }

    fn refused(&self, reason: PackageError) -> PackingError {
        PackingError::Refused { path: self.path.clone(), reason }
    }
}

/// A package as a board takes it.
#[derive(Debug)]
pub struct LaidOut {
    model: ModelId,
    path: PathBuf,
    _folder: Option<TempDir>,
}

impl LaidOut {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which model it holds, as a board names it.
    pub fn model(&self) -> &ModelId {
        &self.model
    }
}

/// Which model a package holds. The same model laid out for another instruction set has another number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelId {
    /// Its name.
    pub name: String,
    /// [`Package::model_id`].
    pub id: u32,
}

impl ModelId {
    /// That of `package`.
    pub fn of(package: &Package<'_>) -> Self {
        Self { name: package.manifest().name.to_string(), id: package.model_id() }
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:08x})", self.name, self.id)
    }
}

/// Packs a quantised checkpoint. `golden` are input glyphs (`side × side` bytes, ink 255 on 0) that become
/// the board's self-test, with the logits that this host computes of them. Labels that `label_font` has are packed as
/// bitmaps too.
///
/// # Errors
/// Where the checkpoint has no ranges, or the model exceeds the format.
pub fn pack(
    checkpoint: &Checkpoint,
    golden: &[Vec<u8>],
    label_font: Option<&LabelFont>,
) -> Result<Vec<u8>, PackingError> {
    let info = &checkpoint.info;
    if checkpoint.stage == Stage::Float {
        return Err(PackingError::NotQuantized);
    }
    check_names(info)?;
    let Lowered { graph, mut builder } = lower(&checkpoint.network, checkpoint.stage.ranges())?;
    let name = info.name.as_str().try_into().map_err(|_| PackingError::Name(info.name.clone()))?;
    let manifest = Manifest { name, preprocessing: info.preprocessing, label_bytes: 1, graph };
    let labels: Vec<&str> = info.classes.iter().map(String::as_str).collect();

    if let Some(font) = label_font {
        let bitmaps: Vec<Vec<bool>> = labels.iter().map(|label| font.render(label)).collect();
        builder.set_label_bitmaps(label_font::ROWS, &bitmaps).map_err(PackingError::Format)?;
    }

    let bytes = builder.finish(&manifest, &labels).map_err(PackingError::Format)?;
    add_golden(&mut builder, &bytes, golden)?;
    builder.finish(&manifest, &labels).map_err(PackingError::Format)
}

/// Checks that the names of model and classes fit a package, which is better known before training than after.
///
/// # Errors
/// [`PackingError::Name`] or [`PackingError::Label`].
pub fn check_names(info: &RunInfo) -> Result<(), PackingError> {
    if info.name.len() > MAX_NAME {
        return Err(PackingError::Name(info.name.clone()));
    }
    match info.classes.iter().find(|label| label.len() > MAX_LABEL) {
        Some(label) => Err(PackingError::Label(label.clone())),
        None => Ok(()),
    }
}

/// How many classes of `package` have a bitmap of their label.
pub fn count_label_bitmaps(package: &Package<'_>) -> usize {
    (0..package.classes()).filter(|&class| package.label_bitmap(class).is_some()).count()
}

fn add_golden(builder: &mut PackageBuilder, package: &[u8], golden: &[Vec<u8>]) -> Result<(), PackingError> {
    let aligned = AlignedBytes::copy_of(package);
    let package = Package::new_checked(aligned.as_slice()).map_err(PackingError::Format)?;
    let mut arena = vec![0; package.arena_bytes()];
    let mut recognizer = Recognizer::new(&package, &mut arena)?;
    for glyph in golden {
        let input: Vec<u8> = glyph.iter().map(|pixel| pixel ^ 0x80).collect();
        let output = recognizer.infer(&input, &mut Unobserved)?.to_vec();
        builder.push_golden(&input, &output);
    }
    Ok(())
}
