use super::*;
use crate::layout::Slot;
use proptest::prelude::*;

fn layout() -> Layout {
    let slot = |start, pages| Slot {
        start,
        size: pages * PAGE_SIZE,
    };
    Layout::new(vec![slot(0, 1000), slot(1 << 32, 1000)]).unwrap()
}

fn run(frame: u64, pages: u32, content: Content) -> Run {
    Run {
        frame,
        pages,
        content,
    }
}

#[test]
fn zero_pages_are_told_from_data() {
    let picked = [run(10, 4, Content::Data), run(14, 2, Content::Data)];
    let batch = Batch::sort(picked, |frame| (11..13).contains(&frame));
    assert_eq!(
        batch.runs,
        [
            run(10, 1, Content::Data),
            run(11, 2, Content::Zero),
            run(13, 3, Content::Data)
        ]
    );
    assert_eq!((batch.data_pages(), batch.zero_pages()), (4, 2));
    assert_eq!(batch.payload, 4 * 4096);
    assert_eq!(batch.check(&layout(), Compression::None), Ok(()));
}

#[test]
fn batches_that_lie_are_refused() {
    let batch = |runs: Vec<Run>, compression, payload| Batch {
        runs,
        compression,
        payload,
    };
    let none = Compression::None;
    let one = || vec![run(0, 1, Content::Data)];
    let cases = [
        batch(vec![], none, 0),
        batch(vec![run(0, 0, Content::Data)], none, 0),
        batch(vec![run(0, 513, Content::Zero)], none, 0),
        batch(vec![run(0, u32::MAX, Content::Data); 3], none, 0),
        batch(vec![run(999, 2, Content::Zero)], none, 0),
        batch(vec![run(u64::MAX, 1, Content::Zero)], none, 0),
        batch(one(), none, 4095),
        batch(one(), none, 4097),
        batch(one(), Compression::Lz4, 4096),
        batch(one(), Compression::Lz4, 0),
        batch(one(), Compression::Zstd, 100),
        batch(vec![run(0, 1, Content::Zero)], Compression::Lz4, 1),
    ];
    for case in cases {
        assert!(case.check(&layout(), Compression::Lz4).is_err(), "{case:?}");
    }
    let packed = batch(one(), Compression::Lz4, 100);
    assert_eq!(packed.check(&layout(), Compression::Lz4), Ok(()));
}

fn batches() -> impl Strategy<Value = Batch> {
    let content = prop_oneof![Just(Content::Data), Just(Content::Zero)];
    let run = (any::<u64>(), any::<u32>(), content).prop_map(|(f, p, c)| run(f, p, c));
    let packed = prop_oneof![
        Just(Compression::None),
        Just(Compression::Lz4),
        Just(Compression::Zstd)
    ];
    (prop::collection::vec(run, 0..=512), packed, any::<u32>()).prop_map(
        |(runs, compression, payload)| Batch {
            runs,
            compression,
            payload,
        },
    )
}

proptest! {
    #[test]
    fn every_batch_comes_back_within_its_limit(batch in batches()) {
        let section = Data::Batch(batch.clone()).section().unwrap();
        prop_assert!(section.bytes.len() <= 16 * 512 + 64);
        prop_assert_eq!(Data::read(&section).unwrap(), Data::Batch(batch));
    }

    #[test]
    fn what_passes_the_check_is_no_more_than_a_batch(batch in batches()) {
        if batch.check(&layout(), Compression::Lz4).is_ok() {
            prop_assert!(batch.payload <= 512 * 4096);
            prop_assert!(batch.runs.len() <= 512);
        }
    }
}
