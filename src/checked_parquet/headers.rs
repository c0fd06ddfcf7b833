//! Footers and page headers as Parquet defines them, and what they may claim.
//!
//! Source: `src/main/thrift/parquet.thrift` of the Parquet format.

use bytes::Bytes;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::Type;
use parquet::errors::Result;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::ChunkReader;

use crate::checked_parquet::thrift::Kind::{Binary, Bool, Double, I8, I16, I32, I64, List, Struct};
use crate::checked_parquet::thrift::{Fields, Found, walk};
use crate::checked_parquet::{allowance, caught, error};

/// They are numbered from 0 with 16 bits.
const ROW_GROUPS_MAX: usize = i16::MAX as usize + 1;
/// Each of which becomes a hundred times its bytes.
const SCHEMA_ELEMENTS_MAX: usize = 1 << 17;
/// `parquet` goes down as deep as the schema.
const SCHEMA_DEPTH_MAX: usize = 64;
/// Of a value of fixed size.
const FIXED_BYTES_MAX: i32 = 1 << 20;
/// After the footer: its length and `PAR1`.
const END_BYTES: usize = 8;

const FILE_METADATA: &Fields = &[
    (1, I32),
    (SCHEMA, List(&Struct(SCHEMA_ELEMENT))),
    (3, I64),
    (ROW_GROUPS, List(&Struct(ROW_GROUP))),
    (5, List(&Struct(&[(1, Binary), (2, Binary)]))),
    (6, Binary),
    (7, List(&Struct(&[(1, Struct(&[]))]))),
];
const SCHEMA: i16 = 2;
const ROW_GROUPS: i16 = 4;

const SCHEMA_ELEMENT: &Fields = &[
    (1, I32),
    (2, I32),
    (3, I32),
    (NAME, Binary),
    (CHILDREN, I32),
    (6, I32),
    (7, I32),
    (8, I32),
    (9, I32),
    (10, Struct(LOGICAL_TYPE)),
];

const NAME: i16 = 4;
const CHILDREN: i16 = 5;

const LOGICAL_TYPE: &Fields = &[
    (1, Struct(&[])),
    (2, Struct(&[])),
    (3, Struct(&[])),
    (4, Struct(&[])),
    (5, Struct(&[(1, I32), (2, I32)])),
    (6, Struct(&[])),
    (7, Struct(TIME)),
    (8, Struct(TIME)),
    (10, Struct(&[(1, I8), (2, Bool)])),
    (11, Struct(&[])),
    (12, Struct(&[])),
    (13, Struct(&[])),
    (14, Struct(&[])),
    (15, Struct(&[])),
    (16, Struct(&[(1, I8)])),
    (17, Struct(&[(1, Binary)])),
    (18, Struct(&[(1, Binary), (2, I32)])),
];

const TIME: &Fields = &[(1, Bool), (2, Struct(&[(1, Struct(&[])), (2, Struct(&[])), (3, Struct(&[]))]))];

const ROW_GROUP: &Fields = &[
    (1, List(&Struct(COLUMN_CHUNK))),
    (2, I64),
    (3, I64),
    (4, List(&Struct(&[(1, I32), (2, Bool), (3, Bool)]))),
    (5, I64),
    (6, I64),
    (7, I16),
];

const COLUMN_CHUNK: &Fields =
    &[(1, Binary), (2, I64), (3, Struct(COLUMN_METADATA)), (4, I64), (5, I32), (6, I64), (7, I32)];

const COLUMN_METADATA: &Fields = &[
    (1, I32),
    (2, List(&I32)),
    (3, List(&Binary)),
    (4, I32),
    (5, I64),
    (6, I64),
    (7, I64),
    (8, List(&Struct(&[(1, Binary), (2, Binary)]))),
    (9, I64),
    (10, I64),
    (11, I64),
    (12, Struct(STATISTICS)),
    (13, List(&Struct(&[(1, I32), (2, I32), (3, I32)]))),
    (14, I64),
    (15, I32),
    (16, Struct(&[(1, I64), (2, List(&I64)), (3, List(&I64))])),
    (17, Struct(&[(1, Struct(BOUNDING_BOX)), (2, List(&I32))])),
];

const STATISTICS: &Fields =
    &[(1, Binary), (2, Binary), (3, I64), (4, I64), (5, Binary), (6, Binary), (7, Bool), (8, Bool)];

const BOUNDING_BOX: &Fields =
    &[(1, Double), (2, Double), (3, Double), (4, Double), (5, Double), (6, Double), (7, Double), (8, Double)];

