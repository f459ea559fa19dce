use super::*;
use proptest::prelude::*;

#[test]
fn after_a_refusal_there_is_room_at_half_the_limit() {
    let mut output = Output::new(1000);
    for _ in 0..10 {
        output.frame(100).unwrap().fill(1);
    }
    assert_eq!(output.frame(1), Err(Full));
    output.written(400);
    assert_eq!(output.frame(1), Err(Full));
    assert!(!output.take_room());
    output.written(100);
    assert!(output.take_room() && !output.take_room());
    assert!(output.frame(500).is_ok());
}

#[test]
fn what_must_not_wait_may_go_over_the_limit_but_not_for_ever() {
    let mut output = Output::new(1000);
    output.frame(1000).unwrap().fill(1);
    let mut extra = 0;
    while output.put(&[2; 64]).is_ok() {
        extra += 64;
    }
    assert_eq!(extra, NOTICE_SLACK);
    assert_eq!(output.waiting().len(), 1000 + NOTICE_SLACK);
}

#[test]
fn memory_is_given_back_after_a_while_without_use() {
    let mut output = Output::new(1 << 20);
    output.frame(1 << 19).unwrap().fill(1);
    output.written(1 << 19);
    output.rest();
    assert!(!output.storage.is_empty());
    output.rest();
    assert!(output.storage.is_empty());
}

proptest! {
    #[test]
    fn bytes_come_out_as_they_went_in(
        steps in prop::collection::vec((0..3u8, 1..700usize), 1..200),
    ) {
        let mut output = Output::new(2000);
        let (mut expected, mut next) = (std::collections::VecDeque::<u8>::new(), 0u8);
        for (what, count) in steps {
            let bytes: Vec<u8> = (next..=255).cycle().take(count).collect();
            match what {
                0 => if let Ok(into) = output.frame(count) {
                    into.copy_from_slice(&bytes);
                    let cut = count / 3;
                    output.cut(cut);
                    expected.extend(&bytes[..count - cut]);
                },
                1 => if output.put(&bytes).is_ok() {
                    expected.extend(&bytes);
                },
                _ => {
                    let count = (count * 9).min(output.len());
                    let gone: Vec<_> = expected.drain(..count).collect();
                    prop_assert_eq!(&output.waiting()[..count], &gone);
                    output.written(count);
                    output.take_room();
                }
            }
            next = next.wrapping_add(7);
            prop_assert_eq!(output.len(), expected.len());
            prop_assert!(output.storage.len() <= 2000 + NOTICE_SLACK);
        }
        prop_assert!(output.waiting().iter().eq(expected.iter()));
    }
}
