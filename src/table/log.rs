//! The files of a table log: listing, reading, writing the first version. Commits are in `live`.
//!
//! Reading starts at a checkpoint only if it is proved: the commit right after it names its digest and length. The
//! digest and the time of the checkpoint's version come from that version's own JSON file, so that the chain of digests
//! has no hole. Without a proved checkpoint everything from version 0 is replayed. Names that are not ours, and
//! checkpoints that no commit names, are ignored: foreign tools leave such files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::delta::{
    Action, CheckpointRef, DecodedCommit, ROOT_DIGEST, decode_checkpoint, decode_commit, encode_commit,
};
use crate::digest::Digest;
use crate::error::{Error, ErrorKind, Result};
use crate::fs::{EntryKind, Fs, LogFileName, Put, TableLayout};
use crate::id::Version;
use crate::limits::LOG_FILE_BYTES_MAX;
use crate::table::TableVersion;

/// Reads the log of one table directory.
pub struct TableLog {}

impl TableLog {
    /// The newest version, through the newest checkpoint that a commit proves. A gap, a broken chain, or damage is
    /// `Corrupt` naming the file.
    pub fn load_newest(fs: &Fs, layout: &TableLayout) -> Result<TableVersion> {
        let listing = Listing::read(fs, layout)?;
        listing.load(fs, layout, listing.newest(layout)?)
    }

    /// The state at a version; `NotFound` names the versions there are.
    pub fn load_version(fs: &Fs, layout: &TableLayout, version: Version) -> Result<TableVersion> {
        let listing = Listing::read(fs, layout)?;
        listing.check_exists(layout, version)?;
        listing.load(fs, layout, version)
    }

    /// The log files that a copy of the log up to `version` needs: the newest proved checkpoint, and the JSON files
    /// from its version on (all of them without a checkpoint), as names in the log directory. A checkpoint of `version`
    /// itself does not count, because the copy would lack the commit that proves it.
    pub fn files_for(fs: &Fs, layout: &TableLayout, version: Version) -> Result<Vec<String>> {
        let listing = Listing::read(fs, layout)?;
        listing.check_exists(layout, version)?;
        let start = listing.start(fs, layout, version)?;
        let first = start.as_ref().map_or(0, |start| start.version.get());
        listing.check_no_gap(fs, layout, first, version)?;
        let mut paths = Vec::new();
        paths.extend(start.map(|start| layout.checkpoint(start.version)));
        paths.extend((first..=version.get()).map(|number| layout.version(Version::new(number))));
        Ok(paths.iter().filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned()).collect())
    }
}

/// Writes version 0 (`_delta_log/0….json`) of a fresh table directory durably, with the directories of its partitions.
/// `actions` begin with `CommitInfo`. `temporary` is a directory on the same file system. Gives the digest.
pub fn write_initial_log(fs: &Fs, layout: &TableLayout, actions: &[Action], temporary: &Path) -> Result<Digest> {
    let version = Version::new(0);
    let target = layout.version(version);
    let (bytes, digest) = encode_checked(actions, ROOT_DIGEST, None, &target)?;
    let Some(Action::CommitInfo { timestamp_ms, .. }) = actions.first() else {
        return Err(Error::invalid(format!("{}: the first action is not commitInfo", target.display())));
    };
    let name = target.display().to_string();
    let first = TableVersion::first(layout.clone(), version, digest, *timestamp_ms, actions, &name)
        .map_err(|error| error.with_kind(ErrorKind::Invalid))?;
    fs.create_dir_all(&layout.log())?;
    for id in first.partitions.keys() {
        fs.create_dir(&layout.partition(*id))?;
    }
    match fs.put_new(&target, &temporary.join("version"), &bytes)? {
        Put::Created => Ok(digest),
        Put::Exists => Err(Error::already_exists(format!("{name} exists already: the table directory is not fresh"))),
    }
}

