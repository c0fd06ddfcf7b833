//! A planned query and its rows.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::progress::Cancel;
use crate::sql::query::engine::EngineInner;
use crate::sql::query::failure::inward;
use crate::sql::query::text_views::{as_shown, without_views};
use crate::sql::query::threads::{CANCEL_LOOK, Task, unless_panicked};

/// Batches that are ready before they are asked for.
const BATCHES_AHEAD: usize = 4;

/// A query that can be run, once or several times: it always sees the moment at which it was planned.
pub(crate) struct PlannedQuery {
    engine: Arc<EngineInner>,
    state: SessionState,
    logical: LogicalPlan,
    physical: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
}

impl PlannedQuery {
    pub(super) fn new(
        engine: Arc<EngineInner>,
        state: SessionState,
        logical: LogicalPlan,
        physical: Arc<dyn ExecutionPlan>,
        names: Option<Vec<String>>,
    ) -> PlannedQuery {
        let given = without_views(&physical.schema());
        let fields = given.fields();
        let schema = match names.filter(|names| names.len() == fields.len()) {
            None => given,
            Some(names) => {
                let named = fields.iter().zip(names).map(|(field, name)| field.as_ref().clone().with_name(name));
                Arc::new(Schema::new(named.collect::<Vec<_>>()))
            }
        };
        PlannedQuery { engine, state, logical, physical, schema }
    }

    /// The schema of the batches, with the names a client shows.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Runs it. `cancel` ends it within moments with an error of kind `Cancelled`.
    pub fn run(&self, cancel: &Cancel) -> Result<BatchStream> {
        let (sender, batches) = channel();
        let room = Arc::new(Semaphore::new(BATCHES_AHEAD));
        let (plan, context, schema) = (self.physical.clone(), self.state.task_ctx(), self.schema.clone());
        let (to_fill, at_end) = (room.clone(), sender.clone());
        let work = async move {
            if let Err(error) = unless_panicked(async {
                let mut rows = execute_stream(plan, context).map_err(inward)?;
                while let Some(batch) = rows.next().await {
                    let batch = batch.map_err(inward).and_then(|batch| as_shown(&batch, &schema))?;
                    if !send(&sender, &to_fill, batch).await {
                        break;
                    }
                }
                Ok(())
            })
            .await
            {
                // Who asked may be gone.
                let _ = at_end.send(Err(error));
            }
        };
        let task = Some(self.engine.threads.start(work)?);
        Ok(BatchStream { engine: self.engine.clone(), batches, room, task, cancel: cancel.clone(), is_over: false })
    }

    /// Runs it and gives all rows.
    #[cfg(test)]
    pub fn collect(&self, cancel: &Cancel) -> Result<Vec<RecordBatch>> {
        self.run(cancel)?.collect()
    }

    /// The plan as lines; `analyze` runs it and adds what was counted, `verbose` shows the logical plan too, or the counters of
    /// each partition.
    pub fn explain(&self, analyze: bool, verbose: bool, cancel: &Cancel) -> Result<Vec<String>> {
        if analyze {
            self.run(cancel)?.try_for_each(|batch| batch.map(drop))?;
        }
        let (logical, physical) = (self.logical.clone(), self.physical.clone());
        // Deep plans are written with deep stacks.
        self.engine.threads.wait(cancel, async move {
            let display = match (analyze, verbose) {
                (false, _) => DisplayableExecutionPlan::new(physical.as_ref()).set_show_statistics(verbose),
                (true, false) => DisplayableExecutionPlan::with_metrics(physical.as_ref()),
                (true, true) => DisplayableExecutionPlan::with_full_metrics(physical.as_ref()),
            };
            let mut lines = Vec::new();
            if verbose && !analyze {
                lines.extend(logical.display_indent().to_string().lines().map(str::to_owned));
                lines.push(String::new());
            }
            lines.extend(display.indent(verbose).to_string().lines().map(str::to_owned));
            Ok(lines)
        })
    }
}

