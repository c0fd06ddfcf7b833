//! After a crash: removing what an operation wrote into a table directory without committing it.

use std::collections::BTreeSet;

use crate::delta::Action;
use crate::error::Result;
use crate::fs::{EntryKind, Fs, TableLayout};
use crate::id::{RowsetId, SegmentName, Version};
use crate::table::TableLog;
use crate::table::log::{Listing, read_commit};

/// Removes the segment files of these rowsets from the partition directories unless a version after `base` (or `base`
/// itself) added them. Only for the writing process, before it writes. Gives how many files went.
pub fn remove_uncommitted(fs: &Fs, layout: &TableLayout, rowsets: &[RowsetId], base: Version) -> Result<u64> {
    let rowsets: BTreeSet<RowsetId> = rowsets.iter().copied().collect();
    let committed = committed_segments(fs, layout, &rowsets, base)?;
    let mut count = 0;
    for entry in fs.list(layout.dir())? {
        // Only directories of partitions: their names are numbers.
        if entry.kind != EntryKind::Directory || entry.name.parse::<u64>().is_err() {
            continue;
        }
        let mut partition = None;
        for file in fs.list(&layout.dir().join(&entry.name))? {
            let Ok(name) = SegmentName::parse(&format!("{}/{}", entry.name, file.name)) else { continue };
            if rowsets.contains(&name.rowset) && !committed.contains(&name) {
                fs.remove_file(&layout.segment(&name))?;
                partition = Some(name.partition);
                count += 1;
            }
        }
        if let Some(partition) = partition {
            fs.sync_dir(&layout.partition(partition))?;
        }
    }
    Ok(count)
}

/// The segments of these rowsets that are in the newest version or were added from `base` on. Loading the newest version
/// first proves that the log is whole.
fn committed_segments(
    fs: &Fs,
    layout: &TableLayout,
    rowsets: &BTreeSet<RowsetId>,
    base: Version,
) -> Result<BTreeSet<SegmentName>> {
    let newest = TableLog::load_newest(fs, layout)?;
    let mut committed: BTreeSet<SegmentName> = newest.segments().map(|segment| segment.name).collect();
    for number in Listing::read(fs, layout)?.versions.range(base.get()..) {
        for action in read_commit(fs, layout, Version::new(*number))?.actions {
            if let Action::Add(segment, _) = action {
                committed.insert(segment.name);
            }
        }
    }
    committed.retain(|name| rowsets.contains(&name.rowset));
    Ok(committed)
}
