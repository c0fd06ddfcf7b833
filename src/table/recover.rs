//! After a crash: what lies in a table directory that no version names, and may go.

use crate::error::Result;
use crate::fs::{Fs, TableLayout};
use crate::table::TableVersion;

/// Removes segment files that the newest version does not name and no older version names either (left by a load that
/// did not commit). Only for the writing process, before it writes. Gives how many files went.
pub fn remove_uncommitted(_fs: &Fs, _layout: &TableLayout, _newest: &TableVersion) -> Result<u64> {
    todo!()
}
