//! Random operations on a store against a plain map: after every one the store shows what the map says, also after a
//! crash in the middle, which leaves the state before or the state after.
//!
//! `STELE_MODEL_SEEDS=<first>..<end>` runs other seeds than the usual ones; a failure names its seed.

mod copies;
mod plain;
mod run;
mod tables;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use run::Run;

use crate::support::report;

/// Seeds of a usual run, in so many parts that run at the same time.
const SEEDS: u64 = 2000;
const PARTS: u64 = 2;
const STEPS: usize = 30;

fn seeds(part: u64) -> Vec<u64> {
    let (first, end) = match std::env::var("STELE_MODEL_SEEDS") {
        Ok(text) => {
            let (first, end) = text.split_once("..").expect("STELE_MODEL_SEEDS is <first>..<end>");
            (first.parse().unwrap(), end.parse().unwrap())
        }
        Err(_) => (0, SEEDS),
    };
    (first..end).filter(|seed| seed % PARTS == part).collect()
}

fn run_part(part: u64) {
    let mut done: BTreeMap<&'static str, u64> = BTreeMap::new();
    let seeds = seeds(part);
    for seed in &seeds {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut run = Run::new(*seed);
            run.create();
            (0..STEPS).for_each(|_| run.step());
            run.finish()
        }));
        match result {
            Ok(counts) => counts.into_iter().for_each(|(what, count)| *done.entry(what).or_default() += count),
            Err(_) => panic!("seed {seed} failed: STELE_MODEL_SEEDS={seed}..{} runs it alone", seed + 1),
        }
    }
    report(&format!("{} seeds: {done:?}", seeds.len()));
    if seeds.len() >= 500 {
        let missing: Vec<_> = run::KINDS.iter().filter(|kind| !done.contains_key(*kind)).collect();
        assert!(missing.is_empty(), "never happened: {missing:?}");
    }
}

#[test]
fn random_operations_even_seeds() {
    run_part(0);
}

#[test]
fn random_operations_odd_seeds() {
    run_part(1);
}
