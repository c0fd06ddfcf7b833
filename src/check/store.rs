//! Checking a store: the catalog, the jobs, every log file of every table, every segment that a version which can be read names. And a
//! snapshot, which holds the same of one version each.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalog::ddl;
use crate::check::log::check_log;
use crate::check::segment::check_segment;
use crate::check::{CheckLevel, CheckReport, Findings, relative};
use crate::digest::Digest;
use crate::error::{ErrorKind, Result};
use crate::format::{CatalogRecord, DocumentKind, decode_document};
use crate::fs::parse_catalog_name;
use crate::id::{Label, TableId, Version};
use crate::limits::DOCUMENT_BYTES_MAX;
use crate::progress::{Observer, Phase, PhaseGuard};
use crate::segment_meta::SegmentMeta;
use crate::store::Store;
use crate::table::{LiveTable, TableVersion};

/// A segment to check and whose it is.
struct Target {
    /// With the newest version that names it, if that is an older one.
    belongs_to: String,
    live: Arc<LiveTable>,
    /// Keeps the files from being removed, also those that only older versions name.
    version: Arc<TableVersion>,
    segment: Arc<SegmentMeta>,
    /// The version that removed it, if older ones still name it and nothing else does.
    removed_by: Option<Version>,
}

impl Store {
    /// Checks the store: catalog, jobs, table logs, segments, also those that only older versions name which can still be read,
    /// of tables that an undo record or the recycle bin keeps, and of dropped partitions.
    pub fn verify(&self, level: CheckLevel, observer: &Observer) -> Result<CheckReport> {
        let findings = Findings::default();
        self.check_catalog(&findings)?;
        self.check_jobs(&findings)?;
        self.check_tables(level, observer, &findings)?;
        Ok(findings.into_report())
    }

    /// Every catalog file that is kept: sound, under its own number, naming the one before.
    fn check_catalog(&self, findings: &Findings) -> Result<()> {
        let environment = &self.inner.environment;
        let newest = self.inner.catalog.number();
        let entries = environment.fs.list(&environment.layout.catalog())?;
        let numbers = entries.iter().filter_map(|entry| parse_catalog_name(&entry.name));
        let mut before: Option<(u64, Digest)> = None;
        for number in numbers.filter(|number| *number <= newest) {
            let path = environment.layout.catalog_version(number);
            let file = relative(self.root(), &path);
            let read = environment.fs.read(&path, DOCUMENT_BYTES_MAX).and_then(|bytes| {
                findings.looked_at(bytes.len() as u64);
                let record: CatalogRecord = decode_document(DocumentKind::Catalog, &bytes, &file)?;
                Ok((record, Digest::of(&bytes)))
            });
            // The writer removes old files while it goes on; only the newest has to be there.
            if number != self.inner.catalog.number() && read.as_ref().is_err_and(|error| error.is(ErrorKind::NotFound))
            {
                continue;
            }
            let Some((record, digest)) = findings.keep(&file, "the catalog", read)? else { continue };
            if record.number != number {
                findings.damage(&file, "the catalog", format!("is a copy of catalog file {}", record.number));
            }
            if let Some((last, expected)) = before
                && last + 1 == number
                && record.previous != expected
            {
                let problem = format!("expected the link to {expected}, found {}", record.previous);
                findings.damage(&file, "the catalog", problem);
            }
            before = Some((number, digest));
        }
        Ok(())
    }

    /// Checks a snapshot: its manifest, that its tables are what the manifest says, their logs and segments.
    pub fn verify_snapshot(&self, label: &Label, level: CheckLevel, observer: &Observer) -> Result<CheckReport> {
        let findings = Findings::default();
        findings.looked_at(0);
        let opened = self.open_snapshot(label);
        let name = format!("snapshot {label}");
        if opened.as_ref().is_err_and(|error| error.is(ErrorKind::NotFound)) {
            return opened.map(|_| CheckReport::default());
        }
        if let Some(snapshot) = findings.keep("manifest", &name, opened)? {
            snapshot.check_tables(level, observer, &findings)?;
        }
        Ok(findings.into_report())
    }

