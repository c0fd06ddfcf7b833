//! SIGKILL at random moments: the program loads, takes snapshots, backs up, restores and collects in processes of its own
//! that are killed, while two other processes read and a third one backs up all the time. After each round everything is
//! opened, every byte checked, and what is there compared with a model: the state before the killed operation or the one
//! after it.
//!
//! The moments are random, the verdict is not: whatever is killed whenever, one of the two states must be found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use steledb::backup::BackupOptions;
use steledb::repository::Repository;
use steledb::{Label, Store, StoreOptions};

use crate::rounds::{BLOCK_ROWS, Model, Op, Place, Random, loads_in, truncate};

/// What a process beside the writer does, and where.
const ROLE: &str = "STELE_TEST_ROLE";
const WORK: &str = "STELE_TEST_WORK";
const ROOT: &str = "STELE_TEST_ROOT";
/// How often a process looks whether it is to stop or to pause.
const LOOK: Duration = Duration::from_millis(5);

/// The operations of which there must be enough kills: those that write data.
const COUNTED: [&str; 4] = ["Load", "Snapshot", "Backup", "Restore"];
/// Rounds for each kill that is asked for, at most: less than half of them do anything else.
const ROUNDS_A_KILL: u64 = 20;
/// Backups in a repository of the other process's own.
const OWN_BACKUPS: u64 = 20;

#[test]
fn a_killed_program_leaves_the_state_before_or_after() {
    Rounds::run(Goal { kills: 8, after_commit: 0 }, 7);
}

/// The long form: `STELE_KILLS=1000 STELE_KILL_SEED=3 cargo test --test integration kill:: -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn killed_many_times_the_program_leaves_the_state_before_or_after() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let goal = Goal { kills: number("STELE_KILLS", 200), after_commit: 1 };
    let rounds = Rounds::run(goal, number("STELE_KILL_SEED", 1));
    for kind in COUNTED {
        assert!(rounds.count(|row| row.0 == kind && row.1) > 0, "{kind} was never killed");
    }
}

/// When there were enough rounds.
#[derive(Clone, Copy)]
struct Goal {
    /// Kills of [`COUNTED`].
    kills: u64,
    /// Of those the ones whose change is there; the others happen by themselves.
    after_commit: u64,
}

/// Kind of operation, whether it was killed, whether its change is there.
type Row = (String, bool, bool);

#[derive(Default)]
struct Rounds {
    table: BTreeMap<Row, u64>,
    timing: Timing,
    /// Every state of the table there was: what the other process may have backed up.
    states: BTreeSet<BTreeSet<i64>>,
    /// Backups of the other process that were compared.
    compared: u64,
}

impl Rounds {
    fn run(goal: Goal, seed: u64) -> Rounds {
        let dir = tempfile::tempdir().unwrap();
        let (place, mut random) = (Place::make(dir.path(), dir.path()), Random::new(seed));
        let mut others: Vec<Other> = ["reader 1", "reader 2", "second"].map(|role| Other::start(&place, role)).into();
        let (mut model, mut rounds) = (Model::default(), Rounds::default());
        rounds.states.insert(model.loads.clone());
        let mut number = 0;
        while !rounds.are_enough(goal) {
            assert!(number < goal.kills * ROUNDS_A_KILL, "{number} rounds and not enough: {:?}", rounds.table);
            model = rounds.one(number, &place, model, &mut random, &mut others);
            others.iter_mut().for_each(Other::check_running);
            number += 1;
        }
        fs::write(place.work.join("stop"), "").unwrap();
        let made: Vec<u64> = others.into_iter().map(|other| other.end(&place)).collect();
        for ((kind, was_killed, has_changed), times) in &rounds.table {
            let end = if *was_killed { "killed" } else { "finished" };
            let change = if *has_changed { "its change is there" } else { "nothing changed" };
            println!("{kind}: {times} times {end}, {change}");
        }
        let of = |kind: &str| format!("{} {kind}", rounds.count(|row| row.0 == kind && row.1));
        println!("seed {seed}: {number} rounds, killed {}", COUNTED.map(of).join(", "));
        println!(
            "iterations of two readers and of a second process that backs up: {made:?}, {} compared",
            rounds.compared
        );
        rounds
    }

    fn count(&self, wanted: impl Fn(&Row) -> bool) -> u64 {
        self.table.iter().filter(|(row, _)| wanted(row)).map(|(_, times)| times).sum()
    }

    fn are_enough(&self, goal: Goal) -> bool {
        let counted = |row: &Row| COUNTED.contains(&row.0.as_str()) && row.1;
        let after_commit = self.count(|row| counted(row) && row.2);
        let before_commit = self.count(counted) - after_commit;
        after_commit >= goal.after_commit && before_commit > 0 && after_commit + before_commit >= goal.kills
    }

