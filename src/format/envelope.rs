//! The one envelope of all our documents. Bytes:
//!
//! ```text
//! {"stele":"<kind>","format":<version>,"codec":"none"|"zstd","bytes":<decoded length>,"blake3":"<64 hex>"}\n
//! <payload: JSON, or one zstd frame of it>
//! ```
//!
//! `blake3` is over the header, with `blake3` left empty and the line feed kept, followed by the stored payload (as it
//! lies in the file). So every byte of a document is covered. A header that is not byte for byte what encoding gives is
//! damage. Later formats keep this line and the rule of its digest, so that "newer" can be told from "damaged".

use std::io::Read;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Hasher};
use crate::error::{Error, Result};
use crate::limits::DOCUMENT_BYTES_MAX;

/// What a document is.
///
/// ```
/// use steledb::format::{DocumentKind, StoreRecord, decode_document, encode_document};
/// use steledb::{IdSource, StoreId};
/// let record = StoreRecord { store: StoreId::random(&IdSource::seeded(1)), created_ms: 0 };
/// let bytes = encode_document(DocumentKind::Store, &record)?;
/// assert!(bytes.starts_with(br#"{"stele":"store","format":1,"#));
/// assert_eq!(decode_document::<StoreRecord>(DocumentKind::Store, &bytes, "STELE")?, record);
/// assert!(decode_document::<StoreRecord>(DocumentKind::Catalog, &bytes, "STELE").is_err());
/// # Ok::<(), steledb::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// `STELE`.
    Store,
    /// `catalog/<n>.json`.
    Catalog,
    /// `manifest` of a snapshot or backup.
    Manifest,
    /// `repository.json`.
    Repository,
    /// `backups/<id>/pin-<n>`.
    Pin,
    /// `backups/<id>/outcome`.
    Outcome,
    /// `backups/<id>/dropped`.
    Dropped,
    /// `labels/<hash>/<generation>`.
    Label,
    /// `verify/<id>/<level>-<slice>`.
    Verify,
    /// `staging/<operation>/operation`.
    Operation,
    /// `gc/<id>.condemned` and `.done`.
    Collection,
    /// `jobs/<id>/job`.
    Job,
    /// `jobs/<id>/state-<n>`.
    JobState,
    /// `jobs/<id>/progress`.
    JobProgress,
    /// `jobs/<id>/cancel`.
    JobCancel,
}

/// The highest format version this build writes.
pub const FORMAT_CURRENT: u32 = 1;
/// The lowest format version this build reads.
pub const FORMAT_OLDEST_READABLE: u32 = 1;

/// Longest header line of any format.
const HEADER_BYTES_MAX: usize = 512;
/// Largest window a frame may ask for: 2^23 bytes. Our frames use at most 2^21.
const WINDOW_LOG_MAX: u32 = 23;
/// Compression level: a manifest of 100,000 segments is compressed twice as fast as by the default of zstd, and grows by a
/// few per cent, as most of it is digests.
const LEVEL: i32 = 1;
/// How every header ends before the 64 digits.
const DIGEST_FIELD: &str = "\"blake3\":\"";
/// How every header ends after the 64 digits.
const HEADER_END: &str = "\"}\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Codec {
    None,
    Zstd,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    stele: String,
    format: u32,
    codec: Codec,
    bytes: u64,
    blake3: String,
}

/// What is read of a header before its format is known.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl DocumentKind {
    /// The word in the header.
    fn word(self) -> &'static str {
        match self {
            DocumentKind::Store => "store",
            DocumentKind::Catalog => "catalog",
            DocumentKind::Manifest => "manifest",
            DocumentKind::Repository => "repository",
            DocumentKind::Pin => "pin",
            DocumentKind::Outcome => "outcome",
            DocumentKind::Dropped => "dropped",
            DocumentKind::Label => "label",
            DocumentKind::Verify => "verify",
            DocumentKind::Operation => "operation",
            DocumentKind::Collection => "collection",
            DocumentKind::Job => "job",
            DocumentKind::JobState => "job_state",
            DocumentKind::JobProgress => "job_progress",
            DocumentKind::JobCancel => "job_cancel",
        }
    }

    fn codec(self) -> Codec {
        match self {
            DocumentKind::Manifest | DocumentKind::Pin => Codec::Zstd,
            _ => Codec::None,
        }
    }
}

