use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::delta::VectorWire;
use crate::error::ErrorKind as Kind;
use crate::id::PartitionId;

/// Files that Spark wrote, from `spark/src/test/resources/delta` of github.com/delta-io/delta (Apache-2.0): the one of
/// `table-with-dv-small`, and the newer one of `partitioned-table-with-dv-large`.
const SPARK_SMALL: &str = "0100000024d1d339640100000000000000000000003a300000010000000000010010000000000009002a671846";
const SPARK_LARGE: &str = concat!(
    "0100000022d1d339640100000000000000000000003a30000001000000000000001000000027002d6306d0",
    "00000024d1d339640100000000000000000000003a30000001000000000001001000000087009600ac300011",
    "00000028d1d339640100000000000000000000003a300000010000000000030010000000000012001e00b400c4196366",
    "00000026d1d339640100000000000000000000003a300000010000000000020010000000190064009c00b3692326",
    "00000024d1d339640100000000000000000000003a3000000100000000000100100000004b004e00d94a1eb8",
);
/// The inline example of the protocol as it ought to be, and its rows.
const INLINE_EXAMPLE: &str = r#"{"storageType":"i","pathOrInlineDv":"^Bg9^0rr910000000000iXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L","sizeInBytes":44,"cardinality":6}"#;
const EXAMPLE_ROWS: [u64; 6] = [3, 4, 7, 11, 18, 29];

/// The file of [`golden_sets`], made by hand from the text of the protocol.
const GOLDEN: &str = include_str!("golden.txt");

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    bytes.chunks(60).map(line).collect()
}

fn name() -> VectorFileName {
    VectorFileName { partition: PartitionId::new(7), id: "d2c639aa8816431aaaf6d3fe2512ff61".parse().unwrap() }
}

/// None, a short array, and array and run in one bucket with another one behind.
fn golden_sets() -> [RoaringTreemap; 3] {
    let mut rows = RoaringTreemap::from([5, 9, 1000, (3 << 32) + 1]);
    rows.insert_range(70_000..90_000);
    [RoaringTreemap::new(), EXAMPLE_ROWS.into(), rows]
}

/// Too scattered for runs, too many for an array.
fn bitmap() -> RoaringTreemap {
    (65_536..131_072).filter(|row| row % 3 == 0 || row % 7 == 0).collect()
}

fn wire(json: &str) -> Result<DeletionVector> {
    serde_json::from_str::<VectorWire>(json).unwrap().into_vector()
}

fn json(vector: &DeletionVector) -> String {
    serde_json::to_string(&VectorWire::of(vector)).unwrap()
}

fn no_file(_: VectorFileName) -> Result<Vec<u8>> {
    panic!("an inline vector has no file")
}

fn message<T: std::fmt::Debug>(result: Result<T>, kind: Kind) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().len() < 600, "{error}");
    error.to_string()
}

fn corrupt<T: std::fmt::Debug>(result: Result<T>) -> String {
    message(result, Kind::Corrupt)
}

#[test]
fn golden_bytes_of_a_file() {
    let (file, vectors) = encode_vector_file(name(), &golden_sets()).unwrap();
    assert_eq!(to_hex(&file), GOLDEN);
    let golden = from_hex(GOLDEN);
    let found = decode_vector_file(&golden, "f").unwrap();
    assert_eq!(found.iter().map(|vector| vector.rows.clone()).collect::<Vec<_>>(), golden_sets());
    for (vector, rows) in vectors.iter().zip(golden_sets()) {
        let read = |of| {
            assert_eq!(of, name());
            Ok(&golden)
        };
        assert_eq!(vector.rows(1 << 40, read).unwrap(), rows);
        assert_eq!(wire(&json(vector)).unwrap(), *vector);
    }
    assert_eq!(
        json(&vectors[1]),
        r#"{"storageType":"u","pathOrInlineDv":"7^-aqEH.-t@S}K{vb[*k^","offset":21,"sizeInBytes":44,"cardinality":6}"#
    );
}

#[test]
fn golden_bytes_of_a_bitmap() {
    let mut bits = [0; 8192];
    for row in bitmap() {
        let at = row as usize - 65_536;
        bits[at / 8] |= 1 << (at % 8);
    }
    let count = (bitmap().len() - 1) as u16;
    let list = [&12_346u32.to_le_bytes()[..], &1u32.to_le_bytes(), &[1, 0], &count.to_le_bytes(), &[16, 0, 0, 0]];
    let bytes = vector_of(&[(0, &[&list.concat()[..], &bits].concat())]);
    assert_eq!(encode_vector(&bitmap()).unwrap(), bytes);
    assert_eq!(decode_vector(&bytes).unwrap(), bitmap());
}

