//! Actions in the spelling of the Delta protocol: one struct for each, with the JSON keys as serde names. The JSON lines
//! of a commit and the rows of a checkpoint are both made from these and checked through these.
//!
//! Additions to Delta are only where the protocol allows them: `tags` of `add` and `remove` hold `stele.digest` (BLAKE3
//! of the segment), `stele.tail` (`<offset>:<8 hex digits of the CRC-32>`) and `stele.fingerprints` (JSON), in `remove`
//! also `stele.sealed`; partition, tablet and rowset need no tags because they are in the path. `domainMetadata`
//! `stele.partition.<id>` holds a partition, `stele.recycled.<id>`
//! one that was dropped and can be recovered, `stele.table` the facts about the whole table; `txn` `stele.label.<label>` a
//! load label.

use std::sync::Arc;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::delta::metadata::MetadataWire;
use crate::delta::stats::stats_rows;
use crate::delta::{Action, Protocol, RecycledPartition};
use crate::error::{Error, Result};
use crate::id::{Label, PartitionId, SegmentName, Version};
use crate::schema::{ColumnFingerprints, PartitionMeta};
use crate::segment_meta::{SegmentMeta, SegmentSummary, SegmentTail};

const PARTITION_DOMAIN: &str = "stele.partition.";
const RECYCLED_DOMAIN: &str = "stele.recycled.";
const TABLE_DOMAIN: &str = "stele.table";
const LABEL_APP: &str = "stele.label.";
const TXN_VERSION: i64 = 1;
const READER_VERSION_PLAIN: i32 = 1;
const READER_VERSION_FEATURES: i32 = 3;
const WRITER_VERSION: i32 = 7;

/// One line of a commit, one row of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Wire {
    CommitInfo(CommitInfoWire),
    Protocol(ProtocolWire),
    MetaData(MetadataWire),
    DomainMetadata(DomainWire),
    Add(AddWire),
    Remove(RemoveWire),
    Txn(TxnWire),
}

/// The keys of [`Wire`]; any other action is of a format this build does not know.
pub(super) const ACTIONS: [&str; 7] = ["commitInfo", "protocol", "metaData", "domainMetadata", "add", "remove", "txn"];

