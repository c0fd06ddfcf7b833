//! A power cut at random moments, on a real file system: store and repository lie on an ext4 image that is mounted through a
//! loop device. While the program works, the image is copied at one moment, and the copy is mounted as a machine would after
//! the cut: it holds what had reached the device by then. What was acknowledged before must be there, and an operation that
//! was running is there or not.
//!
//! The image lies on another mounted image. Freezing that outer file system stops all writes to the inner image, so that the
//! copy is of one moment, without writing anything back in the inner one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::rounds::{Model, Op, Place, Random};

/// Sizes of the two images, in MiB.
const OUTER_MIB: u64 = 400;
const INNER_MIB: u64 = 200;

/// Cuts for each one that is to be while the program works, at most.
const CUTS_A_WANTED: u64 = 10;

/// `STELE_CUTS=100 STELE_CUT_SEED=3 cargo test --test integration power_cut -- --ignored --nocapture`, as root. Goes on until
/// the program was at work at so many cuts. Without root it does nothing; root gets a failure if images cannot be mounted,
/// unless `STELE_CUT_SKIP` is set.
#[test]
#[ignore = "needs root and takes minutes"]
fn a_power_cut_leaves_what_was_acknowledged() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let Some(outer) = Image::make(dir.path(), "outer", OUTER_MIB) else {
        assert!(!is_root() || std::env::var_os("STELE_CUT_SKIP").is_some(), "root cannot mount images here");
        println!("skipped: images cannot be mounted here; it needs root, losetup, mkfs.ext4 and fsfreeze");
        return;
    };
    let inner = Image::make(&outer.mounted, "inner", INNER_MIB).unwrap();
    let place = Place::make(&inner.mounted, dir.path());
    let (seed, wanted) = (number("STELE_CUT_SEED", 1), number("STELE_CUTS", 20));
    let mut random = Random::new(seed);
    let (mut model, mut typical) = (Model::default(), Duration::from_millis(40));
    let (mut cuts, mut running, mut after_commit) = (0, 0, 0);
    while running < wanted {
        assert!(cuts < wanted * CUTS_A_WANTED, "{running} of {cuts} cuts while the program worked");
        let op = model.choose(cuts, &mut random);
        let started = Instant::now();
        let mut child = place.command(&op).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(random.below(typical.as_micros() as u64 * 6 / 5 + 1)));
        let acknowledged = child.try_wait().unwrap().is_some();
        let copy = dir.path().join("copy");
        let copying = Instant::now();
        outer.frozen(|| run("cp", &["--sparse=always".as_ref(), inner.file.as_ref(), copy.as_ref()]));
        let copying = copying.elapsed();
        assert!(child.wait_with_output().unwrap().status.success(), "{op:?}");
        let took = if acknowledged { typical / 2 } else { started.elapsed() - copying };
        typical = (typical + took) / 2;

        let after_cut = Image::mount(&copy, &dir.path().join("after")).unwrap();
        let cut = Place { dir: after_cut.mounted.clone(), work: place.work.clone() };
        let found = cut.look(if let Op::Backup(label) = &op { Some(label) } else { None }).model;
        let after = model.after(&op);
        if acknowledged || found == after {
            assert_eq!(found, after, "cut {cuts}: {op:?}, acknowledged: {acknowledged}");
        } else {
            assert_eq!(found, model, "cut {cuts}: {op:?} was running");
        }
        after_cut.unmount();
        running += u64::from(!acknowledged);
        after_commit += u64::from(!acknowledged && found == after && after != model);
        cuts += 1;
        model = after;
    }
    inner.unmount();
    outer.unmount();
    println!(
        "seed {seed}: {cuts} power cuts, {running} while the program worked, {after_commit} of them after its commit"
    );
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// An ext4 image and where it is mounted; unmounted when dropped.
struct Image {
    file: PathBuf,
    mounted: PathBuf,
}

impl Image {
    /// `None` if this is not possible here.
    fn make(dir: &Path, name: &str, mib: u64) -> Option<Image> {
        let file = dir.join(format!("{name}.img"));
        std::fs::File::create(&file).unwrap().set_len(mib << 20).unwrap();
        try_run("mkfs.ext4", &["-q".as_ref(), file.as_ref()]).then_some(())?;
        Image::mount(&file, &dir.join(name))
    }

    fn mount(file: &Path, at: &Path) -> Option<Image> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = try_run("mount", &["-o".as_ref(), "loop".as_ref(), file.as_ref(), at.as_ref()]);
        mounted.then(|| Image { file: file.to_owned(), mounted: at.to_owned() })
    }

    /// Does something while nothing is written to the file system.
    fn frozen(&self, work: impl FnOnce()) {
        run("fsfreeze", &["-f".as_ref(), self.mounted.as_ref()]);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        run("fsfreeze", &["-u".as_ref(), self.mounted.as_ref()]);
        result.unwrap();
    }
}

impl Image {
    /// That it is unmounted is part of the test.
    fn unmount(self) {
        let mounted = self.mounted.clone();
        drop(self);
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
        assert!(!mounts.contains(mounted.to_str().unwrap()), "{} is still mounted", mounted.display());
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // A program that was just stopped may still be going.
        for _ in 0..100 {
            if try_run("umount", &[self.mounted.as_ref()]) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // It vanishes from the tree now, and altogether with its last user.
        try_run("umount", &["-l".as_ref(), self.mounted.as_ref()]);
    }
}

fn run(program: &str, arguments: &[&std::ffi::OsStr]) {
    assert!(try_run(program, arguments), "{program} {arguments:?}");
}

fn try_run(program: &str, arguments: &[&std::ffi::OsStr]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}
