//! SHOW and DESCRIBE: names and column lists are StarRocks', in its order.

use arrow::array::StringArray;
use arrow::compute::kernels::comparison::like;

use crate::error::{Error, Result};
use crate::id::Name;
use crate::sql::Answer;
use crate::sql::ast::{Filter, ObjectName, ShowStatement};
use crate::sql::execute::Executor;
use crate::sql::execute::databases::INFORMATION_SCHEMA;
use crate::sql::text_rows::{TextRows, text, time};

impl Executor<'_> {
    pub(super) fn show(&self, show: &ShowStatement) -> Result<Answer> {
        match show {
            ShowStatement::Databases(filter) => self.show_databases(filter.as_ref()),
            ShowStatement::Tables { database, full, filter } => {
                self.show_tables(database.as_ref(), *full, filter.as_ref())
            }
            ShowStatement::Views { database, filter } => self.show_views(database.as_ref(), filter.as_ref()),
            ShowStatement::Partitions(table) => self.show_partitions(table),
            ShowStatement::Tablets { table, partitions } => self.show_tablets(table, partitions),
            ShowStatement::CreateTable(table) => self.show_create_table(table),
            ShowStatement::CreateView(view) => self.show_create_view(view),
            ShowStatement::CreateDatabase(name) => self.show_create_database(name),
            ShowStatement::Columns(object) => self.describe(object),
            ShowStatement::Repositories => self.show_repositories(),
            ShowStatement::Snapshot(show) => self.show_snapshot(show),
            ShowStatement::Job { kind, database } => self.show_job(*kind, database.as_ref()),
            ShowStatement::RecycleBin => self.show_recycle_bin(),
            ShowStatement::Undo => self.show_undo(),
            ShowStatement::Variables(_) => Ok(Answer::batch(TextRows::new(&["Variable_name", "Value"]).finish()?)),
        }
    }

    fn show_databases(&self, filter: Option<&Filter>) -> Result<Answer> {
        let mut rows = TextRows::new(&["Database"]);
        let mut names: Vec<String> = self.store.databases().iter().map(ToString::to_string).collect();
        names.push(INFORMATION_SCHEMA.to_owned());
        names.sort();
        for name in names {
            if is_wanted(&name, filter)? {
                rows.row([Some(name)]);
            }
        }
        Ok(Answer::batch(rows.finish()?))
    }

    /// Views are listed with the tables, as StarRocks does.
    fn show_tables(&self, database: Option<&Name>, full: bool, filter: Option<&Filter>) -> Result<Answer> {
        let database = self.database_or_current(database)?;
        let tables = self.store.tables(database.as_str())?.into_iter().map(|name| (name, "BASE TABLE"));
        let views = self.store.views(database.as_str())?.into_iter().map(|name| (name, "VIEW"));
        let mut names: Vec<(Name, &str)> = Vec::new();
        for (name, kind) in tables.chain(views) {
            if is_wanted(name.as_str(), filter)? {
                names.push((name, kind));
            }
        }
        names.sort();
        // The name of the column has that of the database in it, so it cannot be one of a fixed list.
        let column = format!("Tables_in_{database}");
        let batch = match full {
            true => {
                let mut rows = TextRows::new(&["Tables_in", "Table_type"]);
                names.iter().for_each(|(name, kind)| rows.row([text(name), text(kind)]));
                rows.finish()?
            }
            false => {
                let mut rows = TextRows::new(&["Tables_in"]);
                names.iter().for_each(|(name, _)| rows.row([text(name)]));
                rows.finish()?
            }
        };
        let mut fields: Vec<_> = batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
        fields[0] = fields[0].clone().with_name(column);
        let schema = std::sync::Arc::new(arrow::datatypes::Schema::new(fields));
        let batch = arrow::array::RecordBatch::try_new(schema, batch.columns().to_vec());
        Ok(Answer::batch(batch.map_err(|error| Error::invalid("cannot list tables").with_source(error))?))
    }

    fn show_views(&self, database: Option<&Name>, filter: Option<&Filter>) -> Result<Answer> {
        let database = self.database_or_current(database)?;
        let mut rows = TextRows::new(&["View", "Definition"]);
        for name in self.store.views(database.as_str())? {
            if is_wanted(name.as_str(), filter)? {
                rows.row([text(&name), Some(self.store.view(database.as_str(), name.as_str())?.sql)]);
            }
        }
        Ok(Answer::batch(rows.finish()?))
    }

    /// DESCRIBE of a table or a view.
    fn describe(&self, object: &ObjectName) -> Result<Answer> {
        let mut rows = TextRows::new(&["Field", "Type", "Null", "Key", "Default", "Extra"]);
        let (database, name) = self.complete(object)?;
        let views =
            if database.as_str() == INFORMATION_SCHEMA { vec![] } else { self.store.views(database.as_str())? };
        if views.contains(&name) || database.as_str() == INFORMATION_SCHEMA {
            let planned = self.plan_text(&database, &format!("SELECT * FROM `{name}`"))?;
            for field in planned.schema().fields() {
                let data_type = crate::schema::DataType::from_arrow(field.data_type());
                let data_type = data_type.map_or_else(|| field.data_type().to_string(), |known| known.to_string());
                let null = if field.is_nullable() { "YES" } else { "NO" };
                rows.row([text(field.name()), Some(data_type), text(null), text("false"), None, text("")]);
            }
            return Ok(Answer::batch(rows.finish()?));
        }
        let schema = self.store.table(database.as_str(), name.as_str())?.schema();
        for column in &schema.columns {
            let is_key = schema.sort_key.contains(&column.id);
            rows.row([
                text(&column.name),
                text(&column.data_type),
                text(if column.nullable { "YES" } else { "NO" }),
                text(is_key),
                column.default.as_ref().map(ToString::to_string),
                text(""),
            ]);
        }
        Ok(Answer::batch(rows.finish()?))
    }

    fn show_recycle_bin(&self) -> Result<Answer> {
        let mut rows = TextRows::new(&["Id", "Object", "DropTime", "ExpireTime", "RowCount", "DataSize"]);
        for item in self.store.recycle_bin()? {
            rows.row([
                text(item.recycle),
                text(&item.name),
                time(item.dropped_ms),
                time(item.expires_ms),
                item.rows.map(|rows| rows.to_string()),
                item.bytes.map(|bytes| bytes.to_string()),
            ]);
        }
        Ok(Answer::batch(rows.finish()?))
    }

    fn show_undo(&self) -> Result<Answer> {
        let mut rows = TextRows::new(&["UndoId", "Description", "CreateTime", "ExpireTime", "Tables"]);
        for entry in self.store.undo_list() {
            let tables: Vec<String> =
                entry.tables.iter().map(|table| format!("[{}.{}]", table.database, table.name)).collect();
            rows.row([
                text(entry.undo),
                text(&entry.description),
                time(entry.created_ms),
                time(entry.expires_ms),
                Some(tables.join(", ")),
            ]);
        }
        Ok(Answer::batch(rows.finish()?))
    }
}

/// Whether LIKE takes this name.
fn is_wanted(name: &str, filter: Option<&Filter>) -> Result<bool> {
    let Some(filter) = filter else { return Ok(true) };
    let (name, pattern) = (StringArray::new_scalar(name), StringArray::new_scalar(filter.like.as_str()));
    let matches = like(&name, &pattern)
        .map_err(|error| Error::invalid(format!("LIKE {:?} is no pattern", filter.like)).with_source(error))?;
    Ok(matches.value(0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_percent_and_underscore() {
        let wanted = |name: &str, pattern: &str| is_wanted(name, Some(&Filter { like: pattern.into() })).unwrap();
        assert!(wanted("orders", "ord%") && wanted("orders", "order_") && wanted("orders", "orders"));
        assert!(!wanted("orders", "Ord%") && !wanted("orders", "order") && !wanted("orders", "%x%"));
        assert!(is_wanted("orders", None).unwrap());
    }
}