/// An object without keys: there are no Delta partition columns, no format options, no operation parameters.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Empty {}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CommitInfoWire {
    in_commit_timestamp: i64,
    timestamp: i64,
    operation: String,
    operation_parameters: Empty,
    engine_info: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ProtocolWire {
    pub min_reader_version: i32,
    pub min_writer_version: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader_features: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writer_features: Option<Vec<String>>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DomainWire {
    pub domain: String,
    pub configuration: String,
    pub removed: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AddWire {
    pub path: String,
    pub partition_values: Empty,
    pub size: i64,
    pub modification_time: i64,
    pub data_change: bool,
    pub stats: String,
    pub tags: TagsWire,
    #[serde(default, skip_serializing)]
    pub deletion_vector: Option<IgnoredAny>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RemoveWire {
    path: String,
    deletion_timestamp: i64,
    data_change: bool,
    extended_file_metadata: bool,
    partition_values: Empty,
    size: i64,
    stats: String,
    tags: RemoveTagsWire,
    #[serde(default, skip_serializing)]
    deletion_vector: Option<IgnoredAny>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TagsWire {
    #[serde(rename = "stele.digest")]
    pub digest: String,
    #[serde(rename = "stele.fingerprints")]
    pub fingerprints: String,
    #[serde(rename = "stele.tail")]
    pub tail: String,
}

/// A `remove` has no field for the modification time, so that a tag keeps it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RemoveTagsWire {
    #[serde(rename = "stele.digest")]
    digest: String,
    #[serde(rename = "stele.fingerprints")]
    fingerprints: String,
    #[serde(rename = "stele.sealed")]
    sealed: String,
    #[serde(rename = "stele.tail")]
    tail: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TxnWire {
    pub app_id: String,
    pub version: i64,
    pub last_updated: i64,
}

/// `configuration` of the domain `stele.table`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TableStateWire {
    next_partition: PartitionId,
    oldest_version: Version,
}

/// JSON text of one of our own values.
#[expect(clippy::expect_used, reason = "our values have text keys only and serialize without I/O")]
pub(super) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("value serializes")
}

impl Wire {
    pub(super) fn of(action: &Action) -> Wire {
        match action {
            Action::CommitInfo { timestamp_ms, operation } => Wire::CommitInfo(CommitInfoWire {
                in_commit_timestamp: *timestamp_ms,
                timestamp: *timestamp_ms,
                operation: operation.clone(),
                operation_parameters: Empty {},
                engine_info: concat!("stele/", env!("CARGO_PKG_VERSION")).to_owned(),
            }),
            Action::Protocol(protocol) => Wire::Protocol(ProtocolWire::of(protocol)),
            Action::Metadata(metadata) => Wire::MetaData(MetadataWire::of(metadata)),
            Action::Partition(meta) => Wire::domain(format!("{PARTITION_DOMAIN}{}", meta.id), to_json(&**meta), false),
            Action::PartitionRemoved(id) => Wire::domain(format!("{PARTITION_DOMAIN}{id}"), String::new(), true),
            Action::Recycled(entry) => {
                Wire::domain(format!("{RECYCLED_DOMAIN}{}", entry.partition.id), to_json(&**entry), false)
            }
            Action::RecycledRemoved(id) => Wire::domain(format!("{RECYCLED_DOMAIN}{id}"), String::new(), true),
            Action::TableState { next_partition, oldest_version } => {
                let state = TableStateWire { next_partition: *next_partition, oldest_version: *oldest_version };
                Wire::domain(TABLE_DOMAIN.to_owned(), to_json(&state), false)
            }
            Action::Add(segment, data_change) => Wire::Add(AddWire {
                path: segment.name.delta_path(),
                partition_values: Empty {},
                size: segment.size_bytes.cast_signed(),
                modification_time: segment.sealed_ms,
                data_change: *data_change,
                stats: segment.stats(),
                tags: TagsWire::of(segment),
                deletion_vector: None,
            }),
            Action::Remove { segment, deleted_ms, data_change } => {
                Wire::Remove(RemoveWire::of(segment, *deleted_ms, *data_change))
            }
            Action::Loaded { label, at_ms } => {
                Wire::Txn(TxnWire { app_id: format!("{LABEL_APP}{label}"), version: TXN_VERSION, last_updated: *at_ms })
            }
        }
    }

    fn domain(domain: String, configuration: String, removed: bool) -> Wire {
        Wire::DomainMetadata(DomainWire { domain, configuration, removed })
    }

    /// The action, every field checked. Errors do not name the file; the caller does.
    pub(super) fn into_action(self) -> Result<Action> {
        match self {
            Wire::CommitInfo(info) => {
                if info.in_commit_timestamp != info.timestamp {
                    return Err(Error::corrupt(format!(
                        "commitInfo has inCommitTimestamp {} but timestamp {}",
                        info.in_commit_timestamp, info.timestamp
                    )));
                }
                Ok(Action::CommitInfo { timestamp_ms: info.timestamp, operation: info.operation })
            }
            Wire::Protocol(protocol) => protocol.into_protocol().map(Action::Protocol),
            Wire::MetaData(metadata) => Ok(Action::Metadata(Arc::new(metadata.into_metadata()?))),
            Wire::DomainMetadata(domain) => domain.into_action(),
            Wire::Add(add) => {
                check_no_vector(add.deletion_vector.is_some(), &add.path)?;
                let data_change = add.data_change;
                let meta = SegmentParts {
                    path: add.path,
                    size: add.size,
                    sealed_ms: add.modification_time,
                    stats: add.stats,
                    tags: add.tags,
                };
                Ok(Action::Add(Arc::new(meta.into_segment()?), data_change))
            }
            Wire::Remove(remove) => remove.into_action(),
            Wire::Txn(txn) => {
                let label = txn.app_id.strip_prefix(LABEL_APP).filter(|_| txn.version == TXN_VERSION);
                let label = label.ok_or_else(|| {
                    Error::corrupt(format!("txn of {:?} with version {} is not a load label", txn.app_id, txn.version))
                })?;
                Ok(Action::Loaded { label: Label::new(label).map_err(damaged)?, at_ms: txn.last_updated })
            }
        }
    }
}

impl ProtocolWire {
    fn of(protocol: &Protocol) -> ProtocolWire {
        let plain = protocol.reader_features.is_empty();
        ProtocolWire {
            min_reader_version: if plain { READER_VERSION_PLAIN } else { READER_VERSION_FEATURES },
            min_writer_version: WRITER_VERSION,
            reader_features: (!plain).then(|| protocol.reader_features.clone()),
            writer_features: Some(protocol.writer_features.clone()),
        }
    }

    fn into_protocol(self) -> Result<Protocol> {
        if self.min_writer_version != WRITER_VERSION
            || ![READER_VERSION_PLAIN, READER_VERSION_FEATURES].contains(&self.min_reader_version)
        {
            return Err(Error::unsupported(format!(
                "the table needs Delta reader version {} and writer version {}: this build knows reader 1 and 3, writer 7",
                self.min_reader_version, self.min_writer_version
            )));
        }
        let plain = self.min_reader_version == READER_VERSION_PLAIN;
        if plain != self.reader_features.is_none() || self.reader_features.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::corrupt(format!(
                "protocol has reader version {} with readerFeatures {:?}",
                self.min_reader_version, self.reader_features
            )));
        }
        let Some(writer_features) = self.writer_features else {
            return Err(Error::corrupt("protocol has writer version 7 without writerFeatures"));
        };
        let protocol = Protocol { reader_features: self.reader_features.unwrap_or_default(), writer_features };
        protocol.check_known()?;
        Ok(protocol)
    }
}

