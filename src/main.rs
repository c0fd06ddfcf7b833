//! The `stele` command. Everything is in `steledb::cli`.

use libmimalloc_sys::{mi_option_get, mi_option_set, mi_option_t};

/// Loading makes and frees many buffers on several threads, at which it takes a tenth less time than the system's allocator; and
/// some eight per cent less since what is in C, such as the compressor of each page, has its memory from here as well (`override`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of `mimalloc.h`, which the crate gives no name: how long freed memory is kept before it is given back
/// to the system, in milliseconds.
const PURGE_DELAY: mi_option_t = 15;
const PURGE_DELAY_DEFAULT: std::ffi::c_long = 1_000;
const PURGE_DELAY_OURS: std::ffi::c_long = 10_000;

fn main() -> std::process::ExitCode {
    keep_freed_memory_longer();
    steledb::cli::main(give_freed_memory_back)
}

/// A load frees and takes again the same gigabytes every few seconds. Given back after one second, they cost half a million
/// page faults at `lineitem` of scale 10, and five per cent of its time.
///
/// An option that is not at its default is the user's (`MIMALLOC_PURGE_DELAY`), or another one than this is about.
#[expect(unsafe_code, reason = "options are set by functions of C; these two only read and write a number")]
fn keep_freed_memory_longer() {
    // SAFETY: the number is below `_mi_option_last`, no pointer is passed, and no other thread runs yet.
    unsafe {
        if mi_option_get(PURGE_DELAY) == PURGE_DELAY_DEFAULT {
            mi_option_set(PURGE_DELAY, PURGE_DELAY_OURS);
        }
    }
}

#[expect(unsafe_code, reason = "the allocator is told so by a function of C, which takes no pointer")]
fn give_freed_memory_back() {
    // SAFETY: it may be called by any thread at any time.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
