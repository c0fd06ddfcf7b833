//! The proof: every row of a restored table is read, and the fingerprints summed up from the rows are compared with
//! those of the backup's manifest, which were made when the rows were first written.

use std::sync::{Mutex, PoisonError};

use crate::cli::output;
use crate::error::{Error, Result};
use crate::format::ManifestTable;
use crate::id::ColumnId;
use crate::progress::{Observer, Phase};
use crate::schema::{ColumnFingerprints, fingerprint_batch};
use crate::store::Table;

/// The fingerprints of all rows of a table, read back.
pub(super) fn fingerprints_of(table: &Table, observer: &Observer) -> Result<ColumnFingerprints> {
    let ids: Vec<ColumnId> = table.schema().columns.iter().map(|column| column.id).collect();
    let scan = table.scan().plan()?;
    let phase = observer.begin(Phase::Verify, table.version().row_count(), 0);
    let columns = ids.iter().map(|id| (*id, 0)).collect();
    let sum = Mutex::new(ColumnFingerprints { rows: 0, columns });
    scan.for_each(|batch| {
        phase.check()?;
        let found = fingerprint_batch(&batch, &ids)?;
        phase.advance(found.rows, 0);
        sum.lock().unwrap_or_else(PoisonError::into_inner).add(&found);
        Ok(())
    })?;
    Ok(sum.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// An error that names the table and both values unless the table holds the rows that the manifest speaks of.
pub(super) fn prove(table: &Table, expected: &ManifestTable, observer: &Observer) -> Result<ColumnFingerprints> {
    let found = fingerprints_of(table, observer)?;
    let name = format!("{}.{}", expected.database, expected.name);
    if found.rows != expected.fingerprints.rows {
        return Err(Error::corrupt(format!(
            "{name}: {} rows were restored, the manifest says {}",
            output::count(found.rows),
            output::count(expected.fingerprints.rows)
        )));
    }
    for (id, sum) in &expected.fingerprints.columns {
        let restored = found.columns.iter().find(|(other, _)| other == id).map(|(_, sum)| *sum);
        if restored != Some(*sum) {
            let column = expected.schema.column_by_id(*id).map_or("?", |column| column.name.as_str());
            return Err(Error::corrupt(format!(
                "{name}: column {column} has fingerprint {:016x}, the manifest says {sum:016x}",
                restored.unwrap_or_default()
            )));
        }
    }
    Ok(found)
}