/// Without the statistics, which `parquet` passes over.
const PAGE_HEADER: &Fields = &[
    (1, I32),
    (UNCOMPRESSED_SIZE, I32),
    (3, I32),
    (4, I32),
    (5, Struct(&[(1, I32), (2, I32), (3, I32), (4, I32)])),
    (6, Struct(&[])),
    (DICTIONARY_PAGE, Struct(&[(DICTIONARY_VALUES, I32), (2, I32), (3, Bool)])),
    (
        DATA_PAGE_V2,
        Struct(&[(1, I32), (2, I32), (3, I32), (4, I32), (LEVELS[0], I32), (LEVELS[1], I32), (IS_COMPRESSED, Bool)]),
    ),
];
const UNCOMPRESSED_SIZE: i16 = 2;
const DICTIONARY_PAGE: i16 = 7;
const DICTIONARY_VALUES: i16 = 1;
const DATA_PAGE_V2: i16 = 8;
const LEVELS: [i16; 2] = [5, 6];
const IS_COMPRESSED: i16 = 7;

const OFFSET_INDEX: &Fields = &[(1, List(&Struct(&[(1, I64), (2, I32), (3, I64)]))), (2, List(&I64))];

const COLUMN_INDEX: &Fields = &[
    (1, List(&Bool)),
    (2, List(&Binary)),
    (3, List(&Binary)),
    (4, I32),
    (5, List(&I64)),
    (6, List(&I64)),
    (7, List(&I64)),
];

/// What matters of a page header.
#[derive(Default, Clone, Copy)]
pub(super) struct PageSizes {
    /// Bytes of the page when it is decompressed, as the header claims; never negative.
    pub uncompressed: u64,
    /// Bytes of levels before what is compressed.
    pub levels: u64,
    /// Values of a dictionary.
    pub dictionary_values: u64,
    /// Without the codec of its column chunk.
    pub is_plain: bool,
}

/// Reads a page header, and gives what follows it.
pub(super) fn page_sizes(bytes: &[u8]) -> Result<(PageSizes, &[u8])> {
    let mut sizes = PageSizes::default();
    let rest = walk(bytes, PAGE_HEADER, &mut |place, found| {
        let value = match found {
            Found::Int(value) => u64::try_from(value).unwrap_or(0),
            Found::Bool(is_compressed) if place == (DATA_PAGE_V2, IS_COMPRESSED) => {
                sizes.is_plain = !is_compressed;
                return;
            }
            _ => return,
        };
        match place {
            (0, UNCOMPRESSED_SIZE) => sizes.uncompressed = value,
            (DICTIONARY_PAGE, DICTIONARY_VALUES) => sizes.dictionary_values = value,
            (DATA_PAGE_V2, id) if LEVELS.contains(&id) => sizes.levels += value,
            _ => {}
        }
    })?;
    Ok((sizes, rest))
}

/// Looks at the footer at the end of these bytes, before `parquet` makes room for all that it claims to list. Where there is no
/// footer, that is for `parquet` to say.
pub fn check_footer(bytes: &[u8]) -> Result<()> {
    let Some((bytes, end)) = bytes.split_last_chunk::<END_BYTES>() else { return Ok(()) };
    let Some(start) = footer_bytes(end).and_then(|length| bytes.len().checked_sub(length)) else { return Ok(()) };
    let (mut row_groups, mut elements) = (0, 0);
    let mut schema = Schema::default();
    walk(&bytes[start..], FILE_METADATA, &mut |place, found| match (place, found) {
        ((0, ROW_GROUPS), Found::List(count)) => row_groups = count,
        ((0, SCHEMA), Found::List(count)) => {
            elements = count;
            schema = Schema { elements_left: count, ..Schema::default() };
        }
        ((SCHEMA, NAME), Found::Binary(length)) => schema.name = length,
        ((SCHEMA, CHILDREN), Found::Int(count)) => schema.children = count,
        ((0, SCHEMA), Found::End) => schema.element(),
        _ => {}
    })?;
    if row_groups > ROW_GROUPS_MAX {
        return Err(error(format!("{row_groups} row groups, at most {ROW_GROUPS_MAX} can be numbered")));
    }
    if elements > SCHEMA_ELEMENTS_MAX {
        return Err(error(format!("a schema of {elements} elements, at most {SCHEMA_ELEMENTS_MAX}")));
    }
    match schema.wrong {
        Some(text) => Err(error(text)),
        None if schema.path_bytes > allowance(bytes.len() - start) => Err(error("its columns have too long names")),
        None => Ok(()),
    }
}

/// A schema, element by element: each group before its fields.
#[derive(Default)]
struct Schema {
    elements_left: usize,
    /// Of the element that is being read.
    name: usize,
    children: i64,
    /// Of the groups that the next element is in: fields to come, and bytes of the path.
    groups: Vec<(usize, u64)>,
    /// Fields to come of all of these.
    fields_left: usize,
    /// Of the paths of all columns, each of which `parquet` keeps.
    path_bytes: u64,
    wrong: Option<String>,
}

