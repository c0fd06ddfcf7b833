//! Reading a segment: length and tail checked before anything is parsed, each block before its bytes are used.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;

use crate::error::Result;
use crate::fs::Fs;
use crate::id::ColumnId;
use crate::predicate::BoundPredicate;
use crate::schema::TableSchema;
use crate::segment::batches::SegmentScan;
use crate::segment::file::{CheckedFile, RawFile};
use crate::segment::footer::Footer;
use crate::segment::footer_cache::{FooterCache, FooterKey};
use crate::segment::{Access, ReadCounters, SegmentPart};
use crate::segment_meta::SegmentMeta;

/// An open segment; `Send + Sync`, shared by the scans of it.
pub struct SegmentReader {
    pub(super) file: Arc<CheckedFile>,
    pub(super) footer: Arc<Footer>,
    with_page_index: OnceLock<Arc<Footer>>,
    cache: Option<(Arc<FooterCache>, FooterKey)>,
    pub(super) schema: Arc<TableSchema>,
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
    /// `schema` say. With a cache its footer is not read again if it is known.
    pub fn open(
        fs: &Fs,
        path: &Path,
        meta: &SegmentMeta,
        schema: &Arc<TableSchema>,
        access: Access,
        cache: Option<&Arc<FooterCache>>,
    ) -> Result<Arc<SegmentReader>> {
        let raw = RawFile::open(fs, path, meta.size_bytes, access)?;
        let key = FooterKey::of(meta);
        let footer = match cache.and_then(|cache| cache.get(&key)) {
            Some(known) => known,
            None => {
                let footer = Arc::new(Footer::read(&raw, meta)?);
                cache.into_iter().for_each(|cache| cache.put(key, &footer));
                footer
            }
        };
        let arrow_schema = footer.check_columns(&raw.path, schema)?;
        Ok(Arc::new(SegmentReader {
            file: Arc::new(CheckedFile::new(raw, meta.tail, footer.blocks.clone())),
            footer,
            with_page_index: OnceLock::new(),
            cache: cache.map(|cache| (cache.clone(), key)),
            schema: schema.clone(),
            arrow_schema,
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
    pub(super) fn page_index(&self) -> Result<&Arc<Footer>> {
        if let Some(footer) = self.with_page_index.get() {
            return Ok(footer);
        }
        let footer = match self.footer.read_page_index(&self.file)? {
            None => self.footer.clone(),
            Some(read) => {
                let read = Arc::new(read);
                self.cache.iter().for_each(|(cache, key)| cache.put(*key, &read));
                read
            }
        };
        Ok(self.with_page_index.get_or_init(|| footer))
    }
}
