//! Checkpoints: the whole state of a version as one Parquet file (Delta PROTOCOL.md, "Checkpoint Schema", V1).
//!
//! One row for each action: the columns `txn`, `add`, `remove`, `metaData`, `protocol`, `domainMetadata` are structs of
//! which exactly one is there. `remove` is always null, because nothing foreign may clean up by it. The same actions
//! always give the same bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, ListBuilder, MapBuilder, MapFieldNames,
    RecordBatch, StringArray, StringBuilder, StructArray, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Int64Type, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::checked_parquet::{Wanted, all_columns, load_metadata, record_batches};
use crate::delta::Action;
use crate::delta::metadata::{ConfigurationWire, FormatWire, MetadataWire};
use crate::delta::wire::{AddWire, DomainWire, Empty, ProtocolWire, TagsWire, TxnWire, Wire};
use crate::error::{Error, Result};
use crate::segment_meta::SegmentMeta;

/// The bytes of a checkpoint of the given state: protocol, metadata, partitions, next partition id, adds, labels; no
/// `CommitInfo`, no `Remove`, no `PartitionRemoved`.
pub fn encode_checkpoint(state: &[Action]) -> Result<Vec<u8>> {
    let allowed = |action: &Action| {
        !matches!(action, Action::CommitInfo { .. } | Action::Remove { .. } | Action::PartitionRemoved(_))
    };
    if let Some(action) = state.iter().find(|action| !allowed(action)) {
        return Err(Error::invalid(format!("a checkpoint holds no {action:?}")));
    }
    let rows: Vec<Wire> = state.iter().map(Wire::of).collect();
    let batch = to_batch(&rows)?;
    // Without the Arrow schema in the file, so that every reader sees what Parquet itself says.
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let encoded = |error: parquet::errors::ParquetError| {
        Error::invalid(format!("cannot encode a checkpoint: {error}")).with_source(error)
    };
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).map_err(encoded)?;
    writer.write(&batch).map_err(encoded)?;
    writer.into_inner().map_err(encoded)
}

/// Rows decoded at a time.
const BATCH_ROWS: usize = 1024;

/// The actions of a checkpoint whose digest the caller has checked; `file` is its name for errors.
pub fn decode_checkpoint(bytes: Vec<u8>, file: &str) -> Result<Vec<Action>> {
    decode(bytes).map_err(|error| error.context(file))
}

fn decode(bytes: Vec<u8>) -> Result<Vec<Action>> {
    let bytes = Bytes::from(bytes);
    let metadata =
        load_metadata(&bytes, ArrowReaderOptions::new().with_skip_arrow_metadata(true)).map_err(damaged_parquet)?;
    let expected = to_batch(&[])?.schema();
    check_known(metadata.schema().fields(), expected.fields(), "")?;
    if metadata.schema().fields() != expected.fields() {
        return Err(Error::corrupt(format!("the columns are {:?}, expected {:?}", metadata.schema(), expected)));
    }
    let mut actions: Vec<Action> = Vec::new();
    // Rows of segments follow each other, and what they have alike must not be in memory for each of them.
    let mut like: Option<Arc<SegmentMeta>> = None;
    let levels = all_columns(&metadata).map_err(damaged_parquet)?;
    let wanted = Wanted {
        levels: &levels,
        row_groups: (0..metadata.metadata().num_row_groups()).collect(),
        selection: None,
        batch_rows: BATCH_ROWS,
        is_foreign: false,
    };
    for batch in record_batches(bytes, metadata.metadata(), wanted).map_err(damaged_parquet)? {
        let batch = batch.map_err(damaged_parquet)?;
        for row in 0..batch.num_rows() {
            let action = read_row(&batch, row)?.into_action();
            let mut action = action.map_err(|error| error.context(format!("action {}", actions.len())))?;
            if let Action::Add(segment, _) = &mut action {
                let like = like.get_or_insert_with(|| segment.clone());
                *segment = segment.sharing(like);
            }
            actions.push(action);
        }
    }
    Ok(actions)
}

/// A column that is not ours was written by a newer build, which needs it: skipping it could show rows that were deleted.
fn check_known(found: &Fields, expected: &Fields, within: &str) -> Result<()> {
    for field in found {
        let name = format!("{within}{}", field.name());
        match expected.find(field.name()).map(|(_, known)| (known.data_type(), field.data_type())) {
            None => {
                return Err(Error::unsupported(format!(
                    "the checkpoint has the column {name:?}, which this build does not know: use a newer one"
                )));
            }
            Some((DataType::Struct(known), DataType::Struct(found))) => check_known(found, known, &format!("{name}."))?,
            Some(_) => {}
        }
    }
    Ok(())
}

fn damaged_parquet(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::corrupt(format!("it is not a readable Parquet file: {error}")).with_source(error)
}

