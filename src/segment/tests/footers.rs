//! Footers that are kept.

use std::sync::Arc;

use crate::error::{ErrorKind, Result};
use crate::predicate::Predicate;
use crate::schema::Value;
use crate::segment::encoding::Shape;
use crate::segment::footer_cache::FooterKey;
use crate::segment::tests::{Written, all_types, all_types_rows, put, write};
use crate::segment::{Access, FooterCache, SegmentMeta, SegmentReader, SegmentScanOptions};

fn written() -> Written {
    let schema = all_types();
    let rows = all_types_rows(&schema, 0, 3000);
    write(schema, rows, Shape { row_group_rows: 1000, page_rows: 100 })
}

fn open(written: &Written, meta: &SegmentMeta, cache: &Arc<FooterCache>) -> Result<Arc<SegmentReader>> {
    SegmentReader::open(&written.fs, &written.path, meta, &Arc::new(written.schema.clone()), Access::Read, Some(cache))
}

/// Rows of a scan that needs page indexes.
fn count(written: &Written, reader: &Arc<SegmentReader>) -> Result<usize> {
    let predicate = Predicate::lt("id", Value::Int(1700)).bind(&written.schema)?;
    let options = SegmentScanOptions { predicate: Some(predicate), ..written.options() };
    reader.scan(options)?.map(|batch| Ok(batch?.num_rows())).sum()
}

#[test]
fn a_footer_that_is_known_is_not_read_again_and_blocks_are_checked_all_the_same() {
    let written = written();
    let cache = Arc::new(FooterCache::new(1 << 20));
    assert_eq!(count(&written, &open(&written, &written.meta, &cache).unwrap()).unwrap(), 1700);

    // The tail is damaged, the rows are not.
    let sound = written.bytes();
    let mut damaged = sound.clone();
    damaged[written.meta.tail.offset as usize..].fill(0);
    let tail_damaged = written.with_bytes(&damaged);
    assert_eq!(count(&written, &open(&tail_damaged, &written.meta, &cache).unwrap()).unwrap(), 1700);
    assert!(open(&tail_damaged, &written.meta, &Arc::new(FooterCache::new(0))).is_err());

    let mut damaged = sound.clone();
    damaged[1000] ^= 1;
    let rows_damaged = written.with_bytes(&damaged);
    let error = count(&written, &open(&rows_damaged, &written.meta, &cache).unwrap()).unwrap_err();
    assert!(error.is(ErrorKind::Corrupt), "{error}");

    // Another length is seen without the footer.
    put_longer(&written, &sound);
    assert!(open(&written, &written.meta, &cache).err().unwrap().is(ErrorKind::Corrupt));
}

fn put_longer(written: &Written, sound: &[u8]) {
    written.fs.remove_file(&written.path).unwrap();
    put(&written.fs, &written.path, &[sound, b"more"].concat());
}

#[test]
fn what_the_log_says_of_the_segment_has_to_be_what_it_said_then() {
    let written = written();
    let cache = Arc::new(FooterCache::new(1 << 20));
    open(&written, &written.meta, &cache).unwrap();
    let mut other_tail = written.meta.clone();
    other_tail.tail.offset -= 1;
    let other_rows = SegmentMeta { rows: 1, ..written.meta.clone() };
    for meta in [other_tail, other_rows] {
        assert!(open(&written, &meta, &cache).err().unwrap().is(ErrorKind::Corrupt));
    }
    let mut other_schema = written.schema.clone();
    other_schema.columns[0].nullable = true;
    let schema = Arc::new(other_schema);
    let opened = SegmentReader::open(&written.fs, &written.path, &written.meta, &schema, Access::Read, Some(&cache));
    assert!(opened.err().unwrap().is(ErrorKind::Corrupt));
}

#[test]
fn those_used_longest_ago_go_first() {
    let written = written();
    let one = {
        let cache = Arc::new(FooterCache::new(u64::MAX));
        open(&written, &written.meta, &cache).unwrap();
        cache.bytes()
    };
    let cache = Arc::new(FooterCache::new(10 * one as u64 + 1));
    // Other segments to the cache; the file is the same.
    let meta = |number: u8| {
        let mut meta = written.meta.clone();
        meta.digest = crate::digest::Digest::of(&[number]);
        meta
    };
    let is_known = |number: u8| cache.get(&FooterKey::of(&meta(number))).is_some();
    for number in 0..10 {
        open(&written, &meta(number), &cache).unwrap();
    }
    assert!((0..10).all(is_known) && cache.bytes() == 10 * one);
    assert!(is_known(0));
    open(&written, &meta(10), &cache).unwrap();
    assert!(cache.bytes() <= 9 * one, "{} of {one}", cache.bytes());
    assert!(is_known(0) && is_known(10) && !is_known(1));

    let nothing = Arc::new(FooterCache::new(0));
    open(&written, &written.meta, &nothing).unwrap();
    assert_eq!(nothing.bytes(), 0);
}
