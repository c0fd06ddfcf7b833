//! The demonstration's flights: the sample that is shipped.

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::cli::tpch::{self, BATCH_ROWS, Rows, ranges};
use crate::error::{Error, Result};
use crate::schema::{DataType, TableSpec};

/// Real flights; see `testdata/README.md`. Part of the program, so that it works from any directory.
const FLIGHTS: &[u8] = include_bytes!("../../../testdata/flights.parquet");

/// Flights, by month.
pub(super) fn flights_table() -> Result<TableSpec> {
    let names = (1..7).map(|month| (format!("p2001{month:02}"), format!("2001-{month:02}-01 00:00:00")));
    Ok(TableSpec::new()
        .column("date", DataType::DateTime)
        .column("delay", DataType::BigInt)
        .column("distance", DataType::BigInt)
        .column("origin", DataType::Char(3))
        .column("destination", DataType::Char(3))
        .sort_key(["date"])
        .partition_by_range(["date"], ranges(names.collect())?)
        .hash_buckets(["origin"], 2))
}

/// The flights sample.
pub(super) fn flights() -> Result<Rows> {
    let damaged = |error| Error::corrupt(format!("the flights sample in this program cannot be read: {error}"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from_static(FLIGHTS)).map_err(damaged)?;
    Ok(tpch::rows(reader.with_batch_size(BATCH_ROWS).build().map_err(damaged)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_sample_is_read_and_has_partitions() {
        assert_eq!(flights_table().unwrap().build("flights").unwrap().1.len(), 6);
        assert_eq!(flights().unwrap().map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 250_000);
    }
}