impl DomainWire {
    fn into_action(self) -> Result<Action> {
        let DomainWire { domain, configuration, removed } = self;
        if domain == TABLE_DOMAIN && !removed {
            let state: TableStateWire = parse_json(&configuration, &domain)?;
            return Ok(Action::TableState {
                next_partition: state.next_partition,
                oldest_version: state.oldest_version,
            });
        }
        let recycled = domain.strip_prefix(RECYCLED_DOMAIN);
        let Some(id) = recycled.or_else(|| domain.strip_prefix(PARTITION_DOMAIN)) else {
            return Err(Error::unsupported(format!(
                "domainMetadata {domain:?} is not known to this build: use a newer one"
            )));
        };
        let number = id.parse::<u64>().ok().filter(|number| number.to_string() == id);
        let number =
            number.ok_or_else(|| Error::corrupt(format!("domainMetadata {domain:?} names no partition id")))?;
        if removed {
            return match configuration.as_str() {
                "" if recycled.is_some() => Ok(Action::RecycledRemoved(PartitionId::new(number))),
                "" => Ok(Action::PartitionRemoved(PartitionId::new(number))),
                other => {
                    Err(Error::corrupt(format!("removed domain {domain:?} has configuration {other:?}, not \"\"")))
                }
            };
        }
        let (id, action) = if recycled.is_some() {
            let entry: RecycledPartition = parse_json(&configuration, &domain)?;
            (entry.partition.id, Action::Recycled(Arc::new(entry)))
        } else {
            let meta: PartitionMeta = parse_json(&configuration, &domain)?;
            (meta.id, Action::Partition(Arc::new(meta)))
        };
        if id.get() != number {
            return Err(Error::corrupt(format!("domainMetadata {domain:?} holds partition {id}")));
        }
        Ok(action)
    }
}

impl TagsWire {
    fn of(segment: &SegmentMeta) -> TagsWire {
        TagsWire {
            digest: segment.digest.to_string(),
            fingerprints: to_json(&segment.fingerprints()),
            tail: format!("{}:{:08x}", segment.tail.offset, segment.tail.crc32),
        }
    }
}

