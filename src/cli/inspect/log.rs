//! Log versions and checkpoints of a table: one action a line.

use crate::cli::output;
use crate::delta::{Action, ROOT_DIGEST, decode_checkpoint, decode_commit};
use crate::error::Result;
use crate::segment_meta::SegmentMeta;

/// A version file: its digests, then its actions.
pub(super) fn describe_version(bytes: &[u8], file: &str) -> Result<Vec<String>> {
    if let Some(lines) = published(bytes) {
        return Ok(lines);
    }
    let commit = decode_commit(bytes, file)?;
    let mut lines = vec![format!("log version, digest {}", commit.digest)];
    lines.push(match commit.previous {
        ROOT_DIGEST => "the first of its log".to_owned(),
        previous => format!("previous {previous}"),
    });
    if let Some(checkpoint) = commit.checkpoint {
        lines.push(format!(
            "proves the checkpoint of version {}: {} bytes, digest {}",
            checkpoint.version, checkpoint.size_bytes, checkpoint.digest
        ));
    }
    lines.extend(commit.actions.iter().map(action));
    Ok(lines)
}

/// A version that a backup published for query in place: plain Delta whose actions are not those of a living table.
fn published(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let first: serde_json::Value = serde_json::from_str(text.lines().next()?).ok()?;
    let is_backup = first["commitInfo"]["operation"] == "BACKUP";
    let heading = "published for query in place: derived data, restore and verify do not read it".to_owned();
    is_backup.then(|| std::iter::once(heading).chain(text.lines().map(str::to_owned)).collect())
}

/// A checkpoint: its actions.
pub(super) fn describe_checkpoint(bytes: &[u8], file: &str) -> Result<Vec<String>> {
    let actions = decode_checkpoint(bytes.to_vec(), file)?;
    let mut lines = vec![format!("checkpoint, {} actions", actions.len())];
    lines.extend(actions.iter().map(action));
    Ok(lines)
}

fn action(action: &Action) -> String {
    match action {
        Action::CommitInfo { timestamp_ms, operation } => {
            format!("commit     {} {operation}", output::time(*timestamp_ms))
        }
        Action::Protocol(protocol) => format!(
            "protocol   reader features [{}], writer features [{}]",
            protocol.reader_features.join(", "),
            protocol.writer_features.join(", ")
        ),
        Action::Metadata(metadata) => {
            let columns = metadata.schema.columns.iter().map(|column| {
                let null = if column.nullable { "" } else { " NOT NULL" };
                format!("{} {}{null}", column.name, column.data_type)
            });
            let columns = columns.collect::<Vec<_>>().join(", ");
            format!("metadata   table {}, lineage {}: {columns}", metadata.table, metadata.lineage)
        }
        Action::Partition(partition) => format!(
            "partition  {} {}, {} buckets, {:?}",
            partition.id, partition.name, partition.buckets, partition.bounds
        ),
        Action::Recycled(entry) => format!(
            "recycled   partition {} {} as of version {}, dropped {}, kept until {}",
            entry.partition.id,
            entry.partition.name,
            entry.version,
            output::time(entry.dropped_ms),
            output::time(entry.expires_ms)
        ),
        Action::RecycledRemoved(id) => format!("recycled   partition {id} removed"),
        Action::PartitionRemoved(id) => format!("partition  {id} removed"),
        Action::TableState { next_partition, oldest_version } => {
            format!("state      next partition {next_partition}, oldest readable version {oldest_version}")
        }
        Action::Add(segment, data_change) => format!("add        {}{}", of_segment(segment), merged(*data_change)),
        Action::Remove { segment, deleted_ms, data_change } => {
            format!("remove     {} at {}{}", of_segment(segment), output::time(*deleted_ms), merged(*data_change))
        }
        Action::Loaded { label, at_ms } => format!("loaded     label {label} at {}", output::time(*at_ms)),
    }
}

fn merged(data_change: bool) -> &'static str {
    if data_change { "" } else { ", rows unchanged" }
}

fn of_segment(segment: &SegmentMeta) -> String {
    format!(
        "{}: {} rows, {} bytes, digest {}, tail from {} with CRC-32 {:08x}",
        segment.name.delta_path(),
        segment.rows,
        segment.size_bytes,
        segment.digest,
        segment.tail.offset,
        segment.tail.crc32
    )
}
