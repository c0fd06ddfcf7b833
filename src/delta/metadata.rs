//! Delta's `metaData`: our schema in `configuration`, Delta's derived from it in `schemaString`.
//!
//! `schemaString` (PROTOCOL.md, "Schema Serialization Format") is only for other readers. It must be what the schema of
//! `configuration` gives, byte for byte, so that both can never tell different things.

use serde::{Deserialize, Serialize};

use crate::delta::TableMetadata;
use crate::delta::schema_string::schema_string;
use crate::delta::wire::{Empty, damaged, parse_json, to_json};
use crate::error::{Error, Result};
use crate::id::{TableId, uuid_text};
use crate::limits::FOREIGN_RETENTION_DAYS;
use crate::schema::TableSchema;

const FORMAT: &str = "1";
const PROVIDER: &str = "parquet";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MetadataWire {
    pub id: String,
    pub format: FormatWire,
    pub schema_string: String,
    pub partition_columns: Vec<String>,
    pub created_time: i64,
    pub configuration: ConfigurationWire,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FormatWire {
    pub provider: String,
    pub options: Empty,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigurationWire {
    #[serde(rename = "delta.deletedFileRetentionDuration")]
    pub file_retention: String,
    #[serde(rename = "delta.enableInCommitTimestamps")]
    pub timestamps: String,
    #[serde(rename = "delta.logRetentionDuration")]
    pub log_retention: String,
    #[serde(rename = "stele.format")]
    pub format: String,
    #[serde(rename = "stele.lineage")]
    pub lineage: String,
    #[serde(rename = "stele.schema")]
    pub schema: String,
}

impl MetadataWire {
    pub(super) fn of(metadata: &TableMetadata) -> MetadataWire {
        MetadataWire {
            id: uuid_text(metadata.table.to_u128()),
            format: FormatWire { provider: PROVIDER.to_owned(), options: Empty {} },
            schema_string: schema_string(&metadata.schema),
            partition_columns: Vec::new(),
            created_time: metadata.created_ms,
            configuration: ConfigurationWire {
                file_retention: retention(),
                timestamps: "true".to_owned(),
                log_retention: retention(),
                format: FORMAT.to_owned(),
                lineage: metadata.lineage.to_string(),
                schema: to_json(&metadata.schema),
            },
        }
    }

    pub(super) fn into_metadata(self) -> Result<TableMetadata> {
        let configuration = self.configuration;
        if configuration.format != FORMAT {
            return Err(Error::unsupported(format!(
                "the table has stele.format {:?}, this build reads {FORMAT:?}: use a newer one",
                configuration.format
            )));
        }
        let retention = retention();
        for (what, found, expected) in [
            ("format.provider", self.format.provider.as_str(), PROVIDER),
            ("delta.enableInCommitTimestamps", configuration.timestamps.as_str(), "true"),
            ("delta.logRetentionDuration", configuration.log_retention.as_str(), retention.as_str()),
            ("delta.deletedFileRetentionDuration", configuration.file_retention.as_str(), retention.as_str()),
        ] {
            if found != expected {
                return Err(Error::corrupt(format!("metaData has {what} {found:?}, expected {expected:?}")));
            }
        }
        if !self.partition_columns.is_empty() {
            return Err(Error::corrupt(format!("metaData has partitionColumns {:?}", self.partition_columns)));
        }
        let schema: TableSchema = parse_json(&configuration.schema, "stele.schema")?;
        schema.validate().map_err(damaged)?;
        let derived = schema_string(&schema);
        if derived != self.schema_string {
            return Err(Error::corrupt(format!(
                "metaData has schemaString {}, but stele.schema gives {derived}",
                self.schema_string
            )));
        }
        let table = parse_uuid(&self.id)
            .ok_or_else(|| Error::corrupt(format!("metaData has id {:?}, which is not a lower-case UUID", self.id)))?;
        let lineage = configuration.lineage.parse().map_err(damaged)?;
        Ok(TableMetadata { table, lineage, schema, created_ms: self.created_time })
    }
}

fn retention() -> String {
    format!("interval {FOREIGN_RETENTION_DAYS} days")
}

fn parse_uuid(text: &str) -> Option<TableId> {
    let table: TableId = text.replace('-', "").parse().ok()?;
    (uuid_text(table.to_u128()) == text).then_some(table)
}
