//! SIGKILL at random moments: the program loads, takes snapshots, backs up, restores and collects in processes of its own
//! that are killed, while two other processes read and a third one backs up all the time. After each round everything is
//! opened, every byte checked, and what is there compared with a model: the state before the killed operation or the one
//! after it.
//!
//! The moments are random, the verdict is not: whatever is killed whenever, one of the two states must be found.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use steledb::backup::BackupOptions;
use steledb::{Label, Store, StoreOptions};

use crate::rounds::{BLOCK_ROWS, Model, Op, Place, Random, loads_in, truncate};

/// What a process beside the writer does, and where.
const ROLE: &str = "STELE_TEST_ROLE";
const WORK: &str = "STELE_TEST_WORK";
const ROOT: &str = "STELE_TEST_ROOT";
/// How often a process looks whether it is to stop or to pause.
const LOOK: Duration = Duration::from_millis(5);

#[test]
fn a_killed_program_leaves_the_state_before_or_after() {
    rounds(12, 7);
}

/// The long form: `STELE_KILL_ROUNDS=1000 STELE_KILL_SEED=3 cargo test --test integration many_rounds -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn many_rounds_of_killing() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    rounds(number("STELE_KILL_ROUNDS", 200), number("STELE_KILL_SEED", 1));
}

fn rounds(count: u64, seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let (place, mut random) = (Place::make(dir.path(), dir.path()), Random::new(seed));
    let mut others: Vec<Other> = ["reader 1", "reader 2", "second"].map(|role| Other::start(&place, role)).into();
    let (mut model, mut killed, mut timing) = (Model::default(), BTreeMap::new(), Timing::default());
    for round in 0..count {
        fs::write(place.work.join("round"), round.to_string()).unwrap();
        let op = model.choose(round, &mut random);
        // Now and then the collector finds nobody, and removes what the others would have kept.
        let alone = op == Op::Collect && random.below(2) == 0;
        if alone {
            others.iter().for_each(|other| other.pause(&place));
            truncate(&place, &mut model);
        }
        let before = model.clone();
        let was_killed = run_and_kill(&place, &op, &mut random, &mut timing);
        let doubtful = if let Op::Backup(label) = &op { Some(label.as_str()) } else { None };
        model = place.look(doubtful);
        let after = before.after(&op);
        if !was_killed {
            assert_eq!(model, after, "round {round}: {op:?} was acknowledged");
        } else if model != after {
            assert_eq!(model, before, "round {round}: {op:?} was killed");
        }
        *killed.entry((kind(&op), was_killed, model == after && after != before)).or_insert(0) += 1;
        if alone {
            fs::remove_file(place.work.join("pause")).unwrap();
        }
        others.iter_mut().for_each(|other| other.check_running());
    }
    fs::write(place.work.join("stop"), "").unwrap();
    let iterations: Vec<u64> = others.into_iter().map(|other| other.end(&place)).collect();
    for ((kind, was_killed, has_changed), times) in &killed {
        println!(
            "{kind}: {times} times {}, {}",
            if *was_killed { "killed" } else { "finished" },
            changed(*has_changed)
        );
    }
    println!("{count} rounds; iterations of the two readers and of the second backup: {iterations:?}");
}

fn changed(has_changed: bool) -> &'static str {
    if has_changed { "its change is there" } else { "nothing changed" }
}

fn kind(op: &Op) -> String {
    format!("{op:?}").split('(').next().unwrap().to_owned()
}

/// How long operations take that are not killed.
#[derive(Default)]
struct Timing(BTreeMap<String, Duration>);

/// Whether it was killed before it ended. An operation that nobody killed must succeed.
fn run_and_kill(place: &Place, op: &Op, random: &mut Random, timing: &mut Timing) -> bool {
    let started = Instant::now();
    let mut child = place.command(op).spawn().unwrap();
    // The first of its kind runs to its end.
    if let Some(typical) = timing.0.get(&kind(op)) {
        let micros = typical.as_micros() as u64;
        std::thread::sleep(Duration::from_micros(random.below(micros + micros / 5 + 1)));
        child.kill().unwrap();
    }
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let status = child.wait().unwrap();
    match (status.success(), status.signal()) {
        (true, _) => {
            let longest = timing.0.entry(kind(op)).or_default();
            *longest = started.elapsed().max(*longest);
            false
        }
        (false, Some(9)) => true,
        _ => panic!("{op:?}: {status}: {said}"),
    }
}

