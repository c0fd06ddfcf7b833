//! `stele load --create`: the columns that are guessed, and what is left behind if nothing was loaded.

use std::fs;
use std::process::{Command, Output};

use tempfile::TempDir;

struct Shell(TempDir);

impl Shell {
    fn new() -> Shell {
        let shell = Shell(TempDir::new().unwrap());
        shell.ok(&["init"]);
        shell
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stele"));
        command.current_dir(self.0.path()).env("STELE_ROOT", self.0.path().join("store")).args(arguments);
        command.output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

#[test]
fn columns_are_guessed_as_the_file_is_read() {
    let shell = Shell::new();
    shell.write("a.csv", "id;empty;day;at\n1;-;31.01.2024;31.01.2024 10:30\n-;-;-;-\n");
    let forms = ["--date-format", "%d.%m.%Y", "--datetime-format", "%d.%m.%Y %H:%M"];
    shell.ok(&[&["load", "d.t", "a.csv", "--create", "--separator", ";", "--null", "-"][..], &forms].concat());
    let rows = shell.ok(&["scan", "d.t", "--format", "csv", "--where", "id = 1"]);
    assert!(rows.starts_with("id,empty,day,at\n1,,2024-01-31,2024-01-31") && rows.contains("10:30:00"), "{rows}");
    let columns = shell.ok(&["show", "d.t"]);
    for data_type in ["BIGINT", "STRING", "DATE", "DATETIME"] {
        assert!(columns.contains(data_type), "{columns}");
    }
}

#[test]
fn a_load_that_loads_nothing_leaves_no_table_and_no_database_behind() {
    let shell = Shell::new();
    shell.write("a.csv", "id,name\n1,a\n");
    shell.write("b.csv", "id,name\n1,a\n1,2,3\n");
    shell.fails(&["load", "fresh.t", "b.csv", "--create"]);
    shell.fails(&["load", "fresh.t", "a.csv", "--create", "--sort-key", "nothing"]);
    assert_eq!(steledb::Store::open(shell.0.path().join("store")).unwrap().databases(), []);
    shell.ok(&["load", "d.t", "a.csv", "--create", "--label", "once"]);
    assert!(shell.ok(&["load", "d.other", "a.csv", "--create", "--label", "once"]).contains("nothing loaded"));
    assert!(!shell.ok(&["tables"]).contains("other"));
}
