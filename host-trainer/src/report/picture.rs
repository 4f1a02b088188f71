//! Glyphs and confusion matrices as PNG.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{ExtendedColorType, ImageFormat, Rgba, RgbaImage, imageops};

use super::ReportError;
use super::confusion::ConfusionMatrix;
use crate::dataset::Glyph;
use crate::label_font::{LabelFont, ROWS};

/// Most classes whose matrix is drawn whole.
const WHOLE: usize = 100;
/// Classes that are drawn of a larger matrix: those with most mistakes.
const OF_MANY: usize = 60;
/// Least side of a lettered picture's cells: a row of lettering.
const CELL: u32 = ROWS as u32 + 2;
/// Side that the cells of few classes together come to.
const LEAST_SIDE: u32 = 480;
/// Between lettering and cells.
const GAP: u32 = 4;

/// Colour of right answers.
const RIGHT: [u8; 3] = [0x1f, 0x5f, 0xbf];
/// Colour of mistakes.
const WRONG: [u8; 3] = [0xc2, 0x57, 0x1a];

/// What a cell's colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The count, logarithmically: one mistake is to be seen beside a thousand right answers.
    Count,
    /// The share of the row's samples, by its square root.
    Share,
}

/// The part of a confusion matrix that is drawn.
#[derive(Debug)]
pub struct MatrixPicture<'a> {
    matrix: &'a ConfusionMatrix,
    /// The largest count of any cell.
    most: usize,
    /// The classes drawn, in their order.
    pub classes: Vec<u32>,
}

impl<'a> MatrixPicture<'a> {
    /// All of `matrix`, or of more than a hundred classes the sixty with most mistakes.
    pub fn of(matrix: &'a ConfusionMatrix) -> Self {
        let limit = if matrix.classes() > WHOLE { OF_MANY } else { WHOLE };
        let most = matrix.cells().map(|(.., count)| count).max().unwrap_or(0);
        Self { matrix, most, classes: matrix.most_mistaken(limit) }
    }

    /// How strongly a cell is coloured, 0 to 1.
    pub fn strength(&self, truth: u32, answer: u32, scale: Scale) -> f64 {
        match scale {
            Scale::Share => self.matrix.share(truth, answer).sqrt(),
            Scale::Count => (self.matrix.count(truth, answer) as f64).ln_1p() / (self.most.max(1) as f64).ln_1p(),
        }
    }

    /// One pixel a cell, rows of right classes from above, columns of answers; nothing is transparent, right answers
    /// are blue, mistakes orange.
    fn cells(&self, scale: Scale) -> RgbaImage {
        let side = self.classes.len() as u32;
        RgbaImage::from_fn(side, side, |x, y| {
            let (truth, answer) = (self.classes[y as usize], self.classes[x as usize]);
            let [red, green, blue] = if truth == answer { RIGHT } else { WRONG };
            Rgba([red, green, blue, (255.0 * self.strength(truth, answer, scale)).round() as u8])
        })
    }

    /// The cells alone, a pixel each, for a page that enlarges and letters them.
    ///
    /// # Errors
    /// [`ReportError::Picture`] where it cannot be encoded.
    pub fn cells_png(&self, scale: Scale) -> Result<Vec<u8>, ReportError> {
        png(&self.cells(scale))
    }

    /// The matrix on white with the labels that `font` has.
    ///
    /// # Errors
    /// [`ReportError::Picture`] where it cannot be encoded.
    pub fn lettered_png(
        &self,
        scale: Scale,
        labels: &[String],
        font: Option<&LabelFont>,
    ) -> Result<Vec<u8>, ReportError> {
        let count = self.classes.len() as u32;
        let cell = CELL.max(LEAST_SIDE / count.max(1));
        let lettering: Vec<RgbaImage> = self
            .classes
            .iter()
            .map(|&class| lettering(font.map_or(vec![], |font| font.render(&labels[class as usize]))))
            .collect();
        let border = lettering.iter().map(RgbaImage::width).max().unwrap_or(0) + 2 * GAP;
        let mut picture = RgbaImage::from_pixel(border + cell * count, border + cell * count, Rgba([255; 4]));
        let cells = imageops::resize(&self.cells(scale), cell * count, cell * count, imageops::FilterType::Nearest);
        imageops::overlay(&mut picture, &cells, border.into(), border.into());
        for (label, index) in lettering.iter().zip(0..) {
            let middle = border + index * cell + cell / 2;
            let row = (border - GAP - label.width(), middle - label.height() / 2);
            imageops::overlay(&mut picture, label, row.0.into(), row.1.into());
            // A label wider than its column is turned.
            let turned = if label.width() > cell { &imageops::rotate270(label) } else { label };
            let column = (middle - turned.width() / 2, border - GAP - turned.height());
            imageops::overlay(&mut picture, turned, column.0.into(), column.1.into());
        }
        png(&picture)
    }
}

