//! Newtypes for every id, number space, name and label, with checked constructors. Raw integers and strings
//! appear only in `format` and `delta`. Random ids are 128 bits; the source of randomness is a handle passed in.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::limits::{LABEL_BYTES_MAX, NAME_BYTES_MAX};

/// Where random ids come from; cheap to clone.
///
/// ```
/// use steledb::{IdSource, TableId};
/// let id = |source: &IdSource| TableId::random(source);
/// assert_eq!(id(&IdSource::seeded(1)), id(&IdSource::seeded(1)));
/// assert_ne!(id(&IdSource::system()), id(&IdSource::system()));
/// ```
#[derive(Clone)]
pub struct IdSource {
    random: Arc<Mutex<StdRng>>,
}

impl IdSource {
    /// Ids nobody can guess or repeat, seeded by the operating system.
    pub fn system() -> IdSource {
        IdSource::from_rng(rand::make_rng())
    }

    /// The same ids in every run, for tests.
    pub fn seeded(seed: u64) -> IdSource {
        IdSource::from_rng(StdRng::seed_from_u64(seed))
    }

    fn from_rng(random: StdRng) -> IdSource {
        IdSource { random: Arc::new(Mutex::new(random)) }
    }

    fn next(&self) -> u128 {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        (u128::from(random.next_u64()) << 64) | u128::from(random.next_u64())
    }
}