fn to_batch(rows: &[Wire]) -> Result<RecordBatch> {
    let columns = vec![
        txn_column(rows),
        add_column(rows),
        remove_column(rows.len()),
        metadata_column(rows),
        protocol_column(rows),
        domain_column(rows),
    ];
    let names = ["txn", "add", "remove", "metaData", "protocol", "domainMetadata"];
    let fields: Fields =
        names.iter().zip(&columns).map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|error| Error::invalid(format!("cannot build a checkpoint: {error}")).with_source(error))
}

/// For each row of the batch the value of one kind, if the row is of that kind.
struct Rows<'a, T>(Vec<Option<&'a T>>);

impl<T> Rows<'_, T> {
    fn text(&self, get: impl Fn(&T) -> &str) -> ArrayRef {
        Arc::new(self.0.iter().map(|row| row.map(&get)).collect::<StringArray>())
    }

    fn long(&self, get: impl Fn(&T) -> i64) -> ArrayRef {
        Arc::new(self.0.iter().map(|row| row.map(&get)).collect::<Int64Array>())
    }

    fn int(&self, get: impl Fn(&T) -> i32) -> ArrayRef {
        Arc::new(self.0.iter().map(|row| row.map(&get)).collect::<Int32Array>())
    }

    fn flag(&self, get: impl Fn(&T) -> bool) -> ArrayRef {
        Arc::new(self.0.iter().map(|row| row.map(&get)).collect::<BooleanArray>())
    }

    fn list<'s>(&'s self, get: impl Fn(&'s T) -> Option<&'s [String]>) -> ArrayRef {
        let mut builder =
            ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
        for row in &self.0 {
            let items = row.and_then(&get);
            for item in items.into_iter().flatten() {
                builder.values().append_value(item);
            }
            builder.append(items.is_some());
        }
        Arc::new(builder.finish())
    }

    #[expect(clippy::expect_used, reason = "a key and a value are appended together")]
    fn map<'s>(&'s self, get: impl Fn(&'s T) -> Vec<(&'static str, &'s str)>) -> ArrayRef {
        let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
        let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
        for row in &self.0 {
            for (key, value) in row.map(&get).into_iter().flatten() {
                builder.keys().append_value(key);
                builder.values().append_value(value);
            }
            builder.append(row.is_some()).expect("as many keys as values");
        }
        Arc::new(builder.finish())
    }

    fn into_struct(self, columns: Vec<(&str, ArrayRef)>) -> ArrayRef {
        let present: NullBuffer = self.0.iter().map(Option::is_some).collect();
        let fields: Fields =
            columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
        let arrays = columns.into_iter().map(|(_, column)| column).collect();
        Arc::new(StructArray::new(fields, arrays, Some(present)))
    }
}

macro_rules! rows_of {
    ($rows:expr, $kind:ident) => {
        Rows($rows.iter().map(|row| if let Wire::$kind(value) = row { Some(value) } else { None }).collect())
    };
}

fn txn_column(rows: &[Wire]) -> ArrayRef {
    let txn: Rows<TxnWire> = rows_of!(rows, Txn);
    let columns = vec![
        ("appId", txn.text(|txn| &txn.app_id)),
        ("version", txn.long(|txn| txn.version)),
        ("lastUpdated", txn.long(|txn| txn.last_updated)),
    ];
    txn.into_struct(columns)
}

fn add_column(rows: &[Wire]) -> ArrayRef {
    let add: Rows<AddWire> = rows_of!(rows, Add);
    let columns = vec![
        ("path", add.text(|add| &add.path)),
        ("partitionValues", add.map(|_| Vec::new())),
        ("size", add.long(|add| add.size)),
        ("modificationTime", add.long(|add| add.modification_time)),
        ("dataChange", add.flag(|add| add.data_change)),
        ("stats", add.text(|add| &add.stats)),
        (
            "tags",
            add.map(|add| {
                vec![
                    ("stele.digest", &*add.tags.digest),
                    ("stele.fingerprints", &*add.tags.fingerprints),
                    ("stele.tail", &*add.tags.tail),
                ]
            }),
        ),
    ];
    add.into_struct(columns)
}

fn remove_column(rows: usize) -> ArrayRef {
    let none: Rows<TxnWire> = Rows(Vec::new());
    let map = none.map(|_| Vec::new()).data_type().clone();
    let fields: Fields = [
        ("path", DataType::Utf8),
        ("deletionTimestamp", DataType::Int64),
        ("dataChange", DataType::Boolean),
        ("extendedFileMetadata", DataType::Boolean),
        ("partitionValues", map.clone()),
        ("size", DataType::Int64),
        ("stats", DataType::Utf8),
        ("tags", map),
    ]
    .into_iter()
    .map(|(name, data_type)| Field::new(name, data_type, true))
    .collect();
    new_null_array(&DataType::Struct(fields), rows)
}

