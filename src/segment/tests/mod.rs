#![allow(clippy::unwrap_used, clippy::expect_used)]

mod damage;
mod footers;
mod nested;
mod round_trip;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;

use crate::clock::Clock;
use crate::error::Result;
use crate::fs::{Fs, SimFs, SyncMode};
use crate::id::{BucketIndex, ColumnId, IdSource, Name, PartitionId, RowsetId, SegmentName};
use crate::predicate::BoundPredicate;
use crate::schema::{Column, DataType, Distribution, KeyModel, Partitioning, TableSchema};
use crate::segment::encoding::Shape;
use crate::segment::writer::SegmentWriter;
use crate::segment::{Access, ReadCounters, SegmentMeta, SegmentPart, SegmentReader, SegmentScanOptions};

/// A segment in an in-memory file system.
struct Written {
    fs: Fs,
    path: PathBuf,
    schema: TableSchema,
    meta: SegmentMeta,
    rows: RecordBatch,
}

fn table(columns: &[(&str, DataType, bool)], sort_key: &[u32]) -> TableSchema {
    let column = |(index, (name, data_type, nullable)): (usize, &(&str, DataType, bool))| Column {
        id: ColumnId::new(index as u32 + 1),
        name: Name::new(name).unwrap(),
        data_type: data_type.clone(),
        nullable: *nullable,
        comment: String::new(),
        default: None,
    };
    TableSchema {
        columns: columns.iter().enumerate().map(column).collect(),
        column_id_max: ColumnId::new(columns.len() as u32),
        key_model: KeyModel::Duplicate,
        sort_key: sort_key.iter().map(|id| ColumnId::new(*id)).collect(),
        partitioning: Partitioning::None,
        distribution: Distribution::Random { buckets: 1 },
        comment: String::new(),
        properties: Default::default(),
    }
}

/// One column of every type, each but the first with NULLs.
fn all_types() -> TableSchema {
    let columns = [
        ("id", DataType::BigInt, false),
        ("boolean", DataType::Boolean, true),
        ("tiny", DataType::TinyInt, true),
        ("small", DataType::SmallInt, true),
        ("int", DataType::Int, true),
        ("big", DataType::BigInt, true),
        ("large", DataType::LargeInt, true),
        ("float", DataType::Float, true),
        ("double", DataType::Double, true),
        ("decimal4", DataType::Decimal { precision: 4, scale: 2 }, true),
        ("decimal15", DataType::Decimal { precision: 15, scale: 2 }, true),
        ("decimal38", DataType::Decimal { precision: 38, scale: 10 }, true),
        ("date", DataType::Date, true),
        ("datetime", DataType::DateTime, true),
        ("char", DataType::Char(10), true),
        ("varchar", DataType::Varchar(200), true),
        ("string", DataType::String, true),
        ("binary", DataType::VarBinary, true),
        ("json", DataType::Json, true),
    ];
    table(&columns, &[1])
}

