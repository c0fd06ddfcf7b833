//! `stele inspect`: any file of the format in readable form. The kind is told by the content, never by the name, and
//! everything goes through the decoders that the store itself uses, so what they refuse is refused here.

mod document;
mod log;
mod segment;
mod vectors;

use std::path::PathBuf;

use clap::Args;

use crate::cli::{Ended, output};
use crate::delta::is_vector_file;
use crate::error::{Error, Result};
use crate::fs::Fs;

#[derive(Args)]
pub(super) struct InspectArguments {
    /// The file: STELE, a catalog, manifest, pin, outcome or label, a log version, a checkpoint, a segment, deletion vectors, ….
    file: PathBuf,
}

/// What a file turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Document,
    LogVersion,
    Parquet,
    Vectors,
}

pub(super) fn run(arguments: &InspectArguments) -> Result<Ended> {
    let file = arguments.file.display().to_string();
    let bytes = Fs::os().map(&arguments.file)?;
    let lines = match kind_of(&bytes) {
        Some(Kind::Document) => document::describe(&bytes, &file)?,
        Some(Kind::LogVersion) => log::describe_version(&bytes, &file)?,
        Some(Kind::Parquet) => segment::describe(&bytes, &file)?,
        Some(Kind::Vectors) => vectors::describe(&bytes, &file)?,
        None => {
            return Err(Error::invalid(format!(
                "{file} is none of ours: it is neither a stele document, a log version, a Parquet file nor a file of deletion \
                 vectors"
            )));
        }
    };
    for line in lines {
        output::line(line)?;
    }
    Ok(Ended::Done)
}

fn kind_of(bytes: &[u8]) -> Option<Kind> {
    if bytes.starts_with(b"PAR1") {
        return Some(Kind::Parquet);
    }
    if is_vector_file(bytes) {
        return Some(Kind::Vectors);
    }
    if bytes.starts_with(b"{\"stele\":\"") {
        return Some(Kind::Document);
    }
    bytes.starts_with(b"{\"commitInfo\"").then_some(Kind::LogVersion)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_tells_the_kind() {
        assert_eq!(kind_of(b"PAR1..."), Some(Kind::Parquet));
        assert_eq!(kind_of(b"{\"stele\":\"catalog\",\"format\":1"), Some(Kind::Document));
        assert_eq!(kind_of(b"{\"commitInfo\":{}}\n"), Some(Kind::LogVersion));
        assert_eq!(kind_of(b"{\"stele\":{\"blake3\":\"\"}}"), None);
        // A wrong version or length is for the decoder to tell.
        assert_eq!(kind_of(b"\x02\0\0\0\x28\xd1\xd3\x39\x64"), Some(Kind::Vectors));
        assert_eq!(kind_of(b"\x01\0\0\0\x28\xd0\xd3\x39\x64"), None);
        assert_eq!(kind_of(b""), None);
    }
}
