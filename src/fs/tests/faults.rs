use std::io::Write;
use std::path::Path;

use super::{names, read, write};
use crate::error::{ErrorKind, Result};
use crate::fs::{Fault, FaultPlan, Fs, Put, SimFs, SyncMode};

const TARGET: &str = "/log/target";
const TEMPORARY: &str = "/staging/temporary";

const FAULTS: [Fault; 9] = [
    Fault::Error,
    Fault::LostAnswer,
    Fault::NoSpace,
    Fault::ShortWrite,
    Fault::Crash,
    Fault::CrashKeepingSome(1),
    Fault::CrashKeepingSome(2),
    Fault::CrashKeepingSome(3),
    Fault::CrashKeepingSome(4),
];

fn store() -> SimFs {
    let sim = SimFs::new();
    for dir in ["/log", "/staging"] {
        sim.fs().create_dir(Path::new(dir)).unwrap();
    }
    sim
}

fn put(sim: &SimFs, bytes: &[u8]) -> Result<Put> {
    sim.fs().put_new(Path::new(TARGET), Path::new(TEMPORARY), bytes)
}

/// Runs `work` with the fault at each operation until it is not reached any more; `check` sees the state after a
/// restart. Returns how many operations the work has.
fn at_each_operation<T>(
    start: &SimFs,
    fault: Fault,
    work: impl Fn(&SimFs) -> Result<T>,
    check: impl Fn(&SimFs, Result<T>),
) -> u64 {
    for at in 0.. {
        let sim = start.fork();
        sim.plan(Some(FaultPlan { at, fault }));
        let result = work(&sim);
        let fault_happened = sim.fault_happened();
        sim.restart();
        check(&sim, result);
        if !fault_happened {
            return at;
        }
    }
    unreachable!()
}

#[test]
fn put_new_with_any_fault_leaves_no_target_or_the_full_one() {
    for fault in FAULTS {
        let operations = at_each_operation(
            &store(),
            fault,
            |sim| put(sim, b"whole"),
            |sim, result| {
                let target = sim.fs().entry(Path::new(TARGET)).unwrap();
                assert!(target.is_some() || result.is_err(), "{fault:?}: acknowledged, but lost");
                if target.is_some() {
                    assert_eq!(read(&sim.fs(), TARGET), b"whole", "{fault:?}");
                }
            },
        );
        // Create, append, sync, link, sync of the directory, removal.
        assert_eq!(operations, 6, "{fault:?}");
    }
}

#[test]
fn put_new_on_an_existing_target_with_any_fault_never_changes_it() {
    let start = store();
    assert_eq!(put(&start, b"rival").unwrap(), Put::Created);
    for fault in FAULTS {
        at_each_operation(
            &start,
            fault,
            |sim| put(sim, b"whole"),
            |sim, result| {
                assert!(!matches!(result, Ok(Put::Created)), "{fault:?}");
                assert_eq!(read(&sim.fs(), TARGET), b"rival", "{fault:?}");
            },
        );
    }
}

#[test]
fn put_new_that_failed_without_a_crash_can_be_tried_again() {
    for fault in [Fault::Error, Fault::ShortWrite, Fault::NoSpace] {
        for at in 0..6 {
            let sim = store();
            sim.plan(Some(FaultPlan { at, fault }));
            let result = put(&sim, b"whole");
            sim.plan(None);
            // A sync that failed leaves its temporary; opening the store empties staging.
            sim.fs().remove_file(Path::new(TEMPORARY)).unwrap();
            let again = put(&sim, b"whole").unwrap();
            assert!(result.is_err() || again == Put::Exists, "{fault:?} at {at}");
            sim.restart();
            assert_eq!(read(&sim.fs(), TARGET), b"whole");
        }
    }
}

#[test]
fn replace_with_any_fault_leaves_the_old_or_the_new_bytes() {
    let start = SimFs::new();
    start.fs().replace(Path::new("/file"), b"old").unwrap();
    for fault in FAULTS {
        at_each_operation(
            &start,
            fault,
            |sim| sim.fs().replace(Path::new("/file"), b"new"),
            |sim, result| {
                let found = read(&sim.fs(), "/file");
                assert!(found == b"new" || (found == b"old" && result.is_err()), "{fault:?}: {found:?}");
            },
        );
    }
}

