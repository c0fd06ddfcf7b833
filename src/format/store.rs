//! `STELE`: what makes a directory a store.

use serde::{Deserialize, Serialize};

use crate::id::StoreId;

/// Identity of a store; written once, last when the store is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreRecord {
    /// Random.
    pub store: StoreId,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}
