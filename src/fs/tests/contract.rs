use std::io::Write;
use std::path::Path;

use super::{names, on_both, path, read, write};
use crate::error::{Error, ErrorKind};
use crate::fs::{EntryKind, Fs, Put, SyncMode};

#[test]
fn written_bytes_are_read_back_whole_in_parts_and_mapped() {
    on_both(|fs, dir| {
        let name = dir.join("file");
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        let mut file = fs.create_file(&name).unwrap();
        for part in bytes.chunks(700_001) {
            file.write_all(part).unwrap();
        }
        file.write_all(&bytes).unwrap();
        assert_eq!(file.size_bytes(), 6_000_000);
        file.finish(SyncMode::Batch).unwrap();
        fs.sync_all(dir).unwrap();

        let twice = [&bytes[..], &bytes[..]].concat();
        assert!(read(fs, &name) == twice);
        assert!(fs.map(&name).unwrap() == twice);
        let file = fs.open(&name).unwrap();
        assert_eq!((file.size_bytes(), file.path()), (6_000_000, name.as_path()));
        let mut part = [0; 5];
        file.read_exact_at(2_999_998, &mut part).unwrap();
        assert_eq!(part[..], twice[2_999_998..3_000_003]);
        assert_eq!(file.read_at(5_999_997, &mut part).unwrap(), 3);
        assert_eq!(file.read_at(6_000_000, &mut part).unwrap(), 0);
        for offset in [5_999_996, 7_000_000, u64::MAX >> 1, u64::MAX] {
            let error = file.read_exact_at(offset, &mut part).unwrap_err();
            assert!(error.is(ErrorKind::Corrupt) && error.to_string().contains("file"), "{error:?}");
        }
    });
}

#[test]
fn empty_file_reads_and_maps_as_nothing() {
    on_both(|fs, dir| {
        write(fs, dir.join("empty"), b"");
        assert!(fs.map(&dir.join("empty")).unwrap().is_empty());
        assert!(fs.read(&dir.join("empty"), 0).unwrap().is_empty());
    });
}

#[test]
fn map_outlives_the_name_of_its_file() {
    on_both(|fs, dir| {
        write(fs, dir.join("file"), b"bytes");
        let map = fs.map(&dir.join("file")).unwrap();
        fs.remove_file(&dir.join("file")).unwrap();
        assert_eq!(map, &b"bytes"[..]);
    });
}

#[test]
fn read_refuses_longer_files_than_asked_for() {
    on_both(|fs, dir| {
        write(fs, dir.join("file"), b"12345");
        assert_eq!(fs.read(&dir.join("file"), 5).unwrap(), b"12345");
        let error = fs.read(&dir.join("file"), 4).unwrap_err();
        assert!(error.is(ErrorKind::Corrupt), "{error:?}");
        assert!(error.to_string().contains("5 bytes: at most 4"), "{error}");
    });
}

#[test]
fn missing_and_existing_names_have_their_kinds() {
    on_both(|fs, dir| {
        let (missing, file) = (dir.join("missing"), dir.join("file"));
        write(fs, &file, b"1");
        assert!(fs.read(&missing, 9).unwrap_err().is(ErrorKind::NotFound));
        assert!(fs.map(&missing).unwrap_err().is(ErrorKind::NotFound));
        assert!(fs.list(&missing).unwrap_err().is(ErrorKind::NotFound));
        assert!(fs.canonical(&missing).unwrap_err().is(ErrorKind::NotFound));
        assert!(fs.link(&missing, &dir.join("to")).unwrap_err().is(ErrorKind::NotFound));
        assert!(fs.rename_new(&missing, &dir.join("to")).unwrap_err().is(ErrorKind::NotFound));
        assert_eq!(fs.entry(&missing).unwrap(), None);
        fs.remove_file(&missing).unwrap();
        fs.remove_tree(&missing).unwrap();

        assert!(fs.create_file(&file).err().unwrap().is(ErrorKind::AlreadyExists));
        assert!(fs.create_dir(&file).unwrap_err().is(ErrorKind::AlreadyExists));
        assert!(fs.create_dir_all(&file.join("below")).is_err());
        assert!(fs.create_file(&missing.join("below")).err().unwrap().is(ErrorKind::NotFound));
        assert!(fs.list(&file).unwrap_err().is(ErrorKind::Io));
        assert!(fs.open(dir).err().unwrap().is(ErrorKind::Io));
        assert!(fs.remove_file(dir).unwrap_err().is(ErrorKind::Io));
        assert_eq!(read(fs, &file), b"1");
    });
}

