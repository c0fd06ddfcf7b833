//! What a statement gives.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

use crate::error::Result;
use crate::id::JobId;

/// Batches as they come.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// What a statement gave: rows, or word of what it did.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// let answer = store.sql("SELECT 6 * 7 AS answer")?;
/// assert_eq!(answer.schema().field(0).name(), "answer");
/// let batches = answer.collect()?;
/// assert_eq!(batches[0].num_rows(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Answer {
    schema: SchemaRef,
    batches: Option<Batches>,
    rows_affected: Option<u64>,
    job: Option<JobId>,
    message: Option<String>,
}

impl Answer {
    /// Rows to come.
    pub(super) fn rows(schema: SchemaRef, batches: Batches) -> Answer {
        Answer { schema, batches: Some(batches), ..Answer::done() }
    }

    /// Rows that are there.
    pub(super) fn batch(batch: RecordBatch) -> Answer {
        Answer::rows(batch.schema(), Box::new(std::iter::once(Ok(batch))))
    }

    /// Done, and there is nothing to say.
    pub(super) fn done() -> Answer {
        let schema = Arc::new(Schema::empty());
        Answer { schema, batches: None, rows_affected: None, job: None, message: None }
    }

    /// Done, with a word about it.
    pub(super) fn told(message: impl Into<String>) -> Answer {
        Answer { message: Some(message.into()), ..Answer::done() }
    }

    /// Rows were written.
    pub(super) fn affected(rows: u64, message: impl Into<String>) -> Answer {
        Answer { rows_affected: Some(rows), ..Answer::told(message) }
    }

    /// A job was submitted.
    pub(super) fn submitted(job: JobId, message: impl Into<String>) -> Answer {
        Answer { job: Some(job), ..Answer::told(message) }
    }

    /// The columns of the rows; none if the statement gives no rows.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Whether the statement gives rows, be it none: SELECT, SHOW, DESCRIBE, EXPLAIN.
    pub fn has_rows(&self) -> bool {
        self.batches.is_some()
    }

    /// The rows that INSERT wrote.
    pub fn rows_affected(&self) -> Option<u64> {
        self.rows_affected
    }

    /// The job that BACKUP or RESTORE submitted.
    pub fn job(&self) -> Option<JobId> {
        self.job
    }

    /// What a statement without rows says it did, for people.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The rows as they come; nothing is computed faster than it is taken.
    pub fn stream(self) -> Batches {
        self.batches.unwrap_or_else(|| Box::new(std::iter::empty()))
    }

    /// All rows.
    pub fn collect(self) -> Result<Vec<RecordBatch>> {
        self.stream().collect()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("schema", &self.schema)
            .field("has_rows", &self.has_rows())
            .field("rows_affected", &self.rows_affected)
            .field("job", &self.job)
            .field("message", &self.message)
            .finish()
    }
}
