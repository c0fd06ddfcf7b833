//! Restore drills: what they prove, what they leave, what they refuse.

use std::path::{Path, PathBuf};

use steledb::backup::{BackupInfo, BackupOptions};
use steledb::drill::{DrillOptions, DrillReport, DrillTarget};
use steledb::fs::{Fault, FaultPlan, SimFs};
use steledb::progress::{Cancel, Observer};
use steledb::repository::{LabelHash, Repository, RepositoryKey};
use steledb::snapshot::{Selection, TableSelection};
use steledb::{Clock, ErrorKind, IdSource, Label, Result, Store};

use crate::support::{CancelAt, REPOSITORY, ROOT, create_orders, load_orders, name, options};

const SCRATCH: &str = "/scratch";
const NOW_MS: i64 = 1_700_000_000_000;

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

fn table(text: &str, partitions: &[&str]) -> Selection {
    let partitions = partitions.iter().map(|partition| name(partition)).collect();
    Selection::Tables(name("sales"), vec![TableSelection { table: name(text), partitions }])
}

/// A repository with the backups `old` (one table of 100 rows) and `new` (that of 300 rows and another of 50). The store it
/// came from is gone.
fn repository() -> SimFs {
    let sim = SimFs::new();
    let store = Store::create_with(ROOT, options(sim.fs(), 1)).unwrap();
    let repository = store.create_repository("r", &format!("file://{REPOSITORY}")).unwrap();
    let orders = create_orders(&store, "orders");
    load_orders(&orders, 0..100).unwrap();
    store.backup(&repository, &BackupOptions::new(label("old"))).unwrap();
    load_orders(&orders, 100..300).unwrap();
    load_orders(&create_orders(&store, "more"), 0..50).unwrap();
    store.backup(&repository, &BackupOptions::new(label("new"))).unwrap();
    drop((orders, repository, store));
    sim.fs().remove_tree(Path::new(ROOT)).unwrap();
    sim.fs().sync_all(Path::new("/")).unwrap();
    sim.restart();
    sim
}

fn open(sim: &SimFs, now_ms: i64) -> Repository {
    Repository::open_with(REPOSITORY, sim.fs(), Clock::manual(now_ms), IdSource::seeded(5)).unwrap()
}

fn drill_options(sim: &SimFs) -> DrillOptions {
    DrillOptions { store: options(sim.fs(), 6), ..DrillOptions::new(SCRATCH) }
}

fn drill(sim: &SimFs, change: impl FnOnce(&mut DrillOptions)) -> Result<DrillReport> {
    let mut options = drill_options(sim);
    change(&mut options);
    let before = sim.snapshot_paths();
    let report = open(sim, NOW_MS + 60_000).drill(&options);
    if !options.keep {
        assert_eq!(sim.snapshot_paths(), before, "nothing stays and nothing was written elsewhere");
        assert!(sim.fs().entry(Path::new(SCRATCH)).unwrap().is_none());
    }
    report
}

fn rows(report: &DrillReport) -> Vec<(&str, u64)> {
    report.tables.iter().map(|table| (table.name.as_str(), table.rows)).collect()
}

#[test]
fn the_newest_backup_is_proved_without_its_store_and_nothing_stays() {
    let sim = repository();
    let report = drill(&sim, |_| ()).unwrap();
    assert!(report.is_proved(), "{report:?}");
    assert_eq!((report.backup.label.as_str(), rows(&report)), ("new", vec![("more", 50), ("orders", 300)]));
    assert_eq!((report.tables[0].columns, report.kept), (3, None));
    assert!(report.age_ms > 59_000);
}

#[test]
fn a_label_an_id_a_table_and_a_partition_are_chosen() {
    let sim = repository();
    let by_label = drill(&sim, |options| options.target = DrillTarget::Label(label("old"))).unwrap();
    assert_eq!(rows(&by_label), [("orders", 100)]);
    let by_id = drill(&sim, |options| options.target = DrillTarget::Backup(by_label.backup.backup)).unwrap();
    assert_eq!(by_id.backup, by_label.backup);
    assert_eq!(rows(&drill(&sim, |options| options.selection = table("more", &[])).unwrap()), [("more", 50)]);
    let early = drill(&sim, |options| options.selection = table("orders", &["early"])).unwrap();
    // Days go from 0 to 199, twice: the first hundred of each are early.
    assert!(early.is_proved() && rows(&early) == [("orders", 200)], "{early:?}");

    let missing = drill(&sim, |options| options.target = DrillTarget::Label(label("none"))).unwrap_err();
    assert!(missing.is(ErrorKind::NotFound) && missing.to_string().contains("'none'"), "{missing}");
    let missing = drill(&sim, |options| options.selection = table("none", &[])).unwrap_err();
    assert!(missing.is(ErrorKind::NotFound), "{missing}");
}