/// The bytes of a document; manifests and pins are zstd-compressed, the rest is plain.
pub fn encode_document<T: Serialize>(kind: DocumentKind, document: &T) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(document)
        .map_err(|error| Error::invalid(format!("cannot write a {} document: {error}", kind.word())))?;
    if json.len() as u64 > DOCUMENT_BYTES_MAX {
        return Err(Error::unsupported(format!(
            "a {} document of {} bytes is too large: at most {DOCUMENT_BYTES_MAX} are allowed",
            kind.word(),
            json.len()
        )));
    }
    let bytes = json.len() as u64;
    let payload = match kind.codec() {
        Codec::None => json,
        Codec::Zstd => zstd::bulk::compress(&json, LEVEL)
            .map_err(|error| Error::invalid("cannot compress a document").with_source(error))?,
    };
    let header =
        Header { stele: kind.word().into(), format: FORMAT_CURRENT, codec: kind.codec(), bytes, blake3: String::new() };
    let line = header_line(&header)?;
    let digest = document_digest(line.as_bytes(), &payload);
    let mut out = header_line(&Header { blake3: digest.to_string(), ..header })?.into_bytes();
    out.extend_from_slice(&payload);
    Ok(out)
}

/// Checks and parses a document; `file` is its name for errors. Damage is `Corrupt`, a newer format `Unsupported`.
/// Never sets aside more memory than the header claims within `limits::DOCUMENT_BYTES_MAX`.
pub fn decode_document<T: DeserializeOwned>(kind: DocumentKind, bytes: &[u8], file: &str) -> Result<T> {
    let (line, payload) = split_checked(bytes, file)?;
    let corrupt = |what: String| Error::corrupt(format!("{file} is damaged: {what}"));
    let probe: FormatOnly =
        serde_json::from_str(line).map_err(|error| corrupt(format!("its header cannot be read: {error}")))?;
    if probe.format > FORMAT_CURRENT {
        return Err(Error::unsupported(format!(
            "{file} was written by a newer version (format {}, this build reads {FORMAT_CURRENT}): use a newer stele",
            probe.format
        )));
    }
    if probe.format < FORMAT_OLDEST_READABLE {
        return Err(corrupt(format!("format {} never existed", probe.format)));
    }
    let header: Header =
        serde_json::from_str(line).map_err(|error| corrupt(format!("its header cannot be read: {error}")))?;
    if header_line(&header)? != line {
        return Err(corrupt("its header is not in canonical form".into()));
    }
    if header.stele != kind.word() {
        return Err(corrupt(format!("expected a {} document, found a {:?} document", kind.word(), header.stele)));
    }
    if header.codec != kind.codec() {
        return Err(corrupt(format!("expected codec {:?}, found {:?}", kind.codec(), header.codec)));
    }
    if header.bytes > DOCUMENT_BYTES_MAX {
        return Err(corrupt(format!("it claims {} bytes, at most {DOCUMENT_BYTES_MAX} are allowed", header.bytes)));
    }
    let unpacked;
    let json = match header.codec {
        Codec::None => payload,
        Codec::Zstd => {
            unpacked = decompress(payload, header.bytes).map_err(&corrupt)?;
            &unpacked
        }
    };
    if json.len() as u64 != header.bytes {
        return Err(corrupt(format!("its payload has {} bytes, its header says {}", json.len(), header.bytes)));
    }
    serde_json::from_slice(json).map_err(|error| corrupt(format!("its payload cannot be read: {error}")))
}

/// The header line (with its line feed) and the payload, once the digest was found right.
fn split_checked<'a>(bytes: &'a [u8], file: &str) -> Result<(&'a str, &'a [u8])> {
    let corrupt = |what: &str| Error::corrupt(format!("{file} is damaged: {what}"));
    let searched = &bytes[..bytes.len().min(HEADER_BYTES_MAX)];
    let end = searched.iter().position(|&b| b == b'\n').ok_or_else(|| corrupt("it does not begin with a header"))?;
    let (line, payload) = bytes.split_at(end + 1);
    let line = std::str::from_utf8(line).map_err(|_| corrupt("its header is not text"))?;
    let (head, claimed) = line
        .strip_suffix(HEADER_END)
        .and_then(|rest| rest.rsplit_once(DIGEST_FIELD))
        .ok_or_else(|| corrupt("its header has no digest"))?;
    let claimed: Digest = claimed.parse().map_err(|error: Error| corrupt(&error.to_string()))?;
    let found = document_digest(format!("{head}{DIGEST_FIELD}{HEADER_END}").as_bytes(), payload);
    if found != claimed {
        return Err(corrupt(&format!("expected digest {claimed}, found {found}")));
    }
    Ok((line, payload))
}

fn header_line(header: &Header) -> Result<String> {
    let mut line = serde_json::to_string(header)
        .map_err(|error| Error::invalid("cannot write the header of a document").with_source(error))?;
    line.push('\n');
    Ok(line)
}

fn document_digest(header_without_digest: &[u8], payload: &[u8]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(header_without_digest);
    hasher.update(payload);
    hasher.finish()
}

