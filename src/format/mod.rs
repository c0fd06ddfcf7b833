//! The bytes of our own documents: identity of a store, catalog, manifest, repository records. Encode and decode side
//! by side, each described once, in its doc comment. No I/O.

mod catalog;
mod envelope;
mod job;
mod manifest;
mod operation;
mod recycled;
mod repository;
mod store;

pub use catalog::{
    CatalogRecord, CatalogState, DatabaseEntry, KeepTimes, RepositoryEntry, RestoredJob, TableEntry, UndoEntry,
    UndoTable, UndoView, View,
};
pub use envelope::{DocumentKind, decode_document, encode_document};
pub(crate) use job::{
    JobCancelRecord, JobProgressRecord, JobRecord, JobRename, JobSelection, JobTimes, JobTransition, JobWork,
};
pub use job::{JobError, JobErrorCode, JobKind, JobReport, JobState, StateProgress};
pub use manifest::{Manifest, ManifestPartition, ManifestSegment, ManifestTable, ManifestView};
pub use operation::OperationRecord;
pub use recycled::{Recycled, RecycledEntry};
pub use repository::{
    CondemnedRecord, DroppedRecord, LabelRecord, Outcome, OutcomeRecord, PinRecord, RepositoryRecord, SegmentKey,
    VerifyRecord,
};
pub use store::StoreRecord;