#[test]
fn examples_of_the_protocol_are_read_and_written() {
    let vector = wire(INLINE_EXAMPLE).unwrap();
    assert_eq!(vector.rows(30, no_file).unwrap(), EXAMPLE_ROWS.into());
    assert_eq!(json(&vector), INLINE_EXAMPLE);
    assert_eq!(DeletionVector::inline(&EXAMPLE_ROWS.into()).unwrap(), Some(vector));
    // What the text of the protocol has is in an older form, which no reader takes (issue 1905 of delta-io/delta).
    let printed = r#"{"storageType":"i","pathOrInlineDv":"wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L","sizeInBytes":40,"cardinality":6}"#;
    assert!(corrupt(wire(printed).unwrap().rows(30, no_file)).contains("begins with [64, 39, d3, d0]"));

    // The directory of the example is `ab`, which is no partition.
    let relative =
        r#"{"storageType":"u","pathOrInlineDv":"ab^-aqEH.-t@S}K{vb[*k^","offset":4,"sizeInBytes":40,"cardinality":6}"#;
    assert!(corrupt(wire(relative)).contains("ab^-aqEH.-t@S}K{vb[*k^"));
    let VectorPlace::File { name, offset: 4, size_bytes: 40 } = wire(&relative.replace("ab^", "12^")).unwrap().place
    else {
        panic!()
    };
    assert_eq!(name.delta_path(), "12/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin");
    let absolute = r#"{"storageType":"p","pathOrInlineDv":"s3://mytable/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin","offset":4,"sizeInBytes":40,"cardinality":6}"#;
    let told = message(wire(absolute), Kind::Unsupported);
    assert!(told.contains("absolute path") && told.contains("s3://mytable"), "{told}");
}

#[test]
fn files_that_spark_wrote_are_read_and_written_alike() {
    let small = from_hex(SPARK_SMALL);
    let text =
        r#"{"storageType":"u","pathOrInlineDv":"1WYbkwCTB$gH)J7t?$/sK","offset":1,"sizeInBytes":36,"cardinality":2}"#;
    let vector = wire(text).unwrap();
    let path = "1/deletion_vector_b6a98cdd-7843-470d-8897-708cdffa38c5.bin";
    assert!(matches!(vector.place, VectorPlace::File { name, .. } if name.delta_path() == path));
    assert_eq!(vector.rows(10, |_| Ok(&small)).unwrap(), [0, 9].into());

    let large = from_hex(SPARK_LARGE);
    let mut sets = Vec::new();
    for (offset, size, rows) in [
        (1, 34, &[39][..]),
        (43, 36, &[135, 150]),
        (87, 40, &[0, 18, 30, 180]),
        (135, 38, &[25, 100, 156]),
        (181, 36, &[75, 78]),
    ] {
        let rows: RoaringTreemap = rows.iter().copied().collect();
        let text = format!(
            r#"{{"storageType":"u","pathOrInlineDv":"1Xnn-=:A*jwFzeMNSY9zC","offset":{offset},"sizeInBytes":{size},"cardinality":{}}}"#,
            rows.len()
        );
        assert_eq!(wire(&text).unwrap().rows(200, |_| Ok(&large)).unwrap(), rows);
        sets.push(rows);
    }
    assert_eq!(encode_vector_file(name(), &sets).unwrap().0, large);
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_file_is_corrupt_and_names_it() {
    let file = from_hex(GOLDEN);
    let (_, vectors) = encode_vector_file(name(), &golden_sets()).unwrap();
    let check = |damaged: &[u8], at: usize| {
        assert!(corrupt(decode_vector_file(damaged, "the/file")).starts_with("the/file: "), "{at}");
        for (vector, rows) in vectors.iter().zip(golden_sets()) {
            // Damage of one vector does not show in another.
            match vector.rows(1 << 40, |_| Ok(damaged)) {
                Ok(found) => assert_eq!(found, rows, "{at}"),
                error => assert!(corrupt(error).starts_with(&name().delta_path()), "{at}"),
            }
        }
    };
    // A file that ends with a vector is whole, though with fewer of them.
    let found = decode_vector_file(&file, "f").unwrap();
    let ends: Vec<usize> = found.iter().map(|vector| vector.offset + vector.size_bytes + 8).collect();
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << bit;
            check(&damaged, at);
        }
        if !ends.contains(&at) {
            check(&file[..at], at);
        }
    }
    check(&[&file[..], &[0]].concat(), file.len());
}