#[test]
fn a_backup_that_is_too_old_is_not_good_enough() {
    let sim = repository();
    let max_age = |age_ms| drill(&sim, |options| options.max_age_ms = Some(age_ms)).unwrap();
    let old = max_age(59_000);
    assert!(old.is_too_old && !old.is_proved() && old.problems.is_empty());
    assert!(max_age(10_000_000).is_proved());
}

#[test]
fn the_restored_store_is_kept_when_asked_for() {
    let sim = repository();
    let inside = drill(&sim, |options| options.scratch = PathBuf::from(REPOSITORY).join("scratch"));
    assert!(inside.unwrap_err().to_string().contains("lies in the repository"));
    let report = drill(&sim, |options| options.keep = true).unwrap();
    let kept = report.kept.unwrap();
    let store = Store::open_with(&kept, options(sim.fs(), 7)).unwrap();
    assert_eq!(store.table("sales", "orders").unwrap().version().row_count(), 300);
    drop(store);
    let error = drill(&sim, |options| options.keep = true).unwrap_err();
    assert!(error.is(ErrorKind::Invalid) && error.to_string().contains("not empty"), "{error}");
}

/// Files of the backup `new`, which every drill of it needs.
fn files(sim: &SimFs) -> Vec<PathBuf> {
    let is_needed = |path: &PathBuf| {
        let text = path.to_str().unwrap();
        text.starts_with(REPOSITORY) && !text.contains("_delta_log") && !text.ends_with("repository.json")
    };
    sim.snapshot_paths().into_iter().filter(is_needed).collect()
}

#[test]
fn damage_of_a_segment_or_a_manifest_is_found_and_the_file_named() {
    let sim = repository();
    let needed = |path: &PathBuf| {
        let text = path.to_str().unwrap();
        text.ends_with(".parquet")
            || text.ends_with("manifest")
            || text.ends_with("outcome")
            || text.contains("/labels/")
    };
    let mut found = 0;
    for path in files(&sim).into_iter().filter(needed) {
        let file = path.file_name().unwrap().to_str().unwrap();
        let damages: [fn(&mut Vec<u8>); 2] =
            [|bytes| bytes.truncate(bytes.len() - 1), |bytes| *bytes.last_mut().unwrap() ^= 1];
        for damage in damages {
            let damaged = sim.fork();
            damaged.corrupt(&path, damage);
            match drill(&damaged, |_| ()) {
                Ok(report) if report.is_proved() => {
                    // Of the older backup alone.
                    let needs = drill(&damaged, |options| options.target = DrillTarget::Label(label("old")));
                    assert!(needs.is_err() || !needs.unwrap().is_proved(), "{}", path.display());
                }
                Ok(report) => assert!(report.problems.iter().any(|one| one.file.contains(file)), "{report:?}"),
                Err(error) => assert!(error.is(ErrorKind::Corrupt) && error.to_string().contains(file), "{error}"),
            }
            found += 1;
        }
    }
    assert!(found > 20, "{found}");
    let missing = sim.fork();
    let segment = files(&sim).into_iter().find(|path| path.extension() == Some("parquet".as_ref())).unwrap();
    missing.fs().remove_file(&segment).unwrap();
    let report = drill(&missing, |_| ()).unwrap();
    assert!(report.problems[0].file.ends_with(segment.file_name().unwrap().to_str().unwrap()), "{report:?}");
    assert_eq!(report.problems[0].problem, "missing");
}

