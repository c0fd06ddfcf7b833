//! What is measured: the cases as data, in the order they run.

use crate::cli::bench::fixture::Bench;
use crate::cli::bench::input::Kind;
use crate::cli::bench::meter::Run;
use crate::cli::bench::{copies, many, rows, small};
use crate::error::Result;

/// One thing that is measured.
pub(super) struct Case {
    /// How it is chosen and reported.
    pub(super) name: &'static str,
    /// What is done between the two looks at the clock.
    pub(super) about: &'static str,
    /// The kind of file it must have.
    pub(super) input: Option<Kind>,
    /// Whether one run is enough, because it is a series in itself.
    pub(super) once: bool,
    /// Whether it is run once before it is measured.
    pub(super) warm: bool,
    /// Prepares what is missing, measures, and takes back what would be in the way of the next run.
    pub(super) run: fn(&mut Bench<'_>) -> Result<Run>,
}

impl Case {
    /// Writes something durable; measured from the first run on.
    const fn writing(name: &'static str, about: &'static str, run: fn(&mut Bench<'_>) -> Result<Run>) -> Case {
        Case { name, about, input: None, once: false, warm: false, run }
    }

    /// Reads.
    const fn reading(name: &'static str, about: &'static str, run: fn(&mut Bench<'_>) -> Result<Run>) -> Case {
        Case { warm: true, ..Case::writing(name, about, run) }
    }

    const fn from(self, kind: Kind) -> Case {
        Case { input: Some(kind), ..self }
    }

    const fn once(self) -> Case {
        Case { once: true, ..self }
    }
}

/// All cases.
pub(super) const ALL: &[Case] = &[
    Case::writing("load", "a Parquet file into 84 months of 4 buckets, sorted", rows::load_parquet).from(Kind::Parquet),
    Case::writing("load-csv", "the same rows from a CSV file", rows::load_csv).from(Kind::Csv),
    Case::reading("scan-sum", "the sum of one column over all rows", rows::scan_sum),
    Case::reading("scan-q1", "TPC-H query 1: seven columns, aggregated by two", rows::scan_q1),
    Case::reading("lookup", "20 times all lines of one order, by the sort key", rows::lookup),
    Case::reading("open", "open the store and find the lines of one order", rows::open),
    Case::reading("verify", "every byte against its digest, every row against its fingerprint", copies::verify),
    Case::writing("snapshot", "a snapshot of the store", copies::snapshot),
    Case::writing("backup", "the first backup, into an empty repository", copies::backup),
    Case::writing("backup-unchanged", "a backup when nothing has changed", copies::backup_unchanged),
    Case::writing("backup-percent", "a backup after one per cent was loaded", copies::backup_percent),
    Case::writing("restore", "a backup into an empty store", copies::restore),
    Case::writing("restore-beside", "a backup under another name into the store it is of", copies::restore_beside),
    Case::writing("commits", "many loads of 100 rows, one after the other", small::commits).once(),
    Case::reading("tables", "open a store of many tables and count the rows of one", small::tables),
    Case::reading("many-open", "open a store of many segments and find a row", many::open),
    Case::writing("many-snapshot", "a snapshot of many segments", many::snapshot),
    Case::writing("many-backup", "the first backup of many segments", many::backup),
    Case::writing(
        "many-backup-unchanged",
        "a backup of many segments when nothing has changed",
        many::backup_unchanged,
    ),
    Case::writing("many-restore", "a backup of many segments into an empty store", many::restore),
];

/// The names, for `--only`.
pub(super) fn names() -> Vec<&'static str> {
    ALL.iter().map(|case| case.name).collect()
}

/// The cases in words, for `--help`.
pub(super) fn help() -> String {
    let width = ALL.iter().map(|case| case.name.len()).max().unwrap_or(0);
    let lines: Vec<String> = ALL.iter().map(|case| format!("  {:width$}  {}", case.name, case.about)).collect();
    format!(
        "Cases:\n{}\n\nTimes include every sync. Caches are hot. Memory is the most that the process held of its own, without \
         mapped files,\nlooked at every 10 ms; what was freed before is given back first.",
        lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_the_help() {
        let mut names = names();
        let help = help();
        assert!(names.iter().all(|name| help.contains(&format!("  {name} "))));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
