//! What EXPLAIN BACKUP and EXPLAIN RESTORE show: what would be done, a row for each table and view.

use arrow::array::RecordBatch;

use crate::backup::BackupPlan;
use crate::error::Result;
use crate::id::Name;
use crate::restore::RestorePlan;
use crate::sql::text_rows::{Cell, TextRows, text};

pub(super) fn backup_plan_rows(plan: &BackupPlan) -> Result<RecordBatch> {
    let mut rows = TextRows::new(&[
        "Object",
        "Partitions",
        "Rows",
        "SegmentsCopied",
        "BytesCopied",
        "SegmentsReused",
        "BytesReused",
    ]);
    for table in &plan.tables {
        rows.row([
            Some(format!("{}.{}", table.database, table.name)),
            partitions(table.partitions.as_deref()),
            text(table.rows),
            text(table.copied),
            text(table.copied_bytes),
            text(table.reused),
            text(table.reused_bytes),
        ]);
    }
    for (database, view) in &plan.views {
        rows.row([Some(format!("{database}.{view}")), None, None, None, None, None, None]);
    }
    rows.finish()
}

pub(super) fn restore_plan_rows(plan: &RestorePlan) -> Result<RecordBatch> {
    let mut rows = TextRows::new(&[
        "Object",
        "Target",
        "Action",
        "Partitions",
        "Rows",
        "SegmentsFetched",
        "BytesFetched",
        "SegmentsLinked",
        "BytesLinked",
    ]);
    for table in &plan.tables {
        rows.row([
            Some(format!("{}.{}", table.source_database, table.source_name)),
            Some(format!("{}.{}", table.database, table.name)),
            text(action(table.replaced)),
            partitions(table.partitions.as_deref()),
            text(table.rows),
            text(table.fetched),
            text(table.fetched_bytes),
            text(table.linked),
            text(table.linked_bytes),
        ]);
    }
    for view in &plan.views {
        let source = Some(format!("{}.{}", view.source_database, view.source_name));
        let target = Some(format!("{}.{}", view.database, view.name));
        rows.row([source, target, text(action(view.replaced)), None, None, None, None, None, None]);
    }
    rows.finish()
}

fn action(replaced: bool) -> &'static str {
    if replaced { "replace" } else { "create" }
}

fn partitions(names: Option<&[Name]>) -> Cell {
    Some(match names {
        None => "all".to_owned(),
        Some(names) => names.iter().map(Name::as_str).collect::<Vec<_>>().join(", "),
    })
}