/// The bytes of a commit that a reader will accept, proved by reading them; an error is the request's fault.
pub(super) fn encode_checked(
    actions: &[Action],
    previous: Digest,
    checkpoint: Option<CheckpointRef>,
    target: &Path,
) -> Result<(Vec<u8>, Digest)> {
    let name = target.display().to_string();
    let (bytes, digest) = encode_commit(actions, previous, checkpoint);
    if bytes.len() as u64 > LOG_FILE_BYTES_MAX {
        return Err(Error::invalid(format!(
            "{name} would have {} bytes, at most {LOG_FILE_BYTES_MAX} are allowed: split the change",
            bytes.len()
        )));
    }
    let decoded = decode_commit(&bytes, &name).map_err(|error| error.with_kind(ErrorKind::Invalid))?;
    if decoded.actions != actions || decoded.digest != digest {
        return Err(Error::invalid(format!("{name} would not be read back as it was meant")));
    }
    Ok((bytes, digest))
}

/// Reads and checks one version file.
pub(super) fn read_commit(fs: &Fs, layout: &TableLayout, version: Version) -> Result<DecodedCommit> {
    let path = layout.version(version);
    let bytes = fs.read(&path, LOG_FILE_BYTES_MAX).map_err(missing_is_damage)?;
    decode_commit(&bytes, &path.display().to_string())
}

/// When a version was committed, milliseconds since 1970.
pub(super) fn read_timestamp(fs: &Fs, layout: &TableLayout, version: Version) -> Result<i64> {
    timestamp_of(&read_commit(fs, layout, version)?, &layout.version(version).display().to_string())
}

/// The version after `before`, read from its file.
pub(super) fn read_next(fs: &Fs, before: &TableVersion) -> Result<TableVersion> {
    let layout = &before.layout;
    let version = before.version.next().ok_or_else(|| Error::corrupt("there are no more versions"))?;
    let commit = read_commit(fs, layout, version)?;
    check_chain(layout, version, &commit, before.digest)?;
    before.apply(commit.digest, &commit.actions, &layout.version(version).display().to_string())
}

fn check_chain(layout: &TableLayout, version: Version, commit: &DecodedCommit, expected: Digest) -> Result<()> {
    if commit.previous != expected {
        let (file, found) = (layout.version(version), commit.previous);
        let Some(before) = version.get().checked_sub(1) else {
            return Err(Error::corrupt(format!(
                "{}: it follows the digest {found}, but nothing comes before version 0: it is not the first file of a log",
                file.display()
            )));
        };
        return Err(Error::corrupt(format!(
            "{}: it follows the digest {found}, but {} has {expected}: one of both files is not of this log",
            file.display(),
            layout.version(Version::new(before)).display()
        )));
    }
    Ok(())
}

fn missing_is_damage(error: Error) -> Error {
    if error.is(ErrorKind::NotFound) { error.with_kind(ErrorKind::Corrupt) } else { error }
}

/// The names in a log directory that are ours.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) versions: BTreeSet<u64>,
    checkpoints: BTreeSet<u64>,
}

impl Listing {
    pub(super) fn read(fs: &Fs, layout: &TableLayout) -> Result<Listing> {
        let mut listing = Listing::default();
        for entry in fs.list(&layout.log())? {
            let Some(name) = LogFileName::parse(&entry.name) else { continue };
            if entry.kind != EntryKind::File {
                let path = layout.log().join(&entry.name);
                return Err(Error::corrupt(format!("{} is not a regular file", path.display())));
            }
            match name {
                LogFileName::Version(version) => listing.versions.insert(version.get()),
                LogFileName::Checkpoint(version) => listing.checkpoints.insert(version.get()),
            };
        }
        Ok(listing)
    }

    fn newest(&self, layout: &TableLayout) -> Result<Version> {
        let newest = self.versions.last().copied().map(Version::new);
        newest.ok_or_else(|| Error::corrupt(format!("{} holds no version", layout.log().display())))
    }

    fn check_exists(&self, layout: &TableLayout, version: Version) -> Result<()> {
        if self.versions.contains(&version.get()) {
            return Ok(());
        }
        Err(Error::not_found(format!(
            "{} has no version {version}: there are {} to {}",
            layout.log().display(),
            self.versions.first().copied().unwrap_or_default(),
            self.newest(layout)?
        )))
    }