    fn check_tables(&self, level: CheckLevel, observer: &Observer, findings: &Findings) -> Result<()> {
        let environment = &self.inner.environment;
        let mut targets = Vec::new();
        for (name, table) in self.named_tables() {
            observer.check()?;
            let file = relative(self.root(), environment.layout.table(table).dir());
            let opened = self.live_table(table);
            // Removed since the catalog was read.
            if opened.is_err() && !ddl::needed_tables(&self.inner.catalog.current()).contains(&table) {
                continue;
            }
            let Some(live) = findings.keep(&file, &name, opened)? else { continue };
            targets.extend(self.check_table(&name, live, findings)?);
        }
        let bytes = targets.iter().map(|target| bytes_to_read(&target.segment, level)).sum();
        let phase = observer.begin(Phase::Verify, targets.len() as u64, bytes);
        environment.pool.map(targets, |target| self.check_target(&target, level, &phase, findings)).map(drop)
    }

    /// Checks the log of a table. Gives its segments, each once.
    fn check_table(&self, name: &str, live: Arc<LiveTable>, findings: &Findings) -> Result<Vec<Target>> {
        let environment = &self.inner.environment;
        let file = relative(self.root(), live.layout().dir());
        let version = live.current();
        let mut older = check_log(environment, name, (&version, !live.is_newest_only()), findings)?;
        let mut segments: Vec<Arc<SegmentMeta>> = version.segments().cloned().collect();
        for entry in version.recycled.values() {
            let dropped = version.recycled_partition(&environment.fs, entry);
            let found = findings.keep(&file, name, dropped)?;
            segments.extend(found.iter().flat_map(|partition| partition.segments().cloned()));
        }
        // What was removed may have been brought back since, or be in the recycle bin.
        segments.iter().for_each(|segment| _ = older.remove(&segment.name));
        let target = |belongs_to, segment, removed_by| Target {
            belongs_to,
            live: live.clone(),
            version: version.clone(),
            segment,
            removed_by,
        };
        let mut targets: Vec<Target> =
            segments.into_iter().map(|segment| target(name.to_owned(), segment, None)).collect();
        targets.extend(older.into_values().map(|removed| {
            let belongs_to = format!("{name}, version {}", removed.last_version());
            target(belongs_to, removed.segment, Some(removed.by))
        }));
        Ok(targets)
    }

    fn check_target(
        &self,
        target: &Target,
        level: CheckLevel,
        phase: &PhaseGuard<'_>,
        findings: &Findings,
    ) -> Result<()> {
        let environment = &self.inner.environment;
        let path = target.version.layout.segment(&target.segment.name);
        let checked = check_segment(&environment.fs, &path, &target.segment, &target.version.schema, level, phase);
        // The collector of another process cannot see a reader that could not write to `holds/`.
        if checked.is_err() && environment.read_only.is_some() && target.is_collected() {
            return Ok(());
        }
        let read = findings.keep(&relative(self.root(), &path), &target.belongs_to, checked)?;
        findings.looked_at(read.unwrap_or(0));
        Ok(())
    }

    /// Every table that the catalog names or that an undo record or the recycle bin keeps, with a name for people.
    fn named_tables(&self) -> Vec<(String, TableId)> {
        let state = self.inner.catalog.current();
        let mut seen = BTreeSet::new();
        let named = state.databases.iter().flat_map(|(database, entry)| {
            entry.tables.iter().map(move |(name, entry)| (format!("table {database}.{name}"), entry.table))
        });
        let kept = state.undo.iter().flat_map(|entry| {
            entry.tables.iter().filter_map(|table| {
                table.before.map(|id| (format!("table {}.{} kept for undo", table.database, table.name), id))
            })
        });
        let recycled = state.recycled.iter().flat_map(|entry| {
            entry.what.tables().map(move |id| (format!("table of database {} in the recycle bin", entry.database), id))
        });
        named.chain(kept).chain(recycled).filter(|(_, table)| seen.insert(*table)).collect()
    }
}

impl Target {
    /// Whether no version that names the segment can be read any more: only that lets a collector remove the file, and the log
    /// says so before. If the log cannot be read, what was found stands.
    fn is_collected(&self) -> bool {
        let Some(removed_by) = self.removed_by else { return false };
        self.live.refresh().is_ok() && self.live.current().oldest_version >= removed_by
    }
}

fn bytes_to_read(segment: &SegmentMeta, level: CheckLevel) -> u64 {
    match level {
        CheckLevel::Fast => segment.size_bytes - segment.tail.offset.min(segment.size_bytes),
        CheckLevel::Full => segment.size_bytes,
    }
}
