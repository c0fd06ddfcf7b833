//! `stele sql` as a user runs it.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use steledb::Store;

use crate::command_line::Shell;

/// `stele sql` with this text on standard input.
fn piped(shell: &Shell, text: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stele"));
    command.args(["sql", "--format", "csv"]).env("STELE_ROOT", shell.path("store"));
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn csv_has_a_line_of_names_then_rows_one_result_after_the_other() {
    let shell = Shell::with_rows();
    let sql =
        "SELECT id, name FROM d.t WHERE id < 1; SELECT 'a,b' AS x, NULL AS y, '' AS z; SELECT 1 AS none WHERE false";
    let csv = shell.ok(&["sql", "--format", "csv", "-c", sql]);
    assert_eq!(csv, "id,name\n0,name 0\nx,y,z\n\"a,b\",,\nnone\n");
}

#[test]
fn the_script_of_the_readme_runs() {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("stele sql <<'END'\n").unwrap();
    let (script, _) = rest.split_once("    END\n").unwrap();
    let shell = Shell::with_rows();
    let script = script.replace("/tmp/", &format!("{}/", shell.path("").display()));
    // Jobs follow each other closely: what one held must be free when the next statement runs.
    let ran = piped(&shell, &script);
    assert!(ran.status.success(), "{}{}", text(&ran.stdout), text(&ran.stderr));
    let exported = shell.path("orders.parquet");
    let count = format!("SELECT count(*) AS n FROM FILES ('path' = '{}', 'format' = 'parquet')", exported.display());
    assert_eq!(shell.ok(&["sql", "--format", "csv", "-c", &count]), "n\n2\n");
    let left = shell.ok(&["sql", "--format", "csv", "-c", "SELECT count(*) AS n FROM sales.orders"]);
    assert_eq!(left, "n\n0\n", "the restore was undone");
}

#[test]
fn rows_are_printed_as_table_json_and_arrow() {
    let shell = Shell::with_rows();
    let sql = "SELECT id, name FROM t WHERE id = 7";
    let table = shell.ok(&["sql", "-d", "d", "-c", sql]);
    assert!(table.contains("| id | name   |") && table.contains("| 7  | name 7 |"), "{table}");
    let json = shell.ok(&["sql", "-d", "d", "--format", "json", "-c", sql]);
    assert_eq!(json, "{\"id\":7,\"name\":\"name 7\"}\n");
    let arrow = shell.run(&["sql", "-d", "d", "--format", "arrow", "-c", sql]).stdout;
    let mut reader = arrow::ipc::reader::StreamReader::try_new(arrow.as_slice(), None).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().num_rows(), 1);
    let long = shell.ok(&["sql", "-c", "SELECT value FROM generate_series(1, 10001)"]);
    assert!(long.contains("first 10,000 of 10,001 rows"), "{}", &long[long.len() - 100..]);
}

#[test]
fn nothing_after_a_failing_statement_is_run_and_its_place_is_told() {
    let shell = Shell::with_rows();
    fs::write(shell.path("script.sql"), "CREATE DATABASE one;\nCREATE DATABASE one;\nCREATE DATABASE two;\n").unwrap();
    let (code, error) = shell.fails(&["sql", "-f", "script.sql"]);
    assert_eq!(code, 1);
    assert!(error.contains("line 2, column 1") && error.contains("\"one\" exists already"), "{error}");
    let databases = shell.ok(&["sql", "--format", "csv", "-c", "SHOW DATABASES"]);
    assert_eq!(databases, "Database\nd\ninformation_schema\none\n");
    // What cannot be parsed does not keep what stands before it from being run.
    let (code, error) = shell.fails(&["sql", "-c", "CREATE DATABASE three;\n  SELEC 1"]);
    assert!(code == 1 && error.contains("line 2, column 3"), "{error}");
    assert!(shell.ok(&["sql", "-c", "SHOW DATABASES"]).contains("three"));
    // Rows that come before the error are there, the error is not among them.
    let output = piped(&shell, "SELECT 1 AS x; SELECT * FROM no.such; SELECT 2 AS y;");
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), "x\n1\n"));
    assert!(text(&output.stderr).contains("no"), "{}", text(&output.stderr));
}

