//! Another process for the tests: this test program started again, told what to do line by line and answering with a line
//! each. So the tests wait for one another by pipes, never by time.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use steledb::backup::BackupOptions;
use steledb::check::CheckLevel;
use steledb::job::JobKind;
use steledb::progress::{Cancel, Observer, Phase, Progress};
use steledb::scan::Scan;
use steledb::{Label, Name, Result, Store, StoreOptions};

use crate::support::ids_in;

/// Says which store the process is to read; without it the test `serve` does nothing.
const STORE: &str = "STELE_TEST_CHILD_STORE";
/// What an answer begins with: the test harness writes lines of its own.
const MARK: &str = "» ";

/// A process that has the store open for reading.
pub struct Child {
    process: Process,
    /// Its end tells the process to end.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Child {
    /// Starts one and waits until it has opened the store.
    pub fn read(root: &Path) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child::serve", "--nocapture", "--test-threads=1"]).env(STORE, root);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut child = Child { process, input: Some(input), output: BufReader::new(output) };
        assert_eq!(child.answer(), "open");
        child
    }

    /// Tells it to begin something.
    pub fn tell(&mut self, command: &str) {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
    }

    /// The next answer.
    pub fn answer(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the child ended without an answer");
            // The harness may have begun the line.
            if let Some((_, answer)) = line.trim_end().split_once(MARK) {
                return answer.to_owned();
            }
        }
    }

    /// Has it do something and answer.
    pub fn ask(&mut self, command: &str) -> String {
        self.tell(command);
        self.answer()
    }

    /// SIGKILL.
    pub fn kill(self) {
        drop(self);
    }

    /// Lets it end by itself.
    pub fn end(mut self) {
        self.input = None;
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        assert!(self.process.wait().unwrap().success());
    }
}

/// A failed test leaves no process behind.
impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn say(answer: &str) {
    println!("{MARK}{answer}");
}

/// What the process holds on to between commands.
#[derive(Default)]
struct Held {
    scan: Option<Scan>,
    snapshot: Option<Store>,
}

#[test]
fn serve() {
    let Some(root) = std::env::var_os(STORE) else { return };
    let store = Store::open_read_only(root, StoreOptions::default()).unwrap();
    say("open");
    let mut held = Held::default();
    while let Some(command) = next_command() {
        match obey(&store, &mut held, &command) {
            Ok(answer) => say(&answer),
            Err(error) => say(&format!("{:?}: {error}", error.kind())),
        }
    }
}

fn next_command() -> Option<String> {
    let mut line = String::new();
    (std::io::stdin().read_line(&mut line).unwrap() > 0).then(|| line.trim_end().to_owned())
}

fn obey(store: &Store, held: &mut Held, command: &str) -> Result<String> {
    let (verb, name) = command.split_once(' ').unwrap_or((command, ""));
    Ok(match verb {
        "rows" => ids_in(&store.table("sales", name)?).len().to_string(),
        "pin" => {
            held.scan = Some(store.table("sales", name)?.scan().columns(&["id"]).plan()?);
            "pinned".to_owned()
        }
        "pinned" => {
            let scan = held.scan.as_ref().unwrap();
            let rows = std::sync::atomic::AtomicUsize::new(0);
            scan.for_each(|batch| {
                rows.fetch_add(batch.num_rows(), std::sync::atomic::Ordering::SeqCst);
                Ok(())
            })?;
            rows.into_inner().to_string()
        }
        "open" => {
            held.snapshot = Some(store.open_snapshot(&Label::new(name)?)?);
            "opened".to_owned()
        }
        "opened" => ids_in(&held.snapshot.as_ref().unwrap().table("sales", name)?).len().to_string(),
        "close" => {
            held.snapshot = None;
            "closed".to_owned()
        }
        "snapshots" => store.snapshots()?.iter().map(|info| format!("{} ", info.label)).collect(),
        "backups" => store.repository("r")?.backups()?.iter().map(|info| format!("{} ", info.label)).collect(),
        "jobs" => {
            let all = store.jobs().list()?;
            all.iter().map(|job| format!("{} {} {} ", job.id, job.label, job.state)).collect()
        }
        "cancel-backup" => format!("cancelled {}", store.jobs().cancel(JobKind::Backup, &Name::new(name)?)?),
        "verify" => format!("{:?}", store.verify(CheckLevel::Full, &Observer::silent())?.damaged),
        "backup" | "slow-backup" => {
            let mut options = BackupOptions::new(Label::new(name)?);
            if verb == "slow-backup" {
                options.observer = Observer::new(Arc::new(WaitBeforeUpload), Cancel::new());
            }
            let report = store.backup(&store.repository("r")?, &options)?;
            format!("{} tables, {} rows", report.tables, report.rows)
        }
        _ => panic!("unknown command {command}"),
    })
}

/// Says where it is and waits for a word, when everything is decided and nothing is copied.
struct WaitBeforeUpload;

impl Progress for WaitBeforeUpload {
    fn begin(&self, phase: Phase, _: u64, _: u64) {
        if phase == Phase::Upload {
            say("uploading");
            next_command();
        }
    }
    fn advance(&self, _: Phase, _: u64, _: u64) {}
    fn end(&self, _: Phase) {}
}
