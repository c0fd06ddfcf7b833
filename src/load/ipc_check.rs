//! What Arrow's IPC decoder takes for granted, checked before it sees it: it panics on types it does not know and on lengths
//! beyond a buffer, and sets memory aside as compressed buffers tell it.

use std::io::{self, Read};
use std::sync::Arc;

use arrow::buffer::Buffer;
use arrow::datatypes::{DataType as ArrowType, Field, FieldRef, Fields, Schema};
use arrow::ipc;
use lz4_flex::frame::FrameDecoder;

/// Why something is refused.
type Rule<T> = Result<T, String>;

/// Most rows of a batch; Arrow's offsets and ours count in 32 bits.
const ROWS_MAX: i64 = i32::MAX as i64;

/// The types of all columns are such that Arrow has, and such that a table can be loaded from.
pub fn check_schema(schema: &ipc::Schema<'_>) -> Rule<()> {
    if !schema.endianness().equals_to_target_endianness() {
        return Err("it was written on a machine of another byte order".to_owned());
    }
    let fields = schema.fields().ok_or("its schema has no columns")?;
    fields.iter().try_for_each(|field| check_field(&field))
}

fn check_field(field: &ipc::Field<'_>) -> Rule<()> {
    let refused = || {
        let kind = field.type_type().variant_name().unwrap_or("unknown");
        format!("column {:?} has an Arrow type that is not read ({kind})", field.name().unwrap_or_default())
    };
    let children = || field.children().into_iter().flatten();
    let children_count = children().count();
    if let Some(dictionary) = field.dictionary() {
        let index = dictionary.indexType().map(|index| index.bitWidth());
        index.filter(|bits| is_int(*bits)).ok_or_else(refused)?;
    }
    let known = match field.type_type() {
        ipc::Type::Null | ipc::Type::Bool | ipc::Type::Binary | ipc::Type::LargeBinary | ipc::Type::BinaryView => true,
        ipc::Type::Utf8 | ipc::Type::LargeUtf8 | ipc::Type::Utf8View => true,
        ipc::Type::Int => field.type_as_int().is_some_and(|int| is_int(int.bitWidth())),
        ipc::Type::FloatingPoint => field.type_as_floating_point().is_some_and(|float| {
            matches!(float.precision(), ipc::Precision::HALF | ipc::Precision::SINGLE | ipc::Precision::DOUBLE)
        }),
        ipc::Type::Decimal => field.type_as_decimal().is_some_and(|decimal| is_decimal(&decimal)),
        ipc::Type::Date => field
            .type_as_date()
            .is_some_and(|date| matches!(date.unit(), ipc::DateUnit::DAY | ipc::DateUnit::MILLISECOND)),
        ipc::Type::Timestamp => field.type_as_timestamp().is_some_and(|time| time.unit().variant_name().is_some()),
        ipc::Type::FixedSizeBinary => field.type_as_fixed_size_binary().is_some_and(|binary| binary.byteWidth() >= 0),
        ipc::Type::List | ipc::Type::LargeList => children_count == 1,
        ipc::Type::FixedSizeList => {
            children_count == 1 && field.type_as_fixed_size_list().is_some_and(|list| list.listSize() >= 0)
        }
        ipc::Type::Struct_ => true,
        ipc::Type::Map => {
            let is_entry = |child: ipc::Field<'_>| {
                child.type_type() == ipc::Type::Struct_
                    && child.dictionary().is_none()
                    && child.children().is_some_and(|parts| parts.len() == 2)
            };
            children_count == 1 && field.type_as_map().is_some() && children().all(is_entry)
        }
        _ => false,
    };
    if !known {
        return Err(refused());
    }
    children().try_for_each(|child| check_field(&child))
}

fn is_int(bits: i32) -> bool {
    matches!(bits, 8 | 16 | 32 | 64)
}

fn is_decimal(decimal: &ipc::Decimal<'_>) -> bool {
    let digits_max = match decimal.bitWidth() {
        32 => 9,
        64 => 18,
        128 => 38,
        256 => 76,
        _ => 0,
    };
    (1..=digits_max).contains(&decimal.precision()) && (-digits_max..=decimal.precision()).contains(&decimal.scale())
}

/// The column that a dictionary batch is decoded as.
pub fn dictionary_type(schema: &Schema, id: i64) -> Option<FieldRef> {
    #[expect(deprecated, reason = "the ids of a file's dictionaries stand nowhere else")]
    let fields = schema.fields_with_dict_id(id);
    match fields.first()?.data_type() {
        ArrowType::Dictionary(_, values) => Some(Arc::new(Field::new("", values.as_ref().clone(), true))),
        _ => None,
    }
}

/// Lengths and buffers of a batch of these columns fit each other and the body. Compressed buffers say how long they are
/// decompressed: together at most `bytes_max`. Gives the bytes that the batch takes.
pub fn check_batch(batch: &ipc::RecordBatch<'_>, fields: &Fields, body: &Buffer, bytes_max: u64) -> Rule<u64> {
    if !(0..=ROWS_MAX).contains(&batch.length()) {
        return Err(format!("a batch of {} rows is impossible", batch.length()));
    }
    let buffers = batch.buffers().ok_or("a batch has no buffers")?;
    let nodes = batch.nodes().ok_or("a batch has no columns")?;
    let mut total = 0u64;
    let mut lengths = Vec::with_capacity(buffers.len());
    for buffer in buffers {
        let length = length_decoded(bytes_of(buffer, body)?, batch.compression().is_some())?;
        total = total.saturating_add(length);
        lengths.push(length);
    }
    // What is not compressed lies in the body, but several buffers may claim the same bytes of it.
    if total > bytes_max.max(body.len() as u64) {
        return Err(format!(
            "a batch of {total} bytes is longer than {bytes_max}: write the file with smaller batches"
        ));
    }
    let counts = batch.variadicBufferCounts().into_iter().flatten().collect::<Vec<i64>>();
    let mut walk = Walk { nodes: nodes.iter(), lengths: lengths.iter(), counts: counts.iter() };
    fields.iter().try_for_each(|field| walk.column(field.data_type()))?;
    if walk.counts.next().is_some() {
        return Err("a batch has more parts than its columns".to_owned());
    }
    if batch.compression().is_some_and(|compression| compression.codec() == ipc::CompressionType::LZ4_FRAME) {
        buffers.iter().try_for_each(|buffer| check_lz4(bytes_of(buffer, body)?))?;
    }
    Ok(total.max(body.len() as u64))
}