#[test]
fn backup_and_restore_are_waited_for() {
    let shell = Shell::with_rows();
    let location = shell.path("backups").display().to_string();
    let sql = format!(
        "CREATE REPOSITORY disk WITH BROKER ON LOCATION 'file://{location}';
         BACKUP SNAPSHOT d.monday TO disk;
         TRUNCATE TABLE d.t;
         RESTORE SNAPSHOT d.monday FROM disk;
         SELECT count(*) AS n FROM d.t"
    );
    assert_eq!(shell.ok(&["sql", "--format", "csv", "-c", &sql]), "n\n100\n");
    let states = shell.ok(&["sql", "--format", "csv", "-c", "SELECT State FROM information_schema.backup_jobs"]);
    assert_eq!(states, "State\nFINISHED\n");
}

#[test]
fn a_job_that_ends_cancelled_fails_the_command_and_says_why() {
    let shell = Shell::with_rows();
    let location = shell.path("backups");
    let sql = format!("CREATE REPOSITORY disk WITH BROKER ON LOCATION 'file://{}'", location.display());
    shell.ok(&["sql", "-c", &sql]);
    // A segment is damaged: the backup finds it while it copies, long after the statement was taken.
    let tables = fs::read_dir(shell.path("store/tables")).unwrap().next().unwrap().unwrap().path();
    let segments = walkdir(&tables);
    let segment = segments.iter().find(|path| path.extension().is_some_and(|end| end == "parquet")).unwrap();
    let mut bytes = fs::read(segment).unwrap();
    bytes[100] ^= 1;
    fs::write(segment, bytes).unwrap();
    let (code, error) = shell.fails(&["sql", "-c", "BACKUP SNAPSHOT d.monday TO disk; CREATE DATABASE after"]);
    assert_eq!(code, 1, "{error}");
    assert!(error.contains("CANCELLED") && error.contains("digest"), "{error}");
    assert!(!shell.ok(&["sql", "-c", "SHOW DATABASES"]).contains("after"));
}

fn walkdir(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walkdir(&path) } else { vec![path] }).collect()
}

#[test]
fn reading_statements_run_beside_a_writer_and_others_say_who_has_the_store() {
    let shell = Shell::with_rows();
    let store = Store::open(shell.path("store")).unwrap();
    assert_eq!(
        shell.ok(&["sql", "--format", "csv", "-c", "SELECT count(*) AS n FROM d.t; SHOW BACKUP"]).lines().next(),
        Some("n")
    );
    let (code, error) = shell.fails(&["sql", "-c", "CREATE DATABASE x"]);
    assert!(code == 1 && error.contains("open for writing"), "{error}");
    drop(store);
}

#[test]
fn completions_and_help_are_printed() {
    let shell = Shell::with_rows();
    for name in ["bash", "zsh", "fish"] {
        assert!(shell.ok(&["completions", name]).contains("stele"), "{name}");
    }
    let help = shell.ok(&["sql", "--help"]);
    assert!(help.contains("Exit codes") && help.contains("Examples"), "{help}");
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    let shell = Shell::with_rows();
    assert_eq!(shell.fails(&["sql", "-c", "SELECT 1", "-f", "x.sql"]).0, 2);
    assert_eq!(shell.fails(&["sql", "--format", "xml", "-c", "SELECT 1"]).0, 2);
    assert_eq!(shell.fails(&["sql", "-f", "no_such_file.sql"]).0, 1);
}

