//! The `stele` command as a user runs it: its own process, a fresh directory, what it prints and its exit code.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Builder, ListArray, MapBuilder, RecordBatch, StringBuilder};
use arrow::datatypes::Int32Type;
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

/// A directory with a store, and the command run in it.
pub struct Shell {
    dir: TempDir,
}

impl Shell {
    /// A fresh store with one table `d.t` of 100 rows.
    pub fn with_rows() -> Shell {
        let shell = Shell { dir: TempDir::new().unwrap() };
        shell.ok(&["init"]);
        let rows: String = (0..100).map(|n| format!("{n},name {n}\n")).collect();
        fs::write(shell.path("rows.csv"), format!("id,name\n{rows}")).unwrap();
        shell.ok(&["load", "d.t", "rows.csv", "--create", "--sort-key", "id", "--hash", "id", "--buckets", "2"]);
        shell
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stele"));
        command.current_dir(self.dir.path()).env("STELE_ROOT", self.path("store")).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Standard output of a command that must succeed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Exit code and both outputs of a command that must fail.
    pub fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeded");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), text)
    }
}

#[test]
fn loaded_rows_are_listed_described_and_scanned() {
    let shell = Shell::with_rows();
    assert!(shell.ok(&["tables"]).contains("d.t"));
    let described = shell.ok(&["show", "d.t"]);
    assert!(described.contains("hash (id) buckets 2") && described.contains("sorted by (id)"), "{described}");
    assert_eq!(shell.ok(&["scan", "d.t", "--count"]), "100\n");
    let csv = shell.ok(&["scan", "d.t", "--where", "id >= 98", "--format", "csv", "--columns", "name"]);
    let mut lines: Vec<&str> = csv.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(lines, ["name", "name 98", "name 99"]);
    assert_eq!(shell.ok(&["scan", "d.t", "--format", "csv", "--limit", "7"]).lines().count(), 8);
    assert!(shell.ok(&["scan", "d.t", "--limit", "1"]).contains("| id"));
}

/// Writes one row of lists and maps.
fn write_nested(path: &Path) {
    let numbers = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None])]);
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    maps.keys().append_value("a,b");
    maps.values().append_value(7);
    maps.append(true).unwrap();
    let columns: [(&str, ArrayRef); 2] = [("numbers", Arc::new(numbers)), ("counts", Arc::new(maps.finish()))];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn nested_values_are_printed_as_json_and_loaded_again() {
    let shell = Shell::with_rows();
    write_nested(&shell.path("nested.parquet"));
    shell.ok(&["load", "d.n", "nested.parquet", "--create"]);
    let described = shell.ok(&["show", "d.n"]);
    assert!(described.contains("ARRAY<INT>") && described.contains("MAP<STRING,INT>"), "{described}");
    let csv = shell.ok(&["scan", "d.n", "--format", "csv"]);
    assert_eq!(csv, "numbers,counts\n\"[1,null]\",\"{\"\"a,b\"\":7}\"\n");
    assert_eq!(shell.ok(&["scan", "d.n", "--format", "json"]), "{\"numbers\":[1,null],\"counts\":{\"a,b\":7}}\n");
    assert!(shell.ok(&["scan", "d.n"]).contains("| [1,null] | {\"a,b\":7} |"));
    fs::write(shell.path("nested.csv"), &csv).unwrap();
    shell.ok(&["load", "d.n", "nested.csv"]);
    let lines = shell.ok(&["scan", "d.n", "--format", "csv"]);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!((lines.len(), lines[1]), (3, lines[2]));
    assert_eq!(shell.ok(&["scan", "d.n", "--count", "--where", "counts is not null"]), "2\n");
    let (code, error) = shell.fails(&["scan", "d.n", "--where", "numbers = 1"]);
    assert!(code == 1 && error.contains("ARRAY"), "{error}");
}

#[test]
fn load_with_a_used_label_says_so_and_adds_nothing() {
    let shell = Shell::with_rows();
    shell.ok(&["load", "d.t", "rows.csv", "--label", "once"]);
    assert!(shell.ok(&["load", "d.t", "rows.csv", "--label", "once"]).contains("nothing loaded"));
    assert_eq!(shell.ok(&["scan", "d.t", "--count"]), "200\n");
}