impl Schema {
    /// The element has ended.
    fn element(&mut self) {
        if self.wrong.is_some() {
            return;
        }
        let (name, children) = (std::mem::take(&mut self.name), std::mem::take(&mut self.children));
        self.elements_left = self.elements_left.saturating_sub(1);
        let path = self.groups.last_mut().map_or(0, |(fields, path)| {
            *fields -= 1;
            *path + name as u64 + 1
        });
        self.fields_left = self.fields_left.saturating_sub(1);
        let room = self.elements_left.saturating_sub(self.fields_left);
        let Some(children) = usize::try_from(children).ok().filter(|children| *children <= room) else {
            self.wrong = Some(format!("a group of {children} fields in a schema of {room} more elements"));
            return;
        };
        self.fields_left += children;
        match children {
            0 => self.path_bytes = self.path_bytes.saturating_add(path),
            _ if self.groups.len() >= SCHEMA_DEPTH_MAX => {
                self.wrong = Some(format!("a schema more than {SCHEMA_DEPTH_MAX} levels deep"));
            }
            _ => self.groups.push((children, path)),
        }
        while self.groups.last().is_some_and(|(fields, _)| *fields == 0) {
            self.groups.pop();
        }
    }
}

/// Looks at what a footer tells of a file of so many bytes.
pub fn check_metadata(metadata: &ParquetMetaData, file_bytes: u64) -> Result<()> {
    for column in metadata.file_metadata().schema_descr().columns() {
        if column.physical_type() == Type::FIXED_LEN_BYTE_ARRAY && column.type_length() > FIXED_BYTES_MAX {
            return Err(error(format!("{} has values of {} bytes", column.path(), column.type_length())));
        }
    }
    // Each holds a page in memory, and chunks that overlap could be any number.
    let chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
    let bytes = chunks.map(|chunk| u64::try_from(chunk.compressed_size()).unwrap_or(u64::MAX));
    match bytes.fold(0, u64::saturating_add) {
        bytes if bytes > file_bytes => Err(error(format!("column chunks of {bytes} bytes in a file of {file_bytes}"))),
        _ => Ok(()),
    }
}

/// Looks at the page indexes that a footer tells of, all of which must be in these bytes, the last ones of so many, each by
/// itself.
pub fn check_page_indexes(metadata: &ParquetMetaData, end: &[u8], file_bytes: u64) -> Result<()> {
    let mut bytes_left = end.len();
    for chunk in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        for (offset, length, fields) in [
            (chunk.offset_index_offset(), chunk.offset_index_length(), OFFSET_INDEX),
            (chunk.column_index_offset(), chunk.column_index_length(), COLUMN_INDEX),
        ] {
            let (Some(offset), Some(length)) = (offset, length) else { continue };
            let before = file_bytes.saturating_sub(end.len() as u64);
            let start = u64::try_from(offset).ok().and_then(|offset| offset.checked_sub(before));
            let start = start.and_then(|start| usize::try_from(start).ok());
            let index =
                start.and_then(|start| end.get(start..)).and_then(|rest| rest.get(..usize::try_from(length).ok()?));
            let index = index.filter(|index| index.len() <= bytes_left);
            let index = index
                .ok_or_else(|| error(format!("a page index of {length} bytes at {offset}, which cannot be there")))?;
            bytes_left -= index.len();
            walk(index, fields, &mut |_, _| {})?;
        }
    }
    Ok(())
}

/// Looks at where pages are by their indexes: within their column chunks, and no page in several.
pub fn check_page_places(metadata: &ParquetMetaData) -> Result<()> {
    for (group, indexes) in metadata.row_groups().iter().zip(metadata.offset_index().into_iter().flatten()) {
        for (chunk, index) in group.columns().iter().zip(indexes) {
            let (mut start, length) = chunk.byte_range();
            let end = start.saturating_add(length);
            for page in &index.page_locations {
                let place = u64::try_from(page.offset).ok().zip(u64::try_from(page.compressed_page_size).ok());
                start = match place.and_then(|(offset, bytes)| Some((offset, offset.checked_add(bytes)?))) {
                    Some((offset, page_end)) if start <= offset && page_end <= end => page_end,
                    _ => {
                        return Err(error(format!(
                            "a page of {} bytes at {}, which cannot be there",
                            page.compressed_page_size, page.offset
                        )));
                    }
                };
            }
        }
    }
    Ok(())
}

/// The metadata of a file whose footer was looked at.
pub fn load_metadata<T: ChunkReader>(file: &T, options: ArrowReaderOptions) -> Result<ArrowReaderMetadata> {
    check_footer(&end_of(file)?)?;
    let metadata = caught(|| ArrowReaderMetadata::load(file, options))?;
    check_metadata(metadata.metadata(), file.len())?;
    Ok(metadata)
}

/// The footer and what follows it; nothing of a file that is too short for it.
fn end_of<T: ChunkReader>(file: &T) -> Result<Bytes> {
    let read = |bytes: usize| match file.len().checked_sub(bytes as u64) {
        Some(start) => file.get_bytes(start, bytes),
        None => Ok(Bytes::new()),
    };
    let end = read(END_BYTES)?;
    let length = end.as_ref().try_into().ok().and_then(footer_bytes);
    length.map_or(Ok(Bytes::new()), |length| read(length + END_BYTES))
}

fn footer_bytes(end: &[u8; END_BYTES]) -> Option<usize> {
    let [length @ .., _, _, _, _] = end;
    end.ends_with(b"PAR1").then(|| u32::from_le_bytes(*length) as usize)
}
