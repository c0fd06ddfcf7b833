//! Memory: whatever number a file claims, its decoder sets little more aside than the file is long. Every place of a file is
//! overwritten with the largest numbers, the checksums are made right again, and the most memory in use is measured.

// Only an allocator can count what parquet and serde set aside; it does nothing but count and ask the system's.
#![allow(unsafe_code, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use super::*;

/// What a decoder may have in use at once, besides so many times the length of the file: buffers of a fixed size.
const FIXED_BYTES_MAX: isize = 16 << 20;
const TIMES_MAX: isize = 64;
/// Places of a file that are overwritten, at most.
const PLACES_MAX: usize = 1500;
/// Files of each kind.
const FILES_MAX: usize = 3;

/// The largest numbers as they are in Parquet's metadata and pages: variable length with and without sign, 32 bits, a list of
/// structures.
const NUMBERS: [&[u8]; 5] = [
    &[0xfe, 0xff, 0xff, 0xff, 0x0f],
    &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xfc, 0xff, 0xff, 0xff, 0xff, 0x07],
];
const NUMBERS_IN_TEXT: [&str; 4] = ["9223372036854775807", "18446744073709551615", "4294967295", "2147483647"];

thread_local! {
    /// Bytes that this thread has in use, and the most there were.
    static IN_USE: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

struct Counting;

fn note(bytes: isize) {
    // What it takes to print a panic of the Parquet reader with a backtrace is not the decoder's.
    if std::thread::panicking() {
        return;
    }
    // While a thread ends there is nothing to count with.
    let _ = IN_USE.try_with(|cell| {
        let (now, most) = cell.get();
        cell.set((now + bytes, most.max(now + bytes)));
    });
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size().cast_signed());
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size().cast_signed());
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(-layout.size().cast_signed());
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size.cast_signed() - layout.size().cast_signed());
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn most_in_use(work: impl FnOnce()) -> isize {
    IN_USE.set((0, 0));
    work();
    IN_USE.get().1
}

/// The file with each place in turn claiming each of the largest numbers.
fn claims(bytes: &[u8], is_text: bool) -> Vec<Vec<u8>> {
    let step = bytes.len().div_ceil(PLACES_MAX).max(1);
    let starts = |at: usize| bytes[at].is_ascii_digit() && (at == 0 || !bytes[at - 1].is_ascii_digit());
    let mut all = Vec::new();
    if is_text {
        for at in (0..bytes.len()).filter(|at| starts(*at)) {
            let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let with = |number: &&str| [&bytes[..at], number.as_bytes(), &bytes[at + digits..]].concat();
            all.extend(NUMBERS_IN_TEXT.iter().map(with));
        }
        let step = all.len().div_ceil(PLACES_MAX).max(1);
        return all.into_iter().step_by(step).collect();
    }
    for at in (0..bytes.len()).step_by(step) {
        for number in NUMBERS {
            let mut claimed = bytes.to_vec();
            let end = bytes.len().min(at + number.len());
            claimed[at..end].copy_from_slice(&number[..end - at]);
            all.push(claimed);
        }
    }
    all
}

type Decode = fn(&[u8]);

/// A target, and whether its files are text. What a load of other formats sets aside has bounds of its own.
fn target(name: &str) -> Option<(Decode, bool)> {
    Some(match name {
        "log" => (log, true),
        "manifest" => (manifest, true),
        "catalog" => (catalog, true),
        "checkpoint" => (checkpoint, false),
        "blocks" => (blocks, false),
        "segment" => (segment, false),
        "deletion_vector" => (deletion_vector, false),
        "parquet" => (parquet, false),
        _ => return None,
    })
}