macro_rules! random_ids {
    ($($(#[$doc:meta])* $name:ident, $what:literal;)*) => {$(
        $(#[$doc])*
        #[doc = ""]
        #[doc = "Written as 32 lower-case hexadecimal digits."]
        #[doc = ""]
        #[doc = "```"]
        #[doc = concat!("use steledb::{IdSource, ", stringify!($name), "};")]
        #[doc = concat!("let id = ", stringify!($name), "::random(&IdSource::system());")]
        #[doc = concat!("assert_eq!(id.to_string().parse::<", stringify!($name), ">()?, id);")]
        #[doc = "# Ok::<(), steledb::Error>(())"]
        #[doc = "```"]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// A fresh id.
            pub fn random(source: &IdSource) -> $name {
                $name(source.next())
            }

            /// The id as a number, for compact encodings.
            pub fn to_u128(self) -> u128 {
                self.0
            }

            /// The id of a number read from a compact encoding.
            pub fn from_u128(value: u128) -> $name {
                $name(value)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:032x})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<$name> {
                parse_hex_128(text).map($name).ok_or_else(|| {
                    Error::invalid(format!(concat!("{:?} is not ", $what, ": expected 32 lower-case hexadecimal digits"), text))
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<$name, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

random_ids! {
    #[doc = "Identity of a store."] StoreId, "a store id";
    #[doc = "Local identity of a table and name of its directory."] TableId, "a table id";
    #[doc = "Identity of a table towards repositories: kept by RESTORE, rename and swap."] LineageId, "a lineage id";
    #[doc = "Identity of a rowset: what one load or one merge wrote into a tablet."] RowsetId, "a rowset id";
    #[doc = "Identity of a snapshot and name of its directory."] SnapshotId, "a snapshot id";
    #[doc = "Identity of a repository."] RepositoryId, "a repository id";
    #[doc = "Identity of a backup in a repository."] BackupId, "a backup id";
    #[doc = "One attempt to publish something: tells an own unacknowledged write from a rival's."] AttemptId, "an attempt id";
    #[doc = "Makes a repository key unique: a key is written once, ever."] Nonce, "a nonce";
    #[doc = "Identity of an operation that works in `staging/`."] OperationId, "an operation id";
    #[doc = "Identity of an undo record in the catalog."] UndoId, "an undo id";
    #[doc = "Identity of an entry of the recycle bin."] RecycleId, "a recycle id";
    #[doc = "Identity of a file of deletion vectors; in its name as a UUID."] VectorFileId, "the id of a vector file";
}

/// 128 bits as a UUID is written, 8-4-4-4-12, which is what Delta asks for.
pub(crate) fn uuid_text(value: u128) -> String {
    let hex = format!("{value:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

fn parse_hex_128(text: &str) -> Option<u128> {
    let canonical = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    canonical.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($raw:ty);)*) => {$(
        $(#[$doc])*
        #[doc = ""]
        #[doc = "```"]
        #[doc = concat!("use steledb::", stringify!($name), ";")]
        #[doc = concat!("let first = ", stringify!($name), "::new(1);")]
        #[doc = "assert_eq!(first.next().map(|second| second.get()), Some(2));"]
        #[doc = "```"]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name($raw);

        impl $name {
            /// The number space starts at zero unless its doc says otherwise.
            pub const fn new(value: $raw) -> $name {
                $name(value)
            }

            /// The number.
            pub const fn get(self) -> $raw {
                self.0
            }

            /// The number after this one, or `None` at the end of the number space.
            pub fn next(self) -> Option<$name> {
                self.0.checked_add(1).map($name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    )*};
}

numbers! {
    #[doc = "A committed version of a table: the number of its log file."] Version(u64);
    #[doc = "A partition of a table, never reused within it; name of its directory. Starts at 1."] PartitionId(u64);
    #[doc = "A bucket of a partition; with the partition it names a tablet."] BucketIndex(u32);
    #[doc = "A column of a table and its Parquet `field_id`, never reused within it. Starts at 1."] ColumnId(u32);
    #[doc = "A job of a store: BACKUP or RESTORE that runs by itself; name of its directory. Starts at 1."] JobId(u64);
}

impl PartitionId {
    /// The partition whose directory has this name; anything but the canonical spelling is none, so that no path read from
    /// disk reaches the file system (I10).
    pub(crate) fn of_directory(name: &str) -> Option<PartitionId> {
        let id = name.parse::<u64>().ok().filter(|id| *id > 0)?;
        (id.to_string() == name).then_some(PartitionId(id))
    }
}

impl JobId {
    /// The job whose directory has this name; anything but the canonical spelling is none (I10).
    pub(crate) fn of_directory(name: &str) -> Option<JobId> {
        let id = name.parse::<u64>().ok().filter(|id| *id > 0)?;
        (id.to_string() == name).then_some(JobId(id))
    }
}

/// A tablet: one bucket of one partition of a table. Written `<partition id>/<bucket>`.
///
/// ```
/// use steledb::{BucketIndex, PartitionId, TabletId};
/// let tablet = TabletId { partition: PartitionId::new(7), bucket: BucketIndex::new(0) };
/// assert_eq!(tablet.to_string(), "7/0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TabletId {
    /// The partition.
    pub partition: PartitionId,
    /// The bucket of it.
    pub bucket: BucketIndex,
}

impl fmt::Display for TabletId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.bucket)
    }
}

/// The name of a segment file within its table: unique for ever, because the rowset id is random.
///
/// ```
/// use steledb::SegmentName;
/// let path = "7/0-00112233445566778899aabbccddeeff-2.parquet";
/// let name = SegmentName::parse(path)?;
/// assert_eq!((name.partition.get(), name.bucket.get(), name.number), (7, 0, 2));
/// assert_eq!(name.delta_path(), path);
/// assert!(SegmentName::parse("7/../secret.parquet").is_err());
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    /// The partition.
    pub partition: PartitionId,
    /// The tablet of it.
    pub bucket: BucketIndex,
    /// The rowset.
    pub rowset: RowsetId,
    /// Number of the segment in its rowset and tablet, from 0.
    pub number: u32,
}

impl SegmentName {
    /// `<tablet>-<rowset>-<n>.parquet`.
    pub fn file_name(&self) -> String {
        format!("{}-{}-{}.parquet", self.bucket, self.rowset, self.number)
    }
    /// `<partition id>/<tablet>-<rowset>-<n>.parquet`, the `path` of a Delta action.
    pub fn delta_path(&self) -> String {
        format!("{}/{}", self.partition, self.file_name())
    }
    /// Parses a `path` of a Delta action; anything but the canonical spelling is an error, so that no path read from
    /// disk reaches the file system (I10).
    pub fn parse(delta_path: &str) -> Result<SegmentName> {
        parse_segment_name(delta_path).filter(|name| name.delta_path() == delta_path).ok_or_else(|| {
            let start: String = delta_path.chars().take(100).collect();
            Error::invalid(format!(
                "{start:?} is not the path of a segment: expected <partition>/<tablet>-<rowset>-<number>.parquet"
            ))
        })
    }
}

/// Also takes spellings that are not canonical, like leading zeros; the caller formats the result again and compares.
fn parse_segment_name(delta_path: &str) -> Option<SegmentName> {
    let (partition, file) = delta_path.split_once('/')?;
    let mut parts = file.strip_suffix(".parquet")?.split('-');
    let name = SegmentName {
        partition: PartitionId::of_directory(partition)?,
        bucket: BucketIndex::new(parts.next()?.parse().ok()?),
        rowset: parts.next()?.parse().ok()?,
        number: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(name)
}

/// The name of a file of deletion vectors within its table: unique for ever, because its id is random.
///
/// ```
/// use steledb::{PartitionId, VectorFileId, VectorFileName};
/// let id: VectorFileId = "d2c639aa8816431aaaf6d3fe2512ff61".parse()?;
/// let name = VectorFileName { partition: PartitionId::new(7), id };
/// assert_eq!(name.delta_path(), "7/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VectorFileName {
    /// The partition in whose directory it lies.
    pub partition: PartitionId,
    /// What tells it from the others there.
    pub id: VectorFileId,
}

impl VectorFileName {
    /// `<partition id>/deletion_vector_<UUID>.bin`.
    pub fn delta_path(&self) -> String {
        format!("{}/deletion_vector_{}.bin", self.partition, uuid_text(self.id.to_u128()))
    }
}

/// The name of a database, table, partition, column, view or repository: 1 to 255 bytes of UTF-8 without control
/// characters, `/`, `\`, `` ` `` or white space at an end. A name never becomes a path.
///
/// ```
/// use steledb::Name;
/// assert_eq!(Name::new("orders")?.as_str(), "orders");
/// assert!(Name::new("../orders").is_err());
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Name(Arc<str>);

impl Name {
    /// Checks and keeps a name.
    pub fn new(text: impl AsRef<str>) -> Result<Name> {
        let text = text.as_ref();
        check_text("name", text, NAME_BYTES_MAX)?;
        if let Some(bad) = text.chars().find(|c| matches!(c, '/' | '\\' | '`')) {
            return Err(Error::invalid(format!(
                "name {text:?} contains {bad:?}: '/', '\\' and '`' are not allowed in names"
            )));
        }
        Ok(Name(text.into()))
    }

    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether two names differ in case at most.
    pub fn same_ignoring_case(&self, other: &str) -> bool {
        self.0.to_lowercase() == other.to_lowercase()
    }
}

/// The label of a load, snapshot or backup: 1 to 255 bytes of UTF-8 without control characters or white space at
/// an end. Repositories name it by its hash, so any other character is allowed.
///
/// ```
/// use steledb::Label;
/// assert_eq!(Label::new("monday, 12:00")?.as_str(), "monday, 12:00");
/// assert!(Label::new("").is_err());
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Label(Arc<str>);

impl Label {
    /// Checks and keeps a label.
    pub fn new(text: impl AsRef<str>) -> Result<Label> {
        check_text("label", text.as_ref(), LABEL_BYTES_MAX)?;
        Ok(Label(text.as_ref().into()))
    }

    /// The label as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_text(what: &str, text: &str, bytes_max: usize) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid(format!("a {what} cannot be empty")));
    }
    if text.len() > bytes_max {
        let start: String = text.chars().take(32).collect();
        return Err(Error::invalid(format!(
            "{what} {start:?}… has {} bytes: at most {bytes_max} are allowed",
            text.len()
        )));
    }
    if text.chars().any(char::is_control) || text.trim() != text {
        return Err(Error::invalid(format!(
            "{what} {text:?} contains a control character or white space at an end: remove it"
        )));
    }
    Ok(())
}

macro_rules! text_impls {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<$name> {
                $name::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<$name, D::Error> {
                $name::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

text_impls!(Name, Label);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