#[test]
fn create_with_a_table_that_is_there_says_what_has_no_effect() {
    let shell = Shell::with_rows();
    let told = |arguments: &[&str]| String::from_utf8(shell.run(arguments).stderr).unwrap();
    let text = told(&["load", "d.t", "rows.csv", "--create", "--buckets", "3"]);
    assert!(text.contains("table d.t is there already and stays as it is"), "{text}");
    assert!(!told(&["load", "d.t", "rows.csv", "--create"]).contains("stays as it is"));
    assert_eq!(shell.ok(&["scan", "d.t", "--count"]), "300\n");
}

#[test]
fn failed_creating_load_leaves_no_table() {
    let shell = Shell::with_rows();
    fs::write(shell.path("bad.csv"), "x,y\n1,2\n3\n").unwrap();
    shell.fails(&["load", "d.bad", "bad.csv", "--create"]);
    assert!(!shell.ok(&["tables"]).contains("d.bad"));
}

#[test]
fn every_format_is_loaded_by_its_name_and_makes_a_table() {
    let shell = Shell::with_rows();
    fs::write(shell.path("a.jsonl"), "{\"id\": 1, \"tags\": [1, \"x\"], \"nothing\": null}\n{\"id\": 2}\n").unwrap();
    shell.ok(&["load", "d.json", "a.jsonl", "--create"]);
    assert_eq!(shell.ok(&["scan", "d.json", "--count"]), "2\n");
    assert!(shell.ok(&["tables", "d.json"]).contains("JSON"));
    let compressed = zstd::encode_all(&b"exported\nid;day\n7; 31.01.2024\n"[..], 1).unwrap();
    fs::write(shell.path("b.csv.zst"), compressed).unwrap();
    let options = ["--skip-lines", "1", "--separator", ";", "--trim", "--date-format", "%d.%m.%Y"];
    shell.ok(&[&["load", "d.csv", "b.csv.zst", "--create"][..], &options[..5]].concat());
    assert!(shell.ok(&["scan", "d.csv", "--format", "csv"]).contains("7,31.01.2024"));
    let (code, text) = shell.fails(&[&["load", "d.csv", "a.jsonl"][..], &options].concat());
    assert!(code == 1 && text.contains("an option of CSV"), "{text}");
    let (code, text) = shell.fails(&["load", "d.csv", "rows"]);
    assert!(code == 1 && text.contains("give --format"), "{text}");
    let (_, text) = shell.fails(&["load", "d.arrow", "rows.csv", "--create", "--format", "arrow"]);
    assert!(text.contains("Arrow IPC"), "{text}");
}

#[test]
fn rows_that_do_not_fit_are_left_out_and_told_of() {
    let shell = Shell::with_rows();
    let rows = fs::read_to_string(shell.path("rows.csv")).unwrap();
    fs::write(shell.path("bad.csv"), format!("{rows}x,y\n")).unwrap();
    let (code, text) = shell.fails(&["load", "d.t", "bad.csv"]);
    assert!(code == 1 && text.contains("bad.csv, line 102"), "{text}");
    let (code, text) = shell.fails(&["load", "d.t", "bad.csv", "--error-file", "first.json"]);
    assert!(code == 1 && text.contains("first.json tells of each"), "{text}");
    let told = shell.ok(&["load", "d.t", "bad.csv", "--max-error-ratio", "0.01", "--error-file", "errors.json"]);
    assert!(told.contains("loaded 100 rows") && told.contains("left out 1 rows that do not fit"), "{told}");
    for file in ["first.json", "errors.json"] {
        assert!(fs::read_to_string(shell.path(file)).unwrap().contains("\"line\":102"), "{file}");
    }
}

#[test]
fn exit_codes_tell_usage_from_failure() {
    let shell = Shell::with_rows();
    assert_eq!(shell.fails(&["no-such-verb"]).0, 2);
    for wrong in [
        &["scan", "no dot"][..],
        &["load", "d.t", "rows.csv", "--max-error-ratio", "2"],
        &["load", "d.t", "rows.csv", "--separator", "ab"],
        &["snapshot", "create", "noon", "--table", "no dot"],
        &["restore", "nas", "--label", "monday", "--table-as", "d.t"],
        &["bench", "--scale", "0"],
    ] {
        let (code, text) = shell.fails(wrong);
        assert_eq!(code, 2, "{text}");
        assert!(text.contains(": write ") || text.contains("ASCII"), "{text}");
    }
    let (code, text) = shell.fails(&["scan", "d.missing"]);
    assert_eq!(code, 1);
    assert!(text.starts_with("stele: ") && text.contains("missing"), "{text}");
}