/// A label's bitmap in black on nothing; empty where there is none.
fn lettering(bitmap: Vec<bool>) -> RgbaImage {
    let columns = (bitmap.len() / usize::from(ROWS)) as u32;
    RgbaImage::from_fn(columns, if columns == 0 { 0 } else { ROWS.into() }, |x, y| {
        Rgba([0, 0, 0, if bitmap[(y * columns + x) as usize] { 255 } else { 0 }])
    })
}

/// Bytes of a PNG as an address that holds them.
pub fn data_uri(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", STANDARD.encode(png))
}

/// A glyph as black ink on nothing, so that a page can lay it on any paper.
///
/// # Errors
/// [`ReportError::Picture`] where it cannot be encoded.
pub fn glyph_png(glyph: &Glyph) -> Result<Vec<u8>, ReportError> {
    let pixels: Vec<u8> = glyph.pixels.iter().flat_map(|&ink| [0, ink]).collect();
    encode(&pixels, (glyph.width.into(), glyph.height.into()), ExtendedColorType::La8)
}

fn png(picture: &RgbaImage) -> Result<Vec<u8>, ReportError> {
    encode(picture, picture.dimensions(), ExtendedColorType::Rgba8)
}

fn encode(pixels: &[u8], (width, height): (u32, u32), colour: ExtendedColorType) -> Result<Vec<u8>, ReportError> {
    let mut bytes = Vec::new();
    image::write_buffer_with_format(&mut Cursor::new(&mut bytes), pixels, width, height, colour, ImageFormat::Png)
        .map_err(|error| ReportError::Picture(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(classes: usize) -> ConfusionMatrix {
        // Class 0 is taken for the last class twice in four samples; the others are always right.
        let last = classes as u32 - 1;
        let right = (1..classes as u32).flat_map(|class| [(class, class); 4]);
        ConfusionMatrix::of(classes, right.chain([(0, 0), (0, 0), (0, last), (0, last)]))
    }

    #[test]
    fn rows_are_truths_and_columns_answers() {
        let matrix = matrix(3);
        let cells = MatrixPicture::of(&matrix).cells(Scale::Share);
        let alpha = |strength: f64| (255.0 * strength).round() as u8;
        assert_eq!(cells.get_pixel(2, 0).0, [0xc2, 0x57, 0x1a, alpha(0.5_f64.sqrt())]);
        assert_eq!(cells.get_pixel(0, 2).0[3], 0);
        assert_eq!(cells.get_pixel(1, 1).0, [0x1f, 0x5f, 0xbf, 255]);
        let counts = MatrixPicture::of(&matrix).cells(Scale::Count);
        assert_eq!(counts.get_pixel(2, 0).0[3], alpha(3.0_f64.ln() / 5.0_f64.ln()));
    }

    #[test]
    fn of_many_classes_the_most_mistaken_are_drawn() {
        let (whole, many) = (matrix(100), matrix(101));
        assert_eq!(MatrixPicture::of(&whole).classes.len(), 100);
        let classes = MatrixPicture::of(&many).classes;
        assert_eq!((classes.len(), classes[0], classes[59]), (60, 0, 100));
    }

    #[test]
    fn pictures_are_png_of_their_size() {
        let matrix = matrix(10);
        let labels: Vec<String> = (0..10).map(|class: i32| class.to_string()).collect();
        let lettered = MatrixPicture::of(&matrix).lettered_png(Scale::Count, &labels, None).unwrap();
        assert_eq!(image::load_from_memory(&lettered).unwrap().width(), 480 + 2 * GAP);
        let glyph = Glyph { width: 3, height: 2, pixels: vec![0, 50, 255, 0, 0, 1] };
        let read = image::load_from_memory(&glyph_png(&glyph).unwrap()).unwrap().into_luma_alpha8();
        assert_eq!((read.dimensions(), read.get_pixel(1, 0).0), ((3, 2), [0, 50]));
    }
}