#[test]
fn directories_are_made_with_their_parents_and_listed_in_order() {
    on_both(|fs, dir| {
        fs.create_dir_all(&dir.join("a/b/c")).unwrap();
        fs.create_dir_all(&dir.join("a/b/c")).unwrap();
        fs.create_dir(&dir.join("a/b/c")).unwrap();
        write(fs, dir.join("a/z"), b"123");
        write(fs, dir.join("a/10"), b"");
        assert_eq!(names(fs, dir.join("a")), ["10", "b", "z"]);
        let entries = fs.list(&dir.join("a")).unwrap();
        assert_eq!((entries[1].kind, entries[1].size_bytes), (EntryKind::Directory, 0));
        assert_eq!((entries[2].kind, entries[2].size_bytes), (EntryKind::File, 3));
        assert_eq!(fs.entry(&dir.join("a/z")).unwrap().as_ref(), Some(&entries[2]));
        assert_eq!(fs.canonical(&dir.join("a/b/../b")).unwrap(), fs.canonical(&dir.join("a")).unwrap().join("b"));
        assert!(fs.free_bytes(dir).unwrap() > 0);
    });
}

#[test]
fn put_new_creates_once_and_leaves_no_temporary() {
    on_both(|fs, dir| {
        let (target, temporary) = (dir.join("target"), dir.join("temporary"));
        assert_eq!(fs.put_new(&target, &temporary, b"first").unwrap(), Put::Created);
        assert_eq!(fs.put_new(&target, &temporary, b"second").unwrap(), Put::Exists);
        assert_eq!(read(fs, &target), b"first");
        assert_eq!(names(fs, dir), ["target"]);
        let error = fs.put_new(&dir.join("none/target"), &temporary, b"x").unwrap_err();
        assert!(error.is(ErrorKind::NotFound), "{error:?}");
        assert_eq!(names(fs, dir), ["target"]);
    });
}

#[test]
fn replace_overwrites_also_after_a_replacement_that_died() {
    on_both(|fs, dir| {
        fs.replace(&dir.join("file"), b"1").unwrap();
        write(fs, dir.join("file.replacing"), b"left over");
        fs.replace(&dir.join("file"), b"2").unwrap();
        assert_eq!(read(fs, dir.join("file")), b"2");
        assert_eq!(names(fs, dir), ["file"]);
    });
}

#[test]
fn linked_file_survives_the_removal_of_its_first_name() {
    on_both(|fs, dir| {
        write(fs, dir.join("a"), b"bytes");
        fs.link(&dir.join("a"), &dir.join("b")).unwrap();
        let error = fs.link(&dir.join("a"), &dir.join("b")).unwrap_err();
        assert!(error.is(ErrorKind::AlreadyExists) && !Fs::is_link_limit(&error), "{error:?}");
        fs.remove_file(&dir.join("a")).unwrap();
        assert_eq!(names(fs, dir), ["b"]);
        assert_eq!(read(fs, dir.join("b")), b"bytes");
    });
}

