//! RESTORE SNAPSHOT and EXPLAIN RESTORE.

use std::collections::{BTreeMap, BTreeSet};

use crate::backup::parse_backup_timestamp;
use crate::error::{Error, Result};
use crate::format::Manifest;
use crate::id::{Label, Name};
use crate::job::{JobRequest, RestoreRequest};
use crate::restore::{RestoreOptions, RestorePlan};
use crate::snapshot::{ObjectSelection, Selection, TableSelection};
use crate::sql::Answer;
use crate::sql::ast::{ObjectToRestore, RestoreStatement};
use crate::sql::execute::Executor;
use crate::sql::execute::backup::{label_of, timeout_ms};
use crate::sql::execute::plan_rows::restore_plan_rows;
use crate::sql::properties::PropertyReader;

const KNOWN: [&str; 9] = [
    "backup_timestamp",
    "replication_num",
    "meta_version",
    "starrocks_meta_version",
    "timeout",
    "allow_load",
    "concurrent",
    "replace_other_schema",
    "clean_partitions",
];

impl Executor<'_> {
    pub(super) fn restore(&self, restore: &RestoreStatement) -> Result<Answer> {
        let (request, _) = self.checked_restore(restore)?;
        let (label, database) = (request.label.clone(), request.database.clone());
        let job = self.store.jobs().submit(JobRequest::Restore(request))?;
        Ok(Answer::submitted(job, format!("restore job {job}: snapshot {label} into database {database}")))
    }

    pub(super) fn explain_restore(&self, restore: &RestoreStatement) -> Result<Answer> {
        let (_, plan) = self.checked_restore(restore)?;
        Ok(Answer::batch(restore_plan_rows(&plan)?))
    }

    /// What is asked for, and what it would do: tables of other schemas and partitions of other ranges are found by planning, so
    /// that nothing wrong becomes a job.
    fn checked_restore(&self, restore: &RestoreStatement) -> Result<(RestoreRequest, RestorePlan)> {
        let request = self.restore_request(restore)?;
        let repository = self.repository_named(&request.repository)?;
        let options = RestoreOptions {
            selection: request.selection.clone(),
            rename_databases: request.rename_databases.clone(),
            rename_tables: request.rename_tables.clone(),
            rename_views: request.rename_views.clone(),
            created_ms: request.created_ms,
            replace_other_schema: request.replace_other_schema,
            keep_other_partitions: request.keep_other_partitions,
            observer: self.observer.clone(),
            ..RestoreOptions::new(request.label.clone())
        };
        let plan = self.store.restore_plan(&repository, &options)?;
        Ok((request, plan))
    }

    /// The statement, with the names that it leaves out.
    fn restore_request(&self, restore: &RestoreStatement) -> Result<RestoreRequest> {
        let label = label_of(&restore.label)?;
        let properties = properties_of(restore)?;
        let repository = self.repository_named(&restore.repository)?;
        let manifest = repository.manifest(&label).map_err(|error| {
            error.context(format!("Failed to get info of snapshot '{label}'. Maybe specified wrong backup timestamp"))
        })?;
        let (source, target) = self.databases(restore, &manifest)?;
        let mut request = RestoreRequest::new(target.clone(), label, restore.repository.clone());
        if source != target {
            request.rename_databases.insert(source.clone(), target);
        }
        match &restore.objects {
            None => request.selection = Selection::Database(source),
            Some(objects) => choose(&mut request, objects, &source, &manifest)?,
        }
        request.objects = object_texts(&request.selection, &manifest);
        request.created_ms = Some(properties.created_ms.unwrap_or(manifest.created_ms));
        request.timeout_ms = properties.timeout_ms.unwrap_or(request.timeout_ms);
        request.replication_num = properties.replication_num.unwrap_or(request.replication_num);
        request.allow_load = properties.allow_load;
        request.concurrent = properties.concurrent;
        request.replace_other_schema = properties.replace_other_schema;
        request.keep_other_partitions = !properties.clean_partitions;
        Ok(request)
    }

    /// The database in the backup, and the one to restore into.
    fn databases(&self, restore: &RestoreStatement, manifest: &Manifest) -> Result<(Name, Name)> {
        let tables = manifest.tables.iter().map(|table| &table.database);
        let databases: BTreeSet<&Name> = tables.chain(manifest.views.iter().map(|view| &view.database)).collect();
        if let Some((source, target)) = &restore.database_clause {
            if !databases.contains(source) {
                return Err(Error::not_found(format!(
                    "target database: {source} is not existed in snapshot {}, which holds {}",
                    manifest.label,
                    names(databases)
                )));
            }
            return Ok((source.clone(), target.as_ref().unwrap_or(source).clone()));
        }
        let source = match databases.iter().collect::<Vec<_>>().as_slice() {
            [one] => (**one).clone(),
            _ => {
                return Err(Error::invalid(format!(
                    "snapshot {} holds the databases {}: choose one with DATABASE name",
                    manifest.label,
                    names(databases)
                )));
            }
        };
        let target = restore.database.as_ref().or(self.database.as_ref()).unwrap_or(&source).clone();
        Ok((source, target))
    }
}