#[test]
fn a_drill_by_label_or_id_looks_at_no_other_backup_and_one_of_the_newest_names_the_way() {
    let sim = repository();
    let listed = open(&sim, NOW_MS).backups().unwrap();
    let [old, new] = listed.as_slice() else { panic!("{listed:?}") };
    let of_label = |text: &str, damaged: &SimFs| drill(damaged, |o| o.target = DrillTarget::Label(label(text)));
    let of_id = |info: &BackupInfo, damaged: &SimFs| drill(damaged, |o| o.target = DrillTarget::Backup(info.backup));
    for (lost, sound) in [(old, new), (new, old)] {
        let outcome = format!("{REPOSITORY}/{}", RepositoryKey::Outcome(lost.backup));
        let record = format!("{REPOSITORY}/{}", RepositoryKey::Label(LabelHash::of(&lost.label), 0));
        for path in [outcome, record] {
            let is_outcome = path.ends_with("outcome");
            let damaged = sim.fork();
            damaged.corrupt(Path::new(&path), |bytes| bytes.clear());
            assert!(of_label(sound.label.as_str(), &damaged).unwrap().is_proved());
            assert!(of_id(sound, &damaged).unwrap().is_proved());
            for error in [of_label(lost.label.as_str(), &damaged), of_id(lost, &damaged)].map(Result::unwrap_err) {
                assert!(error.is(ErrorKind::Corrupt) && error.to_string().contains(&path), "{error}");
                assert!(error.to_string().contains("put the file back"), "{error}");
            }
            match drill(&damaged, |_| ()) {
                // An older one is not what was asked for.
                Ok(report) => assert!(report.is_proved() && report.backup == *new && is_outcome && lost == old),
                Err(error) => {
                    assert!(error.is(ErrorKind::Corrupt) && (lost == new || !is_outcome), "{error}");
                    let text = error.to_string();
                    assert!(text.starts_with("cannot tell which backup in ") && text.contains(&path), "{text}");
                    assert!(text.contains(&format!("--label {}", sound.label)), "{text}");
                }
            }
        }
    }
}

#[test]
fn a_cancelled_drill_leaves_nothing() {
    let sim = repository();
    let mut cancelled = 0;
    for at in 0.. {
        let cancel = Cancel::new();
        let observer = Observer::new(CancelAt::new(at, &cancel), cancel);
        match drill(&sim, |options| options.observer = observer) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Cancelled),
            Ok(report) => {
                assert!(report.is_proved());
                break;
            }
        }
        cancelled += 1;
    }
    assert!(cancelled > 10, "{cancelled}");
}

#[test]
fn an_error_says_where_the_store_is_that_was_to_be_kept() {
    let sim = repository();
    let (mut told, mut options) = (0, drill_options(&sim));
    options.keep = true;
    for at in 0.. {
        let cancel = Cancel::new();
        options.observer = Observer::new(CancelAt::new(at, &cancel), cancel);
        let Err(error) = open(&sim, NOW_MS).drill(&options) else { break };
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        let is_there = sim.fs().entry(Path::new("/scratch/store")).unwrap().is_some();
        assert_eq!(error.to_string().contains("kept in /scratch/store"), is_there, "{error}");
        told += u32::from(is_there);
        sim.fs().remove_tree(Path::new(SCRATCH)).unwrap();
    }
    assert!(told > 10, "{told}");
}

#[test]
fn a_failing_disk_fails_the_drill_and_a_crash_leaves_the_scratch_directory_alone() {
    let base = repository();
    let before = base.snapshot_paths();
    for fault in [Fault::Error, Fault::NoSpace, Fault::Crash] {
        for at in 0.. {
            let sim = base.fork();
            let (repository, options) = (open(&sim, NOW_MS), drill_options(&sim));
            sim.plan(Some(FaultPlan { at, fault }));
            let result = repository.drill(&options);
            if !sim.fault_happened() {
                assert!(result.unwrap().is_proved());
                break;
            }
            sim.plan(None);
            if fault == Fault::Crash {
                assert!(result.is_err());
                sim.restart();
            }
            assert!(result.is_err() || fault != Fault::Crash);
            let left = |path: &PathBuf| !path.starts_with(SCRATCH);
            let paths: Vec<PathBuf> = sim.snapshot_paths().into_iter().filter(left).collect();
            assert_eq!(paths, before, "{fault:?} at {at}");
        }
    }
}

