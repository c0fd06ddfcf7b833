//! The bucket hash: frozen, because it decides in which tablet a row lies. `docs/format.md`, "Bucket hash", has
//! the definition and test vectors. Column fingerprints hash each value in the same way.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType,
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::error::{Error, Result};

/// What is hashed for NULL: no canonical bytes of a type that may be hashed to buckets are the same, because these
/// are neither 8 nor 16 bytes nor UTF-8.
const NULL_BYTES: [u8; 9] = [0xff; 9];

/// The 64-bit hash of each row over `columns` in order: XXH3-64 of the canonical bytes of each value, seeded by the
/// hash so far (0 at first); NULL is hashed as nine bytes 0xFF. Canonical bytes: integers of every width and BOOLEAN
/// as i64 LE, LARGEINT and DECIMAL as i128 LE (unscaled), DATE as i64 LE days, DATETIME as i64 LE microseconds, FLOAT
/// and DOUBLE as f64 LE bits (−0.0 as 0.0, every NaN as 0x7ff8000000000000), text and binary as their bytes.
pub fn bucket_hashes(columns: &[ArrayRef]) -> Result<Vec<u64>> {
    let mut hashes = vec![0; columns.first().map_or(0, |column| column.len())];
    columns.iter().try_for_each(|column| hash_column(column, &mut hashes))?;
    Ok(hashes)
}

/// The bucket of a hash: the high 64 bits of `hash × buckets`, so that no modulo bias or division is needed.
pub fn bucket_of(hash: u64, buckets: u32) -> u32 {
    ((u128::from(hash) * u128::from(buckets)) >> 64) as u32
}

/// Replaces the seed of each row by the hash of the row's value under that seed.
pub(super) fn hash_column(column: &ArrayRef, seeds: &mut [u64]) -> Result<()> {
    if column.len() != seeds.len() {
        return Err(Error::invalid(format!("a column of {} rows beside one of {}", column.len(), seeds.len())));
    }
    match column.data_type() {
        ArrowType::List(_) | ArrowType::Map(..) | ArrowType::Struct(_) => {
            let hash = value_hasher(column)?;
            seeds.iter_mut().enumerate().for_each(|(row, seed)| *seed = hash(row, *seed));
            Ok(())
        }
        _ => with_canonical_bytes(column, RowHashes(seeds)),
    }
}

/// What is done with the canonical bytes of the values of an array without parts.
trait UseBytes<'a> {
    type Output;
    fn use_bytes<B: AsRef<[u8]>>(self, nulls: Option<&'a NullBuffer>, bytes: impl Fn(usize) -> B + 'a) -> Self::Output;
}

fn with_canonical_bytes<'a, U: UseBytes<'a>>(column: &'a ArrayRef, user: U) -> Result<U::Output> {
    macro_rules! integers {
        ($type:ty) => {{
            let values = column.as_primitive::<$type>().values();
            user.use_bytes(column.nulls(), move |row| i64::from(values[row]).to_le_bytes())
        }};
    }
    macro_rules! floats {
        ($type:ty) => {{
            let values = column.as_primitive::<$type>().values();
            user.use_bytes(column.nulls(), move |row| canonical_float(values[row].into()).to_le_bytes())
        }};
    }
    Ok(match column.data_type() {
        ArrowType::Boolean => {
            let values = column.as_boolean();
            user.use_bytes(column.nulls(), move |row| i64::from(values.value(row)).to_le_bytes())
        }
        ArrowType::Int8 => integers!(Int8Type),
        ArrowType::Int16 => integers!(Int16Type),
        ArrowType::Int32 => integers!(Int32Type),
        ArrowType::Int64 => integers!(Int64Type),
        ArrowType::Date32 => integers!(Date32Type),
        ArrowType::Timestamp(TimeUnit::Microsecond, None) => integers!(TimestampMicrosecondType),
        ArrowType::Float32 => floats!(Float32Type),
        ArrowType::Float64 => floats!(Float64Type),
        ArrowType::Decimal128(_, _) => {
            let values = column.as_primitive::<Decimal128Type>().values();
            user.use_bytes(column.nulls(), move |row| values[row].to_le_bytes())
        }
        ArrowType::Utf8 => {
            let values = column.as_string::<i32>();
            user.use_bytes(column.nulls(), move |row| values.value(row))
        }
        ArrowType::Binary => {
            let values = column.as_binary::<i32>();
            user.use_bytes(column.nulls(), move |row| values.value(row))
        }
        other => {
            return Err(Error::unsupported(format!("a column of Arrow type {other} cannot be hashed: cast it before")));
        }
    })
}