#[test]
fn snapshot_keeps_its_rows_while_the_table_grows() {
    let shell = Shell::with_rows();
    shell.ok(&["snapshot", "create", "noon"]);
    shell.ok(&["load", "d.t", "rows.csv"]);
    assert_eq!(shell.ok(&["scan", "d.t", "--count"]), "200\n");
    assert_eq!(shell.ok(&["scan", "d.t", "--count", "--snapshot", "noon"]), "100\n");
    assert!(shell.ok(&["snapshot", "list"]).contains("noon"));
    assert!(shell.ok(&["snapshot", "show", "noon"]).contains("d.t"));
    shell.ok(&["snapshot", "drop", "noon"]);
    assert!(!shell.ok(&["snapshot", "list"]).contains("noon"));
}

#[test]
fn lost_table_comes_back_and_overwriting_is_undone() {
    let shell = Shell::with_rows();
    let location = format!("file://{}", shell.path("repository").display());
    shell.ok(&["repository", "create", "nas", &location]);
    shell.ok(&["backup", "nas", "--label", "monday"]);
    shell.ok(&["load", "d.t", "rows.csv"]);
    assert!(shell.ok(&["backup", "nas", "--label", "tuesday"]).contains("reused"));
    assert!(shell.ok(&["backups", "nas"]).contains("tuesday"));

    let restored = shell.ok(&["restore", "nas", "--label", "monday"]);
    assert_eq!(shell.ok(&["scan", "d.t", "--count"]), "100\n");
    let undo = restored.lines().find_map(|line| line.split("stele undo run ").nth(1)).unwrap();
    shell.ok(&["undo", "run", undo]);
    assert_eq!(shell.ok(&["scan", "d.t", "--count"]), "200\n");

    shell.ok(&["restore", "nas", "--label", "monday", "--table", "d.t", "--table-as", "d.t=copy"]);
    assert_eq!(shell.ok(&["scan", "d.copy", "--count"]), "100\n");
    assert!(shell.ok(&["verify", "--repository", "nas", "--full"]).starts_with("sound"));
}

#[test]
fn a_restore_replaces_a_table_of_other_columns_only_when_told_so() {
    let shell = Shell::with_rows();
    shell.ok(&["repository", "create", "nas", &format!("file://{}", shell.path("repository").display())]);
    {
        let store = steledb::Store::open(shell.path("store")).unwrap();
        store.create_view("d", "v", "SELECT 1", steledb::OnExistingView::Fail).unwrap();
    }
    shell.ok(&["backup", "nas", "--label", "monday"]);
    shell.ok(&["drop", "d.t", "--force"]);
    shell.ok(&["load", "d.t", "rows.csv", "--create"]);
    let (_, error) = shell.fails(&["restore", "nas", "--label", "monday"]);
    assert!(error.contains("already exist but with different schema, errMsg: sort key: () and (id)"), "{error}");
    let restored = shell.ok(&["restore", "nas", "--label", "monday", "--replace", "--view-as", "d.v=w"]);
    assert!(restored.contains("replaced d.t: 100 rows") && restored.contains("restored view d.w"), "{restored}");
    assert!(shell.ok(&["undo", "list"]).contains("d.t, d.w"));
}

#[test]
fn another_process_reads_and_backs_up_beside_the_writer_and_cannot_write() {
    let shell = Shell::with_rows();
    shell.ok(&["repository", "create", "r", &format!("file://{}", shell.path("repository").display())]);
    let writer = steledb::Store::open(shell.path("store")).unwrap();
    assert_eq!(shell.ok(&["scan", "d.t", "--count"]), "100\n");
    assert!(shell.ok(&["backup", "r", "--label", "beside"]).contains("100 rows"));
    assert!(shell.ok(&["verify", "--repository", "r", "--full"]).contains("sound"));
    let (code, text) = shell.fails(&["load", "d.t", "rows.csv"]);
    assert_eq!(code, 1);
    assert!(text.contains("another process has the store"), "{text}");
    drop(writer);
    shell.ok(&["load", "d.t", "rows.csv"]);
}

#[test]
fn every_file_can_be_inspected() {
    let shell = Shell::with_rows();
    let location = format!("file://{}", shell.path("repository").display());
    shell.ok(&["repository", "create", "nas", &location]);
    shell.ok(&["snapshot", "create", "noon"]);
    shell.ok(&["backup", "nas", "--label", "monday"]);
    // Enough versions for a checkpoint.
    for _ in 0..51 {
        shell.ok(&["load", "d.t", "rows.csv"]);
    }
    let mut files = Vec::new();
    files_below(shell.dir.path(), &mut files);
    let ours = files.iter().filter(|file| !file.ends_with("LOCK") && !file.ends_with("rows.csv"));
    let (mut count, mut checkpoints) = (0, 0);
    for file in ours.filter(|file| fs::metadata(file).unwrap().len() > 0) {
        let text = shell.ok(&["inspect", file.to_str().unwrap()]);
        checkpoints += usize::from(text.starts_with("checkpoint"));
        count += 1;
    }
    assert!(count > 150, "only {count} files");
    assert_eq!(checkpoints, 1);
}

