//! Dictionaries of an Arrow IPC file. For each batch only the places of their messages are kept; a thread decodes what its
//! batch needs and keeps it while its next batch needs the same. So their memory does not grow with the file.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow::array::ArrayRef;

use crate::load::ipc_file::Span;

/// Decoded dictionaries by their id.
pub type Dictionaries = HashMap<i64, ArrayRef>;

/// For each dictionary which of its messages it is made of: one with all values, and those after it that add some.
pub type Needed = BTreeMap<i64, Range<usize>>;

/// The messages of dictionaries of one file.
#[derive(Default)]
pub struct DictionaryMessages {
    by_id: HashMap<i64, Vec<Span>>,
    /// What a batch needs that follows the last message.
    needed: Arc<Needed>,
}

impl DictionaryMessages {
    /// The next message of a dictionary, which replaces it or adds values to it.
    pub fn add(&mut self, id: i64, is_delta: bool, span: Span) -> Result<(), String> {
        let messages = self.by_id.entry(id).or_default();
        messages.push(span);
        let end = messages.len();
        // Batches before keep what held for them.
        let needed = Arc::make_mut(&mut self.needed);
        match needed.get_mut(&id) {
            Some(range) if is_delta => range.end = end,
            None if is_delta => return Err(format!("values are added to dictionary {id}, which there is not")),
            _ => drop(needed.insert(id, end - 1..end)),
        }
        Ok(())
    }

    /// What a batch needs that follows here.
    pub fn needed(&self) -> Arc<Needed> {
        self.needed.clone()
    }
}

/// The dictionaries that one thread decoded last.
#[derive(Default)]
pub struct DecodedDictionaries {
    /// The file they are of.
    file: Option<Arc<Path>>,
    messages: Needed,
    bytes: BTreeMap<i64, u64>,
    arrays: Dictionaries,
}

impl DecodedDictionaries {
    /// Bytes of each.
    #[cfg(test)]
    pub fn bytes(&self) -> &BTreeMap<i64, u64> {
        &self.bytes
    }

    /// Those that are needed and no others. `decode` is given a message, the bytes that it may take, and those decoded
    /// before; it gives the bytes that it takes. All together take at most `bytes_max`.
    pub fn bring_up(
        &mut self,
        file: &Arc<Path>,
        (all, needed): (&DictionaryMessages, &Needed),
        bytes_max: u64,
        decode: impl Fn(&Span, u64, &mut Dictionaries) -> Result<u64, String>,
    ) -> Result<&Dictionaries, String> {
        if !self.file.as_ref().is_some_and(|last| Arc::ptr_eq(last, file)) {
            *self = DecodedDictionaries { file: Some(file.clone()), ..DecodedDictionaries::default() };
        }
        let is_needed = |id: &i64, have: &mut Range<usize>| {
            needed.get(id).is_some_and(|needed| needed.start == have.start && have.end <= needed.end)
        };
        let DecodedDictionaries { messages, bytes, arrays, .. } = self;
        messages.retain(is_needed);
        arrays.retain(|id, _| messages.contains_key(id));
        bytes.retain(|id, _| messages.contains_key(id));
        let mut missing = Vec::new();
        for (id, needed) in needed {
            let begin = messages.get(id).map_or(needed.start, |have| have.end);
            let spans = all.by_id.get(id).and_then(|spans| spans.get(begin..needed.end)).unwrap_or_default();
            missing.extend(spans.iter().map(|span| (*id, span)));
        }
        // In the order of the file: the values of a dictionary may have one themselves.
        missing.sort_by_key(|(_, span)| span.offset);
        for (id, span) in missing {
            let bytes_left = bytes_max.saturating_sub(bytes.values().sum());
            let more = decode(span, bytes_left, arrays)?;
            if more > bytes_left {
                return Err(format!(
                    "the dictionaries of a batch take more than {bytes_max} bytes together: write the file with smaller \
                     ones, or without"
                ));
            }
            *bytes.entry(id).or_default() += more;
        }
        messages.clone_from(needed);
        Ok(arrays)
    }
}
