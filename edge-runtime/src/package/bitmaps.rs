//! Labels as pictures, for displays that have no font of their script.

/// A label's picture, read in place: one bit a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelBitmap<'a> {
    width: u8,
    height: u8,
    /// Bytes of a row: that of the cell, which may be wider than this bitmap.
    row_bytes: usize,
    rows: &'a [u8],
}

impl<'a> LabelBitmap<'a> {
    /// A bitmap of `width` columns in `rows`: `height` times the same number of bytes, from the top, the leftmost
    /// pixel in the most significant bit. `None` where that is no bitmap.
    ///
    /// ```
    /// use fude_runtime::package::LabelBitmap;
    ///
    /// let comb = LabelBitmap::new(9, 2, &[0xff, 0x80, 0xaa, 0x80]).unwrap();
    /// assert!(comb.is_ink(8, 1) && !comb.is_ink(7, 1) && !comb.is_ink(9, 1));
    /// assert_eq!(LabelBitmap::new(9, 2, &[0xff, 0x80, 0xaa]), None); // no whole rows
    /// assert_eq!(LabelBitmap::new(9, 2, &[0xff, 0x80]), None); // rows too short
    /// ```
    pub const fn new(width: u8, height: u8, rows: &'a [u8]) -> Option<Self> {
        if width == 0 || height == 0 {
            return None;
        }
        let row_bytes = rows.len() / height as usize;
        if row_bytes * (height as usize) != rows.len() || row_bytes < (width as usize).div_ceil(8) {
            return None;
        }
        Some(Self { width, height, row_bytes, rows })
    }

    /// Columns, 1 to 255.
    pub const fn width(&self) -> u32 {
        self.width as u32
    }

    /// Rows, 1 to 255; the same for all labels of a package.
    pub const fn height(&self) -> u32 {
        self.height as u32
    }

    /// Whether there is ink at column `x` and row `y`, counted from the upper left corner; none outside.
    pub fn is_ink(&self, x: u32, y: u32) -> bool {
        if x >= self.width() || y >= self.height() {
            return false;
        }
        let byte = self.rows.get(y as usize * self.row_bytes + x as usize / 8);
        byte.is_some_and(|byte| byte & (0x80 >> (x % 8)) != 0)
    }
}

/// The section of the label bitmaps: a header, the width of each bitmap, the bitmaps.
#[derive(Debug, Clone, Copy)]
pub(super) struct LabelBitmaps<'a> {
    height: u8,
    row_bytes: usize,
    widths: &'a [u8],
    bitmaps: &'a [u8],
}

/// Length of the section's header: cell width, cell height, two reserved bytes.
pub(super) const HEADER_BYTES: usize = 4;

impl<'a> LabelBitmaps<'a> {
    /// Reads the section of a package with `classes` classes. `None` where it contradicts itself.
    pub fn read(section: &'a [u8], classes: usize) -> Option<Self> {
        let &[cell_width, ..] = section else { return None };
        let found = Self::of_checked(section, classes)?;
        let is_sound = cell_width > 0
            && found.height > 0
            && found.widths.iter().all(|&width| width <= cell_width)
            && classes.checked_mul(found.row_bytes * usize::from(found.height)) == Some(found.bitmaps.len());
        is_sound.then_some(found)
    }

    /// The section once [`Self::read`] has found it sound; `None` of an empty one.
    pub fn of_checked(section: &'a [u8], classes: usize) -> Option<Self> {
        let (&[cell_width, height, _, _], rest) = section.split_first_chunk::<HEADER_BYTES>()?;
        let (widths, bitmaps) = rest.split_at_checked(classes)?;
        Some(Self { height, row_bytes: usize::from(cell_width).div_ceil(8), widths, bitmaps })
    }

    /// The bitmap of `class`; `None` where the class has none.
    pub fn get(&self, class: usize) -> Option<LabelBitmap<'a>> {
        let width = *self.widths.get(class)?;
        let bytes = self.row_bytes * usize::from(self.height);
        // The product is at most the section's length: `read` has seen one cell a class.
        let rows = self.bitmaps.get(class * bytes..)?.get(..bytes)?;
        LabelBitmap::new(width, self.height, rows)
    }
}