impl RemoveWire {
    fn of(segment: &SegmentMeta, deleted_ms: i64, data_change: bool) -> RemoveWire {
        let TagsWire { digest, fingerprints, tail } = TagsWire::of(segment);
        RemoveWire {
            path: segment.name.delta_path(),
            deletion_timestamp: deleted_ms,
            data_change,
            extended_file_metadata: true,
            partition_values: Empty {},
            size: segment.size_bytes.cast_signed(),
            stats: segment.stats(),
            tags: RemoveTagsWire { digest, fingerprints, sealed: segment.sealed_ms.to_string(), tail },
            deletion_vector: None,
        }
    }

    fn into_action(self) -> Result<Action> {
        check_no_vector(self.deletion_vector.is_some(), &self.path)?;
        let RemoveTagsWire { digest, fingerprints, sealed, tail } = self.tags;
        let sealed_ms = sealed.parse::<i64>().ok().filter(|value| value.to_string() == sealed);
        let (Some(sealed_ms), true) = (sealed_ms, self.extended_file_metadata) else {
            return Err(Error::corrupt(format!(
                "remove of {:?} has extendedFileMetadata {} and stele.sealed {sealed:?}",
                self.path, self.extended_file_metadata
            )));
        };
        let tags = TagsWire { digest, fingerprints, tail };
        let parts = SegmentParts { path: self.path, size: self.size, sealed_ms, stats: self.stats, tags };
        Ok(Action::Remove {
            segment: Arc::new(parts.into_segment()?),
            deleted_ms: self.deletion_timestamp,
            data_change: self.data_change,
        })
    }
}

/// What `add` and `remove` say of a segment.
struct SegmentParts {
    path: String,
    size: i64,
    sealed_ms: i64,
    stats: String,
    tags: TagsWire,
}

impl SegmentParts {
    fn into_segment(self) -> Result<SegmentMeta> {
        let path = self.path;
        let name = SegmentName::parse(&path).map_err(damaged)?;
        let digest = self.tags.digest.parse().map_err(|error| damaged(error).context(&path))?;
        let fingerprints: ColumnFingerprints = parse_json(&self.tags.fingerprints, &path)?;
        let rows = fingerprints.rows;
        let rows_in_stats = stats_rows(&self.stats).map_err(|error| error.context(&path))?;
        let tail = parse_tail(&self.tags.tail);
        let size_bytes = u64::try_from(self.size).ok();
        let (Some(tail), Some(size_bytes)) = (tail, size_bytes) else {
            return Err(Error::corrupt(format!("{path:?} has size {} and stele.tail {:?}", self.size, self.tags.tail)));
        };
        if rows == 0 || rows != rows_in_stats || tail.offset >= size_bytes {
            return Err(Error::corrupt(format!(
                "{path:?} has {rows} rows in stele.fingerprints, {rows_in_stats} in stats, {size_bytes} bytes, and a tail \
                 from {}: rows must agree and be above 0, the tail must begin within the file",
                tail.offset
            )));
        }
        Ok(SegmentMeta {
            name,
            size_bytes,
            rows,
            digest,
            tail,
            sealed_ms: self.sealed_ms,
            summary: SegmentSummary::new(&fingerprints.columns, &self.stats),
        })
    }
}

fn parse_tail(text: &str) -> Option<SegmentTail> {
    let (offset, crc32) = text.split_once(':')?;
    let tail = SegmentTail { offset: offset.parse().ok()?, crc32: u32::from_str_radix(crc32, 16).ok()? };
    (format!("{}:{:08x}", tail.offset, tail.crc32) == text).then_some(tail)
}

fn check_no_vector(has_vector: bool, path: &str) -> Result<()> {
    if has_vector {
        return Err(Error::unsupported(format!(
            "{path:?} has a deletion vector, which this build does not know: use a newer one"
        )));
    }
    Ok(())
}

/// Parses JSON text that lies within a string; `place` is the object for the error.
pub(super) fn parse_json<'a, T: Deserialize<'a>>(text: &'a str, place: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::corrupt(format!("{place:?}: {error}")).with_source(error))
}

/// An error about a value that a caller gave is damage when the value comes from a file.
pub(super) fn damaged(error: Error) -> Error {
    error.with_kind(crate::error::ErrorKind::Corrupt)
}
