//! Wall time, processor time and memory of one piece of work in this process.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::fs::Fs;

/// Memory is looked at this often: what comes and goes within it is not seen.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Processor time in `/proc` is counted in hundredths of a second on every Linux we know.
const TICKS_PER_SECOND: f64 = 100.0;
/// More than any file in `/proc` that is read here.
const PROC_BYTES_MAX: usize = 64 << 10;

/// What one run took and handled.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// Wall time.
    pub(super) seconds: f64,
    /// Processor time of all threads, to 10 ms; `None` where the system does not tell.
    pub(super) cpu_seconds: Option<f64>,
    /// The most memory of its own, without mapped files, that the process held; `None` where the system does not tell.
    pub(super) peak_memory_bytes: Option<u64>,
    /// What was handled; the first is what a rate is given of.
    pub(super) amounts: Vec<(&'static str, f64)>,
}

impl Run {
    /// With one more amount.
    pub(super) fn with(mut self, name: &'static str, amount: f64) -> Run {
        self.amounts.push((name, amount));
        self
    }

    /// With a number of things.
    pub(super) fn count(self, name: &'static str, amount: u64) -> Run {
        self.with(name, amount as f64)
    }
}

/// Runs `work` and measures it. What was written before, on the disk of `dir`, is made durable first, so that the work does
/// not wait for it.
pub(super) fn measure<R>(fs: &Fs, dir: &Path, work: impl FnOnce() -> Result<R>) -> Result<(Run, R)> {
    fs.sync_all(dir)?;
    let (ended, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let look = || peak.fetch_max(own_memory_bytes(fs).unwrap_or(0), Ordering::Relaxed);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                look();
                std::thread::park_timeout(LOOK_EVERY);
            }
        });
        let cpu_before = cpu_seconds(fs);
        let begun = Instant::now();
        let result = work();
        let seconds = begun.elapsed().as_secs_f64();
        let cpu_after = cpu_seconds(fs);
        look();
        ended.store(true, Ordering::SeqCst);
        watcher.thread().unpark();
        let cpu = cpu_before.zip(cpu_after).map(|(before, after)| after - before);
        let peak = Some(peak.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0);
        Ok((Run { seconds, cpu_seconds: cpu, peak_memory_bytes: peak, amounts: Vec::new() }, result?))
    })
}

/// Memory of this process that no file stands for.
pub(super) fn own_memory_bytes(fs: &Fs) -> Option<u64> {
    kilobytes(&proc_text(fs, "/proc/self/status")?, "RssAnon:")
}

/// The most memory that this process ever had, mapped files among it.
pub(super) fn peak_resident_bytes(fs: &Fs) -> Option<u64> {
    kilobytes(&proc_text(fs, "/proc/self/status")?, "VmHWM:")
}

/// The number behind a name in `/proc/self/status` or `/proc/meminfo`, in bytes.
pub(super) fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Processor time of all threads of this process.
fn cpu_seconds(fs: &Fs) -> Option<f64> {
    cpu_seconds_of(&proc_text(fs, "/proc/self/stat")?)
}

fn cpu_seconds_of(stat: &str) -> Option<f64> {
    // The name of the program, in parentheses, may hold anything; the state, a letter, comes after it.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((ticks()? + ticks()?) as f64 / TICKS_PER_SECOND)
}

/// A file that the system makes up when it is read; `None` where there is none.
pub(super) fn proc_text(fs: &Fs, path: &str) -> Option<String> {
    let file = fs.open(Path::new(path)).ok()?;
    let mut bytes = vec![0; PROC_BYTES_MAX];
    let mut length = 0;
    loop {
        match file.read_at(length as u64, &mut bytes[length..]).ok()? {
            0 => break,
            read => length += read,
        }
    }
    bytes.truncate(length);
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_a_strange_name() {
        let stat = "42 (a) b) R 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        assert_eq!(cpu_seconds_of(stat), Some(2.0));
        assert_eq!(cpu_seconds_of("nothing"), None);
    }

    #[test]
    fn kilobytes_are_found_by_name() {
        assert_eq!(kilobytes("VmRSS:\t  10 kB\nRssAnon:\t   3 kB\n", "RssAnon:"), Some(3072));
        assert_eq!(kilobytes("VmRSS:\t  10 kB\n", "RssAnon:"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn work_that_takes_memory_is_seen() {
        let fs = Fs::os();
        let work = || {
            let bytes = std::hint::black_box(vec![1_u8; 64 << 20]);
            std::thread::sleep(4 * LOOK_EVERY);
            Ok(bytes.len())
        };
        let (run, length) = measure(&fs, &std::env::temp_dir(), work).unwrap();
        assert_eq!(length, 64 << 20);
        assert!(run.seconds >= 0.04 && run.cpu_seconds.is_some());
        assert!(run.peak_memory_bytes.unwrap() >= 64 << 20);
    }
}
