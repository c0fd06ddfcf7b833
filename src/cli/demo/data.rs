//! The demonstration's data: TPC-H lineitem and orders, made while they are loaded, and the shipped flights sample.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tpchgen::generators::{LineItemGenerator, OrderGenerator};
use tpchgen_arrow::{LineItemArrow, OrderArrow};

use crate::error::{Error, Result};
use crate::id::Name;
use crate::load::LoadSource;
use crate::schema::{DataType, PartitionSpec, TableSpec, Value};

/// Real flights; see `testdata/README.md`. Part of the program, so that it works from any directory.
const FLIGHTS: &[u8] = include_bytes!("../../../testdata/flights.parquet");

const MONEY: DataType = DataType::Decimal { precision: 15, scale: 2 };
const BATCH_ROWS: usize = 8192;

/// One of `parts` equal pieces of a generated table, from 0.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    pub(super) scale: f64,
    pub(super) part: i32,
    pub(super) parts: i32,
}

/// Lineitem, by month of shipping.
pub(super) fn lineitem_table() -> Result<TableSpec> {
    let starts = (1992..1999).flat_map(|year| (1..13).map(move |month| (year, month))).collect::<Vec<_>>();
    let names = starts.iter().map(|(year, month)| (format!("p{year}{month:02}"), format!("{year}-{month:02}-01")));
    Ok(TableSpec::new()
        .column("l_orderkey", DataType::BigInt)
        .column("l_partkey", DataType::BigInt)
        .column("l_suppkey", DataType::BigInt)
        .column("l_linenumber", DataType::Int)
        .column("l_quantity", MONEY)
        .column("l_extendedprice", MONEY)
        .column("l_discount", MONEY)
        .column("l_tax", MONEY)
        .column("l_returnflag", DataType::Char(1))
        .column("l_linestatus", DataType::Char(1))
        .column("l_shipdate", DataType::Date)
        .column("l_commitdate", DataType::Date)
        .column("l_receiptdate", DataType::Date)
        .column("l_shipinstruct", DataType::Varchar(25))
        .column("l_shipmode", DataType::Varchar(10))
        .column("l_comment", DataType::Varchar(44))
        .sort_key(["l_orderkey", "l_linenumber"])
        .partition_by_range(["l_shipdate"], ranges(names.collect())?)
        .hash_buckets(["l_orderkey"], 4))
}

/// Orders, by year.
pub(super) fn orders_table() -> Result<TableSpec> {
    let names = (1992..1999).map(|year| (format!("p{year}"), format!("{year}-01-01")));
    Ok(TableSpec::new()
        .column("o_orderkey", DataType::BigInt)
        .column("o_custkey", DataType::BigInt)
        .column("o_orderstatus", DataType::Char(1))
        .column("o_totalprice", MONEY)
        .column("o_orderdate", DataType::Date)
        .column("o_orderpriority", DataType::Varchar(15))
        .column("o_clerk", DataType::Varchar(15))
        .column("o_shippriority", DataType::Int)
        .column("o_comment", DataType::Varchar(79))
        .sort_key(["o_orderkey"])
        .partition_by_range(["o_orderdate"], ranges(names.collect())?)
        .hash_buckets(["o_orderkey"], 4))
}

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

/// Ranges that begin at each start and end at the next; the first and the last are open.
fn ranges(starts: Vec<(String, String)>) -> Result<Vec<PartitionSpec>> {
    let bound = |index: usize| match index {
        0 => Vec::new(),
        _ => starts.get(index).map(|(_, start)| Value::Text(start.clone())).into_iter().collect(),
    };
    let specs = starts.iter().enumerate();
    specs.map(|(index, (name, _))| Ok(PartitionSpec::range(Name::new(name)?, bound(index), bound(index + 1)))).collect()
}

/// Rows of lineitem, made when they are asked for.
pub(super) fn lineitem(piece: Piece, counted: &Arc<AtomicU64>) -> LoadSource {
    // The generators count their parts from 1.
    let generator = LineItemGenerator::new(piece.scale, piece.part + 1, piece.parts);
    source(LineItemArrow::new(generator).with_batch_size(BATCH_ROWS), counted)
}

/// Rows of orders, made when they are asked for.
pub(super) fn orders(piece: Piece, counted: &Arc<AtomicU64>) -> LoadSource {
    let generator = OrderGenerator::new(piece.scale, piece.part + 1, piece.parts);
    source(OrderArrow::new(generator).with_batch_size(BATCH_ROWS), counted)
}

/// The flights sample.
pub(super) fn flights(counted: &Arc<AtomicU64>) -> Result<LoadSource> {
    let damaged = |error| Error::corrupt(format!("the flights sample in this program cannot be read: {error}"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from_static(FLIGHTS)).map_err(damaged)?;
    Ok(source(reader.with_batch_size(BATCH_ROWS).build().map_err(damaged)?, counted))
}

/// Batches as a load takes them; the bytes of their arrays are summed up in `counted`.
fn source<I>(batches: I, counted: &Arc<AtomicU64>) -> LoadSource
where
    I: Iterator<Item = std::result::Result<arrow::array::RecordBatch, arrow::error::ArrowError>> + Send + 'static,
{
    let counted = counted.clone();
    LoadSource::Batches(Box::new(batches.map(move |batch| {
        let batch = batch.map_err(|error| Error::invalid(format!("the rows to load cannot be made: {error}")))?;
        counted.fetch_add(batch.get_array_memory_size() as u64, Ordering::Relaxed);
        Ok(batch)
    })))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_a_tiny_scale_has_a_partition() {
        assert_eq!(lineitem_table().unwrap().build("lineitem").unwrap().1.len(), 84);
        assert_eq!(orders_table().unwrap().build("orders").unwrap().1.len(), 7);
        assert_eq!(flights_table().unwrap().build("flights").unwrap().1.len(), 6);
    }

    #[test]
    fn pieces_are_disjoint_and_complete() {
        let rows = |part, parts| {
            let counted = Arc::default();
            let LoadSource::Batches(batches) = orders(Piece { scale: 0.001, part, parts }, &counted) else { panic!() };
            batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>()
        };
        assert_eq!(rows(0, 1), 1500);
        assert_eq!((0..4).map(|part| rows(part, 4)).sum::<usize>(), 1500);
    }

    #[test]
    fn the_shipped_sample_is_read() {
        let LoadSource::Batches(batches) = flights(&Arc::default()).unwrap() else { panic!() };
        assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 250_000);
    }
}
