//! What the tests of several modules begin with.

use crate::layout::{Layout, PAGE_SIZE, Slot};
use crate::message::{Cpu, Offer};
use crate::pages::{Attempt, Compression};
use crate::place::{Place, Residence, Start};
use proptest::prelude::*;
use std::time::Duration;

/// Milliseconds.
pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One slot of so many pages.
pub fn one_slot(pages: u64) -> Layout {
    let slot = Slot {
        start: 0,
        size: pages * PAGE_SIZE,
    };
    Layout::new(vec![slot]).unwrap()
}

/// The smallest machine, which lives at `place`, by one stream.
pub fn offer(place: Place, layout: Layout) -> Offer {
    Offer {
        attempt: Attempt([1; 16]),
        vm: 4,
        place,
        cluster: "c".into(),
        machine: 1,
        vcpus: 1,
        layout,
        cpu: Cpu::default(),
        devices: vec![],
        config: vec![],
        streams: 1,
        compression: Compression::None,
    }
}

/// Any place near those of the tests, in the VM's third life.
pub fn any_place() -> impl Strategy<Value = Place> + Clone {
    (1..4u32, 4..9u32).prop_map(|(node, epoch)| Place {
        node,
        epoch,
        life: 3,
    })
}

/// The same as a record says it.
pub fn any_residence() -> impl Strategy<Value = Residence> {
    let start = prop_oneof![
        Just(Start::Made),
        Just(Start::Awaited),
        Just(Start::Declined)
    ];
    (any_place(), start).prop_map(|(place, start)| Residence { place, start })
}
