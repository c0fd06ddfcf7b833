//! Writes the seeds of all targets: `seeds <folder>` makes `<folder>/<target>/<n>`.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: seeds <folder>")?);
    for (number, seed) in steledb::fuzzing::seeds()?.into_iter().enumerate() {
        let folder = folder.join(seed.target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(number.to_string()), seed.bytes)?;
    }
    Ok(())
}
