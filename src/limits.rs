//! Bounds that no measurement asked to be options. Everything read from outside is held against one of them
//! before memory is set aside for it.

/// Longest name of a database, table, partition or column, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 255;
/// Longest label of a load, a snapshot or a backup, in bytes of UTF-8.
pub const LABEL_BYTES_MAX: usize = 255;
/// Most columns of a table.
pub const COLUMNS_MAX: usize = 10_000;
/// Most levels of ARRAY, MAP and STRUCT in a column.
pub const TYPE_DEPTH_MAX: usize = 14;
/// Most elements, keys, values and fields, counted over all levels, in the type of a column.
pub const TYPE_PARTS_MAX: usize = 1_000;
/// Most buckets of a partition.
pub const BUCKETS_MAX: u32 = 4_096;
/// Most partitions of a table.
pub const PARTITIONS_MAX: usize = 100_000;
/// Most partitions that one load makes: more are a sign of a wrong column or wrong values.
pub const PARTITIONS_MADE_BY_LOAD_MAX: usize = 4_096;
/// Most tablets of a table: partitions times buckets.
pub const TABLETS_MAX: u64 = 1_000_000;
/// Most partitions that START … END … EVERY … stands for: more are a sign of a wrong unit.
pub const PARTITIONS_OF_SERIES_MAX: usize = 4_096;
/// Longest text of a view, in bytes of UTF-8.
pub const VIEW_BYTES_MAX: usize = 1 << 20;
/// Most rows that the error file of a load tells of; more of them are counted.
pub const ERROR_FILE_ROWS_MAX: u64 = 1_000_000;
/// Longest VARCHAR and CHAR, in bytes of UTF-8.
pub const VARCHAR_BYTES_MAX: u32 = 1_048_576;
/// Largest document of our own (catalog, manifest, pin, record) after decompression, in bytes.
pub const DOCUMENT_BYTES_MAX: u64 = 1 << 30;
/// Largest single version file or checkpoint of a table log, in bytes.
pub const LOG_FILE_BYTES_MAX: u64 = 1 << 30;
/// Longest deletion vector that is written into its descriptor instead of a file, in bytes.
pub const INLINE_VECTOR_BYTES_MAX: usize = 1 << 10;
/// Largest footer, with page indexes and bloom filters, of a segment, in bytes.
pub const SEGMENT_TAIL_BYTES_MAX: u64 = 256 << 20;
/// Size of the blocks of a segment that carry a CRC-32 each, in bytes.
pub const BLOCK_BYTES: u64 = 64 << 10;
/// Values of one column in one row at most, of a row with nested columns: a few bytes of a file can say that there are so many.
pub const ROW_VALUES_MAX: u64 = 1 << 28;
/// Deepest nesting of a predicate: of AND, OR and NOT within each other.
pub const PREDICATE_DEPTH_MAX: usize = 200;
/// Catalog versions kept for diagnosis; the highest is current.
pub const CATALOG_VERSIONS_KEPT: u64 = 100;
/// Log versions between two checkpoints of a small table.
pub const CHECKPOINT_INTERVAL: u64 = 50;
/// A checkpoint names every segment and label. With each doubling of their number from here on, twice as many versions lie
/// between two checkpoints, so that the loads of a table of many segments do not pay more and more for them.
pub const CHECKPOINT_SMALL: u64 = 5_000;
/// Log versions between two checkpoints of any table: opening it replays at most as many.
pub const CHECKPOINT_INTERVAL_MAX: u64 = 16 * CHECKPOINT_INTERVAL;
/// Retention that keeps foreign clean-up tools away from our files, in days (100 years).
pub const FOREIGN_RETENTION_DAYS: u32 = 36_500;
/// Longest SQL statement, in bytes.
#[cfg(feature = "sql-parser")]
pub const STATEMENT_BYTES_MAX: usize = 16 << 20;
/// Most levels of parentheses, brackets, CASE and nested types within each other in an SQL statement.
#[cfg(feature = "sql-parser")]
pub const STATEMENT_DEPTH_MAX: usize = 100;
/// Most operators, joins or members of UNION that an SQL statement has in one chain: so deep is the tree that it becomes.
#[cfg(feature = "sql-parser")]
pub const STATEMENT_OPERATORS_MAX: usize = 1_000;
/// Largest document of a job, in bytes: it lists tables and partitions.
pub const JOB_DOCUMENT_BYTES_MAX: u64 = 64 << 20;
/// Most jobs of a store that are not over: each has a thread.
pub const JOBS_UNFINISHED_MAX: usize = 64;
/// Jobs that are over and kept for those who ask what happened.
pub const JOBS_KEPT_MAX: usize = 1_000;
/// How long they are kept, in milliseconds (30 days).
pub const JOBS_KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;