    /// One operation; gives what is there after it.
    fn one(
        &mut self,
        number: u64,
        place: &Place,
        mut model: Model,
        random: &mut Random,
        others: &mut [Other],
    ) -> Model {
        let op = model.choose(number, random);
        // Now and then the collector finds nobody, and removes what the others would have kept.
        let alone = op == Op::Collect && random.below(2) == 0;
        if alone {
            others.iter_mut().for_each(|other| other.pause(place));
            truncate(place, &mut model);
        }
        fs::write(place.work.join("round"), number.to_string()).unwrap();
        let (before, after) = (model.clone(), model.after(&op));
        self.states.extend([before.loads.clone(), after.loads.clone()]);
        let was_killed = run_and_kill(place, &op, random, &mut self.timing);
        let doubtful = if let Op::Backup(label) = &op { Some(label.as_str()) } else { None };
        let found = place.look(doubtful);
        if !was_killed {
            assert_eq!(found.model, after, "round {number}: {op:?} was acknowledged");
        } else if found.model != after {
            assert_eq!(found.model, before, "round {number}: {op:?} was killed");
        }
        for (label, loads) in &found.of_others {
            assert!(self.states.contains(loads), "round {number}: backup {label} has {loads:?}, which never was");
        }
        self.compared += found.of_others.len() as u64;
        let has_changed = found.model == after && after != before;
        *self.table.entry((kind(&op), was_killed, has_changed)).or_insert(0) += 1;
        if alone {
            fs::remove_file(place.work.join("pause")).unwrap();
        }
        found.model
    }
}

fn kind(op: &Op) -> String {
    format!("{op:?}").split('(').next().unwrap().to_owned()
}

/// Until when operations of each kind are killed: it shrinks when one ends before, and grows with each kill, so that about
/// two of three are killed, at any speed of the machine.
#[derive(Default)]
struct Timing(BTreeMap<String, Duration>);

impl Timing {
    /// When to kill: the first of a kind runs to its end. The commit is near the end, where half of the moments are.
    fn moment(&self, op: &Op, random: &mut Random) -> Option<Duration> {
        let micros = self.0.get(&kind(op))?.as_micros() as u64;
        let earliest = if random.below(2) == 0 { 0 } else { micros * 3 / 4 };
        Some(Duration::from_micros(earliest + random.below(micros - earliest + 1)))
    }

    /// It ended after so long, or it was killed then.
    fn note(&mut self, op: &Op, took: Duration, was_killed: bool) {
        let until = self.0.entry(kind(op)).or_insert(took);
        *until = if was_killed { *until * 11 / 10 } else { took.min(*until * 17 / 20) };
    }
}

/// Whether it was killed before it ended. An operation that nobody killed must succeed.
fn run_and_kill(place: &Place, op: &Op, random: &mut Random, timing: &mut Timing) -> bool {
    let started = Instant::now();
    let mut child = place.command(op).spawn().unwrap();
    if let Some(moment) = timing.moment(op, random) {
        std::thread::sleep(moment);
        child.kill().unwrap();
    }
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let status = child.wait().unwrap();
    let was_killed = match (status.success(), status.signal()) {
        (true, _) => false,
        (false, Some(9)) => true,
        _ => panic!("{op:?}: {status}: {said}"),
    };
    timing.note(op, started.elapsed(), was_killed);
    was_killed
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
    fn pause(&mut self, place: &Place) {
        fs::write(place.work.join("pause"), "").unwrap();
        while !self.file(place, "paused").exists() {
            self.check_running();
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
            "second" => back_up(&store, &work, made),
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
    let (scan, rows) = (planned.scan().columns(&["id"]).plan().unwrap(), planned.version().row_count());
    assert_eq!(loads_in(&planned).len() as u64 * BLOCK_ROWS as u64, rows);
    let later = store.table("sales", "t").unwrap();
    let later_rows = later.version().row_count();
    assert_eq!(loads_in(&later).len() as u64 * BLOCK_ROWS as u64, later_rows);
    let count = std::sync::atomic::AtomicU64::new(0);
    let add = |batch: arrow::array::RecordBatch| {
        count.fetch_add(batch.num_rows() as u64, std::sync::atomic::Ordering::SeqCst);
        Ok(())
    };
    scan.for_each(add).unwrap();
    assert_eq!(count.into_inner(), rows, "what was planned before anything changed");
}

/// Backs up and drops what it backed up before: to the common repository once a round, because a repository keeps a few
/// records of every backup there ever was, and the rest of the time to one of its own, which is new now and then.
fn back_up(store: &Store, work: &Path, number: u64) {
    let common = store.repository("r").unwrap();
    let round = || fs::read_to_string(work.join("round")).unwrap_or_default();
    let begun_in = round();
    back_up_to(store, &common, number);
    let goes_on = || begun_in == round() && !["stop", "pause"].iter().any(|name| work.join(name).exists());
    while goes_on() {
        let own = work.join("own");
        let repository = Repository::create(own.to_str().unwrap()).unwrap();
        (0..OWN_BACKUPS).take_while(|_| goes_on()).for_each(|at| back_up_to(store, &repository, at));
        drop(repository);
        fs::remove_dir_all(own).unwrap();
    }
}

fn back_up_to(store: &Store, repository: &Repository, number: u64) {
    let label = |number: u64| Label::new(format!("second {number}")).unwrap();
    let report = store.backup(repository, &BackupOptions::new(label(number))).unwrap();
    assert!(report.rows.is_multiple_of(BLOCK_ROWS as u64), "{report:?}");
    if let Some(before) = number.checked_sub(1) {
        repository.drop_backup(&label(before)).unwrap();
    }
}
