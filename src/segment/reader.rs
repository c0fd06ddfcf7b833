//! Reading a segment: length and tail checked before anything is parsed, each block before its bytes are used.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;

use crate::error::Result;
use crate::fs::Fs;
use crate::id::ColumnId;
use crate::predicate::BoundPredicate;
use crate::schema::TableSchema;
use crate::segment::batches::SegmentScan;
use crate::segment::file::{CheckedFile, RawFile};
use crate::segment::footer::{read_footer, read_page_index};
use crate::segment::{Access, ReadCounters, SegmentPart};
use crate::segment_meta::SegmentMeta;

/// An open segment; `Send + Sync`, shared by the scans of it.
pub struct SegmentReader {
    pub(super) file: Arc<CheckedFile>,
    pub(super) footer: ArrowReaderMetadata,
    with_page_index: OnceLock<ArrowReaderMetadata>,
    pub(super) schema: TableSchema,
    pub(super) arrow_schema: SchemaRef,
}

/// What to read of a segment.
#[derive(Clone)]
pub struct SegmentScanOptions {
    /// Columns to give, in this order.
    pub projection: Vec<ColumnId>,
    /// Rows to give; `None` = all.
    pub predicate: Option<BoundPredicate>,
    /// Stop after so many rows.
    pub limit: Option<u64>,
    /// Rows of a batch at most.
    pub batch_rows: usize,
    /// Whether columns of text come as views, which are faster to compare and to group by.
    pub text_views: bool,
    /// Where reading is counted.
    pub counters: Arc<ReadCounters>,
}

impl SegmentReader {
    /// Opens a published segment. `Corrupt`, naming the file, if length, tail or footer are not what `meta` and
    /// `schema` say.
    pub fn open(
        fs: &Fs,
        path: &Path,
        meta: &SegmentMeta,
        schema: &TableSchema,
        access: Access,
    ) -> Result<Arc<SegmentReader>> {
        let raw = RawFile::open(fs, path, meta.size_bytes, access)?;
        let (footer, blocks) = read_footer(&raw, meta, schema)?;
        Ok(Arc::new(SegmentReader {
            file: Arc::new(CheckedFile::new(raw, meta.tail, blocks)),
            footer,
            with_page_index: OnceLock::new(),
            schema: schema.clone(),
            arrow_schema: schema.to_arrow(),
        }))
    }

    /// Reads it. Row groups and pages that the predicate rules out are skipped; the predicate is then applied, so
    /// exactly the matching rows come out.
    pub fn scan(self: &Arc<Self>, options: SegmentScanOptions) -> Result<SegmentScan> {
        self.scan_part(options, SegmentPart::WHOLE)
    }

    /// Reads a part of it as `scan` does; all parts in order give what `scan` gives.
    pub fn scan_part(self: &Arc<Self>, options: SegmentScanOptions, part: SegmentPart) -> Result<SegmentScan> {
        SegmentScan::new(self.clone(), options, part)
    }

    /// The footer with page indexes, parsed when they are first asked for.
    pub(super) fn page_index(&self) -> Result<&ArrowReaderMetadata> {
        if let Some(footer) = self.with_page_index.get() {
            return Ok(footer);
        }
        let parsed = read_page_index(&self.file, &self.footer)?;
        Ok(self.with_page_index.get_or_init(|| parsed))
    }
}
