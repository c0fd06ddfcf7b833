//! The verb: one backup from beginning to end.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use crate::backup::plan::{Content, Plan, Wanted, wanted_of};
use crate::backup::publish::{abandon, encoded, publish};
use crate::backup::upload::{check_space, condemned, held_of, upload};
use crate::backup::{BackupOptions, BackupReport, query, registry};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DocumentKind, LabelRecord, Manifest, PinRecord, SegmentKey};
use crate::fs::TableLayout;
use crate::id::{AttemptId, BackupId, Label, TableId};
use crate::progress::Phase;
use crate::repository::{PutRecord, Repository, RepositoryKey, only_database};
use crate::snapshot::manifest_of;
use crate::store::{Frozen, Store};

/// After so many bytes the uploads of a job get their names, so that an attempt that follows a crash does not copy them again.
const BATCH_BYTES: u64 = 4 << 30;

/// When the phases ended.
struct Times {
    begun: Instant,
    planned: Instant,
    uploaded: Instant,
}

/// What a backup is of.
pub(super) struct Moment {
    pub(super) manifest: Manifest,
    /// Where the segments of each table lie.
    pub(super) layouts: BTreeMap<TableId, TableLayout>,
    /// Keeps those of living tables there.
    pub(super) _pins: Option<Frozen>,
}

impl Moment {
    pub(super) fn living((manifest, frozen): (Manifest, Frozen)) -> Moment {
        let tables = frozen.tables.iter();
        let layouts = tables.map(|(_, _, live, version)| (live.id(), version.layout.clone())).collect();
        Moment { manifest, layouts, _pins: Some(frozen) }
    }

    fn kept(manifest: Manifest, snapshot: &Path) -> Moment {
        let tables = manifest.tables.iter().map(|table| table.table);
        let layouts = tables.map(|table| (table, TableLayout::in_snapshot(snapshot, table))).collect();
        Moment { manifest, layouts, _pins: None }
    }
}

/// One attempt of a job to back up.
pub(crate) struct Attempt<'a> {
    /// The identity of the backup; no other attempt has it.
    pub backup: BackupId,
    /// The manifest of the moment.
    pub manifest: &'a Manifest,
    /// The directory of the moment: [`Store::take_moment`].
    pub snapshot: &'a Path,
    /// Whether a cancelled attempt is followed by another one: then what was uploaded is kept and the outcome left open, for
    /// the next one to decide.
    pub goes_on_later: &'a dyn Fn() -> bool,
}

impl Store {
    /// Backs up to a repository. On an error or cancellation the backup is marked failed and its label is free again.
    pub fn backup(&self, repository: &Repository, options: &BackupOptions) -> Result<BackupReport> {
        let what = || format!("cannot back up to {} with label '{}'", repository.describe(), options.label);
        self.backup_unnamed(repository, options).map_err(|error| error.context(what()))
    }

    /// As [`Store::backup`], of a moment that was taken before, under an identity that the caller has written down: what
    /// the repository says of it tells whether it is complete.
    pub(crate) fn backup_attempt(
        &self,
        repository: &Repository,
        options: &BackupOptions,
        attempt: &Attempt<'_>,
    ) -> Result<BackupReport> {
        let moment = || Ok(Moment::kept(attempt.manifest.clone(), attempt.snapshot));
        self.run_backup(repository, options, attempt.backup, moment, Some(attempt))
    }

    fn backup_unnamed(&self, repository: &Repository, options: &BackupOptions) -> Result<BackupReport> {
        let moment = || manifest_of(self, &options.label, &options.selection).map(Moment::living);
        self.run_backup(repository, options, BackupId::random(&repository.ids), moment, None)
    }

