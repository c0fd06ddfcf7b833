//! `stele bench` as a user runs it. What it measures depends on the machine; what it reports does not.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Every case, in the order they run.
const CASES: &[&str] = &[
    "load",
    "load-csv",
    "scan-sum",
    "scan-q1",
    "lookup",
    "open",
    "verify",
    "snapshot",
    "backup",
    "backup-unchanged",
    "backup-percent",
    "restore",
    "restore-beside",
    "commits",
    "tables",
    "many-open",
    "many-snapshot",
    "many-backup",
    "many-backup-unchanged",
    "many-restore",
];

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stele")).arg("bench").args(arguments).output().unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = bench(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn case<'a>(report: &'a Value, name: &str) -> &'a Value {
    let cases = report["cases"].as_array().unwrap();
    cases.iter().find(|case| case["case"] == name).unwrap_or_else(|| panic!("no {name} in {report}"))
}

fn amount(report: &Value, name: &str, amount: &str) -> f64 {
    case(report, name)["amounts"][amount].as_f64().unwrap_or_else(|| panic!("no {amount} of {name} in {report}"))
}

#[test]
fn every_case_is_reported_as_json_and_nothing_is_left_behind() {
    let dir = TempDir::new().unwrap();
    let place = dir.path().join("bench");
    let report = json(&["--scale", "0.001", "--runs", "1", "--format", "json", "--dir", place.to_str().unwrap()]);
    let cases: Vec<&str> =
        report["cases"].as_array().unwrap().iter().map(|case| case["case"].as_str().unwrap()).collect();
    assert_eq!(cases, CASES);
    for name in CASES {
        let seconds = &case(&report, name)["seconds"];
        let at = |key: &str| seconds[key].as_f64().unwrap();
        assert!(at("min") > 0.0 && at("min") <= at("median") && at("median") <= at("max"), "{name}: {seconds}");
    }
    // TPC-H at this scale has 1,500 orders with 6,005 lines; query 1 has four groups.
    assert_eq!(amount(&report, "load", "rows"), 6005.0);
    assert_eq!(amount(&report, "load-csv", "bytes"), amount(&report, "load", "bytes"));
    assert_eq!(amount(&report, "scan-q1", "groups"), 4.0);
    assert!(amount(&report, "lookup", "rows") >= 20.0);
    assert_eq!(amount(&report, "backup", "bytes"), amount(&report, "restore", "bytes"));
    assert_eq!(amount(&report, "backup-unchanged", "copied_bytes"), 0.0);
    assert_eq!(amount(&report, "backup-percent", "bytes"), amount(&report, "backup-percent", "changed_bytes"));
    assert_eq!(amount(&report, "restore-beside", "fetched"), 0.0);
    assert_eq!(amount(&report, "many-snapshot", "segments"), 100.0);
    assert_eq!(amount(&report, "many-restore", "segments"), 100.0);
    assert!(report["machine"]["cores"].as_u64().unwrap() > 0);
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    assert!(!place.exists());
}

#[test]
fn kept_directory_is_measured_again_without_preparing_it() {
    let dir = TempDir::new().unwrap();
    let place = dir.path().join("bench");
    let run = |more: &[&str]| {
        let arguments = ["--scale", "0.001", "--runs", "2", "--format", "json", "--dir", place.to_str().unwrap()];
        bench(&[arguments.as_slice(), more].concat())
    };
    let prepared = run(&["--only", "snapshot", "--keep"]);
    assert!(String::from_utf8_lossy(&prepared.stderr).contains("preparing: load"));
    let store = place.join("store/tables");
    assert!(store.is_dir());
    let again = run(&["--only", "scan-sum,snapshot", "--keep"]);
    assert!(!String::from_utf8_lossy(&again.stderr).contains("preparing"), "{again:?}");
    let report: Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(report["cases"].as_array().unwrap().len(), 2);
    assert_eq!(case(&report, "snapshot")["runs_seconds"].as_array().unwrap().len(), 2);

    let other = run(&["--only", "snapshot", "--segments", "5"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&other.stderr).contains("was prepared for other amounts"), "{other:?}");
    assert!(store.is_dir());
    assert!(run(&["--only", "snapshot"]).status.success());
    assert!(!place.exists());
}

#[test]
fn given_file_is_loaded_and_stays() {
    let dir = TempDir::new().unwrap();
    let place = dir.path().join("bench");
    let place = place.to_str().unwrap();
    json(&["--scale", "0.001", "--runs", "1", "--only", "load-csv", "--format", "json", "--dir", place, "--keep"]);
    let file = dir.path().join("lines.csv");
    std::fs::rename(Path::new(place).join("lineitem.csv"), &file).unwrap();
    let given = ["--input", file.to_str().unwrap(), "--scale", "0.001", "--runs", "1", "--format", "json"];
    let report = json(&[given.as_slice(), &["--only", "load-csv,scan-sum"]].concat());
    assert_eq!(amount(&report, "scan-sum", "rows"), 6005.0);
    assert!(file.is_file());

    let output = bench(&[given.as_slice(), &["--only", "load"]].concat());
    assert!(String::from_utf8_lossy(&output.stderr).contains("case load needs a file of another kind"), "{output:?}");
}

#[cfg(unix)]
#[test]
fn interrupted_benchmark_says_so_and_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let place = dir.path().join("bench");
    let mut command = Command::new(env!("CARGO_BIN_EXE_stele"));
    command.args(["bench", "--scale", "0.001", "--runs", "1000", "--only", "load,backup,restore", "--dir"]).arg(&place);
    let mut bench = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // Once a run is told of, the handler is in place, something is there, and minutes of work lie ahead.
    let mut lines = BufReader::new(bench.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line.starts_with("load 1/1000: ")).unwrap();
    assert!(place.join("store").is_dir());
    assert!(Command::new("kill").args(["-INT", &bench.id().to_string()]).status().unwrap().success());
    let said: Vec<String> = lines.collect();
    let Output { status, stdout, .. } = bench.wait_with_output().unwrap();
    assert_eq!(status.code(), Some(130), "{said:?}");
    assert!(stdout.is_empty() && said.last().unwrap().starts_with("stele: ") && said.len() < 1000, "{said:?}");
    assert!(!place.exists());
}

#[test]
fn table_names_the_machine_and_help_names_the_cases() {
    let output = bench(&["--scale", "0.001", "--runs", "1", "--only", "tables", "--tables", "3"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains(" cores of ") && text.contains("median s") && text.contains("tables 3"), "{text}");
    let help = String::from_utf8(bench(&["--help"]).stdout).unwrap();
    assert!(CASES.iter().all(|name| help.contains(&format!("  {name} "))), "{help}");
}

#[test]
fn wrong_use_is_refused_and_a_full_directory_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("precious");
    std::fs::write(&file, "text").unwrap();
    for (arguments, code, said) in [
        (vec!["--only", "nonsense"], 2, "nonsense"),
        (vec!["--runs", "0"], 2, "0"),
        (vec!["--keep"], 2, "--dir"),
        (vec!["--scale", "-1"], 2, "-1"),
        (vec!["--scale", "0"], 2, "no scale"),
        (vec!["--input", "rows.orc"], 1, "rows.orc"),
        (vec!["--dir", dir.path().to_str().unwrap()], 1, "is not empty"),
    ] {
        let output = bench(&arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), "text");
}
