//! Random commits against a simple model.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::{layout, new_table, reopen, state};
use crate::delta::Action;
use crate::delta::fixture::{add, partition, remove, segment, table_state};
use crate::fs::{LogFileName, SimFs};
use crate::id::{PartitionId, SegmentName, Version};
use crate::segment_meta::SegmentMeta;
use crate::table::{PartitionVersion, TableVersion};

/// One step of the model test.
#[derive(Debug, Clone)]
enum Step {
    Add(u32),
    Replace(prop::sample::Index),
    DropPartition(prop::sample::Index),
    AddPartition,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0u32..2).prop_map(Step::Add),
        2 => any::<prop::sample::Index>().prop_map(Step::Replace),
        1 => any::<prop::sample::Index>().prop_map(Step::DropPartition),
        1 => Just(Step::AddPartition),
    ]
}

/// The partitions there are and their segments by name.
type Model = BTreeMap<u64, BTreeMap<SegmentName, Arc<SegmentMeta>>>;

fn actions_of(step: &Step, number: u64, model: &mut Model, next_partition: &mut u64) -> Vec<Action> {
    match step {
        Step::Add(bucket) => model
            .iter_mut()
            .map(|(id, segments)| {
                let segment = segment(*id, *bucket, number * 100 + id);
                segments.insert(segment.name, segment.clone());
                add(&segment)
            })
            .collect(),
        Step::Replace(index) => {
            let all: Vec<_> = model.values().flat_map(|segments| segments.values().cloned()).collect();
            if all.is_empty() {
                return Vec::new();
            }
            let gone = index.get(&all);
            let id = gone.name.partition.get();
            let fresh = segment(id, gone.name.bucket.get(), number * 100);
            let segments = model.get_mut(&id).unwrap();
            segments.remove(&gone.name);
            segments.insert(fresh.name, fresh.clone());
            vec![add(&fresh), remove(gone)]
        }
        Step::DropPartition(index) => {
            let ids: Vec<u64> = model.keys().copied().collect();
            if ids.is_empty() {
                return Vec::new();
            }
            let id = *index.get(&ids);
            let segments = model.remove(&id).unwrap();
            let removed = std::iter::once(Action::PartitionRemoved(PartitionId::new(id)));
            removed.chain(segments.values().map(remove)).collect()
        }
        Step::AddPartition => {
            let id = *next_partition;
            *next_partition += 1;
            model.insert(id, BTreeMap::new());
            vec![Action::Partition(partition(id, &format!("p{id}"))), table_state(*next_partition, 0)]
        }
    }
}

fn names(version: &TableVersion) -> BTreeMap<u64, Vec<SegmentName>> {
    let sorted = |partition: &PartitionVersion| {
        let mut names: Vec<_> = partition.segments().map(|segment| segment.name).collect();
        names.sort();
        names
    };
    version.partitions.iter().map(|(id, partition)| (id.get(), sorted(partition))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn random_commits_give_what_the_model_says_at_every_version(steps in prop::collection::vec(step(), 0..70)) {
        let sim = SimFs::new();
        let (_, table) = new_table(&sim);
        let mut model: Model = BTreeMap::from([(1, BTreeMap::new())]);
        let mut next_partition = 2;
        let name_lists = |model: &Model| -> BTreeMap<u64, Vec<SegmentName>> {
            model.iter().map(|(id, segments)| (*id, segments.keys().copied().collect())).collect()
        };
        let mut history = vec![(state(&table.current()), name_lists(&model))];
        for (number, step) in steps.iter().enumerate() {
            let actions = actions_of(step, number as u64 + 1, &mut model, &mut next_partition);
            let is_empty = actions.is_empty();
            let version = table.commit("STEP", |_| Ok(actions)).unwrap();
            if !is_empty {
                history.push((state(&version), name_lists(&model)));
            }
        }
        sim.restart();
        let again = reopen(&sim).unwrap();
        for (number, (expected, expected_names)) in history.iter().enumerate() {
            let version = again.at(Version::new(number as u64)).unwrap();
            prop_assert_eq!(&state(&version), expected);
            prop_assert_eq!(&names(&version), expected_names);
        }
        prop_assert_eq!(again.current().version.get() as usize, history.len() - 1);
        let log = sim.fs().list(&layout().log()).unwrap();
        prop_assert!(log.iter().all(|entry| LogFileName::parse(&entry.name).is_some()));
    }
}