fn bytes_of<'a>(buffer: &ipc::Buffer, body: &'a Buffer) -> Rule<&'a [u8]> {
    let (offset, length) = (usize::try_from(buffer.offset()), usize::try_from(buffer.length()));
    let bytes = match (offset, length) {
        (Ok(offset), Ok(length)) => offset.checked_add(length).and_then(|end| body.as_slice().get(offset..end)),
        _ => None,
    };
    bytes.ok_or_else(|| "a buffer does not lie in its message".to_owned())
}

/// Length of a buffer as Arrow's decoder sees it.
fn length_decoded(bytes: &[u8], is_compressed: bool) -> Rule<u64> {
    if !is_compressed || bytes.is_empty() {
        return Ok(bytes.len() as u64);
    }
    let (prefix, rest) = bytes.split_first_chunk::<8>().ok_or("a compressed buffer is cut off")?;
    match i64::from_le_bytes(*prefix) {
        -1 => Ok(rest.len() as u64),
        length => u64::try_from(length).map_err(|_| format!("a compressed buffer of {length} bytes is impossible")),
    }
}

/// A buffer is decompressed as long as it says. Arrow's decoder looks at that length only afterwards, and has all that there
/// is in memory by then; the one of Zstandard sets aside as much as the buffer says and ends there.
fn check_lz4(bytes: &[u8]) -> Rule<()> {
    let Some((prefix, frame)) = bytes.split_first_chunk::<8>() else { return Ok(()) };
    let Ok(length @ 1..) = u64::try_from(i64::from_le_bytes(*prefix)) else { return Ok(()) };
    let mut decoder = FrameDecoder::new(frame).take(length.saturating_add(1));
    let found = io::copy(&mut decoder, &mut io::sink()).map_err(|error| format!("a buffer is damaged: {error}"))?;
    match found == length {
        true => Ok(()),
        false => Err(format!("a compressed buffer says that it has {length} bytes, which is wrong")),
    }
}

/// Goes through nodes and buffers in the order in which columns have them.
struct Walk<'a, N> {
    nodes: N,
    lengths: std::slice::Iter<'a, u64>,
    counts: std::slice::Iter<'a, i64>,
}

impl<'a, N: Iterator<Item = &'a ipc::FieldNode>> Walk<'a, N> {
    fn column(&mut self, data_type: &ArrowType) -> Rule<()> {
        let node = self.nodes.next().ok_or("a batch has fewer columns than its schema")?;
        let (length, null_count) = (node.length(), node.null_count());
        if !(0..=ROWS_MAX).contains(&length) || !(0..=length).contains(&null_count) {
            return Err(format!("a column of {length} rows, of which {null_count} are NULL, is impossible"));
        }
        if *data_type == ArrowType::Null {
            return Ok(());
        }
        let validity_bytes = self.buffer(1)?;
        if null_count > 0 && validity_bytes < (length as u64).div_ceil(8) {
            return Err("a column has fewer validity bits than rows".to_owned());
        }
        match data_type {
            ArrowType::Utf8 | ArrowType::Binary => self.buffer(4).and_then(|_| self.buffer(1)).map(drop),
            ArrowType::LargeUtf8 | ArrowType::LargeBinary => self.buffer(8).and_then(|_| self.buffer(1)).map(drop),
            ArrowType::Utf8View | ArrowType::BinaryView => {
                self.buffer(16)?;
                let count = *self.counts.next().ok_or("a batch has fewer parts than its columns")?;
                let count = u64::try_from(count).map_err(|_| "a column has a negative number of buffers")?;
                // Ends at the last buffer at the latest, whatever the count is.
                (0..count).try_for_each(|_| self.buffer(1).map(drop))
            }
            ArrowType::List(child) | ArrowType::Map(child, _) => {
                self.buffer(4)?;
                self.column(child.data_type())
            }
            ArrowType::LargeList(child) => {
                self.buffer(8)?;
                self.column(child.data_type())
            }
            ArrowType::FixedSizeList(child, _) => self.column(child.data_type()),
            ArrowType::Struct(children) => children.iter().try_for_each(|child| self.column(child.data_type())),
            ArrowType::Dictionary(keys, _) => self.buffer(keys.primitive_width().unwrap_or(1)).map(drop),
            other => self.buffer(other.primitive_width().unwrap_or(1)).map(drop),
        }
    }

    /// Length of the next buffer, which has parts of `width` bytes.
    fn buffer(&mut self, width: usize) -> Rule<u64> {
        let length = *self.lengths.next().ok_or("a batch has fewer buffers than its columns need")?;
        match length % width as u64 {
            0 => Ok(length),
            _ => Err(format!("a buffer of {length} bytes has no whole parts of {width} bytes")),
        }
    }
}