#[test]
fn damage_without_a_checksum_never_panics_and_is_never_told_two_ways() {
    for rows in golden_sets().into_iter().chain([bitmap()]) {
        let bytes = encode_vector(&rows).unwrap();
        let is_long = bytes.len() > 1000;
        for at in 0..bytes.len() {
            assert!(decode_vector(&bytes[..at]).is_err(), "{at}");
            for bit in (0..8).filter(|bit| !is_long || at % 8 == *bit) {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                // Nothing can tell a position from another one; but what is there has one way to be said.
                if let Ok(found) = decode_vector(&damaged) {
                    assert_ne!(found, rows, "{at}: {bit}");
                }
            }
        }
        assert!(decode_vector(&[&bytes[..], &[0]].concat()).is_err());
    }
    let example = wire(INLINE_EXAMPLE).unwrap();
    for at in 0..INLINE_EXAMPLE.len() {
        for bit in 0..7 {
            let mut damaged = INLINE_EXAMPLE.as_bytes().to_vec();
            damaged[at] ^= 1 << bit;
            let Ok(wire) = serde_json::from_slice::<VectorWire>(&damaged) else { continue };
            let Ok(vector) = wire.into_vector() else { continue };
            let Ok(rows) = vector.rows(30, no_file) else { continue };
            assert!(rows.len() == example.cardinality && rows.max() < Some(30), "{at}: {bit}");
        }
    }
}

/// A vector of these buckets: keys and bitmaps.
fn vector_of(buckets: &[(u32, &[u8])]) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &(buckets.len() as u64).to_le_bytes()].concat();
    for (key, bitmap) in buckets {
        bytes.extend(key.to_le_bytes());
        bytes.extend(*bitmap);
    }
    bytes
}