/// One frame that holds exactly `claimed` bytes and nothing after it. Memory grows with what really comes out and
/// decoding stops at the first byte too many, so that a small file cannot ask for much.
fn decompress(frame: &[u8], claimed: u64) -> std::result::Result<Vec<u8>, String> {
    let broken = |error: std::io::Error| format!("its payload cannot be decompressed: {error}");
    let mut decoder = zstd::stream::read::Decoder::with_buffer(frame).map_err(broken)?.single_frame();
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(broken)?;
    let mut out = Vec::new();
    decoder.by_ref().take(claimed.saturating_add(1)).read_to_end(&mut out).map_err(broken)?;
    if out.len() as u64 > claimed {
        return Err(format!("its payload is longer than the {claimed} bytes its header says"));
    }
    match decoder.finish().len() {
        0 => Ok(out),
        excess => Err(format!("{excess} bytes follow its payload")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn plain(value: &str) -> Vec<u8> {
        encode_document(DocumentKind::Label, &value).unwrap()
    }

    /// A document with a right digest around any header fields and payload.
    fn forged(fields: &str, payload: &[u8]) -> Vec<u8> {
        let empty = format!("{{{fields},\"blake3\":\"\"}}\n");
        let digest = document_digest(empty.as_bytes(), payload);
        let mut out = format!("{{{fields},\"blake3\":\"{digest}\"}}\n").into_bytes();
        out.extend_from_slice(payload);
        out
    }

    fn kind_of(bytes: &[u8], kind: DocumentKind) -> ErrorKind {
        decode_document::<String>(kind, bytes, "some/file").unwrap_err().kind()
    }

    #[test]
    fn bytes_of_a_plain_document_are_frozen() {
        let digest = "181c7c4de13a14c91c57e03fe4982f2ee65ef60f216a2998a7c46f9a2200861e";
        let expected = format!(
            "{{\"stele\":\"label\",\"format\":1,\"codec\":\"none\",\"bytes\":3,\"blake3\":\"{digest}\"}}\n\"x\""
        );
        assert_eq!(String::from_utf8(plain("x")).unwrap(), expected);
    }

    #[test]
    fn every_flipped_and_cut_byte_is_found() {
        for (kind, bytes) in [
            (DocumentKind::Label, plain("some text")),
            (DocumentKind::Manifest, encode_document(DocumentKind::Manifest, &"text ".repeat(50)).unwrap()),
        ] {
            assert!(decode_document::<String>(kind, &bytes, "f").is_ok());
            for index in 0..bytes.len() {
                for bit in 0..8 {
                    let mut damaged = bytes.clone();
                    damaged[index] ^= 1 << bit;
                    assert_eq!(kind_of(&damaged, kind), ErrorKind::Corrupt, "byte {index} bit {bit}");
                }
                assert_eq!(kind_of(&bytes[..index], kind), ErrorKind::Corrupt, "cut at {index}");
            }
        }
    }

    #[test]
    fn wrong_kind_says_what_was_found() {
        let error = decode_document::<String>(DocumentKind::Catalog, &plain("x"), "catalog/7").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let text = error.to_string();
        assert!(text.contains("catalog/7") && text.contains("found a \"label\" document"), "{text}");
    }

    #[test]
    fn newer_format_is_unsupported_with_both_numbers() {
        let bytes = forged(r#""stele":"label","format":9,"codec":"brotli","bytes":3,"more":1"#, b"???");
        let error = decode_document::<String>(DocumentKind::Label, &bytes, "f").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("newer version (format 9, this build reads 1)"), "{error}");
    }

    #[test]
    fn headers_in_other_spellings_are_damage() {
        for fields in [
            r#""stele": "label","format":1,"codec":"none","bytes":3"#,
            r#""format":1,"stele":"label","codec":"none","bytes":3"#,
            r#""stele":"label","format":1,"codec":"none","bytes":3,"x":1"#,
            r#""stele":"label","format":1,"codec":"zstd","bytes":3"#,
            r#""stele":"label","format":0,"codec":"none","bytes":3"#,
            r#""stele":"label","format":1,"codec":"none","bytes":4"#,
            r#""stele":"label","format":1,"codec":"none","bytes":18446744073709551615"#,
        ] {
            assert_eq!(kind_of(&forged(fields, b"\"x\""), DocumentKind::Label), ErrorKind::Corrupt, "{fields}");
        }
    }

    #[test]
    fn compressed_payloads_are_bounded_by_their_header() {
        let json = format!("{:?}", "a".repeat(1 << 20));
        let frame = zstd::bulk::compress(json.as_bytes(), 3).unwrap();
        let header = |bytes: usize| format!(r#""stele":"manifest","format":1,"codec":"zstd","bytes":{bytes}"#);
        let good = forged(&header(json.len()), &frame);
        assert!(decode_document::<String>(DocumentKind::Manifest, &good, "f").is_ok());
        for bad in [
            forged(&header(10), &frame),
            forged(&header(json.len() + 1), &frame),
            forged(&header(json.len()), &[frame.as_slice(), b"x"].concat()),
            forged(&header(json.len()), &[frame.as_slice(), &frame].concat()),
            forged(&header(json.len()), &frame[..frame.len() - 1]),
        ] {
            assert_eq!(kind_of(&bad, DocumentKind::Manifest), ErrorKind::Corrupt);
        }
    }
}