#[test]
fn rename_new_moves_files_and_directories_but_never_overwrites() {
    on_both(|fs, dir| {
        fs.create_dir_all(&dir.join("from/inner")).unwrap();
        fs.create_dir(&dir.join("to")).unwrap();
        fs.create_dir(&dir.join("empty")).unwrap();
        write(fs, dir.join("from/inner/file"), b"1");
        write(fs, dir.join("other"), b"2");

        assert!(fs.rename_new(&dir.join("from/inner"), &dir.join("empty")).unwrap_err().is(ErrorKind::AlreadyExists));
        assert!(fs.rename_new(&dir.join("from"), &dir.join("from/inner/below")).is_err());
        fs.rename_new(&dir.join("from/inner"), &dir.join("to/moved")).unwrap();
        assert_eq!(read(fs, dir.join("to/moved/file")), b"1");
        assert!(names(fs, dir.join("from")).is_empty());

        let error = fs.rename_new(&dir.join("other"), &dir.join("to/moved/file")).unwrap_err();
        assert!(error.is(ErrorKind::AlreadyExists), "{error:?}");
        assert_eq!(read(fs, dir.join("to/moved/file")), b"1");
        fs.rename_new(&dir.join("other"), &dir.join("to/other")).unwrap();
        assert_eq!(names(fs, dir), ["empty", "from", "to"]);
    });
}

#[test]
fn remove_tree_removes_all_below_and_nothing_beside() {
    on_both(|fs, dir| {
        fs.create_dir_all(&dir.join("gone/a/b")).unwrap();
        write(fs, dir.join("gone/a/b/file"), b"1");
        write(fs, dir.join("gone/file"), b"1");
        write(fs, dir.join("kept"), b"1");
        fs.remove_tree(&dir.join("gone")).unwrap();
        assert_eq!(names(fs, dir), ["kept"]);
        fs.remove_tree(&dir.join("kept")).unwrap();
        assert!(names(fs, dir).is_empty());
    });
}

#[test]
fn exclusive_lock_excludes_until_it_is_dropped() {
    on_both(|fs, dir| {
        let held = fs.lock_exclusive(&dir.join("LOCK")).unwrap();
        let error = fs.lock_exclusive(&dir.join("LOCK")).err().unwrap();
        assert!(error.is(ErrorKind::Conflict) && error.to_string().contains("LOCK"), "{error:?}");
        drop(held);
        fs.lock_exclusive(&dir.join("LOCK")).unwrap();
        assert!(fs.lock_exclusive(dir).is_err());
    });
}

#[test]
fn holds_of_the_living_count_and_those_of_the_dead_are_removed() {
    on_both(|fs, dir| {
        assert!(!fs.is_held(&dir.join("holds")).unwrap());
        fs.create_dir(&dir.join("holds")).unwrap();
        let a = fs.hold(&dir.join("holds"), "a").unwrap();
        let b = fs.hold(&dir.join("holds"), "b").unwrap();
        assert!(fs.is_held(&dir.join("holds")).unwrap());
        drop(a);
        assert!(fs.is_held(&dir.join("holds")).unwrap());
        assert_eq!(names(fs, dir.join("holds")), ["b"]);
        drop(b);
        assert!(!fs.is_held(&dir.join("holds")).unwrap());
        assert!(names(fs, dir.join("holds")).is_empty());
    });
}

#[test]
fn hold_taken_while_a_collector_looks_is_seen_by_the_next_look() {
    on_both(|fs, dir| {
        let is_done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(std::sync::atomic::Ordering::SeqCst) {
                    fs.is_held(dir).unwrap();
                }
            });
            for round in 0..100 {
                let hold = fs.hold(dir, &round.to_string()).unwrap();
                assert!(names(fs, dir).contains(&round.to_string()));
                drop(hold);
            }
            is_done.store(true, std::sync::atomic::Ordering::SeqCst);
        });
    });
}

