//! BACKUP SNAPSHOT and EXPLAIN BACKUP.

use crate::backup::BackupOptions;
use crate::error::{Error, Result};
use crate::id::{Label, Name};
use crate::job::{BackupRequest, JobRequest};
use crate::snapshot::{ObjectSelection, Selection, TableSelection};
use crate::sql::Answer;
use crate::sql::ast::{BackupStatement, ObjectToBackUp};
use crate::sql::execute::Executor;
use crate::sql::execute::plan_rows::backup_plan_rows;
use crate::sql::properties::PropertyReader;

/// StarRocks' least timeout of a job, in seconds.
const TIMEOUT_SECONDS_MIN: u64 = 600;

const KNOWN: [&str; 3] = ["type", "timeout", "concurrent"];

impl Executor<'_> {
    pub(super) fn backup(&self, backup: &BackupStatement) -> Result<Answer> {
        let request = self.backup_request(backup)?;
        let (label, repository) = (request.label.clone(), request.repository.clone());
        let job = self.store.jobs().submit(JobRequest::Backup(request))?;
        Ok(Answer::submitted(job, format!("backup job {job}: snapshot {label} to repository {repository}")))
    }

    pub(super) fn explain_backup(&self, backup: &BackupStatement) -> Result<Answer> {
        let request = self.backup_request(backup)?;
        let repository = self.repository_named(&request.repository)?;
        let options = BackupOptions {
            selection: request.selection,
            observer: self.observer.clone(),
            ..BackupOptions::new(request.label)
        };
        Ok(Answer::batch(backup_plan_rows(&self.store.backup_plan(&repository, &options)?)?))
    }

    /// Everything about the statement is checked here, so that nothing wrong becomes a job.
    fn backup_request(&self, backup: &BackupStatement) -> Result<BackupRequest> {
        let label = label_of(&backup.label)?;
        let database = self.database_or_current(backup.database.as_ref())?;
        self.check_database(&database)?;
        self.repository_named(&backup.repository)?;
        let mut request = BackupRequest::new(database.clone(), label, backup.repository.clone());
        if let Some(objects) = &backup.objects {
            let chosen = chosen(objects)?;
            self.check_objects(&database, &chosen)?;
            request.selection = Selection::Objects(database.clone(), chosen);
        }
        request.objects = self.object_texts(&request.selection, &database)?;
        if request.objects.is_empty() {
            return Err(Error::invalid(match &backup.objects {
                None => format!("Database: {database} is empty: it has no table or view to back up"),
                Some(_) => format!(
                    "Database: {database} has nothing of what is named; SHOW FULL TABLES FROM {database} lists tables and views"
                ),
            }));
        }
        let mut properties = PropertyReader::new(&backup.properties);
        if let Some(kind) = properties.take("type")
            && !kind.eq_ignore_ascii_case("full")
        {
            return Err(Error::invalid(format!(
                "Invalid backup job type: {kind}: FULL is the only one; what the repository holds already is not copied again"
            )));
        }
        request.timeout_ms = timeout_ms(&mut properties)?.unwrap_or(request.timeout_ms);
        request.concurrent = properties.take_flag("concurrent")?;
        properties.finish("Unknown backup job properties", &KNOWN)?;
        Ok(request)
    }

    /// What is named must be there.
    fn check_objects(&self, database: &Name, chosen: &ObjectSelection) -> Result<()> {
        for one in &chosen.tables {
            let version = self.store.table(database.as_str(), one.table.as_str())?.version();
            for partition in &one.partitions {
                version.partition(partition).map_err(|error| {
                    error.context(format!("partition[{partition}] does not exist in table {}", one.table))
                })?;
            }
        }
        for view in &chosen.views {
            self.store.view(database.as_str(), view.as_str())?;
        }
        Ok(())
    }

    /// The objects as SHOW BACKUP lists them: `[db.table]`.
    fn object_texts(&self, selection: &Selection, database: &Name) -> Result<Vec<String>> {
        let tables = self.store.tables(database.as_str())?;
        let views = self.store.views(database.as_str())?;
        let tables = tables.iter().filter(|name| selection.takes_table(database, name).is_some());
        let views = views.iter().filter(|name| selection.takes_view(database, name));
        Ok(tables.chain(views).map(|name| format!("[{database}.{name}]")).collect())
    }
}

/// A label, with StarRocks' text for an empty one.
pub(super) fn label_of(text: &str) -> Result<Label> {
    Label::new(text).map_err(|error| error.context(format!("Incorrect label name '{text}'")))
}

/// `timeout` in seconds.
pub(super) fn timeout_ms(properties: &mut PropertyReader<'_>) -> Result<Option<i64>> {
    match properties.take_number("timeout", "timeout")? {
        Some(seconds) if seconds < TIMEOUT_SECONDS_MIN => Err(Error::invalid(format!(
            "timeout must be at least 10 min: {seconds} seconds are less than {TIMEOUT_SECONDS_MIN}"
        ))),
        Some(seconds) => match seconds.checked_mul(1000).and_then(|ms| i64::try_from(ms).ok()) {
            Some(ms) => Ok(Some(ms)),
            None => Err(Error::invalid(format!("Invalid timeout format: {seconds} seconds are too many"))),
        },
        None => Ok(None),
    }
}

fn chosen(objects: &[ObjectToBackUp]) -> Result<ObjectSelection> {
    let mut chosen = ObjectSelection::default();
    let alias_refused = |name: &Name, alias: &Name| {
        Err(Error::invalid(format!("Can not set alias for table in Backup Stmt: {name} AS {alias}: leave AS out")))
    };
    for object in objects {
        match object {
            ObjectToBackUp::AllTables => chosen.all_tables = true,
            ObjectToBackUp::AllViews => chosen.all_views = true,
            ObjectToBackUp::Table { name, alias: Some(alias), .. }
            | ObjectToBackUp::View { name, alias: Some(alias) } => {
                return alias_refused(name, alias);
            }
            ObjectToBackUp::Table { name, partitions, alias: None } => {
                if chosen.tables.iter().any(|one| one.table == *name) {
                    return Err(Error::invalid(format!("Duplicated table: {name}: name it once")));
                }
                chosen.tables.push(TableSelection { table: name.clone(), partitions: partitions.clone() });
            }
            ObjectToBackUp::View { name, alias: None } => {
                if chosen.views.contains(name) {
                    return Err(Error::invalid(format!("Duplicated view: {name}: name it once")));
                }
                chosen.views.push(name.clone());
            }
        }
    }
    Ok(chosen)
}