#[test]
fn a_damaged_backup_is_listed_with_its_error_beside_the_sound_ones_and_can_be_dropped() {
    let shell = Shell::with_rows();
    let location = shell.path("backups").display().to_string();
    let sql = format!(
        "CREATE REPOSITORY disk WITH BROKER ON LOCATION 'file://{location}';
         BACKUP SNAPSHOT d.monday TO disk;"
    );
    shell.ok(&["sql", "-c", &sql]);
    let listed = shell.ok(&["backups", "disk"]);
    let id = listed.lines().nth(1).unwrap().split_whitespace().last().unwrap().to_owned();
    shell.ok(&["backup", "disk", "--label", "x"]);
    let outcome = shell.path("backups").join("backups").join(id).join("outcome");
    fs::write(&outcome, "").unwrap();
    let outcome = outcome.display().to_string();

    let (code, text) = shell.fails(&["backups", "disk"]);
    assert!(code == 3 && text.lines().any(|line| line.starts_with("x ")), "{text}");
    let line = text.lines().find(|line| line.starts_with("ERROR: monday, taken ")).unwrap();
    assert!(line.contains(&outcome) && line.contains("stele backups --drop"), "{line}");
    let show = |filter: &str, format: &str| {
        shell.ok(&["sql", "--format", format, "-c", &format!("SHOW SNAPSHOT ON disk {filter}")])
    };
    for format in ["csv", "json"] {
        let all = show("", format);
        assert!(all.contains("OK") && all.contains("monday") && all.contains("ERROR: Failed to get info: "), "{all}");
        assert!(all.contains(&outcome), "{all}");
    }
    let one = show("WHERE SNAPSHOT = 'monday'", "csv");
    assert!(one.contains("ERROR: Failed to get info: ") && !one.contains(",OK\n"), "{one}");
    let one = show("WHERE SNAPSHOT IN ('x', 'y')", "csv");
    assert!(one.contains(",OK\n") && !one.contains("ERROR: "), "{one}");

    // It is older, so the newest is known.
    assert!(shell.ok(&["drill", "disk"]).contains("proved: backup x "));
    assert!(shell.ok(&["drill", "disk", "--label", "x"]).contains("proved: backup x "));
    let (code, text) = shell.fails(&["drill", "disk", "--label", "monday"]);
    assert!(code == 1 && text.contains("not proved: ") && text.contains("stele backups --drop"), "{text}");
    let (code, text) = shell.fails(&["backup", "disk", "--label", "monday"]);
    assert!(code == 3 && text.contains("stele backups --drop"), "{text}");
    shell.ok(&["backups", "disk", "--drop", "monday"]);
    shell.ok(&["backup", "disk", "--label", "monday"]);
    assert_eq!(shell.ok(&["backups", "disk"]).lines().count(), 3);
    shell.ok(&["verify", "--repository", "disk"]);
}

#[test]
fn a_label_whose_record_is_damaged_is_shown_to_who_asks_for_it() {
    let shell = Shell::with_rows();
    let location = shell.path("backups").display().to_string();
    shell.ok(&["sql", "-c", &format!("CREATE REPOSITORY disk WITH BROKER ON LOCATION 'file://{location}'")]);
    shell.ok(&["backup", "disk", "--label", "monday"]);
    let labels = shell.path("backups").join("labels");
    let of_monday = fs::read_dir(labels).unwrap().next().unwrap().unwrap().path();
    fs::write(of_monday.join(format!("{:020}", 0)), "").unwrap();
    shell.ok(&["backup", "disk", "--label", "x"]);
    let show = |filter: &str| shell.ok(&["sql", "--format", "csv", "-c", &format!("SHOW SNAPSHOT ON disk {filter}")]);
    let all = show("");
    assert!(all.contains(",OK\n") && all.contains("ERROR: Failed to get info: ") && !all.contains("monday"), "{all}");
    let one = show("WHERE SNAPSHOT = 'monday'");
    assert!(one.contains("monday,") && one.contains("choose another label") && !one.contains(",OK\n"), "{one}");
    let (code, text) = shell.fails(&["drill", "disk"]);
    assert!(code == 1 && text.contains("cannot tell which backup in ") && text.contains("--label x"), "{text}");
    shell.ok(&["drill", "disk", "--label", "x"]);
    let (code, text) = shell.fails(&["backups", "disk"]);
    assert!(code == 3 && text.contains("ERROR: a backup whose label is not known: "), "{text}");
}
