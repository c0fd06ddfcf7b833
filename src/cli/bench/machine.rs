//! What it was measured on.

use std::path::Path;

use serde::Serialize;

use crate::cli::bench::meter::{kilobytes, proc_text};
use crate::fs::Fs;

/// Facts about the machine; `None` where the system does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Machine {
    /// Threads that run at once.
    pub(super) cores: Option<usize>,
    /// Name of the processor.
    pub(super) processor: Option<String>,
    /// Main memory.
    pub(super) memory_bytes: Option<u64>,
    /// Operating system and its release.
    pub(super) system: String,
    /// Kind of the file system worked on.
    pub(super) file_system: Option<String>,
}

impl Machine {
    /// Looks at the machine, and at the file system of `dir`, whose links are resolved.
    pub(super) fn look(dir: &Path) -> Machine {
        let fs = Fs::os();
        let text = |path| proc_text(&fs, path).unwrap_or_default();
        let release = text("/proc/sys/kernel/osrelease");
        Machine {
            cores: std::thread::available_parallelism().ok().map(usize::from),
            processor: processor(&text("/proc/cpuinfo")),
            memory_bytes: kilobytes(&text("/proc/meminfo"), "MemTotal:"),
            system: format!("{} {} {}", std::env::consts::OS, release.trim(), std::env::consts::ARCH),
            file_system: file_system(&text("/proc/self/mountinfo"), dir),
        }
    }
}

fn processor(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, name)| name.trim().to_owned())
}

/// The kind of the file system that is mounted at the longest path that `dir` lies below, the latest of several there.
fn file_system(mountinfo: &str, dir: &Path) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        Some((place.split(' ').nth(4)?, kind.split(' ').next()?))
    });
    let above = mounts.filter(|(place, _)| dir.starts_with(place));
    above.max_by_key(|(place, _)| place.len()).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_system_is_that_of_the_longest_mount() {
        let mounts = "21 1 254:0 / / rw - ext4 /dev/vda rw\n22 21 0:5 / /data rw shared:2 - tmpfs tmpfs rw\n\
                      23 21 0:6 / /data rw - xfs /dev/vdb rw\n";
        let kind = |dir| file_system(mounts, Path::new(dir));
        assert_eq!(kind("/data/x").as_deref(), Some("xfs"));
        assert_eq!(kind("/database").as_deref(), Some("ext4"));
        assert_eq!(file_system("", Path::new("/")), None);
    }

    #[test]
    fn processor_is_named() {
        assert_eq!(processor("processor : 0\nmodel name\t: Some CPU @ 2 GHz\n").as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(processor(""), None);
    }
}
