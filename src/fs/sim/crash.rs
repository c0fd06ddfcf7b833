//! What becomes durable at a sync, and what is left after a crash.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::state::{Inode, InodeId, ROOT, Slot, State};
use crate::fs::Fault;

impl State {
    pub fn sync_file(&mut self, inode: InodeId) {
        if !self.lost.contains(&inode)
            && let Some(Inode::File { bytes, synced_bytes }) = self.inodes.get_mut(&inode)
        {
            *synced_bytes = bytes.len();
        }
    }

    /// Makes the names of a directory durable, and with them the other side of every rename.
    pub fn sync_names(&mut self, dir: InodeId) {
        let first = (dir, String::new());
        while let Some((slot, _)) = self.unsynced.range(first.clone()..).next().filter(|((d, _), _)| *d == dir) {
            for slot in self.renamed_together(&slot.clone()) {
                self.unsynced.remove(&slot);
            }
        }
    }

    pub fn sync_everything(&mut self) {
        self.unsynced.clear();
        for (id, inode) in &mut self.inodes {
            if let Inode::File { bytes, synced_bytes } = inode
                && !self.lost.contains(id)
            {
                *synced_bytes = bytes.len();
            }
        }
    }

    /// The system could not write files back and gave their unsynced bytes up, which it can still show.
    pub fn fail_write_back(&mut self) {
        let is_unsynced =
            |inode: &Inode| matches!(inode, Inode::File { bytes, synced_bytes } if *synced_bytes < bytes.len());
        self.lost.extend(self.inodes.iter().filter(|(_, inode)| is_unsynced(inode)).map(|(id, _)| *id));
        self.write_back_failures += 1;
    }

    /// Forgets what was not synced, except what the crash is said to keep.
    pub fn restart(&mut self) {
        let mut coin = match self.crashed.take() {
            Some(Fault::CrashKeepingSome(seed)) => Some(StdRng::seed_from_u64(seed)),
            _ => None,
        };
        self.revert_names(coin.as_mut());
        self.remove_unreachable();
        self.cut_files(coin.as_mut());
        self.locks.clear();
        self.lost.clear();
        self.generation += 1;
        self.plan = None;
    }

    fn revert_names(&mut self, mut coin: Option<&mut StdRng>) {
        while let Some(slot) = self.unsynced.keys().next().cloned() {
            let keep = coin.as_mut().is_some_and(|coin| coin.next_u64() % 2 == 0);
            for slot in self.renamed_together(&slot) {
                let Some(change) = self.unsynced.remove(&slot) else { continue };
                if !keep {
                    self.set_name_now(&slot, change.synced);
                }
            }
        }
    }

    fn cut_files(&mut self, mut coin: Option<&mut StdRng>) {
        for inode in self.inodes.values_mut() {
            let Inode::File { bytes, synced_bytes } = inode else { continue };
            let tail_bytes = bytes.len() - *synced_bytes;
            if tail_bytes == 0 {
                continue;
            }
            let kept_bytes = match coin.as_mut() {
                None => 0,
                // All, nothing, or a part.
                Some(coin) => match coin.next_u64() % 3 {
                    0 => 0,
                    1 => tail_bytes,
                    _ => (coin.next_u64() % (tail_bytes as u64 + 1)) as usize,
                },
            };
            Arc::make_mut(bytes).truncate(*synced_bytes + kept_bytes);
            *synced_bytes = bytes.len();
        }
    }

    fn remove_unreachable(&mut self) {
        let mut reached = BTreeSet::new();
        let mut pending = vec![ROOT];
        while let Some(inode) = pending.pop() {
            if reached.insert(inode) {
                pending.extend(self.names(inode).into_iter().flat_map(|names| names.values().copied()));
            }
        }
        self.inodes.retain(|inode, _| reached.contains(inode));
    }

    /// The slot and all others that renames tie to it.
    fn renamed_together(&self, slot: &Slot) -> BTreeSet<Slot> {
        let mut group = BTreeSet::new();
        let mut pending = vec![slot.clone()];
        while let Some(slot) = pending.pop() {
            if let Some(change) = self.unsynced.get(&slot).filter(|_| !group.contains(&slot)) {
                pending.extend(change.renamed_with.iter().cloned());
                group.insert(slot);
            }
        }
        group
    }
}
