//! After a crash: removing what an operation wrote into a table directory without committing it.

use crate::error::Result;
use crate::fs::{Fs, TableLayout};
use crate::id::{RowsetId, Version};

/// Removes the segment files of these rowsets from the partition directories unless a version after `base` (or `base`
/// itself) added them. Only for the writing process, before it writes. Gives how many files went.
pub fn remove_uncommitted(_fs: &Fs, _layout: &TableLayout, _rowsets: &[RowsetId], _base: Version) -> Result<u64> {
    todo!()
}