    fn check_no_gap(&self, fs: &Fs, layout: &TableLayout, first: u64, last: Version) -> Result<()> {
        let Some(gap) = self.gap(fs, layout, first, last)? else { return Ok(()) };
        // A log that begins with a checkpoint, as in a snapshot, has no older versions: then the checkpoint or its proof is
        // at fault.
        let unproved = self.checkpoints.range(..last.get()).next_back().map(|number| {
            let file = |number| layout.version(Version::new(number));
            format!(
                ", because {} does not prove the checkpoint {}, or {} is not there",
                file(number + 1).display(),
                layout.checkpoint(Version::new(*number)).display(),
                file(*number).display()
            )
        });
        Err(Error::corrupt(format!(
            "{} is missing, but version {last} needs it{}: restore the table from a backup",
            gap.display(),
            unproved.unwrap_or_default()
        )))
    }

    /// The first file that is not there. A long directory is listed bit by bit, so of two files that were made meanwhile the
    /// list may have the later one only: one that it lacks is looked for by its name.
    fn gap(&self, fs: &Fs, layout: &TableLayout, first: u64, last: Version) -> Result<Option<PathBuf>> {
        for number in (first..=last.get()).filter(|number| !self.versions.contains(number)) {
            let path = layout.version(Version::new(number));
            if fs.entry(&path)?.is_none() {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// The newest checkpoint below `version` that the commit after it names.
    fn start(&self, fs: &Fs, layout: &TableLayout, version: Version) -> Result<Option<CheckpointRef>> {
        for number in self.checkpoints.range(..version.get()).rev() {
            if !self.versions.contains(number) || !self.versions.contains(&(number + 1)) {
                continue;
            }
            let after = read_commit(fs, layout, Version::new(number + 1))?;
            if let Some(proof) = after.checkpoint.filter(|proof| proof.version.get() == *number) {
                return Ok(Some(proof));
            }
        }
        Ok(None)
    }

    pub(super) fn load(&self, fs: &Fs, layout: &TableLayout, version: Version) -> Result<TableVersion> {
        let start = self.start(fs, layout, version)?;
        let first = start.as_ref().map_or(0, |start| start.version.get());
        self.check_no_gap(fs, layout, first, version)?;
        let mut state = match start {
            Some(proof) => load_checkpoint(fs, layout, proof)?,
            None => load_first(fs, layout)?,
        };
        while state.version < version {
            state = read_next(fs, &state)?;
        }
        Ok(state)
    }
}

fn load_first(fs: &Fs, layout: &TableLayout) -> Result<TableVersion> {
    let version = Version::new(0);
    let commit = read_commit(fs, layout, version)?;
    check_chain(layout, version, &commit, ROOT_DIGEST)?;
    let name = layout.version(version).display().to_string();
    let timestamp_ms = timestamp_of(&commit, &name)?;
    TableVersion::first(layout.clone(), version, commit.digest, timestamp_ms, &commit.actions, &name)
}

fn load_checkpoint(fs: &Fs, layout: &TableLayout, proof: CheckpointRef) -> Result<TableVersion> {
    let path = layout.checkpoint(proof.version);
    let name = path.display().to_string();
    let bytes = fs.read(&path, LOG_FILE_BYTES_MAX).map_err(missing_is_damage)?;
    let (size_bytes, digest) = (bytes.len() as u64, Digest::of(&bytes));
    if size_bytes != proof.size_bytes || digest != proof.digest {
        return Err(Error::corrupt(format!(
            "{name}: it has {size_bytes} bytes and the digest {digest}, but the commit after it says {} bytes and {}: the \
             checkpoint is damaged; restore the table from a backup",
            proof.size_bytes, proof.digest
        )));
    }
    let actions = decode_checkpoint(bytes, &name)?;
    let commit = read_commit(fs, layout, proof.version)?;
    let timestamp_ms = timestamp_of(&commit, &layout.version(proof.version).display().to_string())?;
    TableVersion::first(layout.clone(), proof.version, commit.digest, timestamp_ms, &actions, &name)
}

fn timestamp_of(commit: &DecodedCommit, name: &str) -> Result<i64> {
    match commit.actions.first() {
        Some(Action::CommitInfo { timestamp_ms, .. }) => Ok(*timestamp_ms),
        _ => Err(Error::corrupt(format!("{name}: the first action is not commitInfo"))),
    }
}
