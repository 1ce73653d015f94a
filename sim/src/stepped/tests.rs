use std::collections::BTreeSet;

use pamt_strategies::platform::Words;

use super::*;

/// Two bodies that each load a word, add one and store it: how often the final value is 1 or 2.
fn lost_updates(preemptions: usize) -> (BTreeSet<u64>, usize) {
    let access = |kind| StepAccess { array: 0, word: 0, words: 1, kind };
    let footprint = vec![access(StepKind::Load), access(StepKind::Store)];
    let mut explorer = Explorer::new(preemptions, vec![footprint.clone(), footprint]);
    let (mut values, mut runs) = (BTreeSet::new(), 0);
    loop {
        let mut build = SteppedBuild::new(2, 1);
        let word = Stepped::words::<u64>(&mut build, Place::packed("counter", 1));
        let cpus = build.start();
        let bodies = cpus.iter().map(|cpu| {
            let word = word.clone();
            let body: SteppedBody = Box::new(move |cpu| {
                let old = word.load(cpu, 0, Ordering::Relaxed);
                word.store(cpu, 0, old + 1, Ordering::Relaxed);
            });
            (Rc::clone(cpu), body)
        });
        interleave(bodies.collect(), |pending| explorer.choose(&Point { pending }));
        values.insert(word.peek(&cpus[0], 0));
        runs += 1;
        if !explorer.next_schedule() {
            return (values, runs);
        }
    }
}

#[test]
fn one_preemption_finds_a_lost_update_and_none_finds_no() {
    assert_eq!(lost_updates(0), (BTreeSet::from([2]), 2));
    let (values, runs) = lost_updates(2);
    assert_eq!(values, BTreeSet::from([1, 2]));
    // All interleavings of two bodies of two accesses.
    assert_eq!(runs, 6);
}

#[test]
fn accesses_conflict_when_they_overlap_and_one_writes() {
    let range = |word, words, kind| StepAccess { array: 0, word, words, kind };
    let (load, store) = (StepKind::Load, StepKind::Store);
    assert!(range(0, 8, load).conflicts(&range(7, 1, store)));
    assert!(!range(0, 8, load).conflicts(&range(8, 1, store)));
    assert!(!range(0, 8, load).conflicts(&range(0, 8, load)));
}