/// Rows of `all_types` with ids from `first`.
fn all_types_rows(schema: &TableSchema, first: i64, rows: i64) -> RecordBatch {
    let some = |id: i64, skip: i64| (id % skip != 0).then_some(id);
    let ids = || first..first + rows;
    macro_rules! array {
        ($type:ty, $skip:expr, $value:expr) => {
            Arc::new(ids().map(|id| some(id, $skip).map($value)).collect::<$type>()) as ArrayRef
        };
    }
    let decimal = |array: Decimal128Array, precision, scale| {
        Arc::new(array.with_precision_and_scale(precision, scale).unwrap()) as ArrayRef
    };
    let decimals = |skip, factor: i128| ids().map(|id| some(id, skip).map(|id| i128::from(id) * factor)).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(ids())),
        array!(BooleanArray, 3, |id| id % 2 == 0),
        array!(Int8Array, 4, |id| (id % 256) as i8),
        array!(Int16Array, 5, |id| -(id as i16)),
        array!(Int32Array, 6, |id| id as i32 * 1000),
        array!(Int64Array, 7, |id| id * -1_000_000_007),
        decimal(decimals(4, 12_345_678_901_234_567_890_123_456_789), 38, 0),
        array!(Float32Array, 5, |id| id as f32 / 3.0),
        array!(Float64Array, 6, |id| if id % 5 == 1 { f64::NAN } else { id as f64 / 7.0 }),
        decimal(ids().map(|id| some(id, 7).map(|id| i128::from(id % 10_000) - 5000)).collect(), 4, 2),
        decimal(decimals(4, -1001), 15, 2),
        decimal(decimals(5, -98_765_432_109_876_543_210), 38, 10),
        array!(Date32Array, 6, |id| id as i32 - 700),
        array!(TimestampMicrosecondArray, 7, |id| id * 3_600_000_000_123),
        array!(StringArray, 4, |id| format!("c{}", id % 100)),
        array!(StringArray, 5, |id| format!("näme {id} {}", "x".repeat(id.rem_euclid(150) as usize))),
        array!(StringArray, 6, |id| format!("{:08}", id * 7919 % 100_000)),
        array!(BinaryArray, 7, |id| id.to_be_bytes().to_vec()),
        array!(StringArray, 4, |id| format!("{{\"id\":{id}}}")),
    ];
    RecordBatch::try_new(schema.to_arrow(), columns).unwrap()
}

fn segment_name() -> SegmentName {
    SegmentName {
        partition: PartitionId::new(1),
        bucket: BucketIndex::new(0),
        rowset: RowsetId::random(&IdSource::seeded(1)),
        number: 0,
    }
}

fn write(schema: TableSchema, rows: RecordBatch, shape: Shape) -> Written {
    let fs = SimFs::new().fs();
    let path = PathBuf::from("/segment.parquet");
    let clock = Clock::manual(42);
    let mut writer = SegmentWriter::create_shaped(&fs, &path, segment_name(), &schema, &clock, shape).unwrap();
    for start in (0..rows.num_rows()).step_by(1000) {
        writer.write(&rows.slice(start, 1000.min(rows.num_rows() - start))).unwrap();
    }
    let meta = writer.finish(SyncMode::EachFile).unwrap();
    Written { fs, path, schema, meta, rows }
}

impl Written {
    fn open(&self, access: Access) -> Result<Arc<SegmentReader>> {
        SegmentReader::open(&self.fs, &self.path, &self.meta, &Arc::new(self.schema.clone()), access, None)
    }

    fn bytes(&self) -> Vec<u8> {
        self.fs.read(&self.path, u64::MAX).unwrap()
    }

    /// The same segment with other bytes in its file.
    fn with_bytes(&self, bytes: &[u8]) -> Written {
        let fs = SimFs::new().fs();
        put(&fs, &self.path, bytes);
        let Written { path, schema, meta, rows, .. } = self;
        Written { fs, path: path.clone(), schema: schema.clone(), meta: meta.clone(), rows: rows.clone() }
    }

    fn ids(&self) -> Vec<ColumnId> {
        self.schema.columns.iter().map(|column| column.id).collect()
    }

    /// Everything that matches, as one batch.
    fn scan(&self, access: Access, predicate: Option<BoundPredicate>) -> Result<RecordBatch> {
        let options = SegmentScanOptions { predicate, ..self.options() };
        let batches = self.open(access)?.scan(options)?.collect::<Result<Vec<_>>>()?;
        Ok(concat_batches(&self.rows.schema(), &batches).unwrap())
    }

    fn options(&self) -> SegmentScanOptions {
        SegmentScanOptions {
            projection: self.ids(),
            predicate: None,
            limit: None,
            batch_rows: 700,
            text_views: false,
            counters: Arc::new(ReadCounters::default()),
        }
    }
}

fn put(fs: &Fs, path: &Path, bytes: &[u8]) {
    let mut file = fs.create_file(path).unwrap();
    file.write_all(bytes).unwrap();
    file.finish(SyncMode::Batch).unwrap();
}
