//! What the plan of a query asks of a scan beyond what users do.

use std::sync::Arc;

use crate::error::Result;
use crate::id::PartitionId;
use crate::predicate::BoundPredicate;
use crate::scan::plan::may_match;
use crate::scan::{ScanBuilder, ScanUnit, UnitBatches};

impl ScanBuilder {
    /// What errors call it.
    pub(crate) fn named(mut self, what: String) -> ScanBuilder {
        self.what = what;
        self
    }

    /// Columns of text come as views.
    pub(crate) fn text_views(mut self) -> ScanBuilder {
        self.text_views = true;
        self
    }

    /// Only rows of these partitions, ascending.
    pub(crate) fn partitions(mut self, partitions: Arc<[PartitionId]>) -> ScanBuilder {
        self.partitions = Some(partitions);
        self
    }
}

impl ScanUnit {
    /// Rows before the predicate, about: its share of the segment.
    pub(crate) fn rows(&self) -> u64 {
        self.segment.meta.rows / self.part.of
    }

    /// The same with a further predicate, bound to the schema of the version; `None` if bounds that are known of the segment
    /// rule all its rows out.
    pub(crate) fn run_where(&self, further: &BoundPredicate) -> Result<Option<UnitBatches>> {
        if !may_match(&self.shared.version, &self.segment.meta, further)? {
            return Ok(None);
        }
        UnitBatches::open(self, self.shared.limit, Some(further)).map(Some)
    }
}