fn metadata_column(rows: &[Wire]) -> ArrayRef {
    let metadata: Rows<MetadataWire> = rows_of!(rows, MetaData);
    let format: Rows<FormatWire> = Rows(metadata.0.iter().map(|row| row.map(|metadata| &metadata.format)).collect());
    let format_columns =
        vec![("provider", format.text(|format| &format.provider)), ("options", format.map(|_| Vec::new()))];
    let columns = vec![
        ("id", metadata.text(|metadata| &metadata.id)),
        ("format", format.into_struct(format_columns)),
        ("schemaString", metadata.text(|metadata| &metadata.schema_string)),
        ("partitionColumns", metadata.list(|metadata| Some(&metadata.partition_columns))),
        ("createdTime", metadata.long(|metadata| metadata.created_time)),
        (
            "configuration",
            metadata.map(|metadata| {
                let configuration = &metadata.configuration;
                vec![
                    ("delta.deletedFileRetentionDuration", &*configuration.file_retention),
                    ("delta.enableInCommitTimestamps", &*configuration.timestamps),
                    ("delta.logRetentionDuration", &*configuration.log_retention),
                    ("stele.format", &*configuration.format),
                    ("stele.lineage", &*configuration.lineage),
                    ("stele.schema", &*configuration.schema),
                ]
            }),
        ),
    ];
    metadata.into_struct(columns)
}

fn protocol_column(rows: &[Wire]) -> ArrayRef {
    let protocol: Rows<ProtocolWire> = rows_of!(rows, Protocol);
    let columns = vec![
        ("minReaderVersion", protocol.int(|protocol| protocol.min_reader_version)),
        ("minWriterVersion", protocol.int(|protocol| protocol.min_writer_version)),
        ("readerFeatures", protocol.list(|protocol| protocol.reader_features.as_deref())),
        ("writerFeatures", protocol.list(|protocol| protocol.writer_features.as_deref())),
    ];
    protocol.into_struct(columns)
}

fn domain_column(rows: &[Wire]) -> ArrayRef {
    let domain: Rows<DomainWire> = rows_of!(rows, DomainMetadata);
    let columns = vec![
        ("domain", domain.text(|domain| &domain.domain)),
        ("configuration", domain.text(|domain| &domain.configuration)),
        ("removed", domain.flag(|domain| domain.removed)),
    ];
    domain.into_struct(columns)
}

fn read_row(batch: &RecordBatch, row: usize) -> Result<Wire> {
    let mut present =
        batch.schema_ref().fields().iter().zip(batch.columns()).filter(|(_, column)| column.is_valid(row));
    let (Some((field, column)), None) = (present.next(), present.next()) else {
        return Err(Error::corrupt(format!("row {row} does not hold exactly one action")));
    };
    let values = RowReader { values: column.as_struct(), row };
    match field.name().as_str() {
        "txn" => Ok(Wire::Txn(TxnWire {
            app_id: values.text("appId")?,
            version: values.long("version")?,
            last_updated: values.long("lastUpdated")?,
        })),
        "add" => values.add().map(Wire::Add),
        "metaData" => values.metadata().map(Wire::MetaData),
        "protocol" => Ok(Wire::Protocol(ProtocolWire {
            min_reader_version: values.int("minReaderVersion")?,
            min_writer_version: values.int("minWriterVersion")?,
            reader_features: values.list("readerFeatures")?,
            writer_features: values.list("writerFeatures")?,
        })),
        "domainMetadata" => Ok(Wire::DomainMetadata(DomainWire {
            domain: values.text("domain")?,
            configuration: values.text("configuration")?,
            removed: values.flag("removed")?,
        })),
        other => Err(Error::corrupt(format!("row {row} holds a {other}, which a checkpoint of ours never has"))),
    }
}

/// One struct value; the schema was compared, so that the types of its fields are known.
struct RowReader<'a> {
    values: &'a StructArray,
    row: usize,
}

impl<'a> RowReader<'a> {
    fn add(&self) -> Result<AddWire> {
        let mut tags = self.map("tags")?;
        let add = AddWire {
            path: self.text("path")?,
            partition_values: self.empty_map("partitionValues")?,
            size: self.long("size")?,
            modification_time: self.long("modificationTime")?,
            data_change: self.flag("dataChange")?,
            stats: self.text("stats")?,
            tags: TagsWire {
                digest: take(&mut tags, "stele.digest")?,
                fingerprints: take(&mut tags, "stele.fingerprints")?,
                tail: take(&mut tags, "stele.tail")?,
            },
            deletion_vector: None,
        };
        nothing_left(&tags)?;
        Ok(add)
    }