/// A process that runs beside all rounds.
struct Other {
    role: String,
    process: Child,
}

impl Other {
    fn start(place: &Place, role: &str) -> Other {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "kill::beside", "--nocapture", "--test-threads=1"]);
        command.env(ROLE, role).env(WORK, &place.work).env(ROOT, place.root()).stdout(Stdio::null());
        Other { role: role.to_owned(), process: command.spawn().unwrap() }
    }

    fn file(&self, place: &Place, what: &str) -> PathBuf {
        place.work.join(format!("{} {what}", self.role))
    }

    /// Waits until it has closed the store.
    fn pause(&self, place: &Place) {
        fs::write(place.work.join("pause"), "").unwrap();
        while !self.file(place, "paused").exists() {
            std::thread::sleep(LOOK);
        }
    }

    fn check_running(&mut self) {
        let ended = self.process.try_wait().unwrap();
        assert!(ended.is_none(), "{} ended: {ended:?}", self.role);
    }

    /// How many rounds of its own it made.
    fn end(mut self, place: &Place) -> u64 {
        assert!(self.process.wait().unwrap().success(), "{}", self.role);
        let made = fs::read_to_string(self.file(place, "made")).unwrap().parse().unwrap();
        assert!(made > 0, "{}", self.role);
        made
    }
}

/// A failed test leaves no process behind.
impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The process of an [`Other`]. Any error at all fails it: neither the writer, nor its death, nor the collector may be seen.
#[test]
fn beside() {
    let Some(role) = std::env::var_os(ROLE).map(|role| role.into_string().unwrap()) else { return };
    let (work, root) = (PathBuf::from(std::env::var_os(WORK).unwrap()), std::env::var_os(ROOT).unwrap());
    let mut made = 0;
    while !work.join("stop").exists() {
        pause_if_asked(&work, &role);
        let store = Store::open_read_only(&root, StoreOptions::default()).unwrap();
        match role.as_str() {
            "second" => {
                // A repository keeps a few records of every backup there ever was: not too many a round.
                let round = || fs::read_to_string(work.join("round")).unwrap_or_default();
                back_up(&store, 2 * made);
                let begun_in = round();
                back_up(&store, 2 * made + 1);
                while begun_in == round() && !["stop", "pause"].iter().any(|name| work.join(name).exists()) {
                    std::thread::sleep(LOOK);
                }
            }
            _ => (0..3).for_each(|_| read(&store)),
        }
        made += 1;
    }
    fs::write(work.join(format!("{role} made")), made.to_string()).unwrap();
}

fn pause_if_asked(work: &Path, role: &str) {
    let paused = work.join(format!("{role} paused"));
    while work.join("pause").exists() {
        fs::write(&paused, "").unwrap();
        std::thread::sleep(LOOK);
    }
    if paused.exists() {
        fs::remove_file(paused).unwrap();
    }
}

/// Reads the table, reads it once more, and then what it had planned at the beginning.
fn read(store: &Store) {
    let planned = store.table("sales", "t").unwrap();
    let scan = planned.scan().columns(&["id"]).plan().unwrap();
    let rows = planned.version().row_count();
    loads_in(&planned);
    loads_in(&store.table("sales", "t").unwrap());
    let count = std::sync::atomic::AtomicU64::new(0);
    let add = |batch: arrow::array::RecordBatch| {
        count.fetch_add(batch.num_rows() as u64, std::sync::atomic::Ordering::SeqCst);
        Ok(())
    };
    scan.for_each(add).unwrap();
    assert!(count.into_inner().is_multiple_of(BLOCK_ROWS as u64) && rows.is_multiple_of(BLOCK_ROWS as u64));
}

/// Backs up and drops what it backed up before.
fn back_up(store: &Store, number: u64) {
    let label = |number: u64| Label::new(format!("second {number}")).unwrap();
    let repository = store.repository("r").unwrap();
    let report = store.backup(&repository, &BackupOptions::new(label(number))).unwrap();
    assert!(report.rows.is_multiple_of(BLOCK_ROWS as u64), "{report:?}");
    if let Some(before) = number.checked_sub(1) {
        repository.drop_backup(&label(before)).unwrap();
    }
}
