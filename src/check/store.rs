//! Checking a store: the catalog, every log file of every table, every segment. And a snapshot, which holds the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalog::ddl;
use crate::check::segment::check_segment;
use crate::check::{CheckLevel, CheckReport, Findings, relative};
use crate::delta::{CheckpointRef, ROOT_DIGEST, decode_commit};
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{CatalogRecord, DocumentKind, decode_document};
use crate::fs::{LogFileName, TableLayout, parse_catalog_name};
use crate::id::{Label, TableId, Version};
use crate::limits::{DOCUMENT_BYTES_MAX, LOG_FILE_BYTES_MAX};
use crate::progress::{Observer, Phase};
use crate::segment_meta::SegmentMeta;
use crate::store::Store;
use crate::table::{Environment, TableVersion};

/// A segment to check and whose it is.
struct Target {
    table: String,
    /// Keeps the files from being removed.
    version: Arc<TableVersion>,
    segment: Arc<SegmentMeta>,
}

impl Store {
    /// Checks the store: catalog, table logs, segments, also of tables that an undo record or the recycle
    /// bin keeps, and of dropped partitions.
    pub fn verify(&self, level: CheckLevel, observer: &Observer) -> Result<CheckReport> {
        let findings = Findings::default();
        self.check_catalog(&findings)?;
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
            let version = live.current();
            check_log(environment, &name, &version, findings)?;
            let mut segments: Vec<Arc<SegmentMeta>> = version.segments().cloned().collect();
            for entry in version.recycled.values() {
                let dropped = version.recycled_partition(&environment.fs, entry);
                let found = findings.keep(&file, &name, dropped)?;
                segments.extend(found.iter().flat_map(|partition| partition.segments().cloned()));
            }
            targets.extend(segments.into_iter().map(|segment| Target {
                table: name.clone(),
                version: version.clone(),
                segment,
            }));
        }
        let bytes = targets.iter().map(|target| bytes_to_read(&target.segment, level)).sum();
        let phase = observer.begin(Phase::Verify, targets.len() as u64, bytes);
        let check = |target: Target| {
            let path = target.version.layout.segment(&target.segment.name);
            let schema = &target.version.schema;
            let checked = check_segment(&environment.fs, &path, &target.segment, schema, level, &phase);
            let read = findings.keep(&relative(self.root(), &path), &target.table, checked)?;
            findings.looked_at(read.unwrap_or(0));
            Ok(())
        };
        environment.pool.map(targets, check).map(drop)
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

fn bytes_to_read(segment: &SegmentMeta, level: CheckLevel) -> u64 {
    match level {
        CheckLevel::Fast => segment.size_bytes - segment.tail.offset.min(segment.size_bytes),
        CheckLevel::Full => segment.size_bytes,
    }
}

/// Reads every log file up to the version: each is sound by itself, names the one before, and proves its checkpoint.
fn check_log(environment: &Environment, table: &str, version: &TableVersion, findings: &Findings) -> Result<()> {
    let root = environment.layout.root();
    let dir = version.layout.log();
    let Some(entries) = findings.keep(&relative(root, &dir), table, environment.fs.list(&dir))? else { return Ok(()) };
    let mut versions: Vec<Version> = entries
        .iter()
        .filter_map(|entry| match LogFileName::parse(&entry.name) {
            Some(LogFileName::Version(number)) if number <= version.version => Some(number),
            _ => None,
        })
        .collect();
    versions.sort_unstable();
    let mut before: Option<(Version, Digest)> = None;
    for number in versions {
        let path = version.layout.version(number);
        let file = relative(root, &path);
        let decoded = environment.fs.read(&path, LOG_FILE_BYTES_MAX).and_then(|bytes| {
            findings.looked_at(bytes.len() as u64);
            decode_commit(&bytes, &file)
        });
        let Some(commit) = findings.keep(&file, table, decoded)? else {
            before = None;
            continue;
        };
        if let Err(error) = check_link(number, commit.previous, before) {
            findings.damage(&file, table, error.to_string());
        }
        if let Some(reference) = commit.checkpoint {
            check_checkpoint(environment, table, &version.layout, &reference, findings)?;
        }
        before = Some((number, commit.digest));
    }
    if before.is_some_and(|(number, _)| number != version.version) {
        findings.damage(&relative(root, &dir), table, format!("expected version {} as the newest", version.version));
    }
    Ok(())
}

fn check_link(number: Version, previous: Digest, before: Option<(Version, Digest)>) -> Result<()> {
    let expected = match before {
        // The first file of a snapshot's log may be a later version, or follow one that is damaged.
        None if number.get() > 0 => return Ok(()),
        None => ROOT_DIGEST,
        Some((last, _)) if last.next() != Some(number) => {
            return Err(Error::corrupt(format!("expected version {} after {last}, found {number}", last.get() + 1)));
        }
        Some((_, digest)) => digest,
    };
    match expected == previous {
        true => Ok(()),
        false => Err(Error::corrupt(format!("expected the link to {expected}, found {previous}"))),
    }
}

fn check_checkpoint(
    environment: &Environment,
    table: &str,
    layout: &TableLayout,
    reference: &CheckpointRef,
    findings: &Findings,
) -> Result<()> {
    let path = layout.checkpoint(reference.version);
    let file = relative(environment.layout.root(), &path);
    let checked = environment.fs.read(&path, LOG_FILE_BYTES_MAX).and_then(|bytes| {
        findings.looked_at(bytes.len() as u64);
        let found = Digest::of(&bytes);
        match found == reference.digest {
            true => Ok(()),
            false => Err(Error::corrupt(format!("{file}: expected BLAKE3 {}, found {found}", reference.digest))),
        }
    });
    findings.keep(&file, table, checked).map(drop)
}