#[test]
fn no_claim_of_a_file_makes_its_decoder_set_more_aside_than_the_file_is_worth() {
    let mut files: BTreeMap<&str, Vec<Vec<u8>>> = BTreeMap::new();
    for seed in seeds().unwrap() {
        files.entry(seed.target).or_default().push(seed.bytes);
    }
    files.retain(|name, _| target(name).is_some());
    assert_eq!(files.len(), 8);
    for (name, mut files) in files {
        let Some((decode, is_text)) = target(name) else { continue };
        files.sort_by_key(|bytes| std::cmp::Reverse(bytes.len()));
        let (mut tried, mut most) = (0, 0);
        for bytes in files.iter().take(FILES_MAX) {
            for claimed in claims(bytes, is_text) {
                let used = most_in_use(|| decode(&claimed));
                let limit = FIXED_BYTES_MAX + TIMES_MAX * claimed.len().cast_signed();
                assert!(used <= limit, "{name}: {used} bytes in use for {} bytes, claim {tried}", claimed.len());
                (tried, most) = (tried + 1, used.max(most));
            }
        }
        println!("{name}: {tried} claims, at most {most} bytes in use");
    }
}

/// The file with the header of each dictionary claiming the most values, and that of each page the most bytes; offsets up to it
/// stay right.
fn page_claims(bytes: &[u8]) -> Vec<Vec<u8>> {
    // A page header's field 7 is a struct, whose field 1 is a number and field 2 an encoding, PLAIN.
    let is_dictionary =
        |at: usize, after: usize| bytes[at..].starts_with(&[0x4c, 0x15]) && bytes[after..].starts_with(&[0x15, 0]);
    // A page header begins with its type, one of three; then its two sizes.
    let is_header = |at: usize, after: usize| {
        at >= 2
            && matches!(bytes[at - 2..=at + 1], [0x15, 0 | 4 | 6, _, _])
            && bytes[at..].starts_with(&[0x15])
            && bytes[after] == 0x15
    };
    let mut all = Vec::new();
    for at in 0..bytes.len().saturating_sub(8) {
        for (number, is_claim) in [(at + 2, &is_dictionary as &dyn Fn(usize, usize) -> bool), (at + 1, &is_header)] {
            let length = bytes[number..].iter().position(|byte| *byte < 0x80).map_or(0, |last| last + 1);
            if (1..=3).contains(&length) && number + length < bytes.len() && is_claim(at, number + length) {
                all.push([&bytes[..number], &[0xfe, 0xff, 0xff, 0xff, 0x0f][..], &bytes[number + length..]].concat());
            }
        }
    }
    all
}

/// Before the file is where its tail begins, which a longer header moves.
fn page_claims_of_segment(bytes: &[u8]) -> Vec<Vec<u8>> {
    let (offset, file) = bytes.split_first_chunk().unwrap();
    let claimed = page_claims(file).into_iter().map(|claimed| {
        let moved = u64::from_le_bytes(*offset) + (claimed.len() - file.len()) as u64;
        [&moved.to_le_bytes()[..], &claimed].concat()
    });
    claimed.collect()
}

#[test]
fn a_page_that_claims_more_bytes_or_values_than_it_has_is_not_set_aside() {
    let mut tried = BTreeMap::new();
    for Seed { target, bytes } in seeds().unwrap() {
        let claimed = match target {
            "checkpoint" | "parquet" => page_claims(&bytes),
            "segment" => page_claims_of_segment(&bytes),
            _ => continue,
        };
        let (decode, _) = self::target(target).unwrap();
        for claimed in &claimed {
            let used = most_in_use(|| decode(claimed));
            let limit = FIXED_BYTES_MAX + TIMES_MAX * claimed.len().cast_signed();
            assert!(used <= limit, "{target}: {used} bytes in use for {} bytes", claimed.len());
        }
        *tried.entry(target).or_insert(0) += claimed.len();
    }
    assert!(tried["checkpoint"] > 60 && tried["segment"] > 25 && tried["parquet"] > 25, "{tried:?}");
    println!("{tried:?}");
}

#[test]
fn an_arrow_footer_that_claims_to_be_longer_than_its_file_is_not_set_aside() {
    for length in [100, 1 << 20, i32::MAX] {
        let file = [&b"ARROW1\0\0"[..], &length.to_le_bytes(), b"ARROW1"].concat();
        let used = most_in_use(|| arrow_ipc(&file));
        assert!(used < 1 << 20, "{used} bytes in use for a footer of {length}");
    }
}