    fn run_backup(
        &self,
        repository: &Repository,
        options: &BackupOptions,
        backup: BackupId,
        moment: impl FnOnce() -> Result<Moment>,
        attempt: Option<&Attempt<'_>>,
    ) -> Result<BackupReport> {
        let begun = Instant::now();
        repository.check_writable()?;
        registry::check_apart(self, repository)?;
        options.observer.check()?;
        // Early, before any work; the claim below decides.
        repository.check_label_free(&options.label)?;

        let phase = options.observer.begin(Phase::Plan, 0, 0);
        let Moment { mut manifest, layouts, _pins } = moment()?;
        let environment = &self.inner.environment;
        let lineages = manifest.tables.iter().map(|table| table.lineage).collect();
        let (held, (wanted, published)) = environment.pool.both(
            || held_of(repository, &lineages),
            || (wanted(&manifest, &layouts), query::Published::read(repository, &manifest)),
        );
        let mut plan = Plan::decide(wanted?, &held?, &repository.ids);
        plan.complete(&mut manifest);
        check_space(repository, plan.amount(false))?;
        phase.check()?;

        let mut times = Times { begun, planned: begun, uploaded: begun };
        let steps = || -> Result<()> {
            let (pins, bytes) = environment.pool.both(
                || pin_and_claim(repository, backup, &manifest, &mut plan),
                || encoded(repository, backup, &manifest),
            );
            let (pins, mut bytes) = (pins?, bytes?);
            if pins > 1 {
                plan.complete(&mut manifest);
                bytes = encoded(repository, backup, &manifest)?;
            }
            drop(phase);
            times.planned = Instant::now();
            let batch_bytes = attempt.map_or(u64::MAX, |_| BATCH_BYTES);
            upload(repository, (&environment.fs, &environment.pool), &plan, batch_bytes, &options.observer)?;
            times.uploaded = Instant::now();
            let _phase = options.observer.begin(Phase::Publish, 0, 0);
            options.observer.check()?;
            publish(repository, backup, (&manifest.label, &bytes), pins)
        };
        if let Err(error) = steps() {
            if error.is(ErrorKind::Cancelled) && attempt.is_some_and(|attempt| (attempt.goes_on_later)()) {
                // The next attempt finds what is there by its digest.
                if let Err(sync) = repository.storage.sync_uploads() {
                    tracing::warn!(error = %sync, "what a stopped backup uploaded has to be copied again");
                }
                return Err(error);
            }
            // The next backup with this repository would publish them.
            let keys = plan.uploads().into_iter().map(|(key, _)| RepositoryKey::Segment(key));
            repository.storage.discard_uploads(&keys.collect::<Vec<_>>());
            // Goes on if the last step took effect although its answer was lost.
            abandon(repository, &options.label, backup, error)?;
        }
        query::publish_tables(repository, backup, &manifest, published);
        Ok(report(backup, &manifest, &plan, &times))
    }
}

/// The contents that a backup names, and where they lie.
pub(super) fn wanted(
    manifest: &Manifest,
    layouts: &BTreeMap<TableId, TableLayout>,
) -> Result<BTreeMap<Content, Wanted>> {
    wanted_of(manifest, |index, segment| {
        let table = &manifest.tables[index];
        let layout = layouts.get(&table.table).ok_or_else(|| {
            Error::not_found(format!("table {}.{} went away while it was frozen", table.database, table.name))
        })?;
        Ok(layout.segment(&segment.name))
    })
}

/// Pin, then label, then a look at what collectors are about to delete (rules R1 to R4, in this order). Gives the number
/// of pins.
fn pin_and_claim(repository: &Repository, backup: BackupId, manifest: &Manifest, plan: &mut Plan) -> Result<u32> {
    put_pin(repository, backup, 0, plan.keys())?;
    repository.claim_label(&LabelRecord {
        label: manifest.label.clone(),
        database: database_of(manifest),
        backup,
        attempt: AttemptId::random(&repository.ids),
        created_ms: manifest.created_ms,
    })?;
    let reused = plan.lineages_with_reuse();
    if reused.is_empty() {
        return Ok(1);
    }
    let condemned = condemned(repository)?;
    let held = held_of(repository, &reused)?;
    let fresh = plan.renew_gone(&condemned, &held, &repository.ids);
    if fresh.is_empty() {
        return Ok(1);
    }
    put_pin(repository, backup, 1, fresh)?;
    check_space(repository, plan.amount(false))?;
    Ok(2)
}

fn database_of(manifest: &Manifest) -> Option<crate::id::Name> {
    let tables = manifest.tables.iter().map(|table| &table.database);
    only_database(tables.chain(manifest.views.iter().map(|view| &view.database)))
}

fn put_pin(repository: &Repository, backup: BackupId, number: u32, keys: Vec<(SegmentKey, u64)>) -> Result<()> {
    let (attempt, created_ms) = (AttemptId::random(&repository.ids), repository.clock.now_ms());
    let pin = PinRecord { backup, attempt, created_ms, keys };
    let key = RepositoryKey::Pin(backup, number);
    match repository.put_record(&key, DocumentKind::Pin, &pin)? {
        PutRecord::Won => Ok(()),
        PutRecord::Lost => {
            Err(Error::conflict(format!("{} exists, which only this backup writes", repository.file(&key))))
        }
    }
}

fn report(backup: BackupId, manifest: &Manifest, plan: &Plan, times: &Times) -> BackupReport {
    let (copied, reused) = (plan.amount(false), plan.amount(true));
    let label: &Label = &manifest.label;
    BackupReport {
        backup,
        label: label.clone(),
        created_ms: manifest.created_ms,
        tables: manifest.tables.len() as u64,
        rows: manifest.tables.iter().map(|table| table.fingerprints.rows).sum(),
        copied: copied.segments,
        copied_bytes: copied.bytes,
        reused: reused.segments,
        reused_bytes: reused.bytes,
        plan_ms: elapsed_ms(times.begun, times.planned),
        upload_ms: elapsed_ms(times.planned, times.uploaded),
        publish_ms: elapsed_ms(times.uploaded, Instant::now()),
    }
}

fn elapsed_ms(from: Instant, to: Instant) -> u64 {
    to.duration_since(from).as_millis().try_into().unwrap_or(u64::MAX)
}
