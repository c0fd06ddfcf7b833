//! CREATE and DROP REPOSITORY, SHOW REPOSITORIES.

use crate::error::{Error, ErrorKind, Result};
use crate::id::Name;
use crate::sql::Answer;
use crate::sql::ast::{Properties, RepositoryStatement};
use crate::sql::execute::Executor;
use crate::sql::text_rows::{TextRows, text, time};

/// Beginnings of the properties that StarRocks takes for HDFS, S3 and GCS. A repository on a file system needs none of them:
/// they are taken without effect.
const CREDENTIALS: [&str; 8] =
    ["username", "password", "aws.s3.", "fs.s3a.", "hadoop.", "dfs.", "gcp.gcs.", "azure.blob."];

impl Executor<'_> {
    pub(super) fn repository(&self, statement: &RepositoryStatement) -> Result<Answer> {
        match statement {
            RepositoryStatement::Create { name, read_only, broker: _, location, properties } => {
                self.create_repository(name, *read_only, location, properties)
            }
            RepositoryStatement::Drop(name) => self.drop_repository(name),
        }
    }

    fn create_repository(
        &self,
        name: &Name,
        read_only: bool,
        location: &str,
        properties: &Properties,
    ) -> Result<Answer> {
        let is_known = |key: &str| CREDENTIALS.iter().any(|begin| key.starts_with(begin));
        let unknown: Vec<&str> = properties.iter().map(|(key, _)| key.as_str()).filter(|key| !is_known(key)).collect();
        if !unknown.is_empty() {
            return Err(Error::invalid(format!(
                "Unknown repository properties: [{}]; a repository on a file system needs none",
                unknown.join(", ")
            )));
        }
        if location.trim().is_empty() {
            return Err(Error::invalid("You must specify a location on the repository: ON LOCATION \"file:///path\""));
        }
        if self.store.repositories().contains(name) {
            return Err(Error::already_exists(format!("repository with same name already exist: {name}")));
        }
        let made = match read_only {
            true => self.store.create_read_only_repository(name.as_str(), location),
            false => self.store.create_repository(name.as_str(), location),
        };
        made.map_err(|error| error.context("Failed to create repository"))?;
        Ok(Answer::done())
    }

    fn drop_repository(&self, name: &Name) -> Result<Answer> {
        self.store.jobs().check_repository_unused(name)?;
        self.store.drop_repository(name.as_str()).map_err(|error| match error.is(ErrorKind::NotFound) {
            true => error.context("Repository does not exist"),
            false => error,
        })?;
        Ok(Answer::done())
    }

    pub(super) fn show_repositories(&self) -> Result<Answer> {
        let columns: &[&str] = &["RepoId", "RepoName", "CreateTime", "IsReadOnly", "Location", "Broker", "ErrMsg"];
        let mut rows = TextRows::new(columns);
        for info in self.store.repository_infos()? {
            // A repository that cannot be reached is listed with the reason, never the failure of the list.
            let error = self.store.check_repository(info.name.as_str()).err();
            rows.row([
                text(info.repository),
                text(&info.name),
                time(info.created_ms),
                text(info.read_only),
                Some(info.location),
                text(""),
                error.map(|error| error.to_string()),
            ]);
        }
        Ok(Answer::batch(rows.finish()?))
    }
}