#[test]
fn damaged_segment_is_named_by_verify_and_inspect() {
    let shell = Shell::with_rows();
    assert!(shell.ok(&["verify", "--full"]).starts_with("sound"));
    let mut files = Vec::new();
    files_below(&shell.path("store/tables"), &mut files);
    let segment = files.iter().find(|file| file.extension().is_some_and(|end| end == "parquet")).unwrap();
    let mut bytes = fs::read(segment).unwrap();
    bytes[10] ^= 1;
    fs::write(segment, bytes).unwrap();

    let name = segment.file_name().unwrap().to_str().unwrap();
    for arguments in [vec!["verify", "--full"], vec!["inspect", segment.to_str().unwrap()]] {
        let (code, text) = shell.fails(&arguments);
        assert_eq!(code, 3, "{text}");
        assert!(text.contains(name), "{text}");
    }
    // Also where nobody reads of it to the end.
    let mut verify = shell.command(&["verify", "--full"]);
    let mut process = verify.stdout(Stdio::piped()).spawn().unwrap();
    drop(process.stdout.take());
    assert_eq!(process.wait().unwrap().code(), Some(3));
}

#[test]
fn files_of_deletion_vectors_are_shown_and_damage_of_them_is_named() {
    let shell = Shell::with_rows();
    let name = "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
    // Of positions 0 and 9, as Spark writes it.
    let mut bytes = b"\x01\0\0\0\x24\xd1\xd3\x39\x64\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend(b"\x3a\x30\0\0\x01\0\0\0\0\0\x01\0\x10\0\0\0\0\0\x09\0\x2a\x67\x18\x46");
    fs::write(shell.path(name), &bytes).unwrap();
    let text = shell.ok(&["inspect", name]);
    assert!(text.starts_with("deletion vectors, 45 bytes, 1 vectors"), "{text}");
    assert!(text.contains("vector     at 1, 36 bytes, 2 rows: 0, 9\n"), "{text}");
    for at in [0, 4, 30, 44] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        fs::write(shell.path(name), damaged).unwrap();
        let (code, text) = shell.fails(&["inspect", name]);
        assert!(code == 3 && text.contains(name), "{code}: {text}");
    }
}

