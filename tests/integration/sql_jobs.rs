//! Jobs of `stele sql` that another process cancels, or whose process is killed. The processes are stopped (SIGSTOP) in the
//! midst of a backup, so that nothing depends on time afterwards. The moment at which they are is random, the verdict is not;
//! a process that was too fast is tried again.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use steledb::Store;

use crate::command_line::Shell;
use crate::support::report;

/// Tries of what needs a moment that lasts for a few hundredths of a second.
const TRIES_MAX: usize = 12;

/// A store whose table `d.t` has hundreds of segments, so that a backup takes its time.
struct Stage {
    shell: Shell,
    tries: usize,
    /// Times that the rows were put into `d.many`.
    times: u64,
}

/// One backup into a repository of its own.
struct Try {
    number: usize,
    repository: PathBuf,
    child: Option<Child>,
}

/// How far a backup is, as its repository shows.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Uploading,
    /// Uploads have their names; the backup is not committed.
    Uploaded,
    Committed,
}

impl Stage {
    fn new() -> Stage {
        let shell = Shell::with_rows();
        shell.ok(&[
            "sql",
            "-c",
            "CREATE TABLE d.many (id BIGINT NOT NULL) DUPLICATE KEY (id)
                 PARTITION BY RANGE (id) (START (\"0\") END (\"4000\") EVERY (500))
                 DISTRIBUTED BY HASH (id) BUCKETS 48",
        ]);
        let mut stage = Stage { shell, tries: 0, times: 0 };
        stage.grow();
        stage
    }

    /// Makes a backup take longer.
    fn grow(&mut self) {
        self.shell.ok(&["sql", "-c", "INSERT INTO d.many SELECT value FROM generate_series(0, 3999)"]);
        self.times += 1;
    }

    fn sql(&self, text: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stele"));
        command.args(["sql", "--format", "csv", "-c", text]).env("STELE_ROOT", self.shell.path("store"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, text: &str) -> (Option<i32>, String) {
        told(self.sql(text).output().unwrap())
    }

    /// Starts a backup of `d` and stops its process when this is to be seen; `None` if it was too fast, and will not be so fast
    /// again.
    fn stopped(&mut self, wanted: &Seen) -> Option<Try> {
        let stopped = self.try_to_stop(wanted);
        if stopped.is_none() {
            self.grow();
        }
        stopped
    }

    fn try_to_stop(&mut self, wanted: &Seen) -> Option<Try> {
        self.tries += 1;
        let number = self.tries;
        let repository = self.shell.path(&format!("repository {number}"));
        let location = repository.display();
        self.shell.ok(&[
            "sql",
            "-c",
            &format!("CREATE REPOSITORY r{number} WITH BROKER ON LOCATION 'file://{location}'"),
        ]);
        let mut child = self.sql(&format!("BACKUP SNAPSHOT d.s{number} TO r{number}")).spawn().unwrap();
        loop {
            let seen = seen(&repository);
            if seen.as_ref() == Some(wanted) {
                break;
            }
            if seen.is_some_and(|seen| seen != Seen::Uploading) || child.try_wait().unwrap().is_some() {
                told(child.wait_with_output().unwrap());
                return None;
            }
        }
        signal(&child, "-STOP");
        let stopped = Try { number, repository, child: Some(child) };
        // It went on until the signal came.
        match seen(&stopped.repository).as_ref() == Some(wanted) {
            true => Some(stopped),
            false => {
                stopped.go_on();
                None
            }
        }
    }

    fn show(&self, number: usize) -> String {
        let sql = format!("SELECT State FROM information_schema.backup_jobs WHERE SnapshotName = 's{number}'");
        self.shell.ok(&["sql", "--format", "csv", "-c", &sql])
    }

    fn job(&self, number: usize) -> String {
        let sql = format!("SELECT JobId FROM information_schema.backup_jobs WHERE SnapshotName = 's{number}'");
        let text = self.shell.ok(&["sql", "--format", "csv", "-c", &sql]);
        text.lines().nth(1).unwrap().to_owned()
    }

    /// The backup is complete and gives back what was there.
    fn check_restores(&self, number: usize) {
        let sql = format!(
            "TRUNCATE TABLE d.many; RESTORE SNAPSHOT d.s{number} FROM r{number}; SELECT count(*) AS n, sum(id) AS s FROM d.many"
        );
        let (code, text) = self.run(&sql);
        let expected = format!("n,s\n{},{}\n", 4000 * self.times, 7_998_000 * self.times);
        assert!(code == Some(0) && text.contains(&expected), "{text}");
        let store = Store::open(self.shell.path("store")).unwrap();
        let report = store.verify(steledb::check::CheckLevel::Full, &Default::default()).unwrap();
        assert!(report.is_sound(), "{:?}", report.damaged);
    }
}

impl Try {
    fn go_on(mut self) -> (Option<i32>, String) {
        let child = self.child.take().unwrap();
        signal(&child, "-CONT");
        told(child.wait_with_output().unwrap())
    }

    /// SIGKILL.
    fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
}

/// A failed test leaves no process behind.
impl Drop for Try {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The exit code, and all that was printed.
fn told(output: Output) -> (Option<i32>, String) {
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// Sends a signal; one that stops has its effect when this returns.
fn signal(child: &Child, signal: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    if signal == "-STOP" {
        let is_stopped = || {
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
            let state = stat.rsplit(')').next().unwrap().trim_start().chars().next().unwrap();
            // It may have ended before.
            matches!(state, 'T' | 't' | 'Z')
        };
        while !is_stopped() {
            std::thread::yield_now();
        }
    }
}

/// What a repository shows of its only backup.
fn seen(repository: &Path) -> Option<Seen> {
    let files = |dir: &str, wanted: &str| {
        let mut found = Vec::new();
        files_below(&repository.join(dir), &mut found);
        found.iter().filter(|path| path.file_name().unwrap().to_str().unwrap().ends_with(wanted)).count()
    };
    if files("backups", "outcome") > 0 {
        return Some(Seen::Committed);
    }
    if files("tables", ".parquet") > 0 {
        return Some(Seen::Uploaded);
    }
    // Once the label is taken only uploads are staged, in directories of threads.
    let is_claimed = files("labels", "") > 0;
    (is_claimed && rooms(&repository.join(".staging"))).then_some(Seen::Uploading)
}

/// Whether something is in a directory two levels below.
fn rooms(staging: &Path) -> bool {
    let below = |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    below(staging.to_owned()).flat_map(below).filter(|path| path.is_dir()).flat_map(below).next().is_some()
}

fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => files_below(&entry.path(), found),
            false => found.push(entry.path()),
        }
    }
}

/// Tries until a process was stopped where it was to be.
fn caught(stage: &mut Stage, wanted: &Seen) -> Try {
    loop {
        if let Some(stopped) = stage.stopped(wanted) {
            return stopped;
        }
    }
}

#[test]
fn a_backup_is_cancelled_by_another_process_while_it_runs() {
    let mut stage = Stage::new();
    let running = caught(&mut stage, &Seen::Uploading);
    let number = running.number;
    let job = stage.job(number);
    let canceller = stage.sql("CANCEL BACKUP FROM d").spawn().unwrap();
    // It waits until the job is over.
    let wish = stage.shell.path("store/jobs").join(&job).join("cancel");
    while !wish.exists() {
        std::thread::yield_now();
    }
    let (code, text) = running.go_on();
    assert_eq!(code, Some(1), "{text}");
    let ended = format!("backup job {job} of snapshot s{number} ended CANCELLED: [COMMON_ERROR, msg: user cancelled]");
    assert!(text.contains(&ended), "{text}");
    let (code, text) = told(canceller.wait_with_output().unwrap());
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(stage.show(number), "State\nCANCELLED\n");
    // Nothing is left: the label is free, and there is nothing to cancel.
    let (code, text) = stage.run("CANCEL BACKUP FROM d");
    assert!(code == Some(1) && text.contains("No backup job is currently running"), "{text}");
    let (code, text) = stage.run(&format!("BACKUP SNAPSHOT d.s{number} TO r{number}"));
    assert_eq!(code, Some(0), "{text}");
    stage.check_restores(number);
}

#[test]
fn a_backup_whose_process_is_killed_is_finished_by_the_next_one() {
    let mut stage = Stage::new();
    let running = caught(&mut stage, &Seen::Uploading);
    let number = running.number;
    let job = stage.job(number);
    running.kill();
    // Reading goes on, and no job is begun for it.
    let shown = stage.shell.ok(&["sql", "--format", "csv", "-c", "SHOW BACKUP FROM d"]);
    let is_open = !["FINISHED", "CANCELLED"].iter().any(|state| shown.contains(state));
    assert!(shown.contains(&format!("\n{job},s{number},d,")) && is_open, "{shown}");
    let (code, text) = stage.run("CREATE DATABASE after");
    assert_eq!(code, Some(0), "{text}");
    let goes_on = format!("backup job {job} of snapshot s{number}, which an earlier process left, goes on");
    let ended = format!("backup job {job} FINISHED");
    assert!(text.contains(&ended), "{text}");
    assert!(text.find(&goes_on).is_none_or(|at| at < text.find(&ended).unwrap()), "{text}");
    assert_eq!(stage.show(number), "State\nFINISHED\n");
    let listed = stage.shell.ok(&["sql", "--format", "csv", "-c", &format!("SHOW SNAPSHOT ON r{number}")]);
    assert_eq!(listed.lines().filter(|line| line.starts_with(&format!("s{number},"))).count(), 1, "{listed}");
    let (_, text) = stage.run("CREATE DATABASE again");
    assert!(!text.contains("backup job"), "it is over: {text}");
    stage.check_restores(number);
}

#[test]
fn what_a_killed_process_has_uploaded_is_found() {
    let mut stage = Stage::new();
    for _ in 0..TRIES_MAX {
        let Some(running) = stage.stopped(&Seen::Uploaded) else { continue };
        let (number, repository) = (running.number, running.repository.clone());
        running.kill();
        let mut named = Vec::new();
        files_below(&repository.join("tables"), &mut named);
        named.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
        let (code, text) = stage.run("CREATE DATABASE after");
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("FINISHED: 2 tables, "), "{text}");
        let reused = text.split("reused ").nth(1).unwrap().split(' ').next().unwrap();
        assert_eq!(reused, named.len().to_string(), "{text}");
        stage.check_restores(number);
        return;
    }
    report(&format!("no process was stopped between upload and commit in {TRIES_MAX} tries"));
}

#[test]
fn a_backup_whose_process_is_killed_can_be_cancelled() {
    let mut stage = Stage::new();
    let running = caught(&mut stage, &Seen::Uploading);
    let number = running.number;
    running.kill();
    // Nobody has the store open for writing: who cancels takes the job up, and may find that it is done already.
    let (code, text) = stage.run("CANCEL BACKUP FROM d");
    let shown = stage.show(number);
    match code {
        Some(0) => assert_eq!(shown, "State\nCANCELLED\n", "{text}"),
        code => {
            let is_told =
                ["can not be cancelled", "No backup job is currently running"].iter().any(|it| text.contains(it));
            assert!(code == Some(1) && is_told, "{code:?} {text}");
            stage.run("CREATE DATABASE after");
            assert_eq!(stage.show(number), "State\nFINISHED\n");
            return;
        }
    }
    let (code, text) = stage.run(&format!("BACKUP SNAPSHOT d.s{number} TO r{number}"));
    assert_eq!(code, Some(0), "{text}");
}