#[test]
fn create_dir_all_that_succeeded_is_durable() {
    for fault in FAULTS {
        at_each_operation(
            &SimFs::new(),
            fault,
            |sim| sim.fs().create_dir_all(Path::new("/a/b/c")),
            |sim, result| {
                let exists = sim.fs().entry(Path::new("/a/b/c")).unwrap().is_some();
                assert!(exists || result.is_err(), "{fault:?}");
            },
        );
    }
}

#[test]
fn failed_sync_poisons_all_clones_but_not_reading() {
    let syncs: [fn(&SimFs) -> crate::fs::Fs; 3] = [
        |sim| {
            let fs = sim.fs();
            sim.plan(Some(FaultPlan { at: 0, fault: Fault::Error }));
            assert!(fs.sync_dir(Path::new("/")).unwrap_err().is(ErrorKind::Io));
            fs
        },
        |sim| {
            let fs = sim.fs();
            sim.plan(Some(FaultPlan { at: 0, fault: Fault::Error }));
            assert!(fs.sync_all(Path::new("/")).unwrap_err().is(ErrorKind::Io));
            fs
        },
        |sim| {
            let fs = sim.fs();
            let file = fs.create_file(Path::new("/new")).unwrap();
            sim.plan(Some(FaultPlan { at: 0, fault: Fault::Error }));
            assert!(file.finish(SyncMode::EachFile).unwrap_err().is(ErrorKind::Io));
            fs
        },
    ];
    for sync in syncs {
        let sim = SimFs::new();
        write(&sim.fs(), "/file", b"1");
        let before = sim.fs();
        let open_writer = before.create_file(Path::new("/open")).unwrap();
        let fs = sync(&sim).clone();
        open_writer.finish(SyncMode::EachFile).unwrap();

        let (file, other) = (Path::new("/file"), Path::new("/other"));
        for (call, result) in [
            ("create_file", fs.create_file(other).map(drop)),
            ("create_dir", fs.create_dir(other)),
            ("create_dir_all", fs.create_dir_all(other)),
            ("put_new", fs.put_new(other, Path::new("/t"), b"").map(drop)),
            ("replace", fs.replace(file, b"2")),
            ("link", fs.link(file, other)),
            ("rename_new", fs.rename_new(file, other)),
            ("remove_file", fs.remove_file(file)),
            ("remove_tree", fs.remove_tree(file)),
            ("sync_dir", fs.sync_dir(Path::new("/"))),
            ("sync_all", fs.sync_all(Path::new("/"))),
        ] {
            let error = result.expect_err(call);
            assert!(error.is(ErrorKind::Poisoned), "{call}: {error:?}");
            assert!(error.to_string().contains("close the store and open it again"), "{call}: {error}");
        }
        assert_eq!(read(&fs, file), b"1");
        assert!(names(&fs, "/").contains(&"file".to_owned()));
        sim.fs().remove_file(file).unwrap();
    }
}

#[test]
fn writer_opened_before_the_poison_cannot_finish_after_it() {
    let sim = SimFs::new();
    let fs = sim.fs();
    let file = fs.create_file(Path::new("/file")).unwrap();
    sim.plan(Some(FaultPlan { at: 0, fault: Fault::Error }));
    assert!(fs.sync_dir(Path::new("/")).is_err());
    assert!(file.finish(SyncMode::Batch).unwrap_err().is(ErrorKind::Poisoned));
}

#[test]
fn failed_sync_leaves_the_bytes_unsynced() {
    let sim = SimFs::new();
    let fs = sim.fs();
    let mut file = fs.create_file(Path::new("/file")).unwrap();
    file.write_all(b"1").unwrap();
    // The append is operation 0.
    sim.plan(Some(FaultPlan { at: 1, fault: Fault::Error }));
    assert!(file.finish(SyncMode::EachFile).is_err());
    sim.fs().sync_dir(Path::new("/")).unwrap();
    sim.restart();
    assert_eq!(read(&sim.fs(), "/file"), b"");
}

