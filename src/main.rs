//! The `stele` command. Everything is in `steledb::cli`.

/// Loading makes and frees many buffers on several threads, at which it takes a tenth less time than the system's allocator; and
/// some eight per cent less since what is in C, such as the compressor of each page, has its memory from here as well (`override`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    steledb::cli::main()
}
