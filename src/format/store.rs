//! `STELE`: what makes a directory a store.

use serde::{Deserialize, Serialize};

use crate::id::StoreId;

/// Identity of a store; written once, last when the store is made.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// use steledb::format::{DocumentKind, StoreRecord, decode_document};
/// let bytes = std::fs::read(store.root().join("STELE"))?;
/// let record: StoreRecord = decode_document(DocumentKind::Store, &bytes, "STELE")?;
/// assert_eq!(record.store, store.id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreRecord {
    /// Random.
    pub store: StoreId,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}