#[test]
fn forged_vectors_are_refused() {
    let bitmap = |values: &[u32]| {
        let mut bytes = Vec::new();
        RoaringBitmap::from_iter(values).serialize_into(&mut bytes).unwrap();
        bytes
    };
    let (none, one) = (bitmap(&[]), bitmap(&[1]));
    // Empty buckets, which other writers have, are no part of the set.
    assert_eq!(decode_vector(&vector_of(&[(0, &none), (1, &one), (2, &none)])).unwrap(), [(1 << 32) + 1].into());
    assert!(decode_vector(&vector_of(&[(i32::MAX.cast_unsigned(), &one)])).is_ok());
    let change = |at: usize, value: &[u8]| {
        let mut bytes = vector_of(&[(0, &bitmap(&[1, 2, 70_000]))]);
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    assert_eq!(decode_vector(&change(0, &MAGIC)).unwrap(), [1, 2, 70_000].into());
    // Two runs, 1 to 3 and 10 to 11, in one container: cookie, which are runs, key and count, runs.
    let runs = |which: u8, count: u8, runs: &[u8]| {
        vector_of(&[(0, &[&[59, 48, 0, 0, which, 0, 0, count, 0][..], runs].concat())])
    };
    let two = [2, 0, 1, 0, 2, 0, 10, 0, 1, 0];
    assert_eq!(decode_vector(&runs(1, 4, &two)).unwrap(), [1, 2, 3, 10, 11].into());
    let cases = [
        ("a key twice", vector_of(&[(1, &one), (1, &one)])),
        ("falling keys", vector_of(&[(2, &one), (1, &one)])),
        ("a negative key", vector_of(&[(1 << 31, &one)])),
        ("more buckets than there are", change(4, &2u64.to_le_bytes())),
        ("buckets beyond all memory", change(4, &u64::MAX.to_le_bytes())),
        ("an unknown cookie", change(16, &[0])),
        ("more containers than there are", change(20, &65_536u32.to_le_bytes())),
        ("containers beyond all memory", change(20, &u32::MAX.to_le_bytes())),
        ("falling containers", change(24, &[2])),
        ("a container twice", change(24, &[1])),
        ("a wrong count", change(26, &[2])),
        ("a wrong offset", change(32, &[25])),
        ("falling positions", change(40, &[3])),
        ("a position twice", change(40, &[2])),
        ("no runs", runs(1, 0, &[0, 0])),
        ("a wrong count of runs", runs(1, 3, &two)),
        ("a spare bit", runs(3, 4, &two)),
        ("runs that touch", runs(1, 4, &[2, 0, 1, 0, 2, 0, 4, 0, 1, 0])),
        ("a run beyond its container", runs(1, 4, &[2, 0, 1, 0, 2, 0, 0xff, 0xff, 1, 0])),
        ("the other format of Delta", change(0, &1_681_511_376u32.to_le_bytes())),
    ];
    for (case, bytes) in cases {
        assert!(corrupt(decode_vector(&bytes)).contains("deletion vector"), "{case}");
    }
    let told = message(encode_vector(&[1 << 63].into()), Kind::Invalid);
    assert!(told.contains("9223372036854775808"), "{told}");
}

#[test]
fn a_few_bytes_may_stand_for_every_row() {
    let mut rows = RoaringTreemap::new();
    rows.insert_range(0..1 << 31);
    let bytes = encode_vector(&rows).unwrap();
    assert!(bytes.len() < 1 << 20, "{}", bytes.len());
    assert_eq!(decode_vector(&bytes).unwrap().len(), 1 << 31);
}

#[test]
fn vectors_that_do_not_fit_their_descriptor_or_segment_are_corrupt() {
    let vector = wire(INLINE_EXAMPLE).unwrap();
    assert!(corrupt(vector.rows(29, no_file)).contains("position 29, but its segment has 29 rows"));
    let more = DeletionVector { cardinality: 7, ..vector };
    assert!(corrupt(more.rows(30, no_file)).contains("has 6 rows, but its descriptor says 7"));

    let (file, vectors) = encode_vector_file(name(), &[EXAMPLE_ROWS.into()]).unwrap();
    let VectorPlace::File { name, offset, size_bytes } = vectors[0].place else { panic!() };
    for (offset, size_bytes) in [(offset, size_bytes - 1), (offset + 1, size_bytes), (u32::MAX, size_bytes)] {
        let place = VectorPlace::File { name, offset, size_bytes };
        let told = corrupt(DeletionVector { place, cardinality: 6 }.rows(30, |_| Ok(&file)));
        assert!(told.starts_with(&name.delta_path()), "{told}");
    }
    let missing = vectors[0].rows(30, |name| Err::<Vec<u8>, _>(Error::not_found(name.delta_path())));
    message(missing, Kind::NotFound);
}

#[test]
fn descriptors_have_one_spelling() {
    let inline = INLINE_EXAMPLE;
    let file =
        r#"{"storageType":"u","pathOrInlineDv":"7^-aqEH.-t@S}K{vb[*k^","offset":1,"sizeInBytes":40,"cardinality":6}"#;
    assert!(wire(file).is_ok());
    let cases = [
        inline.replace("44", "45"),
        inline.replace("44", "40"),
        inline.replace("44", "42"),
        inline.replace("44", "-1"),
        inline.replace("44", "2147483647"),
        inline.replace(":6", ":-6"),
        inline.replace("{L\"", "{\""),
        inline.replace("{L\"", "{ \""),
        inline.replace("\"sizeInBytes\"", "\"offset\":0,\"sizeInBytes\""),
        file.replace("\"offset\":1", "\"offset\":0"),
        file.replace("\"offset\":1", "\"offset\":-1"),
        file.replace("\"offset\":1,", ""),
        file.replace("\"offset\":1", "\"offset\":null"),
        file.replace("7^", "^"),
        file.replace("7^", "0^"),
        file.replace("7^", "07^"),
        file.replace("7^", "+7^"),
        file.replace("7^", "7/^"),
        file.replace("7^", "../^"),
        file.replace("7^", "/etc/^"),
        file.replace("7^", "18446744073709551616^"),
        file.replace("7^", "ä^"),
        file.replace("*k^", "*kä"),
        file.replace("7^-aqEH.-t@S}K{vb[*k^", ""),
        file.replace("7^-aqEH.-t@S}K{vb[*k^", &"x".repeat(1 << 20)),
    ];
    for text in cases {
        assert!(text != inline && text != file, "the case changes nothing");
        corrupt(wire(&text));
    }
    message(wire(&inline.replace("\"i\"", "\"x\"")), Kind::Unsupported);
    let unknown = inline.replace("\"cardinality\"", "\"maxRowIndex\":3,\"cardinality\"");
    assert!(serde_json::from_str::<VectorWire>(&unknown).is_err());
    // Seven bytes in eight: the eighth is 0.
    let seven = |text: &str| {
        wire(&format!(r#"{{"storageType":"i","pathOrInlineDv":"{text}","sizeInBytes":7,"cardinality":0}}"#))
    };
    assert!(seven("0000000000").is_ok());
    assert!(corrupt(seven("0000000001")).contains("7 bytes"));
}

#[test]
fn what_is_too_long_for_a_descriptor_goes_to_a_file() {
    let scattered = |count: u64| RoaringTreemap::from_iter((0..count).map(|row| row * 3));
    assert!(DeletionVector::inline(&scattered(496)).unwrap().is_some());
    assert!(DeletionVector::inline(&scattered(497)).unwrap().is_none());
}

#[test]
fn equal_sets_have_equal_bytes_however_they_were_made() {
    for end in [1, 2, 3, 4, 5, 4096, 4097, 65_536, 70_000] {
        let mut range = RoaringTreemap::new();
        range.insert_range(0..end);
        let mut holes = RoaringTreemap::from_iter(0..end + 70_000);
        holes.remove_range(end..);
        let mut held_as_runs = RoaringTreemap::from_iter(0..end);
        held_as_runs.optimize();
        let bytes = encode_vector(&RoaringTreemap::from_iter(0..end)).unwrap();
        for other in [range, holes, held_as_runs, decode_vector(&bytes).unwrap()] {
            assert_eq!(encode_vector(&other).unwrap(), bytes, "{end}");
        }
    }
    let with_empty = RoaringTreemap::from_bitmaps([(0, RoaringBitmap::new()), (1, RoaringBitmap::from([5]))]);
    assert_eq!(encode_vector(&with_empty).unwrap(), encode_vector(&[(1 << 32) + 5].into()).unwrap());
}

/// Positions near what makes a difference: containers of 2^16, buckets of 2^32; alone, in runs, and densely scattered.
fn positions() -> impl Strategy<Value = BTreeSet<u64>> {
    let base = prop_oneof![Just(0), Just(65_500), Just((1 << 32) - 300), Just(5 << 32), Just((1 << 63) - 100_000)];
    let part =
        (base, 0..70_000u64, 1..9000u64, 1..5u64, any::<bool>()).prop_map(|(base, start, count, step, alone)| {
            let count = if alone { 1 } else { count };
            (0..count).map(move |row| base + start + row * step).filter(|row| *row < POSITIONS).collect::<Vec<_>>()
        });
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.into_iter().flatten().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sets_come_back_as_they_were(sets in proptest::collection::vec(positions(), 1..4)) {
        let rows: Vec<RoaringTreemap> = sets.iter().map(|set| set.iter().copied().collect()).collect();
        let (file, vectors) = encode_vector_file(name(), &rows).unwrap();
        let found = decode_vector_file(&file, "f").unwrap();
        prop_assert_eq!(found.len(), sets.len());
        for ((set, vector), found) in sets.iter().zip(&vectors).zip(&found) {
            let back = wire(&json(vector)).unwrap().rows(POSITIONS, |_| Ok(&file)).unwrap();
            prop_assert!(back.iter().eq(set.iter().copied()));
            prop_assert_eq!(&back, &found.rows);
            if let Some(inline) = DeletionVector::inline(&back).unwrap() {
                prop_assert!(wire(&json(&inline)).unwrap().rows(POSITIONS, no_file).unwrap().iter().eq(set.iter().copied()));
            }
            if let Some(last) = set.last() {
                prop_assert!(vector.rows(*last, |_| Ok(&file)).is_err());
                prop_assert!(vector.rows(last + 1, |_| Ok(&file)).is_ok());
            }
        }
    }

    #[test]
    fn any_bytes_are_a_vector_that_comes_back_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let vector = [&MAGIC[..], &1u64.to_le_bytes(), &[0; 4], &[58, 48, 0, 0], &bytes].concat();
        for bytes in [bytes, vector] {
            if let Ok(rows) = decode_vector(&bytes) {
                prop_assert_eq!(decode_vector(&encode_vector(&rows).unwrap()).unwrap(), rows);
            }
            let _ = decode_vector_file(&bytes, "f");
        }
    }
}