#[test]
fn writer_after_a_short_write_can_never_be_finished() {
    let sim = SimFs::new();
    let mut file = sim.fs().create_file(Path::new("/file")).unwrap();
    sim.plan(Some(FaultPlan { at: 0, fault: Fault::ShortWrite }));
    assert!(file.write_all(&vec![7; 3 << 20]).is_err());
    assert_eq!(read(&sim.fs(), "/file").len(), 1 << 19);
    let _ = file.write_all(b"more");
    assert!(file.finish(SyncMode::Batch).unwrap_err().to_string().contains("an earlier write"));
}

#[test]
fn full_disk_stays_full_but_lets_files_be_removed() {
    let sim = SimFs::new();
    let fs = sim.fs();
    write(&fs, "/file", b"1");
    // The disk is full from operation 1 on, which is a sync and needs no space.
    sim.plan(Some(FaultPlan { at: 1, fault: Fault::NoSpace }));
    fs.create_dir(Path::new("/dir")).unwrap();
    assert!(sim.fault_happened());
    assert!(fs.create_file(Path::new("/more")).err().unwrap().to_string().contains("space"));
    assert!(fs.link(Path::new("/file"), Path::new("/more")).is_err());
    fs.remove_file(Path::new("/file")).unwrap();
    fs.sync_dir(Path::new("/")).unwrap();
    sim.plan(None);
    fs.create_dir(Path::new("/more")).unwrap();
}

#[test]
fn reads_are_not_counted_and_fail_only_after_a_crash() {
    let sim = SimFs::new();
    let fs = sim.fs();
    write(&fs, "/file", b"1");
    sim.plan(Some(FaultPlan { at: 0, fault: Fault::Crash }));
    read(&fs, "/file");
    names(&fs, "/");
    assert_eq!((sim.operations(), sim.fault_happened()), (0, false));
    assert!(fs.sync_dir(Path::new("/")).is_err());
    assert_eq!((sim.operations(), sim.fault_happened()), (1, true));
    assert!(fs.read(Path::new("/file"), 1).unwrap_err().to_string().contains("the machine crashed"));
    assert!(sim.fs().list(Path::new("/")).is_err());
}

#[test]
fn put_new_recognizes_its_own_link_whose_answer_was_lost() {
    let sim = store();
    // Creation, append and sync of the temporary file, then the link.
    sim.plan(Some(FaultPlan { at: 3, fault: Fault::LostAnswer }));
    assert_eq!(put(&sim, b"mine").unwrap(), Put::Created);
    assert!(sim.fault_happened());
    assert_eq!(read(&sim.fs(), TARGET), b"mine");
    // The same bytes in a rival's file are not ours.
    assert_eq!(put(&sim, b"mine").unwrap(), Put::Exists);
}

#[test]
fn every_watching_handle_is_told_of_a_failed_write_back() {
    let sim = SimFs::new();
    let fs = sim.fs();
    let root = Path::new("/");
    let [store, repository, bystander] = [(); 3].map(|()| fs.watching(root).unwrap());
    bystander.create_file(Path::new("/file")).unwrap().write_all(&vec![1; 2 << 20]).unwrap();
    sim.fail_write_back();
    for handle in [&store, &repository, &bystander] {
        assert!(handle.sync_all(root).unwrap_err().is(ErrorKind::Io));
        assert!(handle.sync_all(root).unwrap_err().is(ErrorKind::Poisoned));
    }
    fs.watching(root).unwrap().sync_all(root).unwrap();
    sim.restart();
    assert_eq!(read(&sim.fs(), "/file"), b"", "a later sync does not bring back what was given up");
}

#[test]
fn no_clone_of_a_handle_can_sync_after_a_failed_write_back() {
    crate::sync::explore(11, 100, || {
        let sim = SimFs::new();
        let fs = sim.fs().watching(Path::new("/")).unwrap();
        sim.fail_write_back();
        let sync = |fs: Fs| move || fs.sync_all(Path::new("/")).is_err();
        let other = shuttle::thread::spawn(sync(fs.clone()));
        let failed = [sync(fs)(), other.join().unwrap()];
        assert_eq!(failed, [true, true]);
    });
}