/// Whether the reader is still there.
async fn send(sender: &Sender<Result<RecordBatch>>, room: &Semaphore, batch: RecordBatch) -> bool {
    match room.acquire().await {
        Ok(permit) => {
            permit.forget();
            sender.send(Ok(batch)).is_ok()
        }
        Err(_) => false,
    }
}

/// Rows as they come; dropping it ends the query.
pub(crate) struct BatchStream {
    /// Keeps the threads.
    engine: Arc<EngineInner>,
    batches: Receiver<Result<RecordBatch>>,
    /// A place is free for each batch that was taken.
    room: Arc<Semaphore>,
    task: Option<Task>,
    cancel: Cancel,
    is_over: bool,
}

impl BatchStream {
    fn end(&mut self) {
        self.is_over = true;
        self.task = None;
    }
}

impl Iterator for BatchStream {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        while !self.is_over {
            if self.cancel.is_cancelled() {
                self.end();
                return Some(Err(Error::cancelled("the query was cancelled")));
            }
            match self.batches.recv_timeout(CANCEL_LOOK) {
                Ok(Ok(batch)) => {
                    self.room.add_permits(1);
                    return Some(Ok(batch));
                }
                Ok(Err(error)) => {
                    self.end();
                    return Some(Err(error));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.end(),
            }
        }
        None
    }
}

impl Drop for BatchStream {
    fn drop(&mut self) {
        self.end();
        let _ = &self.engine;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Mutex;
    use std::task::Poll;

    use datafusion::execution::{SendableRecordBatchStream, TaskContext};
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

    use super::*;
    use crate::error::ErrorKind;
    use crate::sql::parser::parse_query;
    use crate::sql::query::{QueryEngine, QueryOptions, QueryScope};
    use crate::store::Store;

    /// A partition that keeps its thread from when it says so until the sender of `released` is dropped.
    #[derive(Debug)]
    struct Stubborn {
        schema: SchemaRef,
        begun: Sender<()>,
        released: Arc<Mutex<Receiver<()>>>,
    }

    impl PartitionStream for Stubborn {
        fn schema(&self) -> &SchemaRef {
            &self.schema
        }

        fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
            let (begun, released) = (self.begun.clone(), self.released.clone());
            let rows = futures::stream::poll_fn(move |_| {
                begun.send(()).unwrap();
                let _ = released.lock().unwrap().recv();
                Poll::Ready(None)
            });
            Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), rows))
        }
    }

    #[test]
    fn a_cancelled_query_that_does_not_give_way_holds_up_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path().join("store")).unwrap();
        let engine = QueryEngine::new(&store, QueryOptions { threads: 2, ..QueryOptions::default() }).unwrap();
        let plan = || engine.plan(&QueryScope::default(), parse_query("SELECT 1 + 1").unwrap(), &[]).unwrap();

        let (begun, has_begun) = channel();
        let (release, released) = channel();
        let released = Arc::new(Mutex::new(released));
        let planned = plan();
        let schema = planned.schema();
        // As many as there are threads.
        let partitions = [0, 1].map(|_| -> Arc<dyn PartitionStream> {
            Arc::new(Stubborn { schema: schema.clone(), begun: begun.clone(), released: released.clone() })
        });
        drop(begun);
        let physical = StreamingTableExec::try_new(schema, partitions.into(), None, [], false, None).unwrap();
        let stubborn = PlannedQuery { physical: Arc::new(physical), ..planned };

        let cancel = Cancel::new();
        let mut rows = stubborn.run(&cancel).unwrap();
        drop(stubborn);
        has_begun.recv().unwrap();
        has_begun.recv().unwrap();
        cancel.cancel();
        assert_eq!(rows.next().unwrap().unwrap_err().kind(), ErrorKind::Cancelled);

        // The cancelled one still keeps its threads.
        let batches = plan().collect(&Cancel::new()).unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
        drop((rows, engine, store));
        drop(release);
        // It ends with the work that it was in.
        assert!(has_begun.recv().is_err());
    }
}