/// The properties of RESTORE.
struct RestoreProperties {
    created_ms: Option<i64>,
    timeout_ms: Option<i64>,
    replication_num: Option<u32>,
    allow_load: bool,
    concurrent: bool,
    replace_other_schema: bool,
    clean_partitions: bool,
}

fn properties_of(restore: &RestoreStatement) -> Result<RestoreProperties> {
    let mut properties = PropertyReader::new(&restore.properties);
    let created_ms = properties.take("backup_timestamp").map(parse_backup_timestamp).transpose()?;
    // StarRocks has this one text for all three.
    let replication_num = properties.take_number("replication_num", "meta version")?;
    properties.take_number("meta_version", "meta version")?;
    properties.take_number("starrocks_meta_version", "meta version")?;
    let read = RestoreProperties {
        created_ms,
        timeout_ms: timeout_ms(&mut properties)?,
        replication_num: replication_num.map(|number| u32::try_from(number).unwrap_or(u32::MAX)),
        allow_load: properties.take_flag("allow_load")?,
        concurrent: properties.take_flag("concurrent")?,
        replace_other_schema: properties.take_flag("replace_other_schema")?,
        clean_partitions: properties.take_flag("clean_partitions")?,
    };
    properties.finish("Unknown restore job properties", &KNOWN)?;
    Ok(read)
}

/// Puts what ON names, and the names it shall have, into the request.
fn choose(request: &mut RestoreRequest, objects: &[ObjectToRestore], source: &Name, manifest: &Manifest) -> Result<()> {
    let label = &manifest.label;
    let mut chosen = ObjectSelection::default();
    let mut names_taken: BTreeMap<Name, Taken> = BTreeMap::new();
    for object in objects {
        match object {
            ObjectToRestore::AllTables => chosen.all_tables = true,
            ObjectToRestore::AllViews => chosen.all_views = true,
            ObjectToRestore::Table { name, partitions, alias } => {
                take_name(&mut names_taken, "table", name, alias.as_ref())?;
                check_table(manifest, source, name, partitions)?;
                if let Some(alias) = alias {
                    request.rename_tables.insert((source.clone(), name.clone()), alias.clone());
                }
                chosen.tables.push(TableSelection { table: name.clone(), partitions: partitions.clone() });
            }
            ObjectToRestore::View { name, alias } => {
                take_name(&mut names_taken, "view", name, alias.as_ref())?;
                if !manifest.views.iter().any(|view| view.database == *source && view.name == *name) {
                    return Err(Error::not_found(format!("View {name} does not exist in snapshot {label}")));
                }
                if let Some(alias) = alias {
                    request.rename_views.insert((source.clone(), name.clone()), alias.clone());
                }
                chosen.views.push(name.clone());
            }
        }
    }
    request.selection = Selection::Objects(source.clone(), chosen);
    Ok(())
}

/// Why a name can no longer be one that something is restored under.
#[derive(PartialEq)]
enum Taken {
    ByObject,
    ByAlias,
}

fn take_name(taken: &mut BTreeMap<Name, Taken>, what: &str, name: &Name, alias: Option<&Name>) -> Result<()> {
    match taken.insert(name.clone(), Taken::ByObject) {
        Some(Taken::ByObject) => return Err(Error::invalid(format!("Duplicated {what}: {name}: name it once"))),
        Some(Taken::ByAlias) => return Err(Error::invalid(format!("Duplicated alias name: {name}"))),
        None => {}
    }
    match alias {
        Some(alias) if alias != name && taken.insert(alias.clone(), Taken::ByAlias).is_some() => {
            Err(Error::invalid(format!("Duplicated alias name: {alias}")))
        }
        _ => Ok(()),
    }
}

fn check_table(manifest: &Manifest, source: &Name, name: &Name, partitions: &[Name]) -> Result<()> {
    let label: &Label = &manifest.label;
    let table = manifest.tables.iter().find(|table| table.database == *source && table.name == *name);
    let Some(table) = table else {
        let all = manifest.tables.iter().filter(|table| table.database == *source).map(|table| &table.name);
        return Err(Error::not_found(format!(
            "Table {name} does not exist in snapshot {label}, which holds {}",
            names(all)
        )));
    };
    for partition in partitions {
        let is_there = table.partitions.iter().any(|one| one.partition.name.same_ignoring_case(partition.as_str()));
        if !is_there {
            return Err(Error::not_found(format!(
                "Partition {partition} of table {name} does not exist in snapshot {label}"
            )));
        }
    }
    Ok(())
}

/// The objects as SHOW RESTORE lists them: `table PARTITIONS [p1, p2]`.
fn object_texts(selection: &Selection, manifest: &Manifest) -> Vec<String> {
    let mut texts = Vec::new();
    for table in &manifest.tables {
        match selection.takes_table(&table.database, &table.name) {
            None => {}
            Some([]) => texts.push(table.name.to_string()),
            Some(partitions) => texts.push(format!("{} PARTITIONS [{}]", table.name, names(partitions))),
        }
    }
    let views = manifest.views.iter().filter(|view| selection.takes_view(&view.database, &view.name));
    texts.extend(views.map(|view| view.name.to_string()));
    texts
}

fn names<'a>(names: impl IntoIterator<Item = &'a Name>) -> String {
    names.into_iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}
