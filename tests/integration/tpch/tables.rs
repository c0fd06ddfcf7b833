//! The eight tables of TPC-H: how they are laid out here, and their rows.

use arrow::array::RecordBatch;
use steledb::load::LoadSource;
use steledb::schema::DateUnit;
use steledb::{ColumnSpec, DataType, Store, TableSpec};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow, SupplierArrow,
};

/// The tables, small ones first.
pub const TABLES: [&str; 8] = ["region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"];

/// Rows of a table at a scale, made when they are asked for.
pub fn rows(table: &str, scale: f64) -> Box<dyn Iterator<Item = RecordBatch> + Send> {
    macro_rules! batches {
        ($generator:ident, $batches:ident) => {
            Box::new($batches::new($generator::new(scale, 1, 1)).map(|batch| batch.unwrap()))
        };
    }
    match table {
        "region" => batches!(RegionGenerator, RegionArrow),
        "nation" => batches!(NationGenerator, NationArrow),
        "supplier" => batches!(SupplierGenerator, SupplierArrow),
        "customer" => batches!(CustomerGenerator, CustomerArrow),
        "part" => batches!(PartGenerator, PartArrow),
        "partsupp" => batches!(PartSuppGenerator, PartSuppArrow),
        "orders" => batches!(OrderGenerator, OrderArrow),
        _ => batches!(LineItemGenerator, LineItemArrow),
    }
}

/// Big tables by month and by buckets of the order, the others by buckets of their key.
fn spec(table: &str, schema: &arrow::datatypes::Schema, buckets: u32) -> TableSpec {
    let mut spec = TableSpec::new();
    for field in schema.fields() {
        spec = spec.add_column(ColumnSpec::new(field.name(), data_type(field.data_type())));
    }
    match table {
        "lineitem" => spec
            .sort_key(["l_orderkey", "l_linenumber"])
            .partition_by_date_trunc(DateUnit::Month, "l_shipdate")
            .hash_buckets(["l_orderkey"], buckets),
        "orders" => spec
            .sort_key(["o_orderkey"])
            .partition_by_date_trunc(DateUnit::Month, "o_orderdate")
            .hash_buckets(["o_orderkey"], buckets),
        _ => {
            let key = schema.field(0).name().clone();
            spec.sort_key([key.clone()]).hash_buckets([key], if table == "region" { 1 } else { buckets })
        }
    }
}

fn data_type(arrow: &arrow::datatypes::DataType) -> DataType {
    use arrow::datatypes::DataType as Arrow;
    match arrow {
        Arrow::Int64 => DataType::BigInt,
        Arrow::Int32 => DataType::Int,
        Arrow::Date32 => DataType::Date,
        Arrow::Decimal128(precision, scale) => DataType::Decimal { precision: *precision, scale: *scale as u8 },
        _ => DataType::Varchar(200),
    }
}

/// Makes the tables in a database and loads them.
pub fn load(store: &Store, database: &str, scale: f64, buckets: u32) {
    for table in TABLES {
        let mut batches = rows(table, scale).peekable();
        let schema = batches.peek().unwrap().schema();
        let made = store.create_table(database, table, &spec(table, &schema, buckets)).unwrap();
        let source = LoadSource::Batches(Box::new(batches.map(Ok)));
        made.load(source, &Default::default()).unwrap();
    }
}
