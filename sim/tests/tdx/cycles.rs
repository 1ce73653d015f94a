//! Random life cycles of up to eight TDs through the kernel's sequences.

use pamt_sim::tdx::Census;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::kvm::Kvm;

#[derive(Clone, Copy, Debug)]
enum Event {
    /// Creates the TD, or destroys it.
    Toggle,
    Fault {
        index: u64,
        large: bool,
    },
    Remove {
        which: usize,
    },
    Split,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => Just(Event::Toggle),
        6 => (0..40_u64, prop::bool::weighted(0.2))
            .prop_map(|(index, large)| Event::Fault { index, large }),
        3 => any::<usize>().prop_map(|which| Event::Remove { which }),
        1 => Just(Event::Split),
    ]
}

fn apply(kvm: &mut Kvm, slot: usize, event: Event) {
    match (event, kvm.tds[slot].is_some()) {
        (Event::Toggle, true) => kvm.destroy(slot),
        (_, false) => kvm.create(slot),
        (Event::Fault { index, large }, true) => kvm.fault(slot, index, large),
        (Event::Remove { which }, true) => kvm.remove(slot, which),
        (Event::Split, true) => kvm.split_and_merge(slot),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_module_is_as_it_was_found_when_all_tds_are_gone(
        events in vec((0..8_usize, event()), 1..60),
    ) {
        let mut kvm = Kvm::new();
        for (slot, event) in events {
            apply(&mut kvm, slot, event);
            let census = kvm.audit();
            let alive = kvm.tds.iter().filter(|td| td.is_some()).count();
            prop_assert_eq!((census.tds, census.vcpus), (alive, alive));
        }
        for slot in 0..8 {
            if kvm.tds[slot].is_some() {
                kvm.destroy(slot);
            }
        }
        prop_assert_eq!(kvm.audit(), Census::default());
    }
}