#[cfg(feature = "cli")]
mod command {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Output, Stdio};

    use steledb::backup::BackupOptions;

    use super::label;
    use crate::support::{OnDisk, create_orders, load_orders, on_disk};

    fn backed_up() -> OnDisk {
        let disk = on_disk();
        load_orders(&create_orders(&disk.store, "orders"), 0..20).unwrap();
        let repository = disk.store.create_repository("nas", &disk.location()).unwrap();
        disk.store.backup(&repository, &BackupOptions::new(label("nightly"))).unwrap();
        disk
    }

    /// Exit code, standard output and standard error; the temporary directory must be empty afterwards.
    fn run(disk: &OnDisk, arguments: &[&str]) -> (i32, String, String) {
        let temporary = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_stele"));
        command.env("STELE_ROOT", disk.root()).env("TMPDIR", temporary.path()).arg("drill").args(arguments);
        let Output { status, stdout, stderr } = command.output().unwrap();
        assert_eq!(temporary.path().read_dir().unwrap().count(), 0);
        (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }

    /// It is not the root of a path without end.
    #[test]
    fn a_directory_for_temporary_files_without_a_name_is_the_usual_one() {
        let disk = backed_up();
        let mut command = Command::new(env!("CARGO_BIN_EXE_stele"));
        let output =
            command.env("STELE_ROOT", disk.root()).env("TMPDIR", "").args(["drill", "nas", "--quiet"]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[test]
    fn code_0_says_that_all_is_well_and_nothing_is_printed_if_quiet() {
        let disk = backed_up();
        for place in [disk.location().as_str(), "nas"] {
            let quiet = run(&disk, &[place, "--quiet", "--max-age", "26h"]);
            assert_eq!(quiet, (0, String::new(), String::new()));
        }
        let (code, out, _) = run(&disk, &["nas"]);
        assert!(code == 0 && out.contains("sales.orders    20"), "{out}");
        assert!(out.lines().last().unwrap().starts_with("proved: backup nightly taken "), "{out}");
        let (code, out, _) = run(&disk, &["nas", "--format", "json", "--quiet"]);
        assert_eq!(code, 0);
        assert!(out.starts_with(r#"{"proved":true,"label":"nightly","#) && out.contains(r#""rows":20"#), "{out}");
    }

    #[test]
    fn code_1_says_not_proved_and_code_2_wrong_usage() {
        let disk = backed_up();
        let location = disk.location();
        assert_eq!(run(&disk, &[&location, "--max-age", "tomorrow"]).0, 2);
        assert_eq!(run(&disk, &[]).0, 2);
        assert_eq!(run(&disk, &["nowhere"]).0, 1);
        assert_eq!(run(&disk, &[&location, "--label", "none"]).0, 1);
        let (code, out, _) = run(&disk, &[&location, "--max-age", "0s", "--quiet"]);
        assert!(code == 1 && out.contains("too old: ") && out.contains("TOO OLD, but proved: "), "{out}");

        let repository = disk.dir.path().join("repository");
        let needed = |folder: &str| {
            let files = walk(&repository.join(folder));
            files.into_iter().find(|file| !file.to_string_lossy().contains("_delta_log")).unwrap()
        };
        // Segments first: with a damaged outcome nothing is looked at any more.
        for file in [needed("tables"), needed("backups")] {
            let bytes = std::fs::read(&file).unwrap();
            std::fs::write(&file, &bytes[..bytes.len() - 2]).unwrap();
            let (code, out, err) = run(&disk, &[&location, "--quiet"]);
            assert_eq!(code, 1);
            let name = file.file_name().unwrap().to_str().unwrap();
            assert!(format!("{out}{err}").contains(name), "{out}{err}");
        }
    }

    #[test]
    fn what_a_killed_drill_left_is_removed_by_the_next() {
        let disk = backed_up();
        let temporary = tempfile::tempdir().unwrap();
        let drill = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_stele"));
            command.env("TMPDIR", temporary.path()).args(["drill", &disk.location()]);
            command
        };
        let mut killed = drill().stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        // The first line of progress comes when the store is being restored.
        let mut line = String::new();
        BufReader::new(killed.stderr.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("drill "), "{line}");
        killed.kill().unwrap();
        killed.wait().unwrap();
        assert!(drill().output().unwrap().status.success());
        assert_eq!(temporary.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn kept_store_is_named_and_stays() {
        let disk = backed_up();
        let temporary = tempfile::tempdir().unwrap();
        let drill = |keep: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_stele"));
            command.env("TMPDIR", temporary.path()).args(["drill", &disk.location(), "--quiet"]).args(keep);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let out = drill(&["--keep"]);
        let kept = out.strip_prefix("the restored store is ").unwrap().trim_end();
        assert!(std::path::Path::new(kept).join("tables").is_dir(), "{out}");
        assert_eq!(drill(&[]), "");
        assert!(std::path::Path::new(kept).join("tables").is_dir(), "the next drill leaves it alone");
    }

    fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
        let mut files = Vec::new();
        for entry in dir.read_dir().unwrap().map(Result::unwrap) {
            match entry.path().is_dir() {
                true => files.extend(walk(&entry.path())),
                false => files.push(entry.path()),
            }
        }
        files.sort();
        files
    }
}
