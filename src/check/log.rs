//! Checking the log of a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::check::{Findings, relative};
use crate::delta::{Action, CheckpointRef, ROOT_DIGEST, decode_commit};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::fs::{LogFileName, TableLayout};
use crate::id::{SegmentName, Version};
use crate::limits::LOG_FILE_BYTES_MAX;
use crate::segment_meta::SegmentMeta;
use crate::table::{Environment, TableVersion};

/// A segment that a version removed.
pub(super) struct Removed {
    pub segment: Arc<SegmentMeta>,
    pub by: Version,
}

impl Removed {
    /// The newest version that names the segment.
    pub fn last_version(&self) -> Version {
        Version::new(self.by.get().saturating_sub(1))
    }
}

/// Reads every log file up to the version: each is sound by itself, names the one before, and proves its checkpoint. Gives
/// the segments that older versions name which can be read, and that a version removed since.
///
/// A log that is `is_whole` begins with version 0, that of a snapshot with what its version needs.
///
/// What a version removes the one before it names. So these are what the versions after the oldest one removed, and no
/// version has to be replayed.
pub(super) fn check_log(
    environment: &Environment,
    table: &str,
    (version, is_whole): (&TableVersion, bool),
    findings: &Findings,
) -> Result<BTreeMap<SegmentName, Removed>> {
    let root = environment.layout.root();
    let dir = version.layout.log();
    let mut removed = BTreeMap::new();
    let Some(entries) = findings.keep(&relative(root, &dir), table, environment.fs.list(&dir))? else {
        return Ok(removed);
    };
    let mut versions: Vec<Version> = entries
        .iter()
        .filter_map(|entry| match LogFileName::parse(&entry.name) {
            Some(LogFileName::Version(number)) if number <= version.version => Some(number),
            _ => None,
        })
        .collect();
    versions.sort_unstable();
    if let Some(first) = versions.first().filter(|first| is_whole && first.get() > 0) {
        let file = relative(root, &version.layout.version(Version::new(0)));
        findings.damage(&file, table, format!("missing: the log begins with version {first}"));
    }
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
        if number > version.oldest_version {
            removed.extend(commit.actions.into_iter().filter_map(|action| match action {
                Action::Remove { segment, .. } => Some((segment.name, Removed { segment, by: number })),
                _ => None,
            }));
        }
    }
    if before.is_some_and(|(number, _)| number != version.version) {
        findings.damage(&relative(root, &dir), table, format!("expected version {} as the newest", version.version));
    }
    Ok(removed)
}

fn check_link(number: Version, previous: Digest, before: Option<(Version, Digest)>) -> Result<()> {
    let expected = match before {
        // The first file of a log may be a later version, see above, or follow one that is damaged.
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
