//! The one place of the library with `unsafe`: mapping a published file, which never changes (I1).

use std::fs::File;
use std::io::{Error, ErrorKind, Result};

use bytes::Bytes;
use memmap2::MmapOptions;

/// The whole file as memory. The file stays mapped until the last part of the `Bytes` is dropped, even if its name is
/// removed before.
#[expect(unsafe_code, reason = "a memory map is unsafe by nature; the comment inside says why this one is sound")]
pub(super) fn map(file: &File) -> Result<Bytes> {
    let size_bytes = file.metadata()?.len();
    if size_bytes == 0 {
        // The system refuses empty maps.
        return Ok(Bytes::new());
    }
    let length = usize::try_from(size_bytes)
        .map_err(|_| Error::new(ErrorKind::FileTooLarge, "it does not fit into the address space"))?;
    // SAFETY: the bytes behind a `&[u8]` must not change while it lives. A published file is never written or cut again
    // (I1): we create files under names that did not exist, append, and hand out readers only of finished ones; a
    // repository or a store changed by somebody else while we run is outside of what we promise, as for every program
    // that maps files. The map is read-only and covers exactly the length the file has, so nothing beyond its end
    // is touched. The `Bytes` owns the map.
    let map = unsafe { MmapOptions::new().len(length).map(file) }?;
    Ok(Bytes::from_owner(map))
}
