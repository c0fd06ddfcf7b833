//! The `stele` command. Everything is in `steledb::cli`.

fn main() -> std::process::ExitCode {
    steledb::cli::main()
}
