//! Check: verify a store, a snapshot or a repository, and name exactly what is damaged.
//!
//! A check never stops at the first damage and changes nothing. It reads with positioned reads, never through a map, so
//! that a failing disk is an error and not the end of the process.

mod jobs;
mod log;
mod repository;
mod segment;
mod store;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};

/// How deep a check goes.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// use steledb::check::CheckLevel;
/// let fast = store.verify(CheckLevel::Fast, &Default::default())?;
/// let full = store.verify(CheckLevel::Full, &Default::default())?;
/// assert!(fast.is_sound() && full.is_sound());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckLevel {
    /// All metadata, that every file is there with its size, and every local segment's tail and footer.
    Fast,
    /// Also every byte: the BLAKE3 digest of every segment, and for local ones the fingerprints computed again from the
    /// rows.
    Full,
}

/// One thing that is not as it should be.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let store = steledb::Store::create(dir.path().join("store"))?;
/// # store.create_database("sales")?;
/// # let spec = steledb::TableSpec::new().column("id", steledb::DataType::BigInt);
/// # let orders = store.create_table("sales", "orders", &spec)?;
/// # let ids: arrow::array::ArrayRef = std::sync::Arc::new(arrow::array::Int64Array::from(vec![1, 2, 3]));
/// # let batch = arrow::array::RecordBatch::try_from_iter([("id", ids)])?;
/// # orders.load(steledb::load::LoadSource::batches(vec![batch]), &Default::default())?;
/// use steledb::check::CheckLevel;
/// let version = orders.version();
/// let segment = version.layout.segment(&version.segments().next().unwrap().name);
/// std::fs::remove_file(segment)?;
/// let report = store.verify(CheckLevel::Fast, &Default::default())?;
/// let damage = &report.damaged[0];
/// assert_eq!(damage.belongs_to, "table sales.orders");
/// println!("{}: {}", damage.file, damage.problem);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The file or key, relative to the root.
    pub file: String,
    /// What it belongs to: "table sales.orders", "table sales.orders, version 7" if only older versions have it and this is
    /// the newest of them, "backup nightly", ….
    pub belongs_to: String,
    /// Expected and found.
    pub problem: String,
}

/// What a check found.
///
/// ```
/// # use steledb::{Store, check::CheckLevel, progress::Observer};
/// # let dir = std::env::temp_dir().join(format!("stele-doc-check-{}", std::process::id()));
/// # let _ = std::fs::remove_dir_all(&dir);
/// let store = Store::create(&dir)?;
/// let report = store.verify(CheckLevel::Full, &Observer::silent())?;
/// assert!(report.is_sound());
/// # drop(store);
/// # let _ = std::fs::remove_dir_all(&dir);
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CheckReport {
    /// Files looked at.
    pub files: u64,
    /// Bytes read and compared.
    pub bytes: u64,
    /// What is damaged, in order of file name; empty = sound.
    pub damaged: Vec<Damage>,
}

impl CheckReport {
    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty()
    }
}

/// Gathers what a check finds, from several threads.
#[derive(Default)]
struct Findings {
    report: Mutex<CheckReport>,
}

impl Findings {
    /// A file was looked at and this much of it read.
    fn looked_at(&self, bytes: u64) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.files += 1;
        report.bytes += bytes;
    }

    fn damage(&self, file: &str, belongs_to: &str, problem: impl Into<String>) {
        let damage = Damage { file: file.to_owned(), belongs_to: belongs_to.to_owned(), problem: problem.into() };
        self.report.lock().unwrap_or_else(PoisonError::into_inner).damaged.push(damage);
    }

    /// Records damage and gives `None`; other errors (cancelled, repository not reachable) end the check.
    fn keep<T>(&self, file: &str, belongs_to: &str, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if is_damage(&error) => {
                // Many messages begin with the file, which the damage names already.
                let text = error.to_string();
                let problem = text.split_once(&format!("{file}: ")).map_or(text.as_str(), |(_, problem)| problem);
                self.damage(file, belongs_to, problem);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether nothing was found so far.
    fn is_sound(&self) -> bool {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).is_sound()
    }

    fn into_report(self) -> CheckReport {
        let mut report = self.report.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.damaged.sort();
        report
    }
}

/// A missing, unreadable, newer or changed file is what a check is there to report.
fn is_damage(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Corrupt | ErrorKind::NotFound | ErrorKind::Io | ErrorKind::Unsupported | ErrorKind::Invalid
    )
}

/// A path as people see it: relative to the root of the store.
fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