    fn metadata(&self) -> Result<MetadataWire> {
        let format = RowReader { values: self.column("format")?.as_struct(), row: self.row };
        let mut configuration = self.map("configuration")?;
        let metadata = MetadataWire {
            id: self.text("id")?,
            format: FormatWire { provider: format.text("provider")?, options: format.empty_map("options")? },
            schema_string: self.text("schemaString")?,
            partition_columns: self.list("partitionColumns")?.unwrap_or_default(),
            created_time: self.long("createdTime")?,
            configuration: ConfigurationWire {
                file_retention: take(&mut configuration, "delta.deletedFileRetentionDuration")?,
                timestamps: take(&mut configuration, "delta.enableInCommitTimestamps")?,
                log_retention: take(&mut configuration, "delta.logRetentionDuration")?,
                format: take(&mut configuration, "stele.format")?,
                lineage: take(&mut configuration, "stele.lineage")?,
                schema: take(&mut configuration, "stele.schema")?,
            },
        };
        nothing_left(&configuration)?;
        Ok(metadata)
    }

    /// The column of a field that must not be null here.
    fn column(&self, name: &str) -> Result<&'a ArrayRef> {
        let column = self.values.column_by_name(name).filter(|column| column.is_valid(self.row));
        column.ok_or_else(|| Error::corrupt(format!("row {} has no {name}", self.row)))
    }

    fn text(&self, name: &str) -> Result<String> {
        Ok(self.column(name)?.as_string::<i32>().value(self.row).to_owned())
    }

    fn long(&self, name: &str) -> Result<i64> {
        Ok(self.column(name)?.as_primitive::<Int64Type>().value(self.row))
    }

    fn int(&self, name: &str) -> Result<i32> {
        Ok(self.column(name)?.as_primitive::<Int32Type>().value(self.row))
    }

    fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.column(name)?.as_boolean().value(self.row))
    }

    fn list(&self, name: &str) -> Result<Option<Vec<String>>> {
        let Ok(column) = self.column(name) else { return Ok(None) };
        let items = column.as_list::<i32>().value(self.row);
        Ok(Some(items.as_string::<i32>().iter().map(|item| item.unwrap_or_default().to_owned()).collect()))
    }

    fn map(&self, name: &str) -> Result<BTreeMap<String, String>> {
        let entries = self.column(name)?.as_map().value(self.row);
        let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
        let pairs = keys.iter().zip(values).map(|(key, value)| Some((key?.to_owned(), value?.to_owned())));
        let map: Option<BTreeMap<_, _>> = pairs.collect();
        map.filter(|map| map.len() == entries.len())
            .ok_or_else(|| Error::corrupt(format!("row {} has a null or a key twice in {name}", self.row)))
    }

    fn empty_map(&self, name: &str) -> Result<Empty> {
        nothing_left(&self.map(name)?).map(|()| Empty {})
    }
}

fn take(map: &mut BTreeMap<String, String>, key: &str) -> Result<String> {
    map.remove(key).ok_or_else(|| Error::corrupt(format!("{key} is missing")))
}

fn nothing_left(map: &BTreeMap<String, String>) -> Result<()> {
    match map.first_key_value() {
        None => Ok(()),
        Some((key, value)) => Err(Error::corrupt(format!("{key:?} = {value:?} is not known here"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// A checkpoint without rows, with these columns.
    fn empty(fields: Vec<Field>) -> Vec<u8> {
        let batch = RecordBatch::new_empty(Arc::new(Schema::new(fields)));
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    fn columns() -> Vec<Field> {
        to_batch(&[]).unwrap().schema().fields().iter().map(|field| field.as_ref().clone()).collect()
    }

    #[test]
    fn columns_of_a_newer_build_are_unsupported_and_missing_ones_corrupt() {
        assert_eq!(decode_checkpoint(empty(columns()), "the/file").unwrap(), []);
        let vector = Field::new("deletionVector", DataType::Utf8, true);
        let in_add = |field: Field| match (field.name().as_str(), field.data_type()) {
            ("add" | "remove", DataType::Struct(fields)) => {
                let fields = fields.iter().cloned().chain([Arc::new(vector.clone())]).collect();
                field.clone().with_data_type(DataType::Struct(fields))
            }
            _ => field,
        };
        let cases = [
            (columns().into_iter().map(in_add).collect(), ErrorKind::Unsupported, "add.deletionVector"),
            ([columns(), vec![vector.clone()]].concat(), ErrorKind::Unsupported, "deletionVector"),
            (columns().split_off(1), ErrorKind::Corrupt, "columns"),
        ];
        for (columns, kind, named) in cases {
            let error = decode_checkpoint(empty(columns), "the/file").unwrap_err();
            let text = error.to_string();
            assert!(error.is(kind) && text.contains("the/file") && text.contains(named), "{error:?}");
        }
    }
}