#[cfg(unix)]
#[test]
fn interrupted_demo_ends_with_130_and_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let place = dir.path().join("demo");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_stele"))
        .args(["demo", "--scale", "20", "--dir", place.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Once the heading is out, the handler is in place and at this scale hours of work lie ahead.
    let mut heading = String::new();
    BufReader::new(demo.stdout.as_mut().unwrap()).read_line(&mut heading).unwrap();
    assert!(heading.starts_with("demo at scale 20"), "{heading}");
    assert!(Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap().success());
    assert_eq!(demo.wait().unwrap().code(), Some(130));
    assert!(!place.exists());
}

/// Runs the command without the rights that the modes of files withhold: root has them all, so for root it is another
/// user, with a copy of the program that this user can reach.
#[cfg(unix)]
fn fails_without_rights(shell: &Shell, arguments: &[&str]) -> (i32, String) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;

    const NOBODY: u32 = 65534;
    let program = shell.path("stele");
    if !program.exists() {
        // By another process: while this one had the copy open for writing, a child that another test starts would inherit
        // that, and the copy could not be run ("Text file busy").
        assert!(
            Command::new("cp").args([Path::new(env!("CARGO_BIN_EXE_stele")), &program]).status().unwrap().success()
        );
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(shell.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(&program);
    if fs::metadata(shell.dir.path()).unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.current_dir(shell.dir.path()).env("STELE_ROOT", shell.path("store")).args(arguments);
    let output = output.output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// Sets the modes of all directories and files below a directory, and its own.
#[cfg(unix)]
fn set_modes(dir: &Path, of_directories: u32, of_files: u32) {
    use std::os::unix::fs::PermissionsExt;

    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => set_modes(&path, of_directories, of_files),
            false => fs::set_permissions(path, fs::Permissions::from_mode(of_files)).unwrap(),
        }
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(of_directories)).unwrap();
}

/// Each file with its bytes.
#[cfg(unix)]
fn contents(dir: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut files = Vec::new();
    files_below(dir, &mut files);
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[cfg(unix)]
#[test]
fn store_that_may_not_be_written_is_named_and_stays_as_it_is() {
    let shell = Shell::with_rows();
    let store = shell.path("store");
    let before = contents(&store);
    set_modes(&store, 0o555, 0o444);
    for arguments in
        [vec!["load", "d.t", "rows.csv"], vec!["snapshot", "create", "noon"], vec!["--root", "store/new", "init"]]
    {
        let (code, text) = fails_without_rights(&shell, &arguments);
        assert_eq!(code, 1, "{arguments:?}: {text}");
        let named = if arguments.contains(&"init") { "store/new" } else { store.to_str().unwrap() };
        assert!(text.contains("Permission denied") && text.contains(named), "{arguments:?}: {text}");
    }
    let (code, text) = fails_without_rights(&shell, &["scan", "d.t", "--count"]);
    assert_eq!(code, 0, "reading needs no right to write: {text}");
    set_modes(&store, 0o755, 0o644);
    assert_eq!(contents(&store), before);
    assert_eq!(shell.ok(&["scan", "d.t", "--count"]), "100\n");
}

#[cfg(unix)]
#[test]
fn store_that_may_not_be_read_is_named() {
    use std::os::unix::fs::PermissionsExt;

    let shell = Shell::with_rows();
    let store = shell.path("store");
    let before = contents(&store);
    for closed in [store.clone(), store.join("catalog"), store.join("tables")] {
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        for arguments in [vec!["scan", "d.t", "--count"], vec!["load", "d.t", "rows.csv"]] {
            let (code, text) = fails_without_rights(&shell, &arguments);
            assert_eq!(code, 1, "{arguments:?}: {text}");
            assert!(text.contains("Permission denied"), "{arguments:?}: {text}");
            assert!(text.contains(store.to_str().unwrap()), "{arguments:?}: {text}");
        }
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert_eq!(contents(&store), before);
}

#[cfg(unix)]
#[test]
fn repository_and_input_without_rights_are_named() {
    use std::os::unix::fs::PermissionsExt;

    let shell = Shell::with_rows();
    let place = shell.path("repository");
    shell.ok(&["repository", "create", "nas", &format!("file://{}", place.display())]);
    // The store is open to everybody, so that only the repository and the input are in the way.
    set_modes(&shell.path("store"), 0o777, 0o666);
    set_modes(&place, 0o555, 0o444);
    let before = contents(&place);
    let (code, text) = fails_without_rights(&shell, &["backup", "nas", "--label", "monday"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("Permission denied") && text.contains(place.to_str().unwrap()), "{text}");
    set_modes(&place, 0o755, 0o644);
    assert_eq!(contents(&place), before);
    assert!(shell.ok(&["backup", "nas", "--label", "monday"]).contains("copied"));

    fs::set_permissions(shell.path("rows.csv"), fs::Permissions::from_mode(0o000)).unwrap();
    let (code, text) = fails_without_rights(&shell, &["load", "d.t", "rows.csv"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("Permission denied") && text.contains("rows.csv"), "{text}");
    assert_eq!(shell.ok(&["scan", "d.t", "--count"]), "100\n");
}

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files_below(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn what_was_dropped_is_listed_and_recovered() {
    let shell = Shell::with_rows();
    assert!(shell.ok(&["drop", "d.t"]).contains("stele recycle recover d.t"));
    let (_, error) = shell.fails(&["scan", "d.t"]);
    assert!(error.contains("\"t\" does not exist"), "{error}");
    let listed = shell.ok(&["recycle", "list"]);
    assert!(listed.contains("table d.t") && listed.contains("100"), "{listed}");
    shell.ok(&["recycle", "recover", "d.t", "--as", "u"]);
    assert_eq!(shell.ok(&["scan", "d.u", "--count"]), "100\n");
    shell.ok(&["drop", "d"]);
    let listed = shell.ok(&["recycle", "list"]);
    let id = listed.lines().last().unwrap().split_whitespace().last().unwrap();
    shell.ok(&["recycle", "recover", "d", "--id", id]);
    shell.ok(&["drop", "d", "--force"]);
    let (_, error) = shell.fails(&["recycle", "recover", "d"]);
    assert!(error.contains("not in the recycle bin"), "{error}");
    assert!(shell.ok(&["recycle", "empty"]).starts_with("0 given up"));
}
