use super::*;

const fn slot(start: u64, size: u64) -> Slot {
    Slot { start, size }
}

#[test]
fn memory_around_the_hole() {
    let layout = Layout::new(vec![slot(0, 3 << 30), slot(4 << 30, 65 * PAGE_SIZE)]).unwrap();
    assert_eq!(layout.pages(), (3 << 18) + 65);
    assert_eq!(
        (layout.words(0), layout.words(1), layout.words(2)),
        (3 << 12, 2, 0)
    );
    assert!(layout.has(&(0..3 << 18)));
    assert!(layout.has(&((1 << 20)..(1 << 20) + 65)));
    assert!(!layout.has(&((1 << 20) + 64..(1 << 20) + 66)));
    assert!(!layout.has(&((3 << 18) - 1..(3 << 18) + 1)));
}

#[test]
fn impossible_memory_is_refused() {
    let cases = [
        vec![],
        vec![slot(0, PAGE_SIZE); MAX_SLOTS + 1],
        vec![slot(0, 0)],
        vec![slot(1, PAGE_SIZE)],
        vec![slot(0, PAGE_SIZE + 1)],
        vec![slot(u64::MAX - PAGE_SIZE + 1, PAGE_SIZE)],
        vec![slot((1 << 52) - PAGE_SIZE, 2 * PAGE_SIZE)],
        vec![slot(0, 2 * PAGE_SIZE), slot(PAGE_SIZE, PAGE_SIZE)],
        vec![slot(PAGE_SIZE, PAGE_SIZE), slot(0, PAGE_SIZE)],
    ];
    for slots in cases {
        assert!(Layout::new(slots.clone()).is_err(), "{slots:?}");
    }
}

#[test]
fn what_is_read_is_checked_too() {
    let bytes = postcard::to_allocvec(&vec![slot(1, 2)]).unwrap();
    assert!(postcard::from_bytes::<Layout>(&bytes).is_err());
}
