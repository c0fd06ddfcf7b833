//! TPC-H tables and their rows, made while they are read; nothing is downloaded.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use tpchgen::generators::{LineItemGenerator, OrderGenerator};
use tpchgen_arrow::{LineItemArrow, OrderArrow};

use crate::error::{Error, Result};
use crate::id::Name;
use crate::schema::{DataType, PartitionSpec, TableSpec, Value};

/// A decimal as TPC-H has them.
const MONEY: DataType = DataType::Decimal { precision: 15, scale: 2 };
/// Largest scale; 1 is about 6 million rows of lineitem.
const SCALE_MAX: f64 = 1000.0;
/// Rows of a batch.
pub(super) const BATCH_ROWS: usize = 8192;

/// Batches of rows, made one at a time.
pub(super) type Rows = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// One of `parts` equal pieces of a generated table, from 0.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    pub(super) scale: f64,
    pub(super) part: i32,
    pub(super) parts: i32,
}

/// A scale as it is given on the command line.
pub(super) fn parse_scale(text: &str) -> Result<f64> {
    let scale = text.parse().ok().filter(|scale| *scale > 0.0 && *scale <= SCALE_MAX);
    scale.ok_or_else(|| Error::invalid(format!("{text:?} is no scale: write a number above 0, at most {SCALE_MAX}")))
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

/// Ranges that begin at each start and end at the next; the first and the last are open.
pub(super) fn ranges(starts: Vec<(String, String)>) -> Result<Vec<PartitionSpec>> {
    let bound = |index: usize| match index {
        0 => Vec::new(),
        _ => starts.get(index).map(|(_, start)| Value::Text(start.clone())).into_iter().collect(),
    };
    let specs = starts.iter().enumerate();
    specs.map(|(index, (name, _))| Ok(PartitionSpec::range(Name::new(name)?, bound(index), bound(index + 1)))).collect()
}

/// Rows of lineitem, made when they are asked for.
pub(super) fn lineitem_rows(piece: Piece) -> Rows {
    rows(LineItemArrow::new(lineitem_generator(piece)).with_batch_size(BATCH_ROWS))
}

/// Lineitem as its generator gives it, one row after the other.
pub(super) fn lineitem_generator(piece: Piece) -> LineItemGenerator<'static> {
    // The generators count their parts from 1.
    LineItemGenerator::new(piece.scale, piece.part + 1, piece.parts)
}

/// Rows of orders, made when they are asked for.
pub(super) fn orders_rows(piece: Piece) -> Rows {
    let generator = OrderGenerator::new(piece.scale, piece.part + 1, piece.parts);
    rows(OrderArrow::new(generator).with_batch_size(BATCH_ROWS))
}

/// Batches with an error of ours.
pub(super) fn rows<I>(batches: I) -> Rows
where
    I: Iterator<Item = std::result::Result<RecordBatch, ArrowError>> + Send + 'static,
{
    Box::new(
        batches.map(|batch| batch.map_err(|error| Error::invalid(format!("the rows to load cannot be made: {error}")))),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_a_tiny_scale_has_a_partition() {
        assert_eq!(lineitem_table().unwrap().build("lineitem").unwrap().1.len(), 84);
        assert_eq!(orders_table().unwrap().build("orders").unwrap().1.len(), 7);
    }

    #[test]
    fn pieces_are_disjoint_and_complete() {
        let rows = |part, parts| {
            let batches = orders_rows(Piece { scale: 0.001, part, parts });
            batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>()
        };
        assert_eq!(rows(0, 1), 1500);
        assert_eq!((0..4).map(|part| rows(part, 4)).sum::<usize>(), 1500);
    }
}
