//! Parquet files: segments and checkpoints. A segment's blocks are checked against its own table here; whether the file
//! is the one that the table log names is `verify`'s to say.

use bytes::Bytes;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use crate::checked_parquet::load_metadata;
use crate::cli::inspect::log;
use crate::digest::{Digest, crc32};
use crate::error::{Error, Result};
use crate::limits::BLOCK_BYTES;
use crate::segment::{BLOCKS_KEY, BlockTable, chunk_range};

/// Footer, row groups, blocks and tail.
pub(super) fn describe(bytes: &Bytes, file: &str) -> Result<Vec<String>> {
    let metadata = load_metadata(bytes, ArrowReaderOptions::new().with_skip_arrow_metadata(true))
        .map_err(|error| Error::corrupt(format!("{file}: the Parquet footer cannot be read: {error}")))?;
    let metadata = metadata.metadata();
    if is_checkpoint(metadata) {
        return log::describe_checkpoint(bytes, file);
    }
    let facts = metadata.file_metadata();
    let mut lines = vec![
        format!("Parquet file, {} bytes, {} rows, digest {}", bytes.len(), facts.num_rows(), Digest::of(bytes)),
        format!("written by {}", facts.created_by().unwrap_or("nobody who says so")),
    ];
    lines.extend(facts.schema_descr().columns().iter().map(|column| {
        let info = column.self_type().get_basic_info();
        let id = if info.has_id() { info.id().to_string() } else { "none".to_owned() };
        let null = if column.max_def_level() == 0 { " NOT NULL" } else { "" };
        format!("column     {} {}{null}, field id {id}", column.path().string(), column.physical_type())
    }));
    for (index, group) in metadata.row_groups().iter().enumerate() {
        lines.push(row_group(index, group));
    }
    lines.extend(blocks(bytes, metadata, file)?);
    Ok(lines)
}

fn is_checkpoint(metadata: &ParquetMetaData) -> bool {
    let fields = metadata.file_metadata().schema().get_fields();
    let has = |name: &str| fields.iter().any(|field| field.name() == name);
    has("add") && has("metaData") && has("protocol")
}

fn row_group(index: usize, group: &RowGroupMetaData) -> String {
    let chunks = group.columns().iter();
    let with_index = chunks.filter(|chunk| chunk.offset_index_offset().is_some()).count();
    format!(
        "row group  {index}: {} rows, {} bytes stored, {} plain, {with_index} of {} columns with page index",
        group.num_rows(),
        group.compressed_size(),
        group.total_byte_size(),
        group.num_columns()
    )
}

/// The end of the last column chunk, where the tail begins. Offsets come from the file: never beyond it.
fn tail_offset(metadata: &ParquetMetaData, length: u64) -> Option<u64> {
    let ends = metadata
        .row_groups()
        .iter()
        .flat_map(RowGroupMetaData::columns)
        .map(|chunk| chunk_range(chunk).map(|(_, end)| end));
    ends.collect::<Option<Vec<u64>>>()?.into_iter().max().filter(|end| *end <= length)
}

fn blocks(bytes: &Bytes, metadata: &ParquetMetaData, file: &str) -> Result<Vec<String>> {
    let entries = metadata.file_metadata().key_value_metadata().map_or(&[][..], Vec::as_slice);
    let Some(text) = entries.iter().find(|entry| entry.key == BLOCKS_KEY).and_then(|entry| entry.value.as_ref()) else {
        return Ok(vec!["no block table: not a segment of a store".to_owned()]);
    };
    let covered = tail_offset(metadata, bytes.len() as u64)
        .ok_or_else(|| Error::corrupt(format!("{file}: a column chunk ends beyond the file")))?;
    let table = BlockTable::decode(text, covered).map_err(|error| error.context(file))?;
    let (body, tail) = bytes.split_at(covered as usize);
    let mut lines = vec![format!("blocks     {} of {BLOCK_BYTES} bytes cover {covered} bytes", table.crc32.len())];
    for (index, (block, expected)) in body.chunks(BLOCK_BYTES as usize).zip(&table.crc32).enumerate() {
        let found = crc32(block);
        if found != *expected {
            return Err(Error::corrupt(format!(
                "{file}: block {index} has CRC-32 {found:08x} but its block table says {expected:08x}"
            )));
        }
    }
    lines.push("blocks     every one matches its CRC-32".to_owned());
    lines.push(format!("tail       {} bytes from {covered}, CRC-32 {:08x}", tail.len(), crc32(tail)));
    Ok(lines)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::fs::SimFs;
    use crate::load::LoadSource;
    use crate::schema::{DataType, TableSpec};
    use crate::store::{Store, StoreOptions};

    #[test]
    fn no_flipped_byte_of_a_footer_ends_the_process() {
        let fs = SimFs::new().fs();
        let options = StoreOptions { fs: fs.clone(), threads: 1, ..StoreOptions::default() };
        let store = Store::create_with(Path::new("/store"), options).unwrap();
        store.create_database("d").unwrap();
        let table = store.create_table("d", "t", &TableSpec::new().column("id", DataType::BigInt)).unwrap();
        let rows = arrow::array::Int64Array::from_iter_values(0..10);
        let batch = arrow::array::RecordBatch::try_from_iter([("id", std::sync::Arc::new(rows) as _)]).unwrap();
        table.load(LoadSource::batches(vec![batch]), &Default::default()).unwrap();
        let version = table.version();
        let segment = version.segments().next().unwrap();
        let sound = fs.read(&version.layout.segment(&segment.name), 1 << 20).unwrap();
        assert!(describe(&sound.clone().into(), "s").unwrap().iter().any(|line| line.contains("10 rows")));
        for at in 0..sound.len() {
            for bit in 0..8 {
                let mut damaged = sound.clone();
                damaged[at] ^= 1 << bit;
                let _ = describe(&damaged.into(), "s");
            }
        }
    }
}
