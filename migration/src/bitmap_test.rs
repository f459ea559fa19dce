use super::*;
use crate::layout::{PAGE_SIZE, Slot};

fn layout() -> Layout {
    let slot = |start, pages| Slot {
        start,
        size: pages * PAGE_SIZE,
    };
    Layout::new(vec![slot(0, 70), slot(1 << 32, 64)]).unwrap()
}

#[test]
fn all_is_no_more_than_there_is() {
    let all = PageBitmap::all(&layout());
    assert_eq!(all.count(), 134);
    assert_eq!((all.slot(0), all.slot(1)), (&[!0, 0x3f][..], &[!0][..]));
    assert!(all.slot(2).is_empty());
}

#[test]
fn logs_are_merged() {
    let mut kvm = PageBitmap::none(&layout());
    kvm.slot_mut(0)[1] = 0b101;
    let mut node = PageBitmap::none(&layout());
    node.slot_mut(0)[1] = !0;
    node.slot_mut(1)[0] = 1;
    node.trim(&layout());
    kvm.merge(&node);
    assert_eq!(kvm.count(), 7);
}