/// Replaces the seed of each row by the hash of its value.
struct RowHashes<'s>(&'s mut [u64]);

impl<'a> UseBytes<'a> for RowHashes<'_> {
    type Output = ();

    fn use_bytes<B: AsRef<[u8]>>(self, nulls: Option<&'a NullBuffer>, bytes: impl Fn(usize) -> B + 'a) {
        match nulls {
            None => {
                for (row, seed) in self.0.iter_mut().enumerate() {
                    *seed = xxh3_64_with_seed(bytes(row).as_ref(), *seed);
                }
            }
            Some(nulls) => {
                for (row, seed) in self.0.iter_mut().enumerate() {
                    *seed = match nulls.is_null(row) {
                        true => xxh3_64_with_seed(&NULL_BYTES, *seed),
                        false => xxh3_64_with_seed(bytes(row).as_ref(), *seed),
                    };
                }
            }
        }
    }
}

/// Gives the hash of the value at a position under a seed.
type ValueHasher<'a> = Box<dyn Fn(usize, u64) -> u64 + 'a>;

struct OneByOne;

impl<'a> UseBytes<'a> for OneByOne {
    type Output = ValueHasher<'a>;

    fn use_bytes<B: AsRef<[u8]>>(
        self,
        nulls: Option<&'a NullBuffer>,
        bytes: impl Fn(usize) -> B + 'a,
    ) -> ValueHasher<'a> {
        Box::new(move |position, seed| match nulls.is_some_and(|nulls| nulls.is_null(position)) {
            true => xxh3_64_with_seed(&NULL_BYTES, seed),
            false => xxh3_64_with_seed(bytes(position).as_ref(), seed),
        })
    }
}

/// A value with parts is hashed as the number of its elements, entries or fields (8 bytes, i64 LE) and then each part in
/// order, an entry as its key and its value, each seeded by the hash so far.
fn value_hasher(array: &ArrayRef) -> Result<ValueHasher<'_>> {
    let nulls = array.nulls();
    let is_null = move |position: usize| nulls.is_some_and(|nulls| nulls.is_null(position));
    let count = |count: usize, seed: u64| xxh3_64_with_seed(&(count as i64).to_le_bytes(), seed);
    let null = |seed: u64| xxh3_64_with_seed(&NULL_BYTES, seed);
    Ok(match array.data_type() {
        ArrowType::List(_) => {
            let list = array.as_list::<i32>();
            let (offsets, element) = (list.value_offsets(), value_hasher(list.values())?);
            Box::new(move |position, seed| {
                if is_null(position) {
                    return null(seed);
                }
                let range = offsets[position] as usize..offsets[position + 1] as usize;
                range.clone().fold(count(range.len(), seed), |hash, at| element(at, hash))
            })
        }
        ArrowType::Map(..) => {
            let map = array.as_map();
            let offsets = map.value_offsets();
            let (key, value) = (value_hasher(map.keys())?, value_hasher(map.values())?);
            Box::new(move |position, seed| {
                if is_null(position) {
                    return null(seed);
                }
                let range = offsets[position] as usize..offsets[position + 1] as usize;
                range.clone().fold(count(range.len(), seed), |hash, at| value(at, key(at, hash)))
            })
        }
        ArrowType::Struct(_) => {
            let fields = array.as_struct().columns().iter().map(value_hasher).collect::<Result<Vec<_>>>()?;
            Box::new(move |position, seed| match is_null(position) {
                true => null(seed),
                false => fields.iter().fold(count(fields.len(), seed), |hash, field| field(position, hash)),
            })
        }
        _ => with_canonical_bytes(array, OneByOne)?,
    })
}

fn canonical_float(value: f64) -> u64 {
    match value {
        _ if value.is_nan() => 0x7ff8_0000_0000_0000,
        // Both zeros are equal.
        0.0 => 0,
        _ => value.to_bits(),
    }
}

#[cfg(test)]
mod tests;