#[test]
fn symbolic_links_and_foreign_names_are_listed_but_never_followed() {
    use std::os::unix::ffi::OsStrExt;

    let temporary = tempfile::tempdir().unwrap();
    let (fs, dir) = (Fs::os(), temporary.path());
    fs.create_dir(&dir.join("outside")).unwrap();
    write(&fs, dir.join("outside/file"), b"1");
    fs.create_dir(&dir.join("tree")).unwrap();
    std::os::unix::fs::symlink(dir.join("outside"), dir.join("tree/dir")).unwrap();
    std::os::unix::fs::symlink(dir.join("outside/file"), dir.join("tree/file")).unwrap();
    assert!(fs.list(&dir.join("tree")).unwrap().iter().all(|entry| entry.kind == EntryKind::Other));
    assert!(fs.open(&dir.join("tree/file")).is_err());
    assert!(fs.lock_exclusive(&dir.join("tree/file")).is_err());
    assert!(fs.create_file(&dir.join("tree/file")).is_err());
    fs.remove_tree(&dir.join("tree")).unwrap();
    assert_eq!(names(&fs, dir), ["outside"]);
    assert_eq!(read(&fs, dir.join("outside/file")), b"1");

    std::fs::write(dir.join(std::ffi::OsStr::from_bytes(b"bad\xff")), b"1").unwrap();
    let entries = fs.list(dir).unwrap();
    assert_eq!((entries[0].name.as_str(), entries[0].kind), ("bad\u{fffd}", EntryKind::Other));
}

#[test]
fn only_the_limits_of_links_count_as_such() {
    use rustix::io::Errno;
    for (errno, is_limit) in [(Errno::MLINK, true), (Errno::XDEV, true), (Errno::IO, false), (Errno::EXIST, false)] {
        let error = Error::io("link", Path::new("a"), errno.into());
        assert_eq!(Fs::is_link_limit(&error), is_limit, "{errno}");
    }
    assert!(!Fs::is_link_limit(&Error::invalid("no source")));
    let error = crate::fs::durable::link_error(&path("/a"), &path("/b"), Errno::XDEV.into());
    assert!(Fs::is_link_limit(&error));
    assert_eq!(error.to_string(), "cannot link /a to /b: the two lie on different file systems");
}

#[test]
fn direct_file_of_any_length_is_read_back_whole() {
    on_both(|fs, dir| {
        for (number, length) in
            [0, 1, 4095, 4096, (1 << 20) - 1, 1 << 20, (1 << 20) + 4097, 2_500_000].iter().enumerate()
        {
            let bytes: Vec<u8> = (0..*length).map(|i: u32| (i % 251) as u8).collect();
            write(fs, dir.join(format!("source{number}")), &bytes);
            let source = fs.open(&dir.join(format!("source{number}"))).unwrap();
            let mut copied = fs.create_file_direct(&dir.join(format!("copied{number}")), bytes.len() as u64).unwrap();
            let mut seen = Vec::new();
            copied
                .copy_from(&source, |piece| {
                    seen.extend_from_slice(piece);
                    Ok(())
                })
                .unwrap();
            assert_eq!(copied.size_bytes(), u64::from(*length));
            copied.finish(SyncMode::EachFile).unwrap();
            // What is said of the size is no promise.
            let mut written = fs.create_file_direct(&dir.join(format!("written{number}")), 50_000).unwrap();
            bytes.chunks(100_003).for_each(|part| written.write_all(part).unwrap());
            written.finish(SyncMode::Batch).unwrap();
            assert!(seen == bytes);
            for name in ["copied", "written"] {
                assert!(read(fs, dir.join(format!("{name}{number}"))) == bytes, "{name} {length}");
            }
        }
    });
}

#[test]
fn names_are_linked_up_to_the_first_that_fails() {
    on_both(|fs, dir| {
        let (from, to) = (dir.join("from"), dir.join("to"));
        fs.create_dir_in_batch(&from).unwrap();
        fs.create_dir_in_batch(&from).unwrap();
        fs.create_dir_in_batch(&to).unwrap();
        for name in ["a", "b", "d"] {
            write(fs, from.join(name), name.as_bytes());
        }
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (linked, error) = fs.link_names(&from, &to, &of(&["a", "b", "c", "d"])).unwrap_err();
        assert!(linked == 2 && error.is(ErrorKind::NotFound), "{linked} {error}");
        let (linked, error) = fs.link_names(&from, &to, &of(&["d", "a"])).unwrap_err();
        assert!(linked == 1 && error.is(ErrorKind::AlreadyExists), "{linked} {error}");
        assert_eq!(names(fs, &to), ["a", "b", "d"]);
        assert_eq!(read(fs, to.join("d")), b"d");
    });
}
